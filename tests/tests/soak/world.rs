//! The four functions at work side by side, each invocation a process that may die at any of its calls.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use batchwright::AnyStore;
use batchwright::domain::{LogStream, RunId, Stop, Timestamp};
use batchwright::engine::{
    Durability, EngineConfig, EventCounts, EventFaults, FaultyEvents, JobIds, LocalEngine, SeededScript,
    SimulatedRunner, SqliteBooks,
};
use batchwright::events::JobStateChange;
use batchwright::function::{FunctionError, Invocation};
use batchwright::pace::TokenBucket;
use batchwright::ports::{
    Clock, Cursor, LogEvent, LogPage, LogSource, LogSourceError, RunStore as _, SubmissionPace,
};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::stop::cancel_run;
use batchwright::use_cases::submit::SubmitPolicy;
use batchwright_tests::bus::RecordedBus;
use batchwright_tests::crash::clock::DeploymentClock;
use batchwright_tests::crash::deployment::{LINES, is_idle};
use batchwright_tests::crash::fuse::{Fuse, Moment, Point};
use batchwright_tests::crash::fused::Fused;
use batchwright_tests::crash::inbox::{Function, Letter};
use batchwright_tests::crash::network::Network;
use batchwright_tests::crash::scenario::{BUCKET, uploaded};
use batchwright_tests::dice::Dice;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};

use crate::bucket::Bucket;
use crate::load::Wave;
use crate::mail::Mail;
use crate::storm::{Storm, passages};

/// From one pass of the reconciler to the next.
const PASS_EVERY_MS: i64 = 300_000;

/// Messages that come back are delivered so much later.
const AGAIN_MS: i64 = 60_000;

/// Deliveries of an event before it goes to its dead-letter queue, where it stays.
const DELIVERIES_MAX: u32 = 4;

/// Longer than the silence after which Batch is asked, and than the latest event is late.
const QUIET_MS: i64 = 1_300_000;

/// Of 1,000 invocations, so many die.
const KILLED: u64 = 60;

/// More virtual time than any wave takes: two days.
const WAVE_MAX_MS: i64 = 2 * 86_400_000;

/// How long Batch is away at once.
const OUTAGE: Duration = Duration::from_secs(60);

/// How a function is run.
struct Manner {
    /// Messages that it takes at once.
    messages: usize,
    /// Invocations that are under way at once.
    at_once: usize,
    seconds: u32,
    /// An invocation dies within so many calls, or not at all.
    calls: u64,
}

fn manner(of: Function) -> Manner {
    match of {
        Function::Submitter => Manner { messages: 1, at_once: 10, seconds: 120, calls: 400 },
        Function::StateHandler => Manner { messages: 10, at_once: 10, seconds: 120, calls: 30 },
        Function::LogCollector => Manner { messages: 10, at_once: 10, seconds: 600, calls: 30 },
        Function::Reconciler => Manner { messages: 0, at_once: 1, seconds: 110, calls: 200 },
    }
}

const BY_MESSAGE: [Function; 3] = [Function::StateHandler, Function::Submitter, Function::LogCollector];

/// What happened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) invocations: u64,
    pub(crate) killed: u64,
    pub(crate) passes: u64,
    pub(crate) surplus: u64,
    /// Events that were left in a dead-letter queue.
    pub(crate) dead: u64,
}

pub(crate) struct World {
    pub(crate) store: AnyStore,
    pub(crate) storm: Storm,
    pub(crate) objects: Bucket,
    pub(crate) bus: RecordedBus,
    clock: DeploymentClock,
    mail: Mail,
    dice: RefCell<Dice>,
    counts: Cell<Counts>,
    /// What the last pass of the reconciler found; `None` where it died.
    found_nothing: Cell<bool>,
    events: JoinHandle<EventCounts>,
}

