//! Submitters, state handlers and reconcilers side by side on the same jobs, over real stores. A witness
//! before the engine looks into its books at every submission: what it replaces must have ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::Client;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::domain::{JobId, JobName, JobSpec, JobState, JobStatus, RunId, SubmitJobRequest};
use batchwright::engine::{
    AttemptOutcome as Ends, Ending, EngineConfig, EventFaults, FaultPlan, FaultyEngine, FaultyEvents, JobIds,
    LocalEngine, MemoryBooks, Scene, SimulatedRunner,
};
use batchwright::events::JobDetail;
use batchwright::ports::{
    Cursor, JobEngine, JobQueries as _, JobStore, JobSummary, NoBus, Page, PortError, RunStore, Unpaced,
};
use batchwright::sqlite::SqliteStore;
use batchwright::use_cases::reconcile::{ReconcilePolicy, Reconciled, reconcile};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::submit::{Asked, Order, SubmitOutcome, SubmitPolicy, submit};
use batchwright_tests::contract::fixtures::walk;
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::dynoxide::Dynoxide;
use batchwright_tests::emulators::ministack::Ministack;
use batchwright_tests::shifted_clock::ShiftedClock;
use batchwright_tests::wire::{Endpoint, options};
use batchwright_tests::world::spec;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;

const JOBS: usize = 10;
const SUBMITTERS: u64 = 3;
const HANDLERS: u64 = 3;
const RECONCILERS: u64 = 2;

/// Longer than a claim and its quarantine. The clock is moved only while nobody is in the middle of a
/// submission: a claim never expires under the hands of its holder.
const CLAIM_IS_OVER_MS: i64 = 700_000;

/// Silent submissions are asked about at once.
const PASS: ReconcilePolicy = ReconcilePolicy {
    quarantine_ms: 300_000,
    silence_ms: 0,
    lost_after_ms: 86_400_000,
    asked_max: 10_000,
    listed_from: 20,
};

/// Random pauses by a seed (xorshift), so that each seed is another schedule.
struct Pauses(AtomicU64);

impl Pauses {
    async fn pause(&self) {
        let step = |mut x: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^ (x << 17)
        };
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |x| Some(step(x)));
        let drawn = step(before.unwrap_or(1)) % 8;
        if drawn < 4 {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Duration::from_millis(drawn - 3)).await;
        }
    }
}

/// Sees every submission before it takes effect.
#[derive(Clone)]
struct Witness {
    engine: Arc<FaultyEngine<LocalEngine>>,
    one_at_a_time: Arc<Mutex<()>>,
    pauses: Arc<Pauses>,
    submissions: Arc<AtomicUsize>,
    /// What was in flight when another submission of its name came.
    caught: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Witness {
    /// Nothing but time can change what is in flight while the lock is held, and time only ends it.
    async fn look(&self, name: &JobName) -> Result<MutexGuard<'_, ()>, PortError> {
        let alone = self.one_at_a_time.lock().await;
        let standing = in_books(self.engine.inner(), name).await?;
        let in_flight = standing.iter().filter(|job| !job.status.is_terminal());
        let found: Vec<String> =
            in_flight.map(|job| format!("{name}: {} {}", job.job_id, job.status)).collect();
        let succeeded = standing.iter().filter(|job| job.status == JobStatus::Succeeded);
        let again = succeeded.map(|job| format!("{name}: {} SUCCEEDED", job.job_id));
        if let Ok(mut caught) = self.caught.lock() {
            caught.extend(found.into_iter().chain(again));
        }
        Ok(alone)
    }
}

async fn in_books(engine: &LocalEngine, name: &JobName) -> Result<Vec<JobDetail>, PortError> {
    let listed = engine.list_jobs("queue", name, None).await?;
    let ids: Vec<JobId> = listed.items.into_iter().map(|job| job.job_id).collect();
    engine.describe_jobs(&ids).await
}

impl JobEngine for Witness {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        self.pauses.pause().await;
        let answer = {
            let _alone = self.look(&request.spec().job_name).await?;
            self.submissions.fetch_add(1, Ordering::SeqCst);
            self.engine.submit_job(request).await
        };
        self.pauses.pause().await;
        answer
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        let described = self.engine.describe_jobs(job_ids).await;
        self.pauses.pause().await;
        described
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        let listed = self.engine.list_jobs(job_queue, job_name, page).await;
        self.pauses.pause().await;
        listed
    }

    batchwright_tests::hand_on! { engine: list_jobs_since, cancel_job, terminate_job }
}

