//! The engine as a whole, simulated: hours pass at once, and every failure tells its seed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::core::tests::spec;
use super::*;
use crate::domain::spec::{ArrayProperties, Dependency, JobTimeout, RetryStrategy};
use crate::domain::transition::{Transition, transition};
use crate::domain::{JobId, JobName, JobSpec, JobState, JobStatus, Nonce, SubmitJobRequest, Timestamp};
use crate::events::JobStateChange;
use crate::ports::{Clock, ErrorKind, JobEngine, PortError, SubmissionPace};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Tells the seed of a test that fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed was {}", self.0);
        }
    }
}

type Events = UnboundedReceiver<JobStateChange>;

async fn engine(vcpus: u32, books: impl Books, script: impl Script) -> (LocalEngine, Events) {
    let (sender, events) = unbounded_channel();
    let config = EngineConfig { ids: JobIds::seeded(1), window: 50, ..EngineConfig::with_vcpus(vcpus) };
    let runner = SimulatedRunner::new(script);
    let clock = VirtualClock::starting_at(START);
    let engine = LocalEngine::start(config, books, runner, clock, sender).await.unwrap();
    (engine, events)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn succeed(_: &Scene<'_>) -> AttemptOutcome {
    AttemptOutcome::success_after(seconds(60))
}

async fn submit(engine: &impl JobEngine, spec: JobSpec) -> Result<JobId, PortError> {
    engine.submit_job(&SubmitJobRequest::verbatim(spec)).await
}

fn received(events: &mut Events) -> Vec<JobStateChange> {
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}

/// What a consumer makes of events in the order in which they come.
fn settle(events: &[JobStateChange]) -> HashMap<JobId, JobState> {
    let mut known: HashMap<JobId, JobState> = HashMap::new();
    for event in events {
        let state = event.detail.state();
        if transition(known.get(&state.job_id), &state) == Transition::Apply {
            known.insert(state.job_id.clone(), state);
        }
    }
    known
}

#[tokio::test(start_paused = true)]
async fn hours_pass_at_once_and_events_tell_of_every_change() {
    let script = |_: &Scene<'_>| AttemptOutcome {
        start_delay: seconds(90),
        duration: seconds(3_600),
        end: Ending::Exit(0),
    };
    let (engine, mut events) = engine(1, MemoryBooks::default(), script).await;
    let job = submit(&engine, spec("a")).await.unwrap();
    engine.idle().await;
    let events = received(&mut events);
    let statuses: Vec<_> = events.iter().map(|event| event.detail.status.as_str()).collect();
    assert_eq!(statuses, ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]);
    let last = events.last().unwrap();
    let times = last.detail.state().times;
    assert_eq!((times.spinup_ms(), times.runtime_ms()), (Some(90_000), Some(3_600_000)));
    assert_eq!(last.resources, [format!("arn:aws:batch:local:000000000000:job/{job}")]);
    assert_eq!((last.account.as_str(), last.region.as_str()), ("000000000000", "local"));
    assert_eq!(last.time, "2023-11-14T23:14:50Z");
    let described = engine.describe_jobs(&[job]).await.unwrap();
    assert_eq!(described[0], last.detail, "an event is the description");
}

#[tokio::test(start_paused = true)]
async fn what_was_submitted_can_be_listed_by_its_exact_name() {
    let (engine, _events) = engine(4, MemoryBooks::default(), succeed).await;
    for _ in 0..150 {
        submit(&engine, spec("tile")).await.unwrap();
    }
    submit(&engine, spec("tile-2")).await.unwrap();
    submit(&engine, spec("tile").with(|spec| spec.job_queue = "other".into())).await.unwrap();
    let name = JobName::parse("tile").unwrap();
    let first = engine.list_jobs("queue", &name, None).await.unwrap();
    let second = engine.list_jobs("queue", &name, first.next.as_ref()).await.unwrap();
    assert_eq!((first.items.len(), second.items.len(), second.next), (100, 50, None));
}

#[tokio::test(start_paused = true)]
async fn unknown_jobs_are_refused_and_ended_ones_left_alone() {
    let (engine, _events) = engine(1, MemoryBooks::default(), succeed).await;
    let unknown = JobId::parse("nobody").unwrap();
    for answer in [engine.cancel_job(&unknown, "x").await, engine.terminate_job(&unknown, "x").await] {
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Permanent);
    }
    let job = submit(&engine, spec("a")).await.unwrap();
    engine.idle().await;
    engine.cancel_job(&job, "x").await.unwrap();
    engine.terminate_job(&job, "x").await.unwrap();
    assert_eq!(engine.describe_jobs(&[job, unknown]).await.unwrap()[0].status, JobStatus::Succeeded);
    let nobody = Dependency::default().with(|it| it.job_id = JobId::parse("nobody").ok());
    let error = submit(&engine, spec("b").with(|spec| spec.depends_on = vec![nobody])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    engine.shutdown().await;
    assert_eq!(submit(&engine, spec("c")).await.unwrap_err().kind, ErrorKind::Retryable);
    engine.idle().await;
}

