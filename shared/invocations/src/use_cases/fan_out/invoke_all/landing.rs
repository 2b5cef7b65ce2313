//! What has come back: tried again, or settled.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::super::attempt::{Landed, Sendable};
use super::super::ledger::Ledger;
use super::Run;
use crate::domain::backoff::backoff;
use crate::fan_out::{ItemResult, Next, Open, Outcome, Ran, Settled, Ticket};
use crate::ports::ErrorKind;

/// The longest that a service's hint to wait is followed.
const HINT_MAX: Duration = Duration::from_secs(300);

impl<L: Ledger, F: Future<Output = Landed>, S: Fn(Sendable, Ticket) -> F> Run<'_, L, F, S> {
    /// An attempt has ended.
    pub(super) fn land(&mut self, mut landed: Landed) {
        let under_way = self.flying.len() + 1;
        let index = landed.item.index;
        self.under_way.remove(&index);
        let (attempts, policy) = (landed.item.attempts, self.terms.retry);
        let mut hint = None;
        let next = match &landed.result {
            Ok(answered) => {
                self.concurrency.answered(under_way);
                policy.after_answer(answered.answer.function_error.is_some(), attempts)
            }
            Err(error) => {
                if let ErrorKind::Throttled { retry_after } = error.kind {
                    self.concurrency.throttled(landed.ticket);
                    hint = retry_after.map(|hint| hint.min(HINT_MAX));
                }
                policy.after_error(error.kind, landed.item.ran, attempts)
            }
        };
        let now = Instant::now();
        if let Some(hint) = hint {
            self.paused_until = self.paused_until.max(Some(now + hint));
        }
        match next {
            Next::Settled(outcome) => {
                let is_answered = landed.result.is_ok();
                self.settle_as(landed.into_result(outcome), is_answered);
            }
            Next::Again => {
                landed.item.ran = match &landed.result {
                    Ok(_) => Ran::Failed,
                    Err(error) => landed.item.ran.after(error.kind),
                };
                let wait = backoff(attempts - 1, &index.to_string()).max(hint.unwrap_or_default());
                self.delayed.insert((now + wait, index), landed.item);
            }
        }
    }

    /// Nothing more is waited for: an answer that has not come is lost.
    pub(super) fn give_up(&mut self) {
        self.stopping = true;
        self.flying.clear();
        for (index, attempts) in std::mem::take(&mut self.under_way) {
            if self.terms.retry.idempotent && attempts < self.terms.retry.max_attempts {
                self.open.insert(index, Open { index, attempts, ran: Ran::Maybe });
                continue;
            }
            let why = "the fan-out's time was over before the answer came";
            self.settle(ItemResult {
                attempts,
                ..ItemResult::unsent(index, Outcome::Unknown, "AnswerLost", why)
            });
        }
    }

    pub(super) fn settle(&mut self, result: ItemResult) {
        self.settle_as(result, false);
    }

    fn settle_as(&mut self, result: ItemResult, is_answered: bool) {
        let answered_in_ms = is_answered.then_some(result.duration_ms);
        let settled = Settled {
            line: result.line(),
            outcome: result.outcome,
            attempts: result.attempts,
            answered_in_ms,
        };
        self.settled(result.index, settled);
    }

    pub(super) fn settled(&mut self, index: u64, settled: Settled) {
        self.failures += u64::from(settled.outcome.is_failure());
        for settled in self.reorder.settle(index, settled) {
            self.progress.add(&settled);
            self.lines.extend_from_slice(settled.line.as_bytes());
        }
    }
}
