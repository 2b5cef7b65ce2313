//! What is tried again: an item that did not run; where the call is idempotent, one that may have run; where that
//! is asked for, one that ran and failed. A refusal for want of room is no attempt.

use serde::{Deserialize, Serialize};

use super::result::ItemOutcome;
use crate::ports::ErrorKind;

/// What the call allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts at one item in all, less those that were refused for want of room; 1 at least.
    pub max_attempts: u32,
    /// Invoking a function twice with one payload does no harm.
    pub idempotent: bool,
    /// A function that failed is invoked again.
    pub retry_function_errors: bool,
}

/// What is known of an item's earlier attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Ran {
    /// It has not run.
    #[default]
    No,
    /// It may have run.
    Maybe,
    /// It ran and failed.
    Failed,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is tried again.
    Again,
    /// That is its result.
    Settled(ItemOutcome),
}

impl RetryPolicy {
    /// After an attempt that was not answered, the n-th of its item. A throttle is followed by another attempt
    /// whatever their number: it tells nothing of the item.
    pub(crate) fn after_error(&self, kind: ErrorKind, ran: Ran, attempts: u32) -> Next {
        let again = match kind {
            ErrorKind::Throttled { .. } => return Next::Again,
            ErrorKind::Retryable => true,
            ErrorKind::Ambiguous => self.idempotent,
            ErrorKind::Permanent => false,
        };
        if again && attempts < self.max_attempts {
            return Next::Again;
        }
        let ran = if kind == ErrorKind::Ambiguous { ran.max(Ran::Maybe) } else { ran };
        Next::Settled(ran.outcome(ItemOutcome::Rejected))
    }

    /// After an answer to the n-th attempt.
    pub(crate) fn after_answer(&self, has_failed: bool, attempts: u32) -> Next {
        match has_failed {
            false => Next::Settled(ItemOutcome::Succeeded),
            true if self.retry_function_errors && attempts < self.max_attempts => Next::Again,
            true => Next::Settled(ItemOutcome::FunctionError),
        }
    }
}

impl Ran {
    /// The outcome of an item that is not tried any more; `not` where it has not run.
    pub(crate) fn outcome(self, not: ItemOutcome) -> ItemOutcome {
        match self {
            Ran::No => not,
            Ran::Maybe => ItemOutcome::Unknown,
            Ran::Failed => ItemOutcome::FunctionError,
        }
    }

    /// What is known after one more attempt that was not answered.
    pub(crate) fn after(self, kind: ErrorKind) -> Ran {
        if kind == ErrorKind::Ambiguous { self.max(Ran::Maybe) } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy =
        RetryPolicy { max_attempts: 3, idempotent: false, retry_function_errors: false };
    const THROTTLED: ErrorKind = ErrorKind::Throttled { retry_after: None };

    #[test]
    fn only_what_did_not_run_is_tried_again_unless_the_call_allows_more() {
        let idempotent = RetryPolicy { idempotent: true, ..POLICY };
        let rejected = Next::Settled(ItemOutcome::Rejected);
        let unknown = Next::Settled(ItemOutcome::Unknown);
        for (policy, kind, ran, attempts, expected) in [
            (POLICY, THROTTLED, Ran::No, 1, Next::Again),
            (POLICY, ErrorKind::Retryable, Ran::No, 2, Next::Again),
            (POLICY, THROTTLED, Ran::No, 3, Next::Again),
            (POLICY, ErrorKind::Retryable, Ran::No, 3, rejected),
            (POLICY, ErrorKind::Permanent, Ran::No, 1, rejected),
            (POLICY, ErrorKind::Ambiguous, Ran::No, 1, unknown),
            (idempotent, ErrorKind::Ambiguous, Ran::No, 1, Next::Again),
            (idempotent, ErrorKind::Ambiguous, Ran::Maybe, 3, unknown),
            (idempotent, ErrorKind::Retryable, Ran::Maybe, 3, unknown),
            (idempotent, ErrorKind::Permanent, Ran::Maybe, 2, unknown),
            (POLICY, ErrorKind::Retryable, Ran::Failed, 3, Next::Settled(ItemOutcome::FunctionError)),
        ] {
            assert_eq!(policy.after_error(kind, ran, attempts), expected, "{kind:?} {ran:?} {attempts}");
        }
    }

    #[test]
    fn a_function_that_failed_is_left_alone_unless_the_call_says_otherwise() {
        let retrying = RetryPolicy { retry_function_errors: true, ..POLICY };
        let failed = Next::Settled(ItemOutcome::FunctionError);
        for (policy, has_failed, attempts, expected) in [
            (POLICY, false, 1, Next::Settled(ItemOutcome::Succeeded)),
            (POLICY, true, 1, failed),
            (RetryPolicy { idempotent: true, ..POLICY }, true, 1, failed),
            (retrying, true, 2, Next::Again),
            (retrying, true, 3, failed),
            (retrying, false, 3, Next::Settled(ItemOutcome::Succeeded)),
        ] {
            assert_eq!(policy.after_answer(has_failed, attempts), expected, "{policy:?} {attempts}");
        }
    }
}