/// By name and number of the submission: some lose their host, once or twice, some fail.
fn ends(scene: &Scene<'_>) -> Ends {
    let number: u64 = scene.job_name.as_str().bytes().map(u64::from).sum();
    let outcome = Ends::success_after(Duration::from_millis(5 + number % 20));
    match (number % 5, scene.submission) {
        (0, 1) | (1, 1 | 2) => outcome.ending(Ending::HostLost),
        (2, 1) => outcome.ending(Ending::Exit(1)),
        _ => outcome,
    }
}

struct Site<S> {
    stores: Vec<S>,
    engine: Witness,
    clock: ShiftedClock,
    events: Arc<Mutex<UnboundedReceiver<JobState>>>,
    again: tokio::sync::mpsc::UnboundedSender<JobState>,
}

impl<S: JobStore + RunStore + Clone + 'static> Site<S> {
    async fn open(seed: u64, stores: Vec<S>) -> anyhow::Result<Self> {
        let (sender, truth) = unbounded_channel();
        let config = EngineConfig { ids: JobIds::seeded(seed), ..EngineConfig::with_vcpus(64) };
        let runner = SimulatedRunner::new(ends);
        let engine =
            LocalEngine::start(config, MemoryBooks::default(), runner, ShiftedClock::default(), sender);
        let faults = FaultPlan {
            seed,
            throttled_permille: 100,
            refused_permille: 50,
            answer_lost_permille: 150,
            read_failed_permille: 30,
            list_delay: Duration::ZERO,
        };
        let engine = Witness {
            engine: Arc::new(FaultyEngine::new(engine.await?, faults)),
            one_at_a_time: Arc::default(),
            pauses: Arc::new(Pauses(AtomicU64::new(seed + 1))),
            submissions: Arc::default(),
            caught: Arc::default(),
        };
        let (faulty, mut received) = unbounded_channel();
        let event_faults = EventFaults {
            seed,
            dropped_permille: 150,
            doubled_permille: 500,
            copies_max: 5,
            delayed_permille: 500,
            delay_max: Duration::from_millis(40),
        };
        tokio::spawn(FaultyEvents::new(event_faults, faulty).run(truth));
        let (again, events) = unbounded_channel();
        let states = again.clone();
        tokio::spawn(async move {
            while let Some(event) = received.recv().await {
                if states.send(event.detail.state()).is_err() {
                    return;
                }
            }
        });
        let events = Arc::new(Mutex::new(events));
        Ok(Self { stores, engine, clock: ShiftedClock::default(), events, again })
    }

    fn store(&self, number: u64) -> S {
        self.stores[usize::try_from(number).unwrap_or(0) % self.stores.len()].clone()
    }

    /// Everybody at once, until every submitter is through and what runs has ended.
    async fn all_at_once(&self) -> anyhow::Result<u64> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut submitters = JoinSet::new();
        for number in 0..SUBMITTERS {
            let (store, engine, clock) = (self.store(number), self.engine.clone(), self.clock.clone());
            submitters.spawn(async move {
                for index in 0..JOBS {
                    // Each in another order.
                    let job = spec(&format!("job-{}", (index * 3 + usize::try_from(number)? * 7) % JOBS));
                    submit_until_told(&store, &engine, &clock, &job).await?;
                }
                anyhow::Ok(())
            });
        }
        let mut others = JoinSet::new();
        for number in 0..HANDLERS {
            let (store, engine, clock) = (self.store(number + 1), self.engine.clone(), self.clock.clone());
            let (events, again, stop) = (Arc::clone(&self.events), self.again.clone(), Arc::clone(&stop));
            others.spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let next = events.lock().await.try_recv();
                    let Ok(state) = next else {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        continue;
                    };
                    match recorder(&store, &engine, &clock).record_state(&state).await {
                        Ok(_) => {}
                        Err(error) if error.may_pass() => again.send(state)?,
                        Err(error) => return Err(error.into()),
                    }
                }
                anyhow::Ok(0)
            });
        }
        for number in 0..RECONCILERS {
            let (store, engine, clock) = (self.store(number + 2), self.engine.clone(), self.clock.clone());
            let stop = Arc::clone(&stop);
            others.spawn(async move {
                let mut found = 0;
                while !stop.load(Ordering::SeqCst) {
                    let done = reconcile(&recorder(&store, &engine, &clock), &PASS).await?;
                    found += done.claims_adopted + done.claims_released + done.resubmitted + done.postponed;
                    engine.pauses.pause().await;
                }
                anyhow::Ok(found)
            });
        }
        while let Some(done) = submitters.join_next().await {
            done??;
        }
        self.engine.engine.inner().idle().await;
        stop.store(true, Ordering::SeqCst);
        let mut found = 0;
        while let Some(done) = others.join_next().await {
            found += done??;
        }
        Ok(found)
    }

    /// Rounds of everybody at once, each after the last round's claims are over, until nothing is found.
    async fn until_quiet(&self) -> anyhow::Result<()> {
        for _ in 0..40 {
            self.all_at_once().await?;
            self.clock.pass(CLAIM_IS_OVER_MS);
            let mut quiet = 0;
            for _ in 0..2 {
                let done = reconcile(&recorder(&self.store(0), &self.engine, &self.clock), &PASS).await?;
                quiet += usize::from(Reconciled { described: 0, ..done } == Reconciled::default());
            }
            let idle = self.engine.engine.inner().unfinished() == 0;
            if quiet == 2 && idle && self.events.lock().await.is_empty() && self.every_job_is_done().await? {
                return Ok(());
            }
        }
        anyhow::bail!("it never came to rest")
    }

    async fn every_job_is_done(&self) -> anyhow::Result<bool> {
        let jobs = walk(async |page| self.store(0).jobs(None, page.as_ref()).await).await?;
        Ok(jobs.len() == JOBS
            && jobs.iter().all(|job| job.head.claim.is_none() && job.status() == Some(JobStatus::Succeeded)))
    }

    /// States and tries are the books'.
    async fn agrees_with_the_books(&self) -> anyhow::Result<()> {
        let caught = self.engine.caught.lock().map(|caught| caught.clone()).unwrap_or_default();
        ensure!(caught.is_empty(), "in flight or SUCCEEDED when another was submitted: {caught:?}");
        let mut made = 0;
        for index in 0..JOBS {
            let name = spec(&format!("job-{index}")).job_name;
            let books = in_books(self.engine.engine.inner(), &name).await?;
            made += books.len();
            let truth: BTreeMap<JobId, JobStatus> =
                books.iter().map(|job| (job.job_id.clone(), job.status)).collect();
            let job = self.store(0).job(&name).await?.with_context(|| format!("{name} is lost"))?;
            let mut tries = job.head.job_tries.clone();
            tries.sort();
            ensure!(tries == truth.keys().cloned().collect::<Vec<_>>(), "{name}: {tries:?}, {truth:?}");
            let known = walk(async |page| self.store(0).submissions(&name, page.as_ref()).await).await?;
            let known: BTreeMap<JobId, JobStatus> =
                known.into_iter().map(|item| (item.state.job_id, item.state.status)).collect();
            ensure!(known == truth, "{name}: {known:?}, {truth:?}");
        }
        let seen = self.engine.submissions.load(Ordering::SeqCst);
        ensure!(made >= JOBS && seen >= made, "{made} made, {seen} seen");
        Ok(())
    }
}

