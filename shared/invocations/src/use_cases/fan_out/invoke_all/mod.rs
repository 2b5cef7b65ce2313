//! The loop: what is started, tried again, settled and written down.

mod keeping;
mod landing;
mod starting;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::attempt::{Landed, Sendable, attempt};
use super::items::Items;
use super::ledger::Ledger;
use super::{FanOutError, HEARTBEAT};
use crate::fan_out::{Concurrency, Open, Progress, Reorder, Settled, Terms, Ticket};
use crate::ports::{FunctionCaller, PortError};

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

/// A loop under way.
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
}
