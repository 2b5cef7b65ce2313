//! What has come back: tried again, or settled.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::super::FanOutError;
use super::super::attempt::{Landed, Sendable, Tickets};
use super::super::ledger::{Ledger, Note};
use super::Run;
use crate::domain::backoff::backoff;
use crate::fan_out::{Holds, ItemOutcome, ItemResult, Next, Ran, Settled, holds};
use crate::ports::CallError;

/// The longest that a service's hint to wait is followed.
const HINT_MAX: Duration = Duration::from_secs(300);

/// The longest that an item which was refused waits while others take the room.
const REFUSED_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long a connection is tried for where there never was one: a wrong Region or endpoint stays wrong.
const FIRST_CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// So often in a row nothing gets through before it is told.
const PAUSES_TO_TELL: u32 = 5;

impl<L: Ledger, F: Future<Output = Landed>, S: Fn(Sendable, Tickets) -> F> Run<'_, L, F, S> {
    /// An attempt has ended.
    pub(super) fn land(&mut self, mut landed: Landed) {
        let index = landed.item.index;
        self.under_way.remove(&index);
        let target = landed.item.prepared.to.function.unqualified();
        self.rooms.land(target);
        let (tries, policy) = (landed.item.tries(), self.terms.retry);
        let next = match &landed.result {
            Ok(answered) => {
                self.rooms.answered(target, landed.tickets);
                self.call.add(landed.duration);
                (self.has_answered, self.has_connected) = (true, true);
                policy.after_answer(answered.answer.function_error.is_some(), tries)
            }
            Err(error) => {
                let held = holds(error);
                let is_only = !self.items.have_many_functions() && !self.has_answered;
                match held {
                    Holds::Target(_) | Holds::Machine => {
                        return self.refused(landed.item, error.clone(), landed.tickets, held);
                    }
                    Holds::Caller => return self.fails_alike(landed.item, error.clone()),
                    Holds::Function if is_only => return self.fails_alike(landed.item, error.clone()),
                    Holds::Function | Holds::Item => {
                        if error.status().is_some() {
                            self.has_connected = true;
                            self.rooms.answered(target, landed.tickets);
                        }
                        policy.after_error(error.kind, landed.item.ran, tries)
                    }
                }
            }
        };
        self.quiet_since = Instant::now();
        self.quiet_before = Duration::ZERO;
        self.has_warned = false;
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
                landed.item.last = landed.result.err();
                self.again(landed.item, backoff(tries.saturating_sub(1), &index.to_string()));
            }
        }
    }

    /// There was no room for an item, at its target or on this machine: it did not run, and waits.
    fn refused(&mut self, mut item: Sendable, error: CallError, tickets: Tickets, held: Holds) {
        let now = self.begun.elapsed();
        let target = item.prepared.to.function.unqualified();
        let pauses = match held {
            Holds::Target(hint) => {
                self.has_connected = true;
                self.was_refused = true;
                self.rooms.refused(target, tickets, now, hint.map(|hint| hint.min(HINT_MAX)))
            }
            _ => self.rooms.not_connected(tickets, now),
        };
        let quiet = self.quiet_before + self.quiet_since.elapsed();
        let never_connected = held == Holds::Machine && !self.has_connected;
        if never_connected && quiet >= FIRST_CONNECTION_TIMEOUT {
            let why = format!(
                "no connection could be made for {} s ({}); check the Region, the endpoint and the network",
                quiet.as_secs(),
                error.message
            );
            self.halt(FanOutError::Halted(why));
        } else if quiet >= self.terms.throttle_timeout {
            let why = format!("every call was refused for {} s ({error}); go on later", quiet.as_secs());
            self.halt(FanOutError::Halted(why));
        } else if pauses >= PAUSES_TO_TELL && !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                "{target}: nothing gets through ({error}); it is tried again for up to {} s",
                self.terms.throttle_timeout.as_secs()
            );
        }
        item.refused += 1;
        let wait = backoff(item.refused - 1, &item.index.to_string()).min(REFUSED_WAIT_MAX);
        item.last = Some(error);
        self.again(item, wait);
    }

    /// Every item would meet with this error: it is told once, and the item stays as it was.
    fn fails_alike(&mut self, mut item: Sendable, error: CallError) {
        let target = item.prepared.to.function.as_str();
        self.halt(FanOutError::Halted(format!("{target} can't be invoked: {error}")));
        item.last = Some(error);
        self.again(item, Duration::ZERO);
    }

    fn again(&mut self, item: Sendable, wait: Duration) {
        if let Err(error) = self.ledger.note(Note::Waits(item.open())) {
            self.halt(error);
        }
        self.delayed.insert((Instant::now() + wait, item.index), item);
    }

    /// Nothing more is waited for: an answer that has not come is lost.
    pub(super) fn give_up(&mut self) {
        self.stopping = true;
        self.flying.clear();
        for (index, open) in std::mem::take(&mut self.under_way) {
            let may_go_on = self.ledger.is_handed_on() && self.terms.retry.idempotent;
            if may_go_on && open.attempts - open.refused < self.terms.retry.max_attempts {
                self.open.insert(index, open);
                continue;
            }
            let why = "the answer was not waited for: the fan-out's time was over, or somebody ended it";
            let unknown = ItemResult::unsent(index, ItemOutcome::Unknown, "AnswerLost", why);
            self.settle(ItemResult { attempts: open.attempts, ..unknown });
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
        let early = self.ledger.keeps_early().then(|| settled.clone());
        let due = self.reorder.settle(index, settled);
        self.give_out(due);
        // A handed-on ledger writes lines seldom, and keeps as early what is due too.
        let is_kept = self.ledger.is_handed_on() || self.reorder.holds(index);
        if let Some(early) = early.filter(|_| is_kept) {
            self.new_early.push((index, early));
        }
    }

    pub(super) fn give_out(&mut self, due: Vec<Settled>) {
        for settled in due {
            self.progress.add(&settled);
            self.lines.extend_from_slice(settled.line.as_bytes());
        }
    }
}
