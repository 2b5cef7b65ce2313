//! One history: jobs are submitted, run, lose their hosts; their events fare as the plan says; in the end
//! the store and the engine are compared.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::ensure;
use batchwright::domain::JobSpec;
use batchwright::engine::{
    EngineConfig, EventCounts, FaultyEngine, FaultyEvents, JobIds, LocalEngine, MemoryBooks, SimulatedRunner,
    VirtualClock,
};
use batchwright::function::Invocation;
use batchwright::ports::{Clock, JobStore, NoBus, RunStore, Unpaced};
use batchwright::use_cases::reconcile::{ReconcilePolicy, Reconciled, reconcile};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use batchwright_tests::world::{START, run_id};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;

use crate::check::{Agreed, Snapshot, agree};
use crate::nodes::WithNodes;
use crate::plan::{Plan, script};
use crate::queue::Queue;
use crate::store::FaultyStore;

/// Few are asked about in one pass, so that passes resume where the last one stopped.
const POLICY: ReconcilePolicy = ReconcilePolicy {
    quarantine_ms: 300_000,
    silence_ms: 900_000,
    lost_after_ms: 86_400_000,
    asked_max: 3,
    listed_from: 2,
};

/// From one pass to the next.
const PASS: Duration = Duration::from_secs(1_000);

/// Passes in which the store still fails now and then.
const STORMY_PASSES: u32 = 4;

/// What happened in a history.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) events: EventCounts,
    pub(crate) redelivered: u64,
    pub(crate) dead: u64,
    pub(crate) agreed: Agreed,
}

struct History<S> {
    jobs: Vec<JobSpec>,
    store: FaultyStore<S>,
    engine: WithNodes,
    clock: VirtualClock,
    queue: Queue,
    last: Snapshot,
}

/// Runs the history of a seed.
pub(crate) async fn run<S: JobStore + RunStore>(seed: u64, store: S) -> anyhow::Result<Told> {
    let Plan { jobs, calls, events, store_permille } = Plan::of(seed);
    let clock = VirtualClock::starting_at(START);
    let (told, truth) = unbounded_channel();
    let config = EngineConfig { ids: JobIds::seeded(seed), ..EngineConfig::with_vcpus(64) };
    let runner = SimulatedRunner::new(script(seed));
    let engine = LocalEngine::start(config, MemoryBooks::default(), runner, clock, told).await?;
    let (sender, arrived) = unbounded_channel();
    let faring = tokio::spawn(FaultyEvents::new(events, sender).run(truth));
    let mut history = History {
        jobs,
        store: FaultyStore::new(store, seed, store_permille),
        engine: WithNodes(FaultyEngine::new(engine, calls)),
        clock,
        queue: Queue::new(arrived, seed),
        last: Snapshot::default(),
    };
    history.submit_all().await?;
    history.come_to_rest(events.delay_max).await?;
    // The last late events find everything as it is.
    history.pass(events.delay_max).await?;
    let moved = history.reconcile().await?;
    ensure!(moved == Reconciled::default(), "late events moved something: {moved:?}");
    history.end(faring).await
}

