//! The loop: what is started, tried again, settled and written down.

mod keeping;
mod landing;
mod rooms;
mod starting;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{BoxFuture, Fuse, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use self::rooms::Rooms;
use super::attempt::{Landed, Sendable, Tickets, attempt};
use super::items::Items;
use super::ledger::{Kept, Ledger};
use super::{FanOutError, HEARTBEAT};
use crate::fan_out::{FunctionName, Indices, Open, Progress, Reorder, Settled, Terms};
use crate::ports::{FunctionCaller, PortError};

/// Where a loop starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// Items whose result is written.
    pub done: Indices,
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
    /// How long nothing had got through before.
    pub quiet: Duration,
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
    /// Whether the rest of the list is read, to be counted.
    pub counts_rest: bool,
}

/// How a loop ended.
#[derive(Debug)]
pub enum Ended {
    /// Every item of the list has its result.
    Complete,
    /// It was stopped before.
    Stopped,
    /// It could not go on. All that ran before has its result.
    Halted(FanOutError),
}

/// What a loop came to.
#[derive(Debug)]
pub struct Came {
    /// How it ended.
    pub ended: Ended,
    /// What its items came to.
    pub progress: Progress,
    /// Items of the list that were not begun, where they were counted.
    pub not_begun: Option<u64>,
    /// Whether all that was sent was refused for want of room.
    pub was_refused: bool,
    /// Where results lie that could not be written to their place, and why.
    pub aside: Option<String>,
}

/// Invokes the functions of a list under the terms, each item once, and hands the results to the ledger. Whatever
/// ends it, each item that was begun has its result by then, unless the ledger hands it on.
///
/// # Errors
///
/// Where the ledger fails. What was invoked and not kept is then lost to this loop, and a suspect to the next.
pub async fn invoke_all<C: FunctionCaller, L: Ledger>(
    caller: &C,
    ledger: &L,
    items: Items<'_>,
    terms: &Terms,
    start: Start,
    stop: Stop<impl Future<Output = ()> + Send, impl Future<Output = ()> + Send>,
) -> Result<Came, FanOutError> {
    let send = |item: Sendable, tickets| attempt(caller, ledger, terms, item, tickets);
    let mut run = Run::new(ledger, items, terms, start, send);
    let (mut starting, mut waiting) = (pin!(stop.starting.fuse()), pin!(stop.waiting.fuse()));
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.tick().await;
    loop {
        run.save_if_due(false);
        if run.may_start() {
            run.start_all();
        }
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
            // First what is being kept: a result that is not, is lost with the process.
            kept = async { run.saving.as_mut().expect("it is there").await }, if run.saving.is_some() => run.kept(kept)?,
            Some(landed) = run.flying.next() => run.land(landed),
            read = run.items.next(), if reads => run.take(read),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            _ = heartbeat.tick() => run.save_if_due(true),
        }
    }
    if stop.counts_rest {
        run.count_rest(waiting.as_mut()).await;
    }
    run.close().await
}

/// How long something takes, the latest with the most weight.
#[derive(Debug, Clone, Copy, Default)]
struct Mean(Option<Duration>);

impl Mean {
    fn add(&mut self, took: Duration) {
        self.0 = Some(self.0.map_or(took, |mean| (mean * 7 + took) / 8));
    }
}

/// A loop under way.
struct Run<'a, L, F, S> {
    ledger: &'a L,
    items: Items<'a>,
    terms: &'a Terms,
    send: S,
    flying: FuturesUnordered<F>,
    /// What is known of the items that are under way.
    under_way: BTreeMap<u64, Open>,
    /// Items that are tried again, by when.
    delayed: BTreeMap<(Instant, u64), Sendable>,
    rooms: Rooms,
    peak: u32,
    reorder: Reorder,
    /// Results that are not written down yet.
    lines: Vec<u8>,
    lines_from: u64,
    /// The items whose lines are written or taken, where that is handed on.
    lines_done: Indices,
    /// Results that are neither in lines nor kept as early.
    new_early: Vec<(u64, Settled)>,
    /// Steps that had some, since there were lines.
    early_steps: u32,
    progress: Progress,
    /// What the items came to whose lines are written.
    written: Progress,
    /// Failures, also of those that wait for others before them.
    failures: u64,
    tolerated: Option<u64>,
    suspect_until: u64,
    open: BTreeMap<u64, Open>,
    next_start: u64,
    started: u64,
    /// How long a call takes, and a checkpoint.
    call: Mean,
    save: Mean,
    saving_since: Instant,
    saving: Option<BoxFuture<'a, Result<(u64, Kept), FanOutError>>>,
    saving_bytes: usize,
    has_read_all: bool,
    not_begun: Option<u64>,
    stopping: bool,
    halted: Option<FanOutError>,
    aside: Option<String>,
    list_error: Option<PortError>,
    begun: Instant,
    wall_time_before_ms: u64,
    /// Since when nothing has got through.
    quiet_since: Instant,
    quiet_before: Duration,
    /// Whether a function has run or taken an event.
    has_answered: bool,
    has_connected: bool,
    was_refused: bool,
    has_warned: bool,
}

