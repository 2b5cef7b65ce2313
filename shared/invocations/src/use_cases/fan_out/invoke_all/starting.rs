//! What is sent, and when.

use std::collections::btree_map::OccupiedEntry;
use std::future::Future;

use futures_util::future::FutureExt;
use futures_util::stream::StreamExt;
use tokio::time::Instant;

use super::super::attempt::{Landed, Sendable};
use super::super::items::Item;
use super::super::ledger::Ledger;
use super::Run;
use crate::fan_out::limits::{HELD_RESULTS_MAX_BYTES, reorder_window};
use crate::fan_out::{ItemResult, Open, Outcome, Ran, Ticket};
use crate::ports::PortError;

impl<L: Ledger, F: Future<Output = Landed>, S: Fn(Sendable, Ticket) -> F> Run<'_, L, F, S> {
    fn is_paused(&self) -> bool {
        self.paused_until.is_some_and(|until| until > Instant::now())
    }

    fn has_room(&self) -> bool {
        self.flying.len() < self.concurrency.limit() && !self.is_paused()
    }

    /// Whether the next item of the list may be taken.
    pub(super) fn may_read(&self) -> bool {
        let held = self.reorder.bytes() + self.lines.len() + self.saving_bytes;
        !self.stopping
            && !self.has_read_all
            && self.next_start < self.started
            && self.next_start.saturating_sub(self.reorder.next()) < reorder_window(self.terms.ceiling)
            && held < HELD_RESULTS_MAX_BYTES
            && (self.is_over() || self.has_room())
    }

    /// Starts what may be started without waiting: first what is tried again.
    pub(super) fn start_all(&mut self) {
        if self.is_over() {
            for (_, item) in std::mem::take(&mut self.delayed) {
                self.settle(not_run(item.index, item.ran, item.attempts));
            }
        }
        while !self.stopping && self.has_room() {
            let due = self.delayed.first_entry().filter(|entry| entry.key().0 <= Instant::now());
            let Some(item) = due.map(OccupiedEntry::remove) else { break };
            self.send(item);
        }
        while self.may_read() {
            let Some(read) = self.items.next().now_or_never() else { break };
            self.take(read);
        }
    }

    fn send(&mut self, item: Sendable) {
        let ticket = self.concurrency.sent(self.flying.len() + 1);
        self.under_way.insert(item.index, item.attempts + 1);
        self.flying.push((self.send)(item, ticket));
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
                self.stopping = true;
                self.list_error = Some(error);
                return;
            }
        };
        let Item { index, content } = item;
        self.next_start = index + 1;
        let before = match self.open.remove(&index) {
            Some(open) => Some(open),
            None if index >= self.suspect_until => Some(Open { index, attempts: 0, ran: Ran::No }),
            None if self.terms.retry.idempotent => Some(Open { index, attempts: 0, ran: Ran::Maybe }),
            None => None,
        };
        match content {
            _ if self.reorder.has(index) => {}
            Err(why) => self.settle(ItemResult::unsent(index, Outcome::Rejected, "InvalidItem", why)),
            Ok(prepared) => match before {
                None => {
                    let why = "the fan-out was cut off; it may have been invoked before";
                    self.settle(ItemResult::unsent(index, Outcome::Unknown, "CutOff", why));
                }
                Some(Open { attempts, ran, .. }) if self.is_over() => {
                    self.settle(not_run(index, ran, attempts));
                }
                Some(Open { attempts, ran, .. }) => self.send(Sendable { index, prepared, attempts, ran }),
            },
        }
    }
}

/// An item that is not started, or not again, because too many have failed.
fn not_run(index: u64, ran: Ran, attempts: u32) -> ItemResult {
    let why = "more have failed than are tolerated";
    ItemResult { attempts, ..ItemResult::unsent(index, ran.outcome(Outcome::NotRun), "TooManyFailed", why) }
}
