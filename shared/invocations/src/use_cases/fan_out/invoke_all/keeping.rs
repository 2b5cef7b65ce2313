//! What is written down, and when.

use std::future::Future;

use futures_util::future::FutureExt;

use super::super::FanOutError;
use super::super::attempt::{Landed, Sendable};
use super::super::ledger::{LastStep, Ledger, Step};
use super::{Ended, Run};
use crate::fan_out::{Open, Progress, Ticket};

impl<L: Ledger, F: Future<Output = Landed>, S: Fn(Sendable, Ticket) -> F> Run<'_, L, F, S> {
    /// Writes down what there is, where it is much, where more is to be started, or where `anyway` is.
    pub(super) fn save_if_due(&mut self, anyway: bool) {
        if self.saving.is_some() {
            return;
        }
        let ahead = self.ledger.started_ahead().filter(|_| !self.stopping && !self.has_read_all);
        let wanted = ahead.map_or(self.started, |ahead| self.next_start.saturating_add(ahead));
        let needs_more = ahead.is_some_and(|ahead| self.started < self.next_start.saturating_add(ahead / 2));
        let has_much = !self.lines.is_empty() && self.lines.len() >= self.ledger.step_bytes();
        if anyway || needs_more || has_much {
            let step = self.step(wanted.max(self.started), None);
            self.save(step);
        }
    }

    fn step(&mut self, started: u64, end: Option<LastStep>) -> Step {
        let elapsed_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.progress.wall_time_ms = self.wall_time_before_ms.saturating_add(elapsed_ms);
        self.progress.peak_concurrency = self.progress.peak_concurrency.max(self.concurrency.peak());
        let (from, next) = (self.lines_from, self.reorder.next());
        self.lines_from = next;
        let lines = std::mem::take(&mut self.lines);
        Step { from, lines, next, started, progress: self.progress.clone(), end }
    }

    fn save(&mut self, step: Step) {
        let ledger = self.ledger;
        let started = step.started;
        self.saving_bytes = step.lines.len();
        self.saving = Some(async move { ledger.keep(step).await.map(|()| started) }.boxed());
    }

    pub(super) fn kept(&mut self, kept: Result<u64, FanOutError>) -> Result<(), FanOutError> {
        self.saving = None;
        self.saving_bytes = 0;
        self.started = kept?;
        Ok(())
    }

    /// Writes down what is left.
    pub(super) async fn close(mut self) -> Result<(Ended, Progress), FanOutError> {
        let is_complete = self.has_read_all && self.delayed.is_empty() && self.open.is_empty();
        let waiting = self.delayed.values();
        let waiting = waiting.map(|item| Open { index: item.index, attempts: item.attempts, ran: item.ran });
        let open = self.open.values().copied().chain(waiting);
        let early = self.reorder.early().map(|(index, settled)| (index, settled.clone())).collect();
        let last = LastStep { is_complete, early, open: open.collect() };
        let started = self.next_start.max(self.suspect_until);
        let step = self.step(started, Some(last));
        let progress = step.progress.clone();
        self.ledger.keep(step).await?;
        match self.list_error {
            Some(error) => Err(error.into()),
            None => Ok((if is_complete { Ended::Complete } else { Ended::Stopped }, progress)),
        }
    }
}
