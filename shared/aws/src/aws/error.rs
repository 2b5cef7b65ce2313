//! What an SDK error means to a caller.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId as _;

use crate::ports::{ErrorKind, PortError, ServiceAnswer};

/// Whether a call may be repeated without harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Twice is once.
    Idempotent,
    /// Twice is twice: `SubmitJob`.
    Once,
}

/// Codes that say "too many", beside the status 429. Source: the SDKs' retry specification.
const THROTTLES: &[&str] = &[
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Translates an SDK error, once, at the adapter's edge.
pub(crate) fn port_error<E>(
    operation: &'static str,
    effect: Effect,
    error: SdkError<E, HttpResponse>,
) -> PortError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    described(operation, effect, &error).with_origin(error)
}

/// The same without the error that it is made from.
pub(super) fn described<E>(
    operation: &'static str,
    effect: Effect,
    error: &SdkError<E, HttpResponse>,
) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let kind = match error {
        SdkError::ConstructionFailure(_) => ErrorKind::Permanent,
        SdkError::DispatchFailure(failure) => {
            failure.as_connector_error().and_then(|error| before_sending(error)).unwrap_or(unknown(effect))
        }
        SdkError::ServiceError(service) => {
            let response = service.raw();
            kind_of(effect, response.status().as_u16(), service.err().code(), retry_after(response))
        }
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => unknown(effect),
        _ => unknown(effect),
    };
    let message = match error {
        SdkError::ServiceError(service) => match (service.err().code(), service.err().message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
            (None, _) => {
                let status = service.raw().status().as_u16();
                format!("status {status}: {}", DisplayErrorContext(service.err()))
            }
        },
        other => DisplayErrorContext(other).to_string(),
    };
    let failed = PortError::new(kind, operation, message);
    match error.raw_response() {
        Some(response) => failed.with_answer(answer(response, error.code())),
        None => failed,
    }
}

fn answer(response: &HttpResponse, code: Option<&str>) -> ServiceAnswer {
    let mut answer = ServiceAnswer::default();
    answer.status = Some(response.status().as_u16());
    answer.code = code.map(str::to_owned);
    answer.request_id = response.request_id().map(str::to_owned);
    answer
}

/// What a service's own answer says.
pub(crate) fn kind_of(
    effect: Effect,
    status: u16,
    code: Option<&str>,
    retry_after: Option<Duration>,
) -> ErrorKind {
    match (status, code) {
        (429, _) => ErrorKind::Throttled { retry_after },
        (_, Some(code)) if THROTTLES.contains(&code) => ErrorKind::Throttled { retry_after },
        (500.., _) | (408, _) => unknown(effect),
        // Done or not, the answer can't be read; S3 also puts errors into an answer with status 200.
        (..300, _) => unknown(effect),
        _ => ErrorKind::Permanent,
    }
}

/// Nobody knows whether the call took effect.
fn unknown(effect: Effect) -> ErrorKind {
    match effect {
        Effect::Idempotent => ErrorKind::Retryable,
        Effect::Once => ErrorKind::Ambiguous,
    }
}

/// What a failure means that came before anything was sent: no credentials, or no connection (no such
/// host, refused, no TLS, not in time). `None` where the request may have been sent.
fn before_sending(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    let mut source = Some(error);
    while let Some(error) = source {
        match error.downcast_ref::<CredentialsError>() {
            Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)) => {
                return Some(ErrorKind::Permanent);
            }
            Some(_) => return Some(ErrorKind::Retryable),
            None => {}
        }
        let client = error.downcast_ref::<hyper_util::client::legacy::Error>();
        if client.is_some_and(hyper_util::client::legacy::Error::is_connect) {
            return Some(ErrorKind::Retryable);
        }
        source = error.source();
    }
    None
}

/// `Retry-After` in seconds. The form with a date is not used by AWS.
pub(super) fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.headers().get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_by_status_and_code() {
        let throttled = ErrorKind::Throttled { retry_after: None };
        let table = [
            (429, Some("TooManyRequestsException"), throttled, throttled),
            (429, None, throttled, throttled),
            (400, Some("ThrottlingException"), throttled, throttled),
            (400, Some("ProvisionedThroughputExceededException"), throttled, throttled),
            (503, Some("SlowDown"), throttled, throttled),
            (400, Some("ClientException"), ErrorKind::Permanent, ErrorKind::Permanent),
            (403, Some("AccessDeniedException"), ErrorKind::Permanent, ErrorKind::Permanent),
            (404, None, ErrorKind::Permanent, ErrorKind::Permanent),
            (500, Some("ServerException"), ErrorKind::Retryable, ErrorKind::Ambiguous),
            (503, None, ErrorKind::Retryable, ErrorKind::Ambiguous),
            (408, None, ErrorKind::Retryable, ErrorKind::Ambiguous),
            (200, None, ErrorKind::Retryable, ErrorKind::Ambiguous),
            (200, Some("SlowDown"), throttled, throttled),
            (200, Some("InternalError"), ErrorKind::Retryable, ErrorKind::Ambiguous),
        ];
        for (status, code, idempotent, once) in table {
            assert_eq!(kind_of(Effect::Idempotent, status, code, None), idempotent, "{status} {code:?}");
            assert_eq!(kind_of(Effect::Once, status, code, None), once, "{status} {code:?}");
        }
    }
}
