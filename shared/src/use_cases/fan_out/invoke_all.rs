//! The loop: what is started, tried again, settled and written down.

use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::attempt::{Landed, Sendable, attempt};
use super::items::{Item, Items};
use super::ledger::{LastStep, Ledger, Step};
use super::{FanOutError, HEARTBEAT};
use crate::fan_out::limits::{HELD_RESULTS_MAX_BYTES, reorder_window};
use crate::fan_out::{
    Concurrency, ItemResult, Next, Open, Outcome, Progress, Ran, Reorder, Settled, Terms, Ticket,
};
use crate::ports::{ErrorKind, FunctionCaller, PortError};
use crate::use_cases::backoff::backoff;

/// The longest that a service's hint to wait is followed.
const HINT_MAX: Duration = Duration::from_secs(300);

/// Where a loop starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The first item without a result in order.
    pub next: u64,
    /// Items before it may have been started by somebody who was cut off.
    pub suspect_until: u64,
    /// Items up to here are written down as started.
    pub started: u64,
    /// Results of some of those items.
    pub early: Vec<(u64, Settled)>,
    /// Those of them that may be started.
    pub open: Vec<Open>,
    /// What the items before came to.
    pub progress: Progress,
    /// The most that may fail; `None`: any number.
    pub tolerated: Option<u64>,
}

/// When a loop stops.
#[derive(Debug)]
pub struct Stop<S, H> {
    /// From then on nothing is started.
    pub starting: S,
    /// From then on nothing is waited for.
    pub waiting: H,
}

/// How a loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every item of the list has its result.
    Complete,
    /// It was stopped before.
    Stopped,
}

/// Invokes the functions of a list under the terms, each item once, and hands the results to the ledger in
/// the order of the list. Returns what it came to.
///
/// # Errors
///
/// Where the list can't be read on, or the ledger fails. What was invoked and not kept is then lost to this
/// loop, and a suspect to the next.
pub async fn invoke_all<C: FunctionCaller, L: Ledger>(
    caller: &C,
    ledger: &L,
    items: Items<'_>,
    terms: &Terms,
    start: Start,
    stop: Stop<impl Future<Output = ()> + Send, impl Future<Output = ()> + Send>,
) -> Result<(Ended, Progress), FanOutError> {
    let send = |item: Sendable, ticket| attempt(caller, ledger, terms, item, ticket);
    let mut run = Run::new(ledger, items, terms, start, send);
    let (mut starting, mut waiting) = (pin!(stop.starting.fuse()), pin!(stop.waiting.fuse()));
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.tick().await;
    loop {
        run.start_all();
        run.save_if_due(false);
        if run.is_done() {
            break;
        }
        let wake = run.wakes_at();
        let reads = run.may_read();
        tokio::select! {
            biased;
            () = &mut waiting => run.give_up(),
            () = &mut starting => run.stopping = true,
            Some(landed) = run.flying.next() => run.land(landed),
            kept = async { run.saving.as_mut().expect("it is there").await }, if run.saving.is_some() => run.kept(kept)?,
            read = run.items.next(), if reads => run.take(read),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            _ = heartbeat.tick() => run.save_if_due(true),
        }
    }
    run.close().await
}

struct Run<'a, L, F, S> {
    ledger: &'a L,
    items: Items<'a>,
    terms: &'a Terms,
    send: S,
    flying: FuturesUnordered<F>,
    /// Attempts of the items that are under way.
    under_way: BTreeMap<u64, u32>,
    /// Items that are tried again, by when.
    delayed: BTreeMap<(Instant, u64), Sendable>,
    concurrency: Concurrency,
    paused_until: Option<Instant>,
    reorder: Reorder,
    /// Results in order that are not written down yet.
    lines: Vec<u8>,
    lines_from: u64,
    progress: Progress,
    /// Failures, also of those that wait for others before them.
    failures: u64,
    tolerated: Option<u64>,
    suspect_until: u64,
    open: BTreeMap<u64, Open>,
    next_start: u64,
    started: u64,
    saving: Option<BoxFuture<'a, Result<u64, FanOutError>>>,
    saving_bytes: usize,
    has_read_all: bool,
    stopping: bool,
    list_error: Option<PortError>,
    begun: Instant,
    wall_time_before_ms: u64,
}