impl<S: JobStore + RunStore> History<S> {
    fn recorder(&self) -> Recorder<'_, FaultyStore<S>, WithNodes, Unpaced, VirtualClock> {
        let Self { store, engine, clock, .. } = self;
        Recorder { store, engine, pace: &Unpaced, clock, bus: &NoBus, policy: SubmitPolicy::default() }
    }

    async fn submit_all(&mut self) -> anyhow::Result<()> {
        for spec in self.jobs.clone() {
            for _ in 0..30 {
                let Self { store, engine, clock, .. } = &*self;
                let run_id = run_id();
                let order = Order {
                    spec: &spec,
                    run_id: &run_id,
                    asked: Asked::ByPerson { rerun: false },
                    sheet: None,
                };
                let policy = SubmitPolicy::default();
                match submit(store, engine, &Unpaced, clock, &policy, &order).await {
                    Ok(SubmitOutcome::Deferred(_)) | Err(_) => {
                        self.pass(Duration::from_secs(700)).await?;
                        self.reconcile().await?;
                    }
                    Ok(_) => break,
                }
            }
        }
        Ok(())
    }

    /// Until passes find nothing for longer than an event may be late: a late one is a sign of life, by which
    /// a submission is not silent.
    async fn come_to_rest(&mut self, delay_max: Duration) -> anyhow::Result<()> {
        let quiet_passes = 2 + delay_max.as_secs() / PASS.as_secs();
        let (mut quiet, mut last) = (0, Reconciled::default());
        for number in 0..200 {
            if number == STORMY_PASSES {
                self.store.calm();
            }
            while self.engine.local().unfinished() > 0 {
                self.pass(Duration::from_secs(60)).await?;
            }
            self.pass(PASS).await?;
            last = self.reconcile().await?;
            // A pass that only decides what follows from an end counts nothing, and the end's children and nodes are
            // the next pass's work.
            let unsettled = self.store.inner.unsettled_ends(None).await?.items;
            let is_quiet = last == Reconciled::default() && unsettled.is_empty();
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet >= quiet_passes && number > STORMY_PASSES && self.queue.is_empty() {
                return Ok(());
            }
        }
        anyhow::bail!("the reconciler never came to rest: {last:?}")
    }

    /// Time passes, and events are handled as they come.
    async fn pass(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = tokio::time::Instant::now() + time;
        loop {
            self.deliver().await?;
            tokio::select! {
                () = self.queue.arrival() => {}
                () = tokio::time::sleep_until(end) => return self.deliver().await,
            }
        }
    }

    async fn deliver(&mut self) -> anyhow::Result<()> {
        loop {
            let batch = self.queue.batch();
            if batch.is_empty() {
                return Ok(());
            }
            let sent = self.queue.sqs_event(&batch);
            let invocation = Invocation {
                request_id: "request".to_owned(),
                function_name: "state-handler".to_owned(),
                deadline: self.clock.now().plus_millis(120_000),
            };
            // Events of any account and Region, because the engine's are none of AWS's.
            let of_any = |name: &str| matches!(name, "BATCHWRIGHT_ACCOUNT" | "AWS_REGION");
            let setting = |name: &str| (!of_any(name)).then(|| "7".to_owned());
            let config = state_handler::Config::read(&setting)?;
            let answer = state_handler::handle(&self.recorder(), &config, sent.clone(), &invocation).await?;
            let ids: BTreeSet<_> = batch.iter().map(|message| message.event.detail.job_id.clone()).collect();
            let before = self.look().await?;
            self.last.changed_only(&before, &ids, &self.jobs)?;
            if self.queue.take_back(&batch, &sent, &serde_json::to_value(&answer.body)?)? {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
        }
    }

    /// A pass of the reconciler. What the store fails it with is the next one's.
    async fn reconcile(&mut self) -> anyhow::Result<Reconciled> {
        let done = reconcile(&self.recorder(), &POLICY).await;
        self.look().await?;
        Ok(done.unwrap_or(Reconciled { postponed: 1, ..Reconciled::default() }))
    }

    /// Looks at the store, and returns what it was like before.
    async fn look(&mut self) -> anyhow::Result<Snapshot> {
        let now = Snapshot::of(&self.store.inner, &self.jobs).await?;
        now.follows(&self.last)?;
        Ok(std::mem::replace(&mut self.last, now))
    }

    async fn end(self, faring: JoinHandle<EventCounts>) -> anyhow::Result<Told> {
        let agreed = agree(&self.store.inner, self.engine.local(), &self.jobs).await?;
        let Queue { redelivered, dead, .. } = self.queue;
        drop(self.engine);
        Ok(Told { events: faring.await?, redelivered, dead, agreed })
    }
}
