//! What a function answers.

use lambda_runtime::Diagnostic;

use super::metrics::Metric;
use crate::events::EventError;
use crate::ports::{ErrorKind, PortError};

/// The answer to an invocation, and what was counted on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<B> {
    /// What the caller gets.
    pub body: B,
    /// What CloudWatch gets.
    pub metrics: Vec<Metric>,
}

/// Why an invocation, or one message of it, failed.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The event can't be read. It fails again however often it is delivered.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The event is read, and asks for what is not done here.
    #[error("{0}")]
    Refused(String),
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Not yet: deliver it again later.
    #[error("{0}")]
    NotYet(String),
}

impl FunctionError {
    /// Whether the message should be delivered again.
    pub fn may_pass(&self) -> bool {
        match self {
            FunctionError::Event(_) | FunctionError::Refused(_) => false,
            FunctionError::Port(error) => error.may_pass(),
            FunctionError::NotYet(_) => true,
        }
    }

    /// The `errorType` that callers of the function branch on.
    pub(super) fn error_type(&self) -> &'static str {
        match self {
            FunctionError::Event(_) => "InvalidEvent",
            FunctionError::Refused(_) => "Refused",
            FunctionError::NotYet(_) => "NotYet",
            FunctionError::Port(error) => match error.kind {
                ErrorKind::Throttled { .. } => "Throttled",
                ErrorKind::Retryable | ErrorKind::Ambiguous => "ServiceUnavailable",
                ErrorKind::Permanent => "ServiceError",
            },
        }
    }
}

impl From<FunctionError> for Diagnostic {
    fn from(error: FunctionError) -> Self {
        Diagnostic { error_type: error.error_type().to_owned(), error_message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_told_what_kind_of_error_it_is_and_whether_it_may_pass() {
        let unknown = EventError::Unknown("a number".to_owned());
        for (error, error_type, may_pass) in [
            (FunctionError::Event(unknown), "InvalidEvent", false),
            (FunctionError::Refused("no".to_owned()), "Refused", false),
            (FunctionError::NotYet("late lines may follow".to_owned()), "NotYet", true),
            (PortError::throttled("Query", None).into(), "Throttled", true),
            (PortError::retryable("Query", "busy").into(), "ServiceUnavailable", true),
            (PortError::permanent("Query", "denied").into(), "ServiceError", false),
        ] {
            assert_eq!(error.may_pass(), may_pass, "{error}");
            assert_eq!(Diagnostic::from(error).error_type, error_type);
        }
    }
}
