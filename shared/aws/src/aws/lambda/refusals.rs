//! Which of Lambda's errors say that the function did not run, and whether it might the next time.

use std::time::Duration;

use super::super::error::{Effect, kind_of};
use crate::ports::ErrorKind;

/// There is no room for it now. Source of all three lists: `Invoke` API reference.
const NO_ROOM: &[&str] =
    &["EC2ThrottledException", "ENILimitReachedException", "SubnetIPAddressLimitReachedException"];

/// It is not ready, or its surroundings are not; that passes.
const NOT_READY: &[&str] = &[
    "CodeArtifactUserPendingException",
    "EC2UnexpectedException",
    "EFSMountConnectivityException",
    "EFSMountTimeoutException",
    "ENINotReadyException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "S3FilesMountConnectivityException",
    "S3FilesMountTimeoutException",
    "SnapStartNotReadyException",
    "SnapStartTimeoutException",
];

/// Something is wrong with it that only a person sets right. Many of these come with the status 502.
const BROKEN: &[&str] = &[
    "CodeArtifactUserDeletedException",
    "CodeArtifactUserFailedException",
    "EC2AccessDeniedException",
    "EFSMountFailureException",
    "InvalidRuntimeException",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
    "InvalidZipFileException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "S3FilesMountFailureException",
    "SnapStartException",
    "SnapStartRegenerationFailureException",
];

/// What an error of `Invoke` says. `ServiceException` and `EFSIOException` say nothing: the function may
/// have run.
pub(super) fn kind_of_refusal(status: u16, code: Option<&str>, retry_after: Option<Duration>) -> ErrorKind {
    match code {
        Some(code) if NO_ROOM.contains(&code) => ErrorKind::Throttled { retry_after },
        Some(code) if NOT_READY.contains(&code) => ErrorKind::Retryable,
        Some(code) if BROKEN.contains(&code) => ErrorKind::Permanent,
        Some("EFSIOException") => ErrorKind::Ambiguous,
        code => kind_of(Effect::Once, status, code, retry_after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_that_invoke_documents_has_its_kind() {
        let throttled = ErrorKind::Throttled { retry_after: None };
        for (status, code, expected) in [
            (429, "TooManyRequestsException", throttled),
            (502, "EC2ThrottledException", throttled),
            (502, "ENILimitReachedException", throttled),
            (502, "SubnetIPAddressLimitReachedException", throttled),
            (502, "CodeArtifactUserPendingException", ErrorKind::Retryable),
            (502, "EC2UnexpectedException", ErrorKind::Retryable),
            (408, "EFSMountConnectivityException", ErrorKind::Retryable),
            (408, "EFSMountTimeoutException", ErrorKind::Retryable),
            (502, "ENINotReadyException", ErrorKind::Retryable),
            (409, "ResourceConflictException", ErrorKind::Retryable),
            (502, "ResourceNotReadyException", ErrorKind::Retryable),
            (408, "S3FilesMountConnectivityException", ErrorKind::Retryable),
            (408, "S3FilesMountTimeoutException", ErrorKind::Retryable),
            (409, "SnapStartNotReadyException", ErrorKind::Retryable),
            (408, "SnapStartTimeoutException", ErrorKind::Retryable),
            (500, "ServiceException", ErrorKind::Ambiguous),
            (410, "EFSIOException", ErrorKind::Ambiguous),
            (502, "CodeArtifactUserFailedException", ErrorKind::Permanent),
            (502, "EC2AccessDeniedException", ErrorKind::Permanent),
            (403, "EFSMountFailureException", ErrorKind::Permanent),
            (400, "InvalidParameterValueException", ErrorKind::Permanent),
            (400, "InvalidRequestContentException", ErrorKind::Permanent),
            (502, "InvalidRuntimeException", ErrorKind::Permanent),
            (502, "InvalidSecurityGroupIDException", ErrorKind::Permanent),
            (502, "InvalidSubnetIDException", ErrorKind::Permanent),
            (502, "InvalidZipFileException", ErrorKind::Permanent),
            (502, "KMSAccessDeniedException", ErrorKind::Permanent),
            (502, "KMSDisabledException", ErrorKind::Permanent),
            (502, "KMSInvalidStateException", ErrorKind::Permanent),
            (502, "KMSNotFoundException", ErrorKind::Permanent),
            (400, "ModeNotSupportedException", ErrorKind::Permanent),
            (404, "NoPublishedVersionException", ErrorKind::Permanent),
            (400, "RecursiveInvocationException", ErrorKind::Permanent),
            (413, "RequestTooLargeException", ErrorKind::Permanent),
            (404, "ResourceNotFoundException", ErrorKind::Permanent),
            (403, "S3FilesMountFailureException", ErrorKind::Permanent),
            (413, "SerializedRequestEntityTooLargeException", ErrorKind::Permanent),
            (402, "ServiceQuotaExceededException", ErrorKind::Permanent),
            (400, "SnapStartException", ErrorKind::Permanent),
            (415, "UnsupportedMediaTypeException", ErrorKind::Permanent),
            (403, "AccessDeniedException", ErrorKind::Permanent),
            (409, "DurableExecutionAlreadyStartedException", ErrorKind::Permanent),
        ] {
            assert_eq!(kind_of_refusal(status, Some(code), None), expected, "{status} {code}");
        }
        assert_eq!(kind_of_refusal(502, None, None), ErrorKind::Ambiguous);
        let hint = Some(Duration::from_secs(3));
        assert_eq!(kind_of_refusal(429, None, hint), ErrorKind::Throttled { retry_after: hint });
    }
}