#[tokio::test(start_paused = true)]
async fn submitters_wait_while_the_window_is_full() {
    let (engine, _events) = engine(1, MemoryBooks::default(), succeed).await;
    for number in 0..120 {
        engine.admit().await;
        assert!(engine.unfinished() < 50, "{number}");
        submit(&engine, spec("a")).await.unwrap();
    }
    engine.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_a_simulated_attempt_in_virtual_time() {
    let (engine, _events) = engine(1, MemoryBooks::default(), succeed).await;
    let timeout = Some(JobTimeout::default().with(|it| it.attempt_duration_seconds = Some(30)));
    let job = submit(&engine, spec("a").with(|spec| spec.timeout = timeout)).await.unwrap();
    engine.idle().await;
    let state = engine.describe_jobs(&[job]).await.unwrap()[0].state();
    assert_eq!(state.status_reason.as_deref(), Some("Job attempt duration exceeded timeout"));
    assert_eq!((state.exit_code, state.times.runtime_ms()), (Some(143), Some(30_000)));
}

#[tokio::test(start_paused = true)]
async fn a_script_knows_submission_attempt_and_index() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let script = move |scene: &Scene<'_>| {
        noted.lock().unwrap().push((scene.submission, scene.array_index, scene.attempt));
        AttemptOutcome::success_after(seconds(1)).ending(Ending::Exit(i32::from(scene.attempt == 1)))
    };
    let (engine, _events) = engine(1, MemoryBooks::default(), script).await;
    let strategy = Some(RetryStrategy::default().with(|it| it.attempts = Some(2)));
    let retried = spec("a").with(|spec| spec.retry_strategy = strategy);
    submit(&engine, retried.clone()).await.unwrap();
    engine.idle().await;
    submit(&engine, retried.with(|spec| spec.array_properties = Some(ArrayProperties::new(2))))
        .await
        .unwrap();
    engine.idle().await;
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [(1, None, 1), (1, None, 2), (2, Some(0), 1), (2, Some(0), 2), (2, Some(1), 1), (2, Some(1), 2)]
    );
}

/// Books that outlive their engine.
#[derive(Clone, Default)]
struct SharedBooks(Arc<MemoryBooks>);

impl Books for SharedBooks {
    fn save(&self, records: &[JobRecord]) -> Result<(), BooksError> {
        self.0.save(records)
    }

    fn load(&self, job_ids: &[JobId]) -> Result<Vec<JobRecord>, BooksError> {
        self.0.load(job_ids)
    }

    fn named(&self, job_name: &JobName, after: u64, limit: usize) -> Result<Vec<JobRecord>, BooksError> {
        self.0.named(job_name, after, limit)
    }

    fn newest(&self, unfinished: bool, before: u64, limit: usize) -> Result<Vec<JobRecord>, BooksError> {
        self.0.newest(unfinished, before, limit)
    }

    fn unfinished(&self) -> Result<Vec<JobRecord>, BooksError> {
        self.0.unfinished()
    }

