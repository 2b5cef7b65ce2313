//! What is sent, and when.

use std::future::Future;

use futures_util::future::FutureExt;
use futures_util::stream::StreamExt;
use tokio::time::Instant;

use super::super::attempt::{Landed, Sendable, Tickets};
use super::super::items::Item;
use super::super::ledger::{Ledger, Note};
use super::Run;
use crate::fan_out::limits::{HELD_RESULTS_MAX_BYTES, PARKED_MAX, PARKED_MAX_BYTES};
use crate::fan_out::{ItemOutcome, ItemResult, Open, Ran};
use crate::ports::PortError;

impl<L: Ledger, F: Future<Output = Landed>, S: Fn(Sendable, Tickets) -> F> Run<'_, L, F, S> {
    /// Whether the next item of the list may be taken.
    pub(super) fn may_read(&mut self) -> bool {
        let goes_on =
            self.may_start() && !self.stopping && !self.has_read_all && self.next_start < self.started;
        // The ledger takes results out of order rather than have more held, but it must take them.
        let has_memory = self.lines.len() + self.saving_bytes < HELD_RESULTS_MAX_BYTES;
        goes_on && has_memory && (self.is_over() || self.may_take_one())
    }

    /// Whether there is room for one more: at the only target, or on this machine and among those that wait for
    /// room at theirs.
    pub(super) fn may_take_one(&mut self) -> bool {
        let now = self.begun.elapsed();
        match self.only_target() {
            Some(target) => self.rooms.is_free(target) && self.rooms.has_room(target, now),
            None => {
                self.rooms.machine_has_room(now)
                    && self.rooms.waiting() < PARKED_MAX
                    && self.rooms.waiting_bytes() < PARKED_MAX_BYTES
            }
        }
    }

    /// Where results are kept at once, what has landed is kept before its room is used again: after a kill, no more is
    /// in doubt than what was in flight.
    pub(super) fn may_start(&self) -> bool {
        self.saving.is_none() || self.ledger.is_handed_on() || !self.ledger.keeps_early()
    }

    /// Starts what may be started without waiting: first what is tried again.
    pub(super) fn start_all(&mut self) {
        if self.is_over() {
            let waiting = std::mem::take(&mut self.delayed).into_values().chain(self.rooms.take_all());
            for item in waiting.collect::<Vec<_>>() {
                self.settle(not_run(item));
            }
        }
        let now = Instant::now();
        while let Some(due) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            let item = due.remove();
            self.rooms.wait(item);
        }
        while !self.stopping {
            let Some(item) = self.rooms.next(self.begun.elapsed()) else { break };
            self.send(item);
        }
        while self.may_read() {
            let Some(read) = self.items.next().now_or_never() else { break };
            self.take(read);
        }
    }

    fn send(&mut self, mut item: Sendable) {
        if let Err(error) = self.ledger.note(Note::Begins(item.index)) {
            self.halt(error);
            return self.rooms.wait(item);
        }
        let tickets = self.rooms.send(item.prepared.to.function.unqualified());
        let flying = u32::try_from(self.flying.len() + 1).unwrap_or(u32::MAX);
        self.peak = self.peak.max(flying);
        item.last = None;
        let under_way = Open { attempts: item.attempts + 1, ran: Ran::Maybe.max(item.ran), ..item.open() };
        self.under_way.insert(item.index, under_way);
        self.flying.push((self.send)(item, tickets));
    }

    /// Takes the next item of the list: sends it, or settles it where that is not to be.
    pub(super) fn take(&mut self, read: Option<Result<Item, PortError>>) {
        let item = match read {
            Some(Ok(item)) => item,
            None => {
                self.has_read_all = true;
                return;
            }
            Some(Err(error)) => {
                // What was begun of the items before it is brought to its end.
                self.has_read_all = true;
                self.list_error = Some(error);
                return;
            }
        };
        let Item { index, content } = item;
        self.next_start = index + 1;
        let new = Open { index, attempts: 0, refused: 0, ran: Ran::No };
        let before = match self.open.remove(&index) {
            Some(open) => Some(open),
            None if index >= self.suspect_until => Some(new),
            None if self.terms.retry.idempotent => Some(Open { ran: Ran::Maybe, ..new }),
            None => None,
        };
        match content {
            _ if self.reorder.has(index) => {}
            Err(why) => self.settle(ItemResult::unsent(index, ItemOutcome::Rejected, "InvalidItem", why)),
            Ok(prepared) => match before {
                None => self.settle(cut_off(index)),
                Some(Open { attempts, refused, ran, .. }) => {
                    let item = Sendable { index, prepared, attempts, refused, ran, last: None };
                    self.start(item);
                }
            },
        }
    }

    /// Sends an item where there is room for it, and has it wait otherwise.
    fn start(&mut self, item: Sendable) {
        if self.is_over() {
            return self.settle(not_run(item));
        }
        let target = item.prepared.to.function.unqualified();
        if self.rooms.is_free(target) && self.rooms.has_room(target, self.begun.elapsed()) {
            return self.send(item);
        }
        if let Err(error) = self.ledger.note(Note::Waits(item.open())) {
            self.halt(error);
        }
        self.rooms.wait(item);
    }
}

/// An item that is not started, or not again, because too many have failed.
fn not_run(item: Sendable) -> ItemResult {
    item.given_up("TooManyFailed", "more have failed than are tolerated")
}

/// An item that a run which was cut off may have invoked.
pub(super) fn cut_off(index: u64) -> ItemResult {
    let why = "the fan-out was cut off; it may have been invoked before";
    ItemResult::unsent(index, ItemOutcome::Unknown, "CutOff", why)
}
