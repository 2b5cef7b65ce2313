//! What an answer of DynamoDB's means, and what is done under contention.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::error::{Effect, port_error};
use crate::ports::{ErrorKind, PortError};

/// Waits between the attempts of a write that others contend for: 2.5 s in all.
const PAUSES_MS: [u64; 8] = [10, 20, 40, 80, 160, 320, 640, 1_280];

/// A mark that no other write and no other program bears.
#[expect(clippy::disallowed_methods, reason = "it tells apart and decides nothing, so no test depends on it")]
pub(super) fn unique_mark() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// How a conditional write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// The condition held.
    Done,
    /// It did not.
    Refused,
    /// A transaction on the same item is under way: nobody knows yet whether it holds.
    Contended,
}

/// Tells a failed condition, and a conflict, from an error.
pub(super) fn written<T, E>(
    operation: &'static str,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Written, PortError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match answer {
        Ok(_) => Ok(Written::Done),
        Err(error) => match error.as_service_error().and_then(ProvideErrorMetadata::code) {
            Some("ConditionalCheckFailedException") => Ok(Written::Refused),
            Some("TransactionConflictException") => Ok(Written::Contended),
            _ => Err(failed(operation, error)),
        },
    }
}

/// The same for a transaction: it is cancelled as a whole, with a reason for each of its writes.
pub(super) fn transacted<T>(
    operation: &'static str,
    answer: Result<T, SdkError<TransactWriteItemsError, HttpResponse>>,
) -> Result<Written, PortError> {
    let error = match answer {
        Ok(_) => return Ok(Written::Done),
        Err(error) => error,
    };
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
    else {
        return Err(failed(operation, error));
    };
    let codes: Vec<&str> =
        cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
    match cancellation(&codes) {
        Cancellation::Refused => Ok(Written::Refused),
        Cancellation::Contended => Ok(Written::Contended),
        Cancellation::Throttled => {
            let mut failed = failed(operation, error);
            failed.kind = ErrorKind::Throttled { retry_after: None };
            Err(failed)
        }
        Cancellation::Failed => Err(failed(operation, error)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancellation {
    Refused,
    Contended,
    Throttled,
    Failed,
}

/// Source: `TransactWriteItems` API reference, "Cancellation reason codes".
fn cancellation(codes: &[&str]) -> Cancellation {
    let has = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(code));
    if has(&["ValidationError", "ItemCollectionSizeLimitExceeded", "DuplicateItem", "AccessDenied"]) {
        Cancellation::Failed
    } else if has(&["ThrottlingError", "ProvisionedThroughputExceeded"]) {
        Cancellation::Throttled
    } else if has(&["TransactionConflict"]) {
        Cancellation::Contended
    } else if has(&["ConditionalCheckFailed"]) {
        Cancellation::Refused
    } else {
        Cancellation::Failed
    }
}

/// Every call of this adapter may be repeated: its writes are conditional.
pub(super) fn failed<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let is_table_gone = error.code() == Some("ResourceNotFoundException");
    let failed = port_error(operation, Effect::Idempotent, error);
    if is_table_gone { failed.of_caller() } else { failed }
}

/// Repeats an attempt while it answers `None`: others wrote meanwhile, so that it has to look again.
pub(super) async fn until_settled<T, F>(
    operation: &'static str,
    mut attempt: impl FnMut() -> F + Send,
) -> Result<T, PortError>
where
    F: Future<Output = Result<Option<T>, PortError>> + Send,
{
    for pause_ms in PAUSES_MS {
        if let Some(settled) = attempt().await? {
            return Ok(settled);
        }
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
    let attempts = PAUSES_MS.len();
    Err(PortError::retryable(operation, format!("others wrote the same item during {attempts} attempts")))
}

/// Waits before what was left over is asked for again. Errs where it has been asked for often enough.
pub(super) async fn pause_before(operation: &'static str, round: usize) -> Result<(), PortError> {
    let Some(&pause_ms) = PAUSES_MS.get(round) else { return Err(PortError::throttled(operation, None)) };
    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    Ok(())
}

/// A request that can't be built, an item that can't be written or read, a cursor that is none.
pub(super) fn unusable<E: std::fmt::Display>(operation: &'static str) -> impl Fn(E) -> PortError {
    move |why| PortError::permanent(operation, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_transaction_is_read_by_its_reasons() {
        for (codes, expected) in [
            (&["None", "ConditionalCheckFailed"][..], Cancellation::Refused),
            (&["TransactionConflict", "None"], Cancellation::Contended),
            (&["ConditionalCheckFailed", "TransactionConflict"], Cancellation::Contended),
            (&["ConditionalCheckFailed", "ThrottlingError"], Cancellation::Throttled),
            (&["ProvisionedThroughputExceeded"], Cancellation::Throttled),
            (&["TransactionConflict", "ValidationError"], Cancellation::Failed),
            (&[], Cancellation::Failed),
            (&["None"], Cancellation::Failed),
        ] {
            assert_eq!(cancellation(codes), expected, "{codes:?}");
        }
    }
}