impl<'a, L: Ledger, F: Future<Output = Landed>, S: Fn(Sendable, Tickets) -> F> Run<'a, L, F, S> {
    fn new(ledger: &'a L, items: Items<'a>, terms: &'a Terms, start: Start, send: S) -> Self {
        let now = Instant::now();
        let reorder = Reorder::new(ledger.order(), start.done);
        let mut run = Self {
            ledger,
            items,
            terms,
            send,
            flying: FuturesUnordered::new(),
            under_way: BTreeMap::new(),
            delayed: BTreeMap::new(),
            rooms: Rooms::below(terms.ceiling),
            peak: 0,
            lines: Vec::new(),
            lines_from: reorder.next(),
            lines_done: reorder.given().clone(),
            new_early: Vec::new(),
            early_steps: 0,
            failures: start.progress.counts.failures(),
            wall_time_before_ms: start.progress.wall_time_ms,
            written: start.progress.clone(),
            progress: start.progress,
            tolerated: start.tolerated,
            suspect_until: start.suspect_until,
            open: start.open.into_iter().map(|open| (open.index, open)).collect(),
            next_start: 0,
            started: if ledger.is_handed_on() { start.started } else { u64::MAX },
            call: Mean::default(),
            save: Mean::default(),
            saving_since: now,
            saving: None,
            saving_bytes: 0,
            has_read_all: false,
            not_begun: None,
            stopping: false,
            halted: None,
            aside: None,
            list_error: None,
            begun: now,
            quiet_since: now,
            quiet_before: start.quiet,
            has_answered: false,
            has_connected: false,
            was_refused: false,
            has_warned: false,
            reorder,
        };
        run.next_start = run.reorder.next();
        for (index, settled) in start.early {
            run.settled(index, settled);
        }
        // They are kept where they were read.
        run.new_early.clear();
        run
    }

    /// Whether so many have failed that nothing more is started.
    fn is_over(&self) -> bool {
        self.tolerated.is_some_and(|tolerated| self.failures > tolerated)
    }

    /// Nothing more is started, for a reason that is told once.
    fn halt(&mut self, why: FanOutError) {
        self.stopping = true;
        self.halted.get_or_insert(why);
    }

    /// When something can be started that can't be now.
    fn wakes_at(&self) -> Option<Instant> {
        if self.stopping {
            return None;
        }
        let now = self.begun.elapsed();
        let due = self.delayed.first_key_value().map(|((when, _), _)| *when);
        let due = due.filter(|due| *due > Instant::now());
        let opens = self.rooms.opens_at(self.only_target(), now).map(|opens| self.begun + opens);
        [due, opens].into_iter().flatten().min()
    }

    /// The target of all that is still to be read, where that is one.
    fn only_target(&self) -> Option<&'a str> {
        let function = self.terms.function.as_ref().filter(|_| !self.items.have_many_functions());
        function.filter(|_| !self.has_read_all).map(FunctionName::unqualified)
    }

    fn is_done(&self) -> bool {
        let has_nothing = self.flying.is_empty() && self.saving.is_none();
        let waits = !self.delayed.is_empty() || self.rooms.waiting() > 0;
        has_nothing && (self.stopping || (self.has_read_all && !waits))
    }

    /// Reads what is left of the list, and only counts it: nothing where the list breaks off or time is over.
    async fn count_rest(&mut self, mut waiting: std::pin::Pin<&mut Fuse<impl Future<Output = ()>>>) {
        let mut count = 0;
        while !self.has_read_all {
            let read = tokio::select! {
                biased;
                () = &mut waiting => return,
                read = self.items.next() => read,
            };
            match read {
                // Those before it were begun by an earlier run.
                Some(Ok(item)) => count += u64::from(item.index >= self.suspect_until),
                Some(Err(_)) => return,
                None => break,
            }
        }
        self.not_begun = self.list_error.is_none().then_some(count);
    }
}
