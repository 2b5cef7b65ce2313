//! All functions of a deployment over one store, one Batch, one bucket, under one fuse.
//!
//! Messages are delivered one batch after another. A function that dies loses all that it held: the next
//! one is put together anew, also its connection to the store.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{bail, ensure};
use batchwright::domain::{JobId, JobName, JobStatus, Timestamp};
use batchwright::engine::{EngineConfig, JobIds, LocalEngine, MemoryBooks, SimulatedRunner};
use batchwright::events::{BatchResponse, JobStateChange};
use batchwright::function::{Answer, FunctionError, Invocation, Metric};
use batchwright::memory::{InMemoryLogSource, InMemoryObjectStore};
use batchwright::pace::TokenBucket;
use batchwright::ports::{Clock, JobStore, LogEvent, RunStore, SubmissionPace};
use batchwright::use_cases::queries::for_each_submission_of;
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::submit::SubmitPolicy;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use crate::bus::RecordedBus;

use super::clock::DeploymentClock;
use super::fuse::Fuse;
use super::fused::Fused;
use super::inbox::{Function, Inbox, Invoker, Letter};
use super::network::Network;
use super::scenario::{BUCKET, Scenario};

/// Lines that each attempt writes.
pub const LINES: u64 = 3;

/// From one pass of the reconciler to the next: longer than claims, quarantine and every silence.
const PASS_EVERY_MS: i64 = 1_260_000;

/// Messages that come back are delivered so much later.
const AGAIN_MS: i64 = 60_000;

/// The same, where the reconciler is to come first.
const LATE_MS: i64 = 3_000_000;

/// Deliveries of a message before it is left in its dead-letter queue.
const DELIVERIES_MAX: u32 = 4;

/// Longer than the silence after which Batch is asked.
const LONG_SILENCE_MS: i64 = 1_000_000;

/// More means that it never comes to rest.
const STEPS_MAX: usize = 1_000;

/// What becomes of the messages of a function that died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// They are delivered again soon.
    Redelivered,
    /// Events are lost; uploads and calls are delivered again when the reconciler has passed twice.
    ReconciledFirst,
}

