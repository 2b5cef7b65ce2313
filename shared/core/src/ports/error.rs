//! The one error of every port: what a caller may do about it is its kind.

use std::error::Error;
use std::sync::Arc;
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

/// What a service told about a call beside its words: for a program that tells its errors apart, and for AWS Support.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceAnswer {
    /// The HTTP status, as in 403. `None` of one id of many (`CancelJobs`): the call as a whole has gone well.
    pub status: Option<u16>,
    /// The error's code, as in `AccessDeniedException`. `None` where the answer has none: it did not come from the
    /// service itself, or it has no body (S3's `HEAD`).
    pub code: Option<String>,
    /// The id under which AWS knows the request: the header `x-amzn-requestid`, or S3's `x-amz-request-id`.
    pub request_id: Option<String>,
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
    of_caller: bool,
    answer: Option<Box<ServiceAnswer>>,
    origin: Option<Arc<dyn Error + Send + Sync>>,
}

impl PortError {
    /// Of a kind.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl ToString) -> Self {
        Self { kind, operation, message: message.to_string(), of_caller: false, answer: None, origin: None }
    }

    /// Marks a refusal that concerns who asks, and not what is asked for: see [`PortError::is_of_caller`].
    #[must_use]
    pub fn of_caller(self) -> Self {
        Self { of_caller: true, ..self }
    }

    /// Whether the call is refused because of who makes it: without permission or valid credentials, or to a table that is
    /// not there. It did not take effect, every other call fails alike until somebody mends that, and it says nothing
    /// of the job that it was made for.
    pub fn is_of_caller(&self) -> bool {
        self.of_caller
    }

    /// With what the service told.
    pub fn with_answer(mut self, answer: ServiceAnswer) -> Self {
        self.answer = Some(Box::new(answer));
        self
    }

    /// With the error that it was made from.
    pub fn with_origin(mut self, origin: impl Error + Send + Sync + 'static) -> Self {
        self.origin = Some(Arc::new(origin));
        self
    }

    /// The status, the code and the request id. `None` where no service answered: nothing was sent, the answer was
    /// lost, or the port is no service of AWS.
    pub fn service_answer(&self) -> Option<&ServiceAnswer> {
        self.answer.as_deref()
    }

    /// The error that this was made from, to be downcast: an `SdkError` of the operation for AWS, a
    /// `RedisError`, a `rusqlite::Error`. `None` where batchwright itself refused, and of a file.
    ///
    /// It is not [`Error::source`]: the message holds its words, and whoever prints a chain would print them twice.
    pub fn origin(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.origin.as_deref()
    }

    /// A refusal that will be repeated.
    pub fn permanent(operation: &'static str, message: impl ToString) -> Self {
        Self::new(ErrorKind::Permanent, operation, message)
    }

    /// A failure that may pass.
    pub fn retryable(operation: &'static str, message: impl ToString) -> Self {
        Self::new(ErrorKind::Retryable, operation, message)
    }

    /// Too many calls.
    pub fn throttled(operation: &'static str, retry_after: Option<Duration>) -> Self {
        Self::new(ErrorKind::Throttled { retry_after }, operation, "too many requests")
    }

    /// The answer was lost.
    pub fn ambiguous(operation: &'static str, message: impl ToString) -> Self {
        Self::new(ErrorKind::Ambiguous, operation, message)
    }

    /// Whether the message that led to the call should be delivered again.
    pub fn may_pass(&self) -> bool {
        self.kind != ErrorKind::Permanent
    }
}
