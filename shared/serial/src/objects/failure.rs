//! Why something could not be done with one object.

use std::fmt;

use serde::Serialize;

use crate::ports::{Denial, ErrorKind, PortError, ServiceAnswer};
use crate::serial::SerialError;

/// What callers branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum FailureCode {
    /// What was asked for can't be read: a URI, a format, a pattern.
    InvalidRequest,
    /// The function may not touch this bucket: its settings say which.
    NotAllowed,
    /// There is no such object.
    NotFound,
    /// S3 refuses the caller: 401 or 403.
    Denied,
    /// The input is not what its format says.
    InvalidContent,
    /// More than may be held or answered.
    TooLarge,
    /// Something else is under the key than was said.
    ConditionFailed,
    /// S3 was asked too often.
    Throttled,
    /// S3 could not answer; it may later.
    Unavailable,
    /// S3 refuses, and will again; the message has its code.
    Refused,
    /// The time was over first.
    TimeOver,
}

/// Why something could not be done with one object; says nothing of the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure it is.
    pub code: FailureCode,
    /// What, where, and the remedy.
    pub message: String,
    /// What S3 told: status, code, request id. `None` where S3 did not answer, or was not asked. In no document.
    #[serde(skip)]
    pub answer: Option<Box<ServiceAnswer>>,
}

impl Failure {
    /// Of a kind.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), answer: None }
    }

    /// What was asked for can't be read.
    pub fn invalid_request(why: impl fmt::Display) -> Self {
        Self::new(FailureCode::InvalidRequest, why.to_string())
    }

    /// The time was over first.
    pub fn time_over() -> Self {
        Self::new(FailureCode::TimeOver, "the time was over before it was done; ask again for this one")
    }

    /// Whether the same call may succeed later.
    pub fn may_pass(&self) -> bool {
        matches!(self.code, FailureCode::Throttled | FailureCode::Unavailable | FailureCode::TimeOver)
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let code = match error.kind {
            ErrorKind::Throttled { .. } => FailureCode::Throttled,
            ErrorKind::Retryable | ErrorKind::Ambiguous => FailureCode::Unavailable,
            ErrorKind::Permanent => FailureCode::Refused,
        };
        Self { answer: error.service_answer().cloned().map(Box::new), ..Self::new(code, error.to_string()) }
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        Self { answer: denial.answer, ..Self::new(FailureCode::Denied, denial.message) }
    }
}

impl From<SerialError> for Failure {
    fn from(error: SerialError) -> Self {
        let code = match error {
            SerialError::Write(error) => return error.into(),
            SerialError::Invalid(_) => FailureCode::InvalidContent,
            SerialError::TooLarge { .. } => FailureCode::TooLarge,
            SerialError::Read(_) => FailureCode::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_whether_it_may_pass() {
        for (error, code, may_pass) in [
            (PortError::throttled("GetObject", None), FailureCode::Throttled, true),
            (PortError::retryable("GetObject", "busy"), FailureCode::Unavailable, true),
            (PortError::ambiguous("GetObject", "lost"), FailureCode::Unavailable, true),
            (PortError::permanent("GetObject", "no"), FailureCode::Refused, false),
        ] {
            let failure = Failure::from(error);
            assert_eq!((failure.code, failure.may_pass()), (code, may_pass), "{failure}");
        }
        assert!(Failure::time_over().may_pass());
        let torn = SerialError::Read(std::io::Error::other("torn"));
        assert_eq!(Failure::from(torn).code, FailureCode::Unavailable);
        assert_eq!(serde_json::to_value(FailureCode::InvalidContent).unwrap(), "INVALID_CONTENT");
    }
}