fn recorder<'a, S>(
    store: &'a S,
    engine: &'a Witness,
    clock: &'a ShiftedClock,
) -> Recorder<'a, S, Witness, Unpaced, ShiftedClock> {
    Recorder { store, engine, pace: &Unpaced, clock, bus: &NoBus, policy: SubmitPolicy::default() }
}

async fn submit_until_told<S: JobStore + RunStore>(
    store: &S,
    engine: &Witness,
    clock: &ShiftedClock,
    job: &JobSpec,
) -> anyhow::Result<()> {
    // Each call is a run of its own: a run submits what failed no second time.
    static RUN: AtomicUsize = AtomicUsize::new(0);
    let run_id = RunId::derive("concurrency", &RUN.fetch_add(1, Ordering::SeqCst).to_string(), "0");
    let order = Order { spec: job, run_id: &run_id, asked: Asked::ByPerson { rerun: false }, sheet: None };
    loop {
        match submit(store, engine, &Unpaced, clock, &SubmitPolicy::default(), &order).await {
            Ok(SubmitOutcome::Deferred(_)) => {}
            Ok(SubmitOutcome::Rejected(why)) => anyhow::bail!("{}: {why}", job.job_name),
            Ok(_) => return Ok(()),
            Err(error) if error.may_pass() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn all_agree<S: JobStore + RunStore + Clone + 'static>(
    seed: u64,
    stores: Vec<S>,
) -> anyhow::Result<()> {
    let site = Site::open(seed, stores).await?;
    let ran = async {
        site.until_quiet().await?;
        site.agrees_with_the_books().await
    };
    ran.await.with_context(|| format!("seed {seed}"))
}

#[tokio::test]
async fn the_witness_sees_a_second_submission_in_flight() -> anyhow::Result<()> {
    let store = batchwright::memory::InMemoryJobStore::default();
    let site = Site::open(1, vec![store]).await?;
    let request = SubmitJobRequest::verbatim(spec("job"));
    while site.engine.engine.inner().unfinished() == 0 {
        // Some calls are refused.
        let _ = site.engine.submit_job(&request).await;
    }
    let _ = site.engine.submit_job(&request).await;
    let refused = site.agrees_with_the_books().await.unwrap_err().to_string();
    assert!(refused.starts_with("in flight or SUCCEEDED when another was submitted: [\"job: "), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_at_once_on_one_sqlite_file_agree_with_the_engines_books() -> anyhow::Result<()> {
    for seed in 0..15 {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("state.db");
        let stores = (0..4).map(|_| SqliteStore::open(&path)).collect::<Result<Vec<_>, _>>()?;
        all_agree(seed, stores).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_at_once_in_memory_agree_with_the_engines_books() -> anyhow::Result<()> {
    for seed in 100..120 {
        all_agree(seed, vec![batchwright::memory::InMemoryJobStore::default()]).await?;
    }
    Ok(())
}

async fn on_dynamodb(client: Client, name: &str) -> anyhow::Result<()> {
    for seed in 0..2 {
        let tables = Tables { jobs: format!("{name}-jobs-{seed}"), runs: format!("{name}-runs-{seed}") };
        create_tables(&client, &tables).await?;
        let stores = (0..3).map(|_| DynamoDbJobStore::new(client.clone(), tables.clone())).collect();
        all_agree(seed, stores).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_at_once_on_dynamodb_by_ministack_agree_with_the_engines_books() -> anyhow::Result<()> {
    let Some(ministack) = Ministack::shared()? else { return Ok(()) };
    on_dynamodb(Client::new(&ministack.sdk_config().await?), "concurrency").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_at_once_on_dynamodb_by_dynoxide_agree_with_the_engines_books() -> anyhow::Result<()> {
    let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
    on_dynamodb(Client::new(&dynoxide.sdk_config().await?), "concurrency").await
}

/// Controllers in processes of their own, which end with this handle.
struct Controller(Child);

impl Controller {
    fn start(database: &Path, endpoint: &str, file: &Path) -> anyhow::Result<Self> {
        // A claim of a minute: no process is held up for so long.
        let mut command = Command::new(env!("CARGO_BIN_EXE_batch-submitter"));
        command.arg(database).arg(endpoint).arg(file).arg("60000");
        Ok(Self(command.stderr(Stdio::inherit()).spawn().context("starting batch-submitter")?))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It has ended, or is ended here: no matter which.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_on_one_sqlite_file_submit_each_job_once_over_the_wire() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let file = folder.path().join("jobs.jsonl");
    let lines = (0..20).map(|index| {
        json!({"jobName": format!("job-{index}"), "jobQueue": "q", "jobDefinition": "d", "command": ["true"]})
            .to_string()
    });
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n"))?;
    let database = folder.path().join("controllers.db");
    let mut controllers = Vec::new();
    for _ in 0..4 {
        controllers.push(Controller::start(&database, &endpoint.url, &file)?);
    }
    for mut controller in controllers {
        let ended = tokio::task::spawn_blocking(move || controller.0.wait());
        let status = ended.await??;
        ensure!(status.success(), "a controller ended with {status}");
    }
    let store = SqliteStore::open_existing(&database)?;
    for index in 0..20 {
        let name = format!("job-{index}");
        let by_name = json!({"name": "JOB_NAME", "values": [name]});
        let listed = endpoint.ok("listjobs", json!({"jobQueue": "q", "filters": [by_name]})).await?;
        let made = listed["jobSummaryList"].as_array().context("no list")?;
        let job = store.job(&JobName::parse(&name)?).await?.with_context(|| format!("{name} is lost"))?;
        assert_eq!(made.len(), 1, "{name}: {made:?}");
        assert_eq!(made[0]["jobId"].as_str(), job.head.job_id.as_ref().map(JobId::as_str));
        assert_eq!(job.status(), Some(JobStatus::Succeeded), "{name}");
    }
    Ok(())
}
