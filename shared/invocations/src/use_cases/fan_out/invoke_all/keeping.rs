//! What is written down, and when.

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::future::FutureExt;
use tokio::time::Instant;

use super::super::FanOutError;
use super::super::attempt::{Landed, Sendable, Tickets};
use super::super::ledger::{Kept, LastStep, Ledger, Step};
use super::starting::cut_off;
use super::{Came, Ended, Run};
use crate::fan_out::limits::named_ahead;
use crate::fan_out::{ItemOutcome, ItemResult};
use crate::ports::PortError;

/// Steps with early results until lines take their place: a checkpoint names each, and whoever goes on reads each.
const EARLY_STEPS: u32 = 64;

impl<L: Ledger, F: Future<Output = Landed>, S: Fn(Sendable, Tickets) -> F> Run<'_, L, F, S> {
    /// Writes down what there is, where it is much, where more is to be started, or where `anyway` is.
    pub(super) fn save_if_due(&mut self, anyway: bool) {
        if self.saving.is_some() {
            return;
        }
        let is_handed_on = self.ledger.is_handed_on();
        let runs_ahead = is_handed_on && !self.stopping && !self.has_read_all;
        let named = self.started.saturating_sub(self.next_start);
        let to_name = if runs_ahead { self.room_to_name() } else { 0 };
        let needs_more = named < to_name.div_ceil(2);
        let has_much = !self.lines.is_empty() && self.lines.len() >= self.ledger.step_bytes();
        let has_early = !is_handed_on && !self.new_early.is_empty();
        if anyway || needs_more || has_much || has_early {
            let started = self.started.max(self.next_start.saturating_add(to_name));
            let step = self.step(started, anyway || has_much || self.early_steps >= EARLY_STEPS, None);
            self.save(step);
        }
    }

    /// How many items of the list are to be written down as started before they are: those that there is room for, or
    /// more where calls are short and more may be in doubt.
    fn room_to_name(&mut self) -> u64 {
        if self.is_over() {
            // They are not sent any more.
            return u64::from(self.terms.ceiling) * 2;
        }
        // A limit grows where it is asked.
        let free = if self.may_take_one() { self.rooms.free(self.only_target()) } else { 0 };
        if !self.terms.checkpoints_ahead {
            return free;
        }
        let (Some(call), Some(save)) = (self.call.0, self.save.0) else { return free };
        free.max(named_ahead(self.terms.ceiling, self.rooms.under_way(), call, save))
    }

    fn step(&mut self, started: u64, with_lines: bool, end: Option<LastStep>) -> Step {
        let elapsed_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.progress.peak_concurrency = self.progress.peak_concurrency.max(self.peak);
        self.progress.wall_time_ms = self.wall_time_before_ms.saturating_add(elapsed_ms);
        let from = self.lines_from;
        let mut lines = Vec::new();
        if with_lines {
            lines = std::mem::take(&mut self.lines);
            self.lines_from = self.reorder.next();
            if self.ledger.is_handed_on() {
                self.lines_done = self.reorder.given().clone();
            }
            self.written = self.progress.clone();
            self.early_steps = 0;
            self.new_early.retain(|(index, _)| self.reorder.holds(*index));
        }
        self.early_steps += u32::from(!self.new_early.is_empty());
        let quiet = self.quiet_before + self.quiet_since.elapsed();
        Step {
            from,
            lines,
            next: self.lines_from,
            done: self.lines_done.clone(),
            started,
            progress: self.written.clone(),
            early: std::mem::take(&mut self.new_early),
            quiet_ms: u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX),
            end,
        }
    }

    fn save(&mut self, step: Step) {
        let ledger = self.ledger;
        let started = step.started;
        self.saving_bytes = step.lines.len();
        self.saving_since = Instant::now();
        self.saving = Some(async move { ledger.keep(step).await.map(|kept| (started, kept)) }.boxed());
    }

    pub(super) fn kept(&mut self, kept: Result<(u64, Kept), FanOutError>) -> Result<(), FanOutError> {
        self.saving = None;
        self.saving_bytes = 0;
        let (started, kept) = kept?;
        self.started = started;
        self.save.add(self.saving_since.elapsed());
        self.look_at(kept);
        Ok(())
    }

    fn look_at(&mut self, kept: Kept) {
        let why = match kept {
            Kept::Well => return,
            Kept::Halted(why) => why,
            Kept::Elsewhere(why) => {
                self.aside = Some(why.clone());
                why
            }
        };
        self.halt(PortError::permanent("write results", why).into());
    }

    /// Writes down what is left.
    pub(super) async fn close(mut self) -> Result<Came, FanOutError> {
        let waits = !self.delayed.is_empty() || self.rooms.waiting() > 0 || !self.open.is_empty();
        let is_complete = self.has_read_all && self.list_error.is_none() && !waits;
        let waiting = std::mem::take(&mut self.delayed).into_values().chain(self.rooms.take_all());
        let mut waiting: Vec<Sendable> = waiting.collect();
        waiting.sort_unstable_by_key(|item| item.index);
        let mut open: Vec<_> = self.open.values().copied().collect();
        if self.ledger.is_handed_on() {
            open.extend(waiting.iter().map(Sendable::open));
        } else {
            self.give_up_waiting(waiting);
            let due = self.reorder.release();
            self.give_out(due);
        }
        let started = self.next_start.max(self.suspect_until);
        let step = self.step(started, true, Some(LastStep { is_complete, open }));
        let progress = step.progress.clone();
        let kept = self.ledger.keep(step).await?;
        self.look_at(kept);
        let ended = match (self.halted, self.list_error) {
            (Some(why), _) => Ended::Halted(why),
            (None, Some(error)) => Ended::Halted(error.into()),
            (None, None) if is_complete => Ended::Complete,
            (None, None) => Ended::Stopped,
        };
        let was_refused = self.was_refused && !self.has_answered;
        Ok(Came { ended, progress, not_begun: self.not_begun, was_refused, aside: self.aside })
    }

    /// Items that wait for another attempt have a result; those that were never sent are counted. So have those that
    /// an earlier run had begun and that were not reached in this one.
    fn give_up_waiting(&mut self, waiting: Vec<Sendable>) {
        let why = "the fan-out was stopped before it was tried again";
        for item in waiting {
            if item.attempts == 0 {
                self.not_begun = self.not_begun.map(|count| count + 1);
                continue;
            }
            self.settle(item.given_up("Stopped", why));
        }
        let mut never_sent = BTreeSet::new();
        for (index, open) in std::mem::take(&mut self.open) {
            if open.attempts == 0 {
                self.not_begun = self.not_begun.map(|count| count + 1);
                // It was never sent, and is no suspect.
                never_sent.insert(index);
                continue;
            }
            let outcome = open.ran.outcome(ItemOutcome::NotRun);
            let result = ItemResult::unsent(index, outcome, "Stopped", why);
            self.settle(ItemResult { attempts: open.attempts, ..result });
        }
        let unreached = self.next_start.max(self.reorder.next())..self.suspect_until;
        for index in unreached {
            if !never_sent.contains(&index) && !self.reorder.has(index) {
                self.settle(cut_off(index));
            }
        }
    }
}