/// A deployment on a store of type `S`.
pub struct Deployment<S> {
    open: Box<dyn Fn() -> anyhow::Result<S>>,
    store: Mutex<S>,
    /// Batch.
    pub network: Network,
    /// The bucket.
    pub objects: InMemoryObjectStore,
    /// CloudWatch Logs.
    pub logs: InMemoryLogSource,
    /// The event bus.
    pub bus: RecordedBus,
    /// The time.
    pub clock: DeploymentClock,
    /// Messages under way.
    pub inbox: Inbox,
    /// What kills the functions.
    pub fuse: Fuse,
    invoker: Invoker,
    recovery: Recovery,
    seconds: u32,
    pace: Option<f64>,
    jobs: Vec<JobName>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    metrics: BTreeMap<(Function, &'static str), u64>,
    ended: BTreeMap<JobId, JobStatus>,
    last_pass: Timestamp,
    last_step: Timestamp,
}

impl<S: JobStore + RunStore + Clone> Deployment<S> {
    /// A deployment to which a scenario's files have been uploaded. `leaps`: tokio's clock is not paused.
    pub async fn new(
        scenario: &Scenario,
        open: impl Fn() -> anyhow::Result<S> + 'static,
        fuse: Fuse,
        recovery: Recovery,
        leaps: bool,
    ) -> anyhow::Result<Self> {
        let clock = DeploymentClock::new(leaps);
        let (sender, events) = unbounded_channel();
        let config = EngineConfig {
            ids: JobIds::seeded(7).behind(scenario.ids.clone()),
            ..EngineConfig::with_vcpus(64)
        };
        let runner = SimulatedRunner::new(scenario.script);
        let books = MemoryBooks::default();
        let engine = LocalEngine::start(config, books, runner, clock.clone(), sender).await?;
        let (inbox, logs) = (Inbox::default(), InMemoryLogSource::new(2, 0));
        let copies = if scenario.events_lost { 0 } else { 1 + usize::from(scenario.events_doubled) };
        tokio::spawn(deliver_events(events, inbox.clone(), logs.clone(), clock.clone(), copies));
        let objects = InMemoryObjectStore::default();
        for (key, text) in &scenario.files {
            objects.put(key, "application/json", text.as_str());
        }
        for call in &scenario.calls {
            inbox.post(Function::Submitter, call.clone(), clock.now());
        }
        let refused = Arc::new(Mutex::new(scenario.invocations_refused));
        let invoker = Invoker { inbox: inbox.clone(), clock: clock.clone(), refused };
        let now = clock.now();
        let jobs: Result<_, _> = scenario.jobs.iter().map(|job| JobName::parse(job.name)).collect();
        Ok(Self {
            store: Mutex::new(open()?),
            open: Box::new(open),
            network: Network::new(engine, &scenario.passages),
            objects,
            logs,
            bus: RecordedBus::default(),
            clock,
            inbox,
            fuse,
            invoker,
            recovery,
            seconds: scenario.seconds,
            pace: scenario.pace,
            jobs: jobs?,
            state: Mutex::new(State { last_pass: now, last_step: now, ..State::default() }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, as a function that starts finds it.
    pub fn store(&self) -> S {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the counts of a function's metric add up to.
    pub fn metric(&self, function: Function, name: &'static str) -> u64 {
        self.state().metrics.get(&(function, name)).copied().unwrap_or(0)
    }

    /// Delivers, passes and lets time go by until a pass of the reconciler finds nothing, nor does one after
    /// a long silence.
    ///
    /// # Errors
    ///
    /// Where it never comes to rest, where a terminal status changed, and where the store fails.
    pub async fn live(&self) -> anyhow::Result<()> {
        let mut rested = false;
        for _ in 0..STEPS_MAX {
            let letters = self.inbox.take_due(self.clock.now(), most);
            if !letters.is_empty() {
                rested = false;
                self.deliver(letters).await?;
                continue;
            }
            let idle = self.network.engine().unfinished() == 0;
            let at_rest = idle && self.inbox.next_due().is_none();
            let pass = self.next_pass(at_rest);
            if self.clock.now() >= pass {
                if self.reconcile().await? && at_rest && self.inbox.next_due().is_none() {
                    if rested {
                        return Ok(());
                    }
                    rested = true;
                    self.clock.pass_until(self.clock.now().plus_millis(LONG_SILENCE_MS), idle).await;
                } else {
                    rested = false;
                }
                continue;
            }
            let wake = self.inbox.next_due().map_or(pass, |due| due.min(pass));
            tokio::select! {
                biased;
                () = self.inbox.arrived() => {}
                () = self.clock.pass_until(wake, idle) => {}
            }
        }
        bail!("it never comes to rest")
    }

    /// Until a moment, everything at once: messages are delivered while others are still being handled,
    /// and the reconciler passes every five minutes or so, from `first_pass` on.
    ///
    /// # Errors
    ///
    /// Where a terminal status changed, and where the store fails.
    pub async fn live_at_once(self: &Rc<Self>, first_pass: Timestamp, until: Timestamp) -> anyhow::Result<()>
    where
        S: 'static,
    {
        const EVERY_MS: i64 = 305_000;
        let mut handled = JoinSet::new();
        let mut pass = first_pass;
        while self.clock.now() < until {
            let letters = self.inbox.take_due(self.clock.now(), most);
            if !letters.is_empty() {
                let deployment = Rc::clone(self);
                handled.spawn_local(async move { deployment.deliver(letters).await });
            } else if self.clock.now() >= pass {
                self.reconcile().await?;
                pass = pass.plus_millis(EVERY_MS);
            } else {
                let next = pass.min(until);
                let wake = self.inbox.next_due().map_or(next, |due| due.min(next));
                tokio::select! {
                    biased;
                    () = self.inbox.arrived() => {}
                    () = self.clock.pass_until(wake, false) => {}
                }
            }
        }
        while let Some(done) = handled.join_next().await {
            done??;
        }
        Ok(())
    }

    fn next_pass(&self, at_rest: bool) -> Timestamp {
        let state = self.state();
        let since = if at_rest { state.last_pass.max(state.last_step) } else { state.last_pass };
        since.plus_millis(PASS_EVERY_MS)
    }

    /// Wakes one function with messages of its queue.
    ///
    /// # Errors
    ///
    /// Where a terminal status changed, and where the store fails.
    pub async fn deliver(&self, letters: Vec<Letter>) -> anyhow::Result<()> {
        let to = letters[0].to;
        let messages = if to == Function::Submitter { letters[0].body.clone() } else { batch(&letters) };
        // The functions' futures nest too deep for the stack of a test.
        let handled = match to {
            Function::Submitter => self.fuse.run(Box::pin(self.submitter(messages))).await,
            Function::StateHandler => self.fuse.run(Box::pin(self.state_handler(messages))).await,
            Function::LogCollector => self.fuse.run(Box::pin(self.log_collector(messages))).await,
            Function::Reconciler => bail!("no message is for the reconciler"),
        };
        let failed: BTreeSet<String> = match &handled {
            Some(Ok((response, metrics))) => {
                self.count(to, metrics);
                response.failed().map(str::to_owned).collect()
            }
            Some(Err(error)) if !error.may_pass() => bail!("{to:?}: {error}"),
            None | Some(Err(_)) => (0..letters.len()).map(|number| number.to_string()).collect(),
        };
        let died = handled.is_none();
        for (number, letter) in letters.into_iter().enumerate() {
            if failed.contains(&number.to_string()) {
                self.again(letter, died);
            }
        }
        self.step(died).await
    }

    fn again(&self, mut letter: Letter, died: bool) {
        letter.deliveries += 1;
        let now = self.clock.now();
        letter.due = match (died, self.recovery, letter.to) {
            (true, Recovery::ReconciledFirst, Function::Submitter) => now.plus_millis(LATE_MS),
            (true, Recovery::ReconciledFirst, _) => return,
            _ => now.plus_millis(AGAIN_MS),
        };
        if letter.deliveries < DELIVERIES_MAX {
            self.inbox.put_back(letter);
        }
    }

    /// One pass of the reconciler. Returns whether it found nothing.
    ///
    /// # Errors
    ///
    /// Where a terminal status changed, and where the store fails.
    pub async fn reconcile(&self) -> anyhow::Result<bool> {
        let passed = self.fuse.run(Box::pin(self.reconciler())).await;
        self.state().last_pass = self.clock.now();
        let found_nothing = match &passed {
            None => false,
            Some(Err(error)) => bail!("the reconciler: {error}"),
            Some(Ok(answer)) => {
                self.count(Function::Reconciler, &answer.metrics);
                is_idle(&answer.body)
            }
        };
        if !found_nothing {
            self.step(passed.is_none()).await?;
        }
        Ok(found_nothing)
    }

    fn count(&self, function: Function, metrics: &[Metric]) {
        let mut state = self.state();
        for metric in metrics {
            *state.metrics.entry((function, metric.name)).or_default() += metric.count;
        }
    }

    /// Looks at what a function left behind: no terminal status has changed.
    async fn step(&self, died: bool) -> anyhow::Result<()> {
        if died {
            *self.store.lock().unwrap_or_else(PoisonError::into_inner) = (self.open)()?;
        }
        self.state().last_step = self.clock.now();
        let store = self.store();
        for job in &self.jobs {
            let mut reopened = None;
            for_each_submission_of(&store, job, |submission| {
                let (job_id, status) = (submission.state.job_id, submission.state.status);
                let mut state = self.state();
                match state.ended.get(&job_id) {
                    Some(ended) if *ended != status => reopened = Some((job_id, *ended, status)),
                    None if status.is_terminal() => drop(state.ended.insert(job_id, status)),
                    _ => {}
                }
            })
            .await?;
            ensure!(reopened.is_none(), "{job}: a terminal status changed: {reopened:?}");
        }
        Ok(())
    }

    fn fused<P>(&self, port: P) -> Fused<P> {
        Fused::new(port, &self.fuse)
    }

    fn invocation(&self, seconds: u32) -> Invocation {
        Invocation {
            request_id: "request".to_owned(),
            function_name: "the-submitter".to_owned(),
            deadline: self.clock.now().plus_millis(i64::from(seconds) * 1_000),
        }
    }

    async fn submitter(&self, event: Value) -> Result<(BatchResponse, Vec<Metric>), FunctionError> {
        let pace = match self.pace {
            Some(rate) => Pace::Bucket(TokenBucket::new(rate)),
            None => Pace::None,
        };
        let ports = submitter::Ports {
            store: self.fused(self.store()),
            engine: self.fused(self.network.clone()),
            pace: self.fused(pace),
            clock: self.clock.clone(),
            objects: self.fused(self.objects.clone()),
            invoker: self.fused(self.invoker.clone()),
        };
        let one_by_one = self.pace.is_some();
        let config = submitter::Config::read(&|name: &str| match name {
            "BATCHWRIGHT_SUBMIT_CONCURRENCY" if one_by_one => Some("1".to_owned()),
            name => setting(name),
        });
        let config = config.map_err(|error| FunctionError::Refused(error.to_string()))?;
        let Answer { metrics, .. } =
            submitter::handle(&ports, &config, event, &self.invocation(self.seconds)).await?;
        Ok((BatchResponse::default(), metrics))
    }

    async fn state_handler(&self, messages: Value) -> Result<(BatchResponse, Vec<Metric>), FunctionError> {
        let (store, engine) = (self.fused(self.store()), self.fused(self.network.clone()));
        let policy = SubmitPolicy::default();
        let bus = self.fused(self.bus.clone());
        let clock = &self.clock;
        let recorder = Recorder { store: &store, engine: &engine, pace: &engine, clock, bus: &bus, policy };
        let config = state_handler::Config::read(&setting);
        let config = config.map_err(|error| FunctionError::Refused(error.to_string()))?;
        let answer = state_handler::handle(&recorder, &config, messages, &self.invocation(900)).await?;
        match answer.body {
            state_handler::Response::Messages(response) => Ok((response, answer.metrics)),
            other => Err(FunctionError::Refused(format!("{other:?}"))),
        }
    }

    async fn log_collector(&self, messages: Value) -> Result<(BatchResponse, Vec<Metric>), FunctionError> {
        let ports = log_collector::Ports {
            store: self.fused(self.store()),
            source: self.fused(self.logs.clone()),
            archive: self.fused(self.objects.clone()),
            clock: self.clock.clone(),
        };
        let config = log_collector::Config::read(&setting);
        let config = config.map_err(|error| FunctionError::Refused(error.to_string()))?;
        let answer = log_collector::handle(&ports, &config, messages, &self.invocation(600)).await?;
        match answer.body {
            log_collector::Response::Messages(response) => Ok((response, answer.metrics)),
            other => Err(FunctionError::Refused(format!("{other:?}"))),
        }
    }

    async fn reconciler(&self) -> Result<Answer<reconciler::Response>, FunctionError> {
        let ports = reconciler::Ports {
            store: self.fused(self.store()),
            engine: self.fused(self.network.clone()),
            pace: self.fused(self.network.clone()),
            clock: self.clock.clone(),
            source: self.fused(self.logs.clone()),
            archive: self.fused(self.objects.clone()),
            invoker: self.fused(self.invoker.clone()),
            bus: self.fused(self.bus.clone()),
        };
        let config = reconciler::Config::read(&setting);
        let config = config.map_err(|error| FunctionError::Refused(error.to_string()))?;
        reconciler::handle(&ports, &config, json!({"source": "aws.events"}), &self.invocation(110)).await
    }
}

/// The submitter's pace: Batch's quota, or none.
enum Pace {
    Bucket(TokenBucket),
    None,
}

impl SubmissionPace for Pace {
    async fn admit(&self) {
        if let Self::Bucket(bucket) = self {
            bucket.admit().await;
        }
    }
}

/// Messages that a function takes at once.
fn most(to: Function) -> usize {
    match to {
        Function::Submitter | Function::Reconciler => 1,
        Function::StateHandler | Function::LogCollector => 10,
    }
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

fn batch(letters: &[Letter]) -> Value {
    let record = |(number, letter): (usize, &Letter)| {
        json!({"eventSource": "aws:sqs", "messageId": number.to_string(), "attributes": {},
            "body": letter.body.to_string()})
    };
    json!({"Records": letters.iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// EventBridge and CloudWatch Logs: each attempt that ran has written its lines when it has ended.
async fn deliver_events(
    mut events: UnboundedReceiver<JobStateChange>,
    inbox: Inbox,
    logs: InMemoryLogSource,
    clock: DeploymentClock,
    copies: usize,
) {
    const LOGS_AFTER_MS: i64 = 90_000;
    let mut written = BTreeSet::new();
    while let Some(change) = events.recv().await {
        let (state, now) = (change.detail.state(), clock.now());
        let ended = state.status.is_terminal();
        for stream in state.all_log_streams().into_iter().filter(|_| ended) {
            if written.insert(stream.name.clone()) {
                let line = |n: u64| LogEvent { timestamp: now, ingestion_time: now, message: n.to_string() };
                logs.append(stream, (0..LINES).map(line));
            }
        }
        let Ok(event) = serde_json::to_value(&change) else { continue };
        for _ in 0..copies {
            inbox.post(Function::StateHandler, event.clone(), now);
            if ended {
                inbox.post(Function::LogCollector, event.clone(), now.plus_millis(LOGS_AFTER_MS));
            }
        }
    }
}

/// Whether a pass of the reconciler found nothing to do.
pub fn is_idle(found: &reconciler::Response) -> bool {
    let counts = [
        found.runs_continued,
        found.runs_ended,
        found.jobs_stopped,
        found.logs_archived,
        found.logs_incomplete,
        found.postponed,
    ];
    found.reconciled == Default::default() && counts == [0; 6] && !found.cut_short
}
