//! What an error of a call is about: the item, its target, this machine, or the whole run.

use std::time::Duration;

use crate::ports::{CONNECTION_FAILED, CallError, ErrorKind, NO_CREDENTIALS};

/// Whom an error holds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// The item alone.
    Item,
    /// Every item of the same function: there is no room for more. The item did not run, and that is no attempt.
    Target(Option<Duration>),
    /// Every item: this machine has no connection to spare, or nobody listens. That is no attempt either.
    Machine,
    /// The function is not there, or not ours to invoke: every item of it would fail alike.
    Function,
    /// The caller is not known: every call would fail alike.
    Caller,
}

/// Errors of a caller without valid credentials. Source: AWS, "common error types".
const OF_THE_CALLER: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    NO_CREDENTIALS,
];

/// Errors that a function's name or its permissions bring. Source: `Invoke` API reference.
const OF_THE_FUNCTION: &[&str] =
    &["AccessDenied", "AccessDeniedException", "NoPublishedVersionException", "ResourceNotFoundException"];

/// Whom an error holds up.
pub(crate) fn holds(error: &CallError) -> Holds {
    match error.kind {
        ErrorKind::Throttled { retry_after } => Holds::Target(retry_after),
        ErrorKind::Retryable if error.error_type == CONNECTION_FAILED => Holds::Machine,
        ErrorKind::Permanent if OF_THE_CALLER.contains(&error.error_type.as_str()) => Holds::Caller,
        ErrorKind::Permanent if OF_THE_FUNCTION.contains(&error.error_type.as_str()) => Holds::Function,
        ErrorKind::Retryable | ErrorKind::Permanent | ErrorKind::Ambiguous => Holds::Item,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_about_the_item_its_target_the_machine_or_all() {
        let hint = Some(Duration::from_secs(7));
        for (kind, error_type, expected) in [
            (ErrorKind::Throttled { retry_after: hint }, "TooManyRequestsException", Holds::Target(hint)),
            (ErrorKind::Throttled { retry_after: None }, "EC2ThrottledException", Holds::Target(None)),
            (ErrorKind::Retryable, CONNECTION_FAILED, Holds::Machine),
            (ErrorKind::Retryable, "ResourceConflictException", Holds::Item),
            (ErrorKind::Permanent, "ResourceNotFoundException", Holds::Function),
            (ErrorKind::Permanent, "AccessDeniedException", Holds::Function),
            (ErrorKind::Permanent, "UnrecognizedClientException", Holds::Caller),
            (ErrorKind::Permanent, "ExpiredTokenException", Holds::Caller),
            (ErrorKind::Permanent, NO_CREDENTIALS, Holds::Caller),
            (ErrorKind::Permanent, "RequestTooLargeException", Holds::Item),
            (ErrorKind::Ambiguous, "AnswerLost", Holds::Item),
        ] {
            let error = CallError::new(kind, error_type, "");
            assert_eq!(holds(&error), expected, "{error_type}");
        }
    }
}
