//! One request.

use std::time::Duration;

use tokio::time::Instant;

use super::items::Prepared;
use super::ledger::Ledger;
use crate::fan_out::limits::{EVENT_PAYLOAD_MAX_BYTES, RESULT_PAYLOAD_MAX_BYTES, SYNC_PAYLOAD_MAX_BYTES};
use crate::fan_out::{ItemOutcome, ItemResult, LargePayloads, Open, Payload, Ran, Terms, Ticket};
use crate::ports::{CallAnswer, CallError, ErrorKind, FunctionCall, FunctionCaller, InvocationType};

/// An item that is sent, or waits to be sent again.
#[derive(Debug)]
pub(super) struct Sendable {
    pub(super) index: u64,
    pub(super) prepared: Prepared,
    pub(super) attempts: u32,
    /// How many of these were refused for want of room: they are no attempts.
    pub(super) refused: u32,
    pub(super) ran: Ran,
    /// What its last attempt met with.
    pub(super) last: Option<CallError>,
}

impl Sendable {
    /// Attempts that count.
    pub(super) fn tries(&self) -> u32 {
        self.attempts.saturating_sub(self.refused)
    }

    /// What is known of it while it waits.
    pub(super) fn open(&self) -> Open {
        Open { index: self.index, attempts: self.attempts, refused: self.refused, ran: self.ran }
    }

    /// Its result where it is not tried again.
    pub(super) fn given_up(self, error_type: &str, why: &str) -> ItemResult {
        let outcome = self.ran.outcome(ItemOutcome::NotRun);
        let mut result = ItemResult::unsent(self.index, outcome, error_type, why);
        result.attempts = self.attempts;
        if let Some(last) = self.last {
            result.status_code = last.status();
            result.error_message = Some(format!("{why}; its last attempt: {last}"));
        }
        result
    }
}

/// Where an item stood among those under way when it was sent: at its target, and in all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tickets {
    pub(super) target: Ticket,
    pub(super) machine: Ticket,
}

/// What came back of an item.
pub(super) struct Landed {
    pub(super) item: Sendable,
    pub(super) tickets: Tickets,
    pub(super) duration: Duration,
    pub(super) result: Result<Answered, CallError>,
}

/// An answer, its payload in its place.
pub(super) struct Answered {
    pub(super) answer: CallAnswer,
    pub(super) payload: Payload,
}

pub(super) async fn attempt<C: FunctionCaller, L: Ledger>(
    caller: &C,
    ledger: &L,
    terms: &Terms,
    mut item: Sendable,
    tickets: Tickets,
) -> Landed {
    if let Err(error) = fit(ledger, terms, &mut item).await {
        // Nothing was called. What may pass counts all the same, or it would be tried for ever.
        item.attempts += u32::from(error.kind != ErrorKind::Permanent);
        return Landed { item, tickets, duration: Duration::ZERO, result: Err(error) };
    }
    item.attempts += 1;
    let started = Instant::now();
    let to = &item.prepared.to;
    let call = FunctionCall::new(to.function.as_str(), &item.prepared.payload).with(|call| {
        call.qualifier = to.qualifier.as_deref();
        call.invocation_type = terms.invocation_type;
        call.log_type = terms.log_type;
        call.client_context = to.client_context.as_deref();
        call.tenant_id = to.tenant_id.as_deref();
        call.durable_execution_name = to.durable_execution_name.as_deref();
        call.response_stream = terms.response_stream;
        call.timeout = terms.timeout;
    });
    let answer = caller.call(&call).await;
    let duration = started.elapsed();
    let result = match answer {
        Ok(answer) => Ok(placed(ledger, item.index, answer).await),
        Err(error) => Err(error),
    };
    Landed { item, tickets, duration, result }
}

/// Puts a payload that is too large on S3 and a reference in its place, where the call allows that.
async fn fit<L: Ledger>(ledger: &L, terms: &Terms, item: &mut Sendable) -> Result<(), CallError> {
    let most = match terms.invocation_type {
        InvocationType::Event => EVENT_PAYLOAD_MAX_BYTES,
        _ => SYNC_PAYLOAD_MAX_BYTES,
    };
    let bytes = item.prepared.payload.len();
    if bytes <= most {
        return Ok(());
    }
    let too_large = |remedy: &str| {
        let message = format!("the payload has {bytes} bytes, at most {most} are taken; {remedy}");
        CallError::new(ErrorKind::Permanent, "PayloadTooLarge", message)
    };
    if terms.large_payloads == LargePayloads::Reject {
        return Err(too_large(
            "put it on S3 and pass its URI; the fan-out function does so where its call has \"largePayloads\": \"REFERENCE\"",
        ));
    }
    match ledger.put_aside(&format!("payloads/{:012}.json", item.index), &item.prepared.payload).await {
        Ok(Some(uri)) => {
            item.prepared.payload = serde_json::json!({ "payloadUri": uri }).to_string().into_bytes();
            Ok(())
        }
        Ok(None) => Err(too_large("put it on S3 and pass its URI")),
        Err(error) => {
            let kind = if error.may_pass() { ErrorKind::Retryable } else { ErrorKind::Permanent };
            Err(CallError::new(kind, "PayloadNotStored", error.to_string()))
        }
    }
}

/// A large answer gets an object of its own. Where that fails it stays in its result: it is not lost.
async fn placed<L: Ledger>(ledger: &L, index: u64, mut answer: CallAnswer) -> Answered {
    let bytes = std::mem::take(&mut answer.payload);
    // What says why the function failed is read from it, and short in any case.
    if answer.function_error.is_some() {
        answer.payload.clone_from(&bytes);
    }
    if bytes.len() > RESULT_PAYLOAD_MAX_BYTES {
        match ledger.put_aside(&format!("answers/{index:012}.json"), &bytes).await {
            Ok(Some(uri)) => return Answered { answer, payload: Payload::at(uri) },
            Ok(None) => {}
            Err(error) => tracing::warn!(item.index = index, %error, "a large answer stays in its result"),
        }
    }
    Answered { answer, payload: Payload::of(bytes) }
}

impl Landed {
    /// Its result, where it is not tried again.
    pub(super) fn into_result(self, outcome: ItemOutcome) -> ItemResult {
        let Landed { item, duration, result, .. } = self;
        let mut said = ItemResult {
            index: item.index,
            outcome,
            attempts: item.attempts,
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            status_code: None,
            executed_version: None,
            error_type: None,
            error_message: None,
            log_tail: None,
            payload: Payload::default(),
        };
        match result {
            Ok(Answered { answer, payload }) => {
                if let Some(failure) = answer.failure() {
                    (said.error_type, said.error_message) = (Some(failure.error_type), failure.error_message);
                }
                said.status_code = Some(answer.status);
                said.executed_version = answer.executed_version;
                said.log_tail = answer.log_tail;
                said.payload = payload;
            }
            Err(error) => {
                said.status_code = error.status();
                said.error_type = Some(error.error_type);
                said.error_message = Some(error.message);
            }
        }
        said
    }
}
