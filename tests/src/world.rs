//! A controller in memory over the simulated engine, on tokio's paused time.

use std::time::Duration;

use batchwright::domain::{
    ClaimOutcome, Job, JobId, JobName, JobSpec, JobState, JobStatus, NewClaim, Nonce, RunId, Timestamp,
};
use batchwright::engine::{
    EngineConfig, EventFaults, FaultPlan, FaultyEngine, FaultyEvents, JobIds, LocalEngine, MemoryBooks,
    Scene, SimulatedRunner, VirtualClock,
};
use batchwright::events::{JobDetail, JobStateChange};
use batchwright::memory::{InMemoryJobStore, InMemoryObjectStore};
use batchwright::ports::{ClaimStore as _, Clock, JobEngine, JobQueries as _, NoBus, PortError};
use batchwright::use_cases::reconcile::{ReconcilePolicy, Reconciled, reconcile};
use batchwright::use_cases::record_state::{Recorded, Recorder};
use batchwright::use_cases::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use batchwright::engine::{AttemptOutcome as Ends, Ending};

/// The moment at which every world begins.
pub const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Store, engine and clock, with the events that the engine has sent and nobody has recorded yet.
pub struct World {
    /// The state.
    pub store: InMemoryJobStore,
    /// The engine, through which calls fail as they were told to.
    pub engine: FaultyEngine<LocalEngine>,
    /// Where reports and logs go.
    pub archive: InMemoryObjectStore,
    /// The time.
    pub clock: VirtualClock,
    /// What the engine tells.
    pub events: UnboundedReceiver<JobStateChange>,
}

/// Succeeds after a minute.
pub fn succeeds() -> Ends {
    Ends::success_after(Duration::from_secs(60))
}

/// Ends with an exit code after a minute.
pub fn exits(code: i32) -> Ends {
    succeeds().ending(Ending::Exit(code))
}

/// Loses its host after a minute.
pub fn loses_host() -> Ends {
    succeeds().ending(Ending::HostLost)
}

/// A job that needs nothing.
pub fn spec(name: &str) -> JobSpec {
    let name = JobName::parse(name).expect("a test's job name is valid");
    let mut spec = JobSpec::new(name, "queue", "definition");
    spec.container_overrides = Some(
        batchwright::domain::spec::ContainerOverrides::default()
            .with(|it| it.command = Some(vec!["true".to_owned()])),
    );
    spec
}

/// A job that depends on another by name.
pub fn after(name: &str, dependency: &str) -> JobSpec {
    let mut spec = spec(name);
    let job_name = JobName::parse(dependency).ok();
    spec.depends_on =
        vec![batchwright::domain::spec::Dependency::default().with(|it| it.job_name = job_name)];
    spec
}

/// The run of tests that need one.
pub fn run_id() -> RunId {
    RunId::derive("tests", "1", "0")
}

