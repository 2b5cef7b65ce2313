//! The one error of every port: what a caller may do about it is its kind.

use std::time::Duration;

/// What a caller may do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The call did not take effect: too many of them. May be repeated after the hint, or a back-off.
    Throttled {
        /// How long the service asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The call did not take effect, or is idempotent: may be repeated.
    Retryable,
    /// The call may have taken effect: must not be repeated unless it is idempotent.
    Ambiguous,
    /// The call is refused, and will be refused again.
    Permanent,
}

/// A call to a port that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct PortError {
    /// What may be done about it.
    pub kind: ErrorKind,
    /// The call, as in `SubmitJob`.
    pub operation: &'static str,
    /// What the service said.
    pub message: String,
}

impl PortError {
    /// A refusal that will be repeated.
    pub fn permanent(operation: &'static str, message: impl ToString) -> Self {
        Self { kind: ErrorKind::Permanent, operation, message: message.to_string() }
    }

    /// A failure that may pass.
    pub fn retryable(operation: &'static str, message: impl ToString) -> Self {
        Self { kind: ErrorKind::Retryable, operation, message: message.to_string() }
    }

    /// Too many calls.
    pub fn throttled(operation: &'static str, retry_after: Option<Duration>) -> Self {
        Self { kind: ErrorKind::Throttled { retry_after }, operation, message: "too many requests".into() }
    }

    /// The answer was lost.
    pub fn ambiguous(operation: &'static str, message: impl ToString) -> Self {
        Self { kind: ErrorKind::Ambiguous, operation, message: message.to_string() }
    }

    /// Whether the message that led to the call should be delivered again.
    pub fn may_pass(&self) -> bool {
        self.kind != ErrorKind::Permanent
    }
}