impl<'a, L: Ledger, F: Future<Output = Landed>, S: Fn(Sendable, Ticket) -> F> Run<'a, L, F, S> {
    fn new(ledger: &'a L, items: Items<'a>, terms: &'a Terms, start: Start, send: S) -> Self {
        let mut run = Self {
            ledger,
            items,
            terms,
            send,
            flying: FuturesUnordered::new(),
            under_way: BTreeMap::new(),
            delayed: BTreeMap::new(),
            concurrency: Concurrency::below(terms.ceiling),
            paused_until: None,
            reorder: Reorder::from(start.next),
            lines: Vec::new(),
            lines_from: start.next,
            failures: start.progress.counts.failures(),
            wall_time_before_ms: start.progress.wall_time_ms,
            progress: start.progress,
            tolerated: start.tolerated,
            suspect_until: start.suspect_until,
            open: start.open.into_iter().map(|open| (open.index, open)).collect(),
            next_start: start.next,
            started: if ledger.started_ahead().is_some() { start.started } else { u64::MAX },
            saving: None,
            saving_bytes: 0,
            has_read_all: false,
            stopping: false,
            list_error: None,
            begun: Instant::now(),
        };
        for (index, settled) in start.early {
            run.settled(index, settled);
        }
        run
    }

    /// Whether so many have failed that nothing more is started.
    fn is_over(&self) -> bool {
        self.tolerated.is_some_and(|tolerated| self.failures > tolerated)
    }

    fn is_paused(&self) -> bool {
        self.paused_until.is_some_and(|until| until > Instant::now())
    }

    fn has_room(&self) -> bool {
        self.flying.len() < self.concurrency.limit() && !self.is_paused()
    }

    /// Whether the next item of the list may be taken.
    fn may_read(&self) -> bool {
        let held = self.reorder.bytes() + self.lines.len() + self.saving_bytes;
        !self.stopping
            && !self.has_read_all
            && self.next_start < self.started
            && self.next_start.saturating_sub(self.reorder.next()) < reorder_window(self.terms.ceiling)
            && held < HELD_RESULTS_MAX_BYTES
            && (self.is_over() || self.has_room())
    }

    /// Starts what may be started without waiting: first what is tried again.
    fn start_all(&mut self) {
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
    fn take(&mut self, read: Option<Result<Item, PortError>>) {
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

    /// An attempt has ended.
    fn land(&mut self, mut landed: Landed) {
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
    fn give_up(&mut self) {
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

    fn settle(&mut self, result: ItemResult) {
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

    fn settled(&mut self, index: u64, settled: Settled) {
        self.failures += u64::from(settled.outcome.is_failure());
        for settled in self.reorder.settle(index, settled) {
            self.progress.add(&settled);
            self.lines.extend_from_slice(settled.line.as_bytes());
        }
    }

    /// Writes down what there is, where it is much, where more is to be started, or where `anyway` is.
    fn save_if_due(&mut self, anyway: bool) {
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

    fn kept(&mut self, kept: Result<u64, FanOutError>) -> Result<(), FanOutError> {
        self.saving = None;
        self.saving_bytes = 0;
        self.started = kept?;
        Ok(())
    }

    /// When something can be started that can't be now.
    fn wakes_at(&self) -> Option<Instant> {
        if self.stopping {
            return None;
        }
        let due = self.delayed.first_key_value().map(|((when, _), _)| *when);
        let paused = self.paused_until.filter(|until| *until > Instant::now());
        match (due, paused) {
            (Some(due), Some(paused)) => Some(due.max(paused)),
            // It is due: a place is waited for, which comes with an answer.
            (Some(due), None) => Some(due).filter(|due| *due > Instant::now()),
            (None, paused) => paused,
        }
    }

    fn is_done(&self) -> bool {
        let has_nothing = self.flying.is_empty() && self.saving.is_none();
        has_nothing && (self.stopping || (self.has_read_all && self.delayed.is_empty()))
    }

    /// Writes down what is left.
    async fn close(mut self) -> Result<(Ended, Progress), FanOutError> {
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

/// An item that is not started, or not again, because too many have failed.
fn not_run(index: u64, ran: Ran, attempts: u32) -> ItemResult {
    let why = "more have failed than are tolerated";
    ItemResult { attempts, ..ItemResult::unsent(index, ran.outcome(Outcome::NotRun), "TooManyFailed", why) }
}