impl World {
    /// A world whose attempts end by a script.
    pub async fn new(script: impl FnMut(&Scene<'_>) -> Ends + Send + 'static) -> anyhow::Result<World> {
        Self::with_faults(script, FaultPlan::default()).await
    }

    /// A world whose engine also fails as told.
    pub async fn with_faults(
        script: impl FnMut(&Scene<'_>) -> Ends + Send + 'static,
        faults: FaultPlan,
    ) -> anyhow::Result<World> {
        let (sender, events) = unbounded_channel();
        let clock = VirtualClock::starting_at(START);
        let config = EngineConfig { ids: JobIds::seeded(faults.seed), ..EngineConfig::with_vcpus(64) };
        let runner = SimulatedRunner::new(script);
        let engine = LocalEngine::start(config, MemoryBooks::default(), runner, clock, sender).await?;
        Ok(World {
            store: InMemoryJobStore::default(),
            engine: FaultyEngine::new(engine, faults),
            archive: InMemoryObjectStore::default(),
            clock,
            events,
        })
    }

    /// The use cases' ports.
    pub fn recorder(
        &self,
    ) -> Recorder<'_, InMemoryJobStore, FaultyEngine<LocalEngine>, FaultyEngine<LocalEngine>, VirtualClock>
    {
        Recorder {
            store: &self.store,
            engine: &self.engine,
            pace: &self.engine,
            clock: &self.clock,
            bus: &NoBus,
            policy: SubmitPolicy::default(),
        }
    }

    /// Claims a job for so many milliseconds, as a submitter does that then dies or waits.
    pub async fn claim(&self, spec: &JobSpec, millis: i64) -> anyhow::Result<Nonce> {
        let claim = NewClaim {
            spec: spec.clone(),
            run_id: run_id(),
            replaces: None,
            replaced_end: None,
            job_queue: None,
            takes_over: None,
            resets_budget: true,
            on_sheet: false,
            now: self.now(),
            expires_at: self.now().plus_millis(millis),
        };
        match self.store.claim(&claim).await? {
            ClaimOutcome::Granted(nonce) => Ok(nonce),
            other => anyhow::bail!("{}: {other:?}", spec.job_name),
        }
    }

    /// Submits one job for a person, in a run of its own.
    pub async fn submit(&self, spec: &JobSpec) -> Result<SubmitOutcome, PortError> {
        let run_id = RunId::derive("tests", "1", &self.now().as_millis().to_string());
        let order = Order { spec, run_id: &run_id, asked: Asked::ByPerson { rerun: false }, sheet: None };
        submit(&self.store, &self.engine, &self.engine, &self.clock, &SubmitPolicy::default(), &order).await
    }

    /// Records every event until all jobs have ended; what can't be recorded yet comes again.
    pub async fn settle(&mut self) -> anyhow::Result<Vec<(JobState, Recorded)>> {
        let mut recorded = Vec::new();
        let mut again = Vec::new();
        loop {
            let idle = tokio::select! {
                biased;
                Some(event) = self.events.recv() => { again.push(event.detail.state()); false }
                () = self.engine.inner().idle() => true,
            };
            let mut failed = Vec::new();
            for state in again.drain(..) {
                match self.recorder().record_state(&state).await {
                    Ok(what) => recorded.push((state, what)),
                    Err(error) if error.may_pass() => failed.push(state),
                    Err(error) => return Err(error.into()),
                }
            }
            again = failed;
            if idle && self.events.is_empty() && again.is_empty() && self.engine.inner().unfinished() == 0 {
                return Ok(recorded);
            }
            if !again.is_empty() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// From now on three of ten events are lost, as many come up to five times, and as many up to ten minutes
    /// late.
    pub fn lose_and_repeat_events(&mut self, seed: u64) {
        let (sender, receiver) = unbounded_channel();
        let truth = std::mem::replace(&mut self.events, receiver);
        let faults = EventFaults {
            seed,
            dropped_permille: 300,
            doubled_permille: 300,
            copies_max: 5,
            delayed_permille: 300,
            delay_max: Duration::from_secs(600),
        };
        tokio::spawn(FaultyEvents::new(faults, sender).run(truth));
    }

    /// Throws away the events that wait.
    pub fn drop_events(&mut self) -> usize {
        let mut dropped = 0;
        while self.events.try_recv().is_ok() {
            dropped += 1;
        }
        dropped
    }

    /// One pass of the reconciler.
    pub async fn reconcile(&self, policy: &ReconcilePolicy) -> Result<Reconciled, PortError> {
        reconcile(&self.recorder(), policy).await
    }

    /// Lets time pass.
    pub async fn pass(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// What is known of a job.
    pub async fn job(&self, name: &str) -> anyhow::Result<Option<Job>> {
        Ok(self.store.job(&JobName::parse(name)?).await?)
    }

    /// The status of a job's latest submission.
    pub async fn status(&self, name: &str) -> anyhow::Result<Option<JobStatus>> {
        Ok(self.job(name).await?.and_then(|job| job.status()))
    }

    /// The engine's own books: every submission of a name, oldest first.
    pub async fn submissions_in_engine(&self, name: &str) -> anyhow::Result<Vec<JobDetail>> {
        let engine = self.engine.inner();
        let mut ids: Vec<JobId> = Vec::new();
        let mut cursor = None;
        loop {
            let page = engine.list_jobs("queue", &JobName::parse(name)?, cursor.as_ref()).await?;
            ids.extend(page.items.into_iter().map(|summary| summary.job_id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let mut details = Vec::new();
        for chunk in ids.chunks(100) {
            details.extend(engine.describe_jobs(chunk).await?);
        }
        details.sort_by_key(|detail| detail.created_at);
        Ok(details)
    }

    /// This moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