    fn last_sequence(&self) -> Result<u64, BooksError> {
        self.0.last_sequence()
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_replaced_again_and_again_ends_every_job_once() {
    let books = SharedBooks::default();
    let mut told = Vec::new();
    for round in 0..5 {
        let (engine, mut events) = engine(3, books.clone(), succeed).await;
        for number in 0..10 {
            submit(&engine, spec(&format!("job-{round}-{number}"))).await.unwrap();
        }
        tokio::time::sleep(seconds(61)).await;
        engine.shutdown().await;
        told.extend(received(&mut events));
    }
    let (engine, mut events) = engine(3, books, succeed).await;
    engine.idle().await;
    told.extend(received(&mut events));
    let mut ends: BTreeMap<JobId, u32> = BTreeMap::new();
    for event in told.iter().filter(|event| event.detail.status.is_terminal()) {
        *ends.entry(event.detail.job_id.clone()).or_default() += 1;
    }
    assert_eq!((ends.len(), ends.values().max()), (50, Some(&1)));
}

#[tokio::test(start_paused = true)]
async fn books_that_fail_stop_the_engine_before_anything_is_told() {
    struct FullDisk;
    impl Books for FullDisk {
        fn save(&self, _: &[JobRecord]) -> Result<(), BooksError> {
            Err(BooksError::new("the disk is full"))
        }
        fn load(&self, _: &[JobId]) -> Result<Vec<JobRecord>, BooksError> {
            Ok(Vec::new())
        }
        fn named(&self, _: &JobName, _: u64, _: usize) -> Result<Vec<JobRecord>, BooksError> {
            Ok(Vec::new())
        }
        fn newest(&self, _: bool, _: u64, _: usize) -> Result<Vec<JobRecord>, BooksError> {
            Ok(Vec::new())
        }
        fn unfinished(&self) -> Result<Vec<JobRecord>, BooksError> {
            Ok(Vec::new())
        }
        fn last_sequence(&self) -> Result<u64, BooksError> {
            Ok(0)
        }
    }
    let (engine, mut events) = engine(1, FullDisk, succeed).await;
    let error = submit(&engine, spec("a")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Ambiguous);
    assert!(events.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_jobs_of_every_kind_all_end() {
    for seed in [1, 2] {
        let _told = Seed(seed);
        let script = SeededScript { host_lost_permille: 50, failed_permille: 50, seed };
        let (engine, mut events) = engine(64, MemoryBooks::default(), script).await;
        let mut previous: Option<JobId> = None;
        let mut submitted = 0;
        for number in 0..4_000 {
            engine.admit().await;
            let mut spec = spec(&format!("job-{number}"));
            if number % 20 == 0 {
                spec.array_properties = Some(ArrayProperties::new(5));
                submitted += 5;
            }
            if number % 3 == 0 {
                spec.depends_on
                    .extend(previous.take().map(|id| Dependency::default().with(|it| it.job_id = Some(id))));
            }
            previous = Some(submit(&engine, spec).await.unwrap());
            submitted += 1;
        }
        engine.idle().await;
        let known = settle(&received(&mut events));
        assert_eq!(known.len(), submitted);
        assert!(known.values().all(|state| state.status.is_terminal()));
        assert!(known.values().any(|state| state.status == JobStatus::Failed));
    }
}

#[tokio::test(start_paused = true)]
async fn faulty_events_lose_nothing_but_what_they_drop() {
    for seed in 0..5 {
        let _told = Seed(seed);
        let (engine, events) = engine(8, MemoryBooks::default(), SeededScript::new(seed)).await;
        let (sender, mut arrived) = unbounded_channel();
        let faults = EventFaults {
            seed,
            doubled_permille: 300,
            copies_max: 5,
            delayed_permille: 500,
            delay_max: seconds(900),
            ..EventFaults::default()
        };
        let passing = tokio::spawn(FaultyEvents::new(faults, sender).run(events));
        let mut ids = Vec::new();
        for number in 0..50 {
            ids.push(submit(&engine, spec(&format!("job-{number}"))).await.unwrap());
        }
        engine.idle().await;
        let described = engine.describe_jobs(&ids).await.unwrap();
        drop(engine);
        let counts = passing.await.unwrap();
        let arrived = received(&mut arrived);
        assert_eq!((counts.deliveries, counts.dropped), (arrived.len() as u64, 0));
        assert!(counts.deliveries > counts.sent + 2 * counts.doubled, "some come more often than twice");
        let known = settle(&arrived);
        for detail in described {
            assert_eq!(known[&detail.job_id], detail.state());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn faulty_calls_tell_truly_whether_a_job_was_made() {
    for seed in 0..5 {
        let _told = Seed(seed);
        let (engine, _events) = engine(8, MemoryBooks::default(), succeed).await;
        let plan = FaultPlan {
            seed,
            throttled_permille: 200,
            refused_permille: 200,
            answer_lost_permille: 200,
            read_failed_permille: 0,
            list_delay: seconds(10),
        };
        let engine = FaultyEngine::new(engine, plan);
        let (mut made, mut unsure) = (0, 0);
        for number in 0..200 {
            let name = format!("job-{number}");
            let answer = submit(&engine, spec(&name)).await;
            let name = JobName::parse(&name).unwrap();
            let exists = engine.inner().list_jobs("queue", &name, None).await.unwrap().items.len() == 1;
            assert!(engine.list_jobs("queue", &name, None).await.unwrap().items.is_empty(), "it is fresh");
            match answer.map_err(|error| error.kind) {
                Ok(_) => assert!(exists),
                Err(ErrorKind::Throttled { .. } | ErrorKind::Retryable) => assert!(!exists),
                Err(ErrorKind::Ambiguous) => unsure += usize::from(exists),
                Err(ErrorKind::Permanent) => panic!("nothing was wrong with it"),
            }
            made += usize::from(exists);
            tokio::time::sleep(seconds(11)).await;
            let listed = engine.list_jobs("queue", &name, None).await.unwrap().items.len();
            assert_eq!(listed, usize::from(exists));
        }
        assert!(unsure > 0 && made < 200);
    }
}

#[test]
fn a_nonce_comes_back_in_the_events_state() {
    let mut spec = spec("a");
    let nonce = Nonce::derive(&spec.job_name, "", 1);
    spec.parameters.insert(Nonce::PARAMETER.into(), nonce.to_string());
    let detail = core::tests::described(&spec);
    assert_eq!(envelope::state_change(detail, START).detail.state().nonce, Some(nonce));
}

#[tokio::test(start_paused = true)]
async fn the_virtual_clock_follows_the_timers() {
    let clock = VirtualClock::starting_at(START);
    tokio::time::sleep(seconds(7)).await;
    assert_eq!(clock.now(), START.plus_millis(7_000));
}