impl World {
    /// A deployment that keeps nothing in memory: reports, logs and Batch's books lie in a folder. `http`: a runtime whose
    /// clock goes, which serves Batch over HTTP.
    pub(crate) async fn new(
        seed: u64,
        store: AnyStore,
        folder: &Path,
        jobs: u64,
        http: Option<&Handle>,
    ) -> anyhow::Result<Rc<Self>> {
        let clock = DeploymentClock::new(false);
        let (sender, truth) = unbounded_channel();
        let config = EngineConfig { ids: JobIds::seeded(seed), ..EngineConfig::with_vcpus(2_000) };
        let books = SqliteBooks::open(&folder.join("books.sqlite"), Durability::Program)?;
        let script = SeededScript { seed, host_lost_permille: 60, failed_permille: 40 };
        let runner = SimulatedRunner::new(script);
        let engine = LocalEngine::start(config, books, runner, clock.clone(), sender).await?;
        let network = Network::new(engine, &passages(seed, usize::try_from(jobs)? * 3));
        let storm = Storm::new(network, seed);
        let storm = match http {
            Some(runtime) => storm.over_http(runtime, folder).await?,
            None => storm,
        };
        let faults = EventFaults {
            seed,
            dropped_permille: 50,
            doubled_permille: 50,
            copies_max: 3,
            delayed_permille: 200,
            delay_max: Duration::from_secs(900),
        };
        let (late, arriving) = unbounded_channel();
        let events = tokio::spawn(FaultyEvents::new(faults, late).run(truth));
        let mail = Mail::new(clock.clone());
        tokio::spawn(deliver(arriving, mail.clone(), clock.clone()));
        Ok(Rc::new(Self {
            store,
            storm,
            objects: Bucket::in_folder(&folder.join("bucket")),
            bus: RecordedBus::default(),
            clock,
            mail,
            dice: RefCell::new(Dice::new(seed, 12)),
            counts: Cell::default(),
            found_nothing: Cell::default(),
            events,
        }))
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.get()
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    /// What became of events, once nobody sends any more.
    pub(crate) async fn end(self: Rc<Self>) -> anyhow::Result<EventCounts> {
        let world = Rc::into_inner(self).context("somebody is still at work")?;
        let World { storm, events, .. } = world;
        drop(storm);
        Ok(events.await?)
    }

    /// Uploads a wave and lives until a pass of the reconciler, and one after a long silence, find nothing.
    /// `is_stormy`: Batch goes away in its midst.
    pub(crate) async fn live(self: &Rc<Self>, wave: &Wave, is_stormy: bool) -> anyhow::Result<()> {
        let start = self.clock.now();
        let mut cancellations: BTreeMap<Timestamp, &str> = BTreeMap::new();
        for file in &wave.files {
            self.objects.put(&file.key, file.text.as_bytes())?;
            let at = start.plus_millis(i64::try_from(file.at_seconds)? * 1_000);
            self.mail.post(Function::Submitter, uploaded(&file.key), at);
            if let Some(seconds) = file.cancelled_after {
                cancellations.insert(at.plus_millis(i64::try_from(seconds)? * 1_000), &file.key);
            }
        }
        if is_stormy {
            self.storm.goes_away(Duration::from_secs(20), OUTAGE);
        }
        let mut running: JoinSet<(Function, anyhow::Result<()>)> = JoinSet::new();
        let mut busy: BTreeMap<Function, usize> = BTreeMap::new();
        let (mut pass, mut quiet_since) = (start.plus_millis(PASS_EVERY_MS), None);
        loop {
            let now = self.clock.now();
            ensure!(now.millis_since(start) < WAVE_MAX_MS, "it never comes to rest");
            if let Some((at, key)) = cancellations.first_key_value().map(|(at, key)| (*at, *key))
                && at <= now
            {
                cancellations.pop_first();
                if !self.cancel(key).await? {
                    cancellations.insert(now.plus_millis(1_000), key);
                }
                continue;
            }
            for to in BY_MESSAGE {
                let at_work = busy.entry(to).or_default();
                while *at_work < manner(to).at_once {
                    let letters = self.mail.take_due(to, now, manner(to).messages);
                    if letters.is_empty() {
                        break;
                    }
                    *at_work += 1;
                    quiet_since = None;
                    let world = Rc::clone(self);
                    running.spawn_local(async move { (to, world.deliver(to, letters).await) });
                }
            }
            if now >= pass && busy.get(&Function::Reconciler).copied().unwrap_or(0) == 0 {
                *busy.entry(Function::Reconciler).or_default() += 1;
                pass = now.plus_millis(PASS_EVERY_MS);
                let world = Rc::clone(self);
                running.spawn_local(async move {
                    (Function::Reconciler, world.deliver(Function::Reconciler, Vec::new()).await)
                });
            }
            let next = BY_MESSAGE.into_iter().filter_map(|to| self.mail.next_due(to)).min();
            let next = next.filter(|due| *due > now).unwrap_or(pass).min(pass);
            let next = cancellations.keys().next().map_or(next, |at| next.min(*at)).max(now.plus_millis(1));
            let wait = Duration::from_millis(u64::try_from(next.millis_since(now))?);
            tokio::select! {
                biased;
                Some(done) = running.join_next(), if !running.is_empty() => {
                    let (function, done) = done?;
                    done.with_context(|| format!("{function:?}"))?;
                    if let Some(at_work) = busy.get_mut(&function) {
                        *at_work -= 1;
                    }
                    if function == Function::Reconciler {
                        let idle = self.storm.network.engine().unfinished() == 0;
                        let at_rest = idle && self.mail.is_empty() && cancellations.is_empty() && running.is_empty();
                        if !(at_rest && self.found_nothing.get()) {
                            quiet_since = None;
                        } else if quiet_since.get_or_insert(now).millis_since(now) <= -QUIET_MS {
                            return Ok(());
                        }
                    }
                }
                () = self.mail.arrived() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Whether there was a run of that file.
    async fn cancel(&self, key: &str) -> anyhow::Result<bool> {
        let Some(run_id) = self.run_of(key).await? else { return Ok(false) };
        cancel_run(&self.store, &self.clock, &run_id, Stop::Terminate, "no longer wanted").await?;
        Ok(true)
    }

    /// The run of a file.
    pub(crate) async fn run_of(&self, key: &str) -> anyhow::Result<Option<RunId>> {
        let mut cursor = None;
        loop {
            let page = self.store.runs(cursor.as_ref()).await?;
            if let Some(run) = page.items.into_iter().find(|run| run.source.ends_with(key)) {
                return Ok(Some(run.run_id));
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(None);
            }
        }
    }

    /// One invocation.
    async fn deliver(&self, to: Function, letters: Vec<Letter>) -> anyhow::Result<()> {
        let manner = manner(to);
        let point = {
            let mut dice = self.dice.borrow_mut();
            let call = usize::try_from(1 + dice.below(manner.calls))?;
            let moment = dice.one_of(&[Moment::Before, Moment::After]);
            dice.permille(KILLED).then_some(Point { call, moment })
        };
        let fuse = Fuse::new(point);
        let invocation = Invocation {
            request_id: "request".to_owned(),
            function_name: "the-submitter".to_owned(),
            deadline: self.clock.now().plus_millis(i64::from(manner.seconds) * 1_000),
        };
        let event = event(to, &letters);
        let handled = match to {
            Function::Submitter => {
                fuse.run(Box::pin(within(&manner, self.submitter(&fuse, event, &invocation)))).await
            }
            Function::StateHandler => {
                fuse.run(Box::pin(within(&manner, self.state_handler(&fuse, event, &invocation)))).await
            }
            Function::LogCollector => {
                fuse.run(Box::pin(within(&manner, self.log_collector(&fuse, event, &invocation)))).await
            }
            Function::Reconciler => {
                fuse.run(Box::pin(within(&manner, self.reconciler(&fuse, event, &invocation)))).await
            }
        };
        let died = handled.is_none();
        self.count(|counts| {
            counts.invocations += 1;
            counts.killed += u64::from(died);
            counts.passes += u64::from(to == Function::Reconciler);
        });
        let failed: BTreeSet<String> = match handled.flatten() {
            Some(Ok(failed)) => failed,
            Some(Err(error)) if !error.may_pass() => bail!("{error}"),
            None | Some(Err(_)) => {
                self.found_nothing.set(self.found_nothing.get() && to != Function::Reconciler);
                (0..letters.len()).map(|number| number.to_string()).collect()
            }
        };
        for (number, mut letter) in letters.into_iter().enumerate() {
            if !failed.contains(&number.to_string()) {
                continue;
            }
            letter.deliveries += 1;
            letter.due = self.clock.now().plus_millis(AGAIN_MS);
            // An upload that failed three times lies in a queue, from which a person takes it.
            if letter.deliveries < DELIVERIES_MAX || to == Function::Submitter {
                self.mail.put_back(letter);
            } else {
                self.count(|counts| counts.dead += 1);
            }
        }
        Ok(())
    }

    async fn submitter(
        &self,
        fuse: &Fuse,
        event: Value,
        invocation: &Invocation,
    ) -> Result<BTreeSet<String>, FunctionError> {
        let ports = submitter::Ports {
            store: Fused::new(self.store.clone(), fuse),
            engine: Fused::new(self.storm.clone(), fuse),
            pace: Fused::new(Share(TokenBucket::new(50.0)), fuse),
            clock: self.clock.clone(),
            objects: Fused::new(self.objects.clone(), fuse),
            invoker: Fused::new(self.mail.clone(), fuse),
        };
        let config = submitter::Config::read(&setting).map_err(refused)?;
        let answer = submitter::handle(&ports, &config, event, invocation).await?;
        self.count_surplus(&answer.metrics);
        Ok(BTreeSet::new())
    }

    async fn state_handler(
        &self,
        fuse: &Fuse,
        event: Value,
        invocation: &Invocation,
    ) -> Result<BTreeSet<String>, FunctionError> {
        let (store, engine) = (Fused::new(self.store.clone(), fuse), Fused::new(self.storm.clone(), fuse));
        let policy = SubmitPolicy::default();
        let (bus, clock) = (Fused::new(self.bus.clone(), fuse), &self.clock);
        let recorder = Recorder { store: &store, engine: &engine, pace: &engine, clock, bus: &bus, policy };
        let config = state_handler::Config::read(&setting).map_err(refused)?;
        let answer = state_handler::handle(&recorder, &config, event, invocation).await?;
        self.count_surplus(&answer.metrics);
        match answer.body {
            state_handler::Response::Messages(response) => Ok(response.failed().map(str::to_owned).collect()),
            other => Err(FunctionError::Refused(format!("{other:?}"))),
        }
    }

    async fn log_collector(
        &self,
        fuse: &Fuse,
        event: Value,
        invocation: &Invocation,
    ) -> Result<BTreeSet<String>, FunctionError> {
        let ports = log_collector::Ports {
            store: Fused::new(self.store.clone(), fuse),
            source: Fused::new(Written, fuse),
            archive: Fused::new(self.objects.clone(), fuse),
            clock: self.clock.clone(),
        };
        let config = log_collector::Config::read(&setting).map_err(refused)?;
        let answer = log_collector::handle(&ports, &config, event, invocation).await?;
        match answer.body {
            log_collector::Response::Messages(response) => Ok(response.failed().map(str::to_owned).collect()),
            other => Err(FunctionError::Refused(format!("{other:?}"))),
        }
    }

    async fn reconciler(
        &self,
        fuse: &Fuse,
        event: Value,
        invocation: &Invocation,
    ) -> Result<BTreeSet<String>, FunctionError> {
        let ports = reconciler::Ports {
            store: Fused::new(self.store.clone(), fuse),
            engine: Fused::new(self.storm.clone(), fuse),
            pace: Fused::new(self.storm.clone(), fuse),
            clock: self.clock.clone(),
            source: Fused::new(Written, fuse),
            archive: Fused::new(self.objects.clone(), fuse),
            invoker: Fused::new(self.mail.clone(), fuse),
            bus: Fused::new(self.bus.clone(), fuse),
        };
        let config = reconciler::Config::read(&setting).map_err(refused)?;
        let answer = reconciler::handle(&ports, &config, event, invocation).await?;
        self.count_surplus(&answer.metrics);
        self.found_nothing.set(is_idle(&answer.body));
        Ok(BTreeSet::new())
    }

    fn count_surplus(&self, metrics: &[batchwright::function::Metric]) {
        let surplus = metrics.iter().filter(|metric| metric.name == "SurplusTerminated");
        let surplus: u64 = surplus.map(|metric| metric.count).sum();
        self.count(|counts| counts.surplus += surplus);
    }
}

/// The submitter's share of the quota.
struct Share(TokenBucket);

impl SubmissionPace for Share {
    async fn admit(&self) {
        self.0.admit().await;
    }
}

/// Lambda ends what is not done in time: `None`.
async fn within<T>(manner: &Manner, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(manner.seconds.into()), work).await.ok()
}

fn refused(error: impl std::fmt::Display) -> FunctionError {
    FunctionError::Refused(error.to_string())
}

fn setting(name: &str) -> Option<String> {
    let value = match name {
        "BATCHWRIGHT_BUCKET" => BUCKET,
        "BATCHWRIGHT_SUBMITTER" => "the-submitter",
        "BATCHWRIGHT_BUNDLE_LOGS_FROM" => "2",
        name if name.ends_with("_TABLE") => "table",
        _ => return None,
    };
    Some(value.to_owned())
}

fn event(to: Function, letters: &[Letter]) -> Value {
    match to {
        Function::Submitter => letters[0].body.clone(),
        Function::Reconciler => json!({"source": "aws.events"}),
        Function::StateHandler | Function::LogCollector => {
            let record = |(number, letter): (usize, &Letter)| {
                json!({"eventSource": "aws:sqs", "messageId": number.to_string(), "attributes": {},
                    "body": letter.body.to_string()})
            };
            json!({"Records": letters.iter().enumerate().map(record).collect::<Vec<_>>()})
        }
    }
}

/// EventBridge: every event to the state handler, ends to the log collector once the log has settled.
async fn deliver(mut events: UnboundedReceiver<JobStateChange>, mail: Mail, clock: DeploymentClock) {
    const LOGS_AFTER_MS: i64 = 90_000;
    while let Some(change) = events.recv().await {
        let Ok(event) = serde_json::to_value(&change) else { continue };
        let now = clock.now();
        if change.detail.status.is_terminal() {
            mail.post(Function::LogCollector, event.clone(), now.plus_millis(LOGS_AFTER_MS));
        }
        mail.post(Function::StateHandler, event, now);
    }
}

/// CloudWatch Logs: each stream that Batch names has its lines.
#[derive(Debug, Clone, Copy)]
struct Written;

impl LogSource for Written {
    async fn log_events(&self, _: &LogStream, _: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        let at = batchwright_tests::world::START;
        let line = |n: u64| LogEvent { timestamp: at, ingestion_time: at, message: n.to_string() };
        Ok(LogPage { events: (0..LINES).map(line).collect(), next: None })
    }
}
