//! The library's front door, over the wire: real SDK clients, real processes as jobs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use batchwright::domain::{Cause, JobId, JobState, Stop, SubmitJobRequest, Timestamp};
use batchwright::engine::{
    AttemptOutcome, EngineConfig, JobIds, LocalEngine, MemoryBooks, Scene, SimulatedRunner,
};
use batchwright::events::JobDetail;
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource};
use batchwright::ports::{JobEngine, JobStopper, LogEvent, OneByOne, PortError, SystemClock};
use batchwright::use_cases::stop::StopOutcome;
use batchwright::{
    AnyEngine, AnyLogSource, AnyStore, Client, ClientError, Config, JobName, JobSpec, JobStatus,
    ReportOutcome, blocking,
};
use batchwright_tests::contract::{job_store, run_store};
use batchwright_tests::emulators::sdk_config;
use batchwright_tests::wire::{Endpoint, options};
use futures_util::{StreamExt as _, TryStreamExt as _};

const PAUSE: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_millis(200);

async fn config(endpoint: &Endpoint) -> anyhow::Result<Config> {
    let config = Config::default().sdk_config(sdk_config(&endpoint.url).await?);
    Ok(config.pause(PAUSE).jitter(Duration::from_millis(10)..=Duration::from_millis(20)))
}

fn job(name: &str, command: &str) -> anyhow::Result<JobSpec> {
    Ok(JobSpec::named(name, "q", "d")?.command(["sh", "-c", command]))
}

fn name(text: &str) -> anyhow::Result<JobName> {
    Ok(JobName::parse(text)?)
}

#[tokio::test]
async fn two_jobs_are_submitted_and_waited_for_in_two_calls() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let client = Client::connect(config(&endpoint).await?).await?;
    let first = job("first", "echo hello; echo again")?;
    let second = job("second", "exit 3")?.after(&first);
    // In the wrong order: what another job depends on is submitted before it all the same.
    let jobs = client.run([second.clone(), first.clone()]).await?;
    let ends: Vec<_> = jobs
        .iter()
        .map(|job| (job.name().as_str(), job.status(), job.state().and_then(JobState::cause)))
        .collect();
    assert_eq!(
        ends,
        [
            ("second", Some(JobStatus::Failed), Some(Cause::ExitCode)),
            ("first", Some(JobStatus::Succeeded), None)
        ]
    );
    let lines: Vec<String> = client.log(&first.job_name).map_ok(|event| event.message).try_collect().await?;
    assert_eq!(lines, ["hello", "again"]);
    // Again: what SUCCEEDED is skipped, what FAILED is submitted.
    let again = client.submit([first, second]).await?;
    assert_eq!(again.iter().map(|job| job.job_id.is_some()).collect::<Vec<_>>(), [false, true]);
    endpoint.stop().await?;
    Ok(())
}

#[tokio::test]
async fn jobs_that_batch_would_refuse_are_told_by_job_and_field_before_any_is_submitted() -> anyhow::Result<()>
{
    let client = Client::simulated(1, Config::default()).await?;
    let bad = job("bad", "true")?.array(1).timeout_seconds(5);
    let error = client.submit([job("good", "true")?, bad]).await.err().context("it was taken")?;
    let told = error.to_string();
    ensure!(matches!(error, ClientError::Jobs(_)) && told.contains("arrayProperties.size"), "{told}");
    ensure!(told.contains("jobs[1].") && told.contains("attemptDurationSeconds"), "{told}");
    assert_eq!(client.count_by_status().await?.total(), 0);
    ensure!(client.submit([]).await?.is_empty());
    let unknown = client.wait([name("nobody")?]).await.err().context("it was known")?;
    ensure!(unknown.to_string().contains("no job is named nobody"), "{unknown}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_refused_says_why_and_the_others_are_waited_for() -> anyhow::Result<()> {
    let client = Client::simulated(7, Config::default()).await?;
    // The simulated engine refuses a job without a command, as AWS Batch refuses one whose definition is not there.
    let (good, bad) = (job("good", "true")?, JobSpec::named("bad", "q", "d")?);
    let depends = job("depends", "true")?.after(&bad);
    let ran = client.run([good.clone(), bad.clone(), depends]).await?;
    let told: Vec<_> = ran.iter().map(|job| (job.name().as_str(), job.outcome)).collect();
    assert_eq!(
        told,
        [
            ("good", ReportOutcome::Submitted),
            ("bad", ReportOutcome::Rejected),
            ("depends", ReportOutcome::Rejected)
        ]
    );
    ensure!(ran[0].status().is_some_and(JobStatus::is_terminal) && ran[0].reason.is_none(), "{ran:?}");
    for (job, reason) in [(&ran[1], "command"), (&ran[2], "bad")] {
        assert_eq!(job.status(), None, "{job:?}");
        ensure!(job.reason.as_ref().is_some_and(|why| why.contains(reason)), "{job:?}");
    }
    // Once more: what has ended says so, and what was refused is refused again, with the reason.
    let again = client.run([bad, good]).await?;
    ensure!(again[0].outcome == ReportOutcome::Rejected && again[0].reason.is_some(), "{again:?}");
    ensure!(again[1].status().is_some_and(JobStatus::is_terminal), "{again:?}");
    Ok(())
}

/// A job of some 7 kB: 200 of them are more than are checked as a whole.
fn large(name: &str) -> anyhow::Result<JobSpec> {
    job(name, &"x".repeat(7_000))
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_long_list_that_is_wrong_is_rejected_by_its_name_with_the_reason() -> anyhow::Result<()> {
    let client = Client::simulated(7, Config::default().submissions_per_second(10_000.0)).await?;
    let mut jobs: Vec<JobSpec> = (0..200).map(|n| large(&format!("job-{n}"))).collect::<Result<_, _>>()?;
    jobs[5] = large("job-5")?.timeout_seconds(1).attempts(99);
    let told = client.submit(jobs.clone()).await?;
    let names: Vec<Option<JobName>> = jobs.iter().map(|job| Some(job.job_name.clone())).collect();
    assert_eq!(told.iter().map(|job| job.job_name.clone()).collect::<Vec<_>>(), names);
    ensure!(told.iter().enumerate().all(|(at, job)| (at == 5) == job.job_id.is_none()), "{told:?}");
    let ran = client.run(jobs).await?;
    assert_eq!((ran.len(), ran[5].name().as_str(), ran[5].status()), (200, "job-5", None));
    assert_eq!((told[5].outcome, ran[5].outcome), (ReportOutcome::Rejected, ReportOutcome::Rejected));
    for reason in [&told[5].reason, &ran[5].reason] {
        let reason = reason.as_ref().context("no reason")?;
        ensure!(reason.contains("attemptDurationSeconds") && reason.contains("attempts"), "{reason}");
        ensure!(!reason.contains("line"), "{reason}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_others_depend_on_is_submitted_first_however_long_the_list() -> anyhow::Result<()> {
    for others in [3, 200] {
        let client = Client::simulated(7, Config::default().submissions_per_second(10_000.0)).await?;
        let last = large("last")?;
        let mut jobs: Vec<JobSpec> = (0..others)
            .map(|n| Ok(large(&format!("job-{n}"))?.after(&last)))
            .collect::<anyhow::Result<_>>()?;
        jobs.push(last.clone());
        let told = client.submit(jobs.clone()).await?;
        ensure!(told.iter().all(|job| job.job_id.is_some()), "{told:?}");
        let names = |jobs: &[JobSpec]| jobs.iter().map(|job| Some(job.job_name.clone())).collect::<Vec<_>>();
        assert_eq!(told.iter().map(|job| job.job_name.clone()).collect::<Vec<_>>(), names(&jobs));
        // A circle can't be put in order, and nothing of it is submitted.
        let (first, second) = (large("first")?, large("second")?);
        jobs.extend([first.clone().after(&second), second.after(&first)]);
        let error = client.submit(jobs).await.err().context("a circle was taken")?.to_string();
        ensure!(
            error.contains(&format!("jobs[{}].dependsOn: ", others + 1)) && error.contains("circle"),
            "{error}"
        );
        ensure!(client.job(&name("first")?).await?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_was_killed_goes_on_and_submits_nothing_twice() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let url = format!("sqlite:{}", folder.path().join("jobs.db").display());
    let jobs = || -> anyhow::Result<_> {
        (0..5)
            .map(|n| job(&format!("job-{n}"), "sleep 1; echo ran >> ran.txt"))
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let first = Client::connect(config(&endpoint).await?.store(&url)).await?;
    first.submit(jobs()?).await?;
    drop(first);
    let second = Client::connect(config(&endpoint).await?.store(&url)).await?;
    let ended = second.run(jobs()?).await?;
    ensure!(ended.iter().all(|job| job.status() == Some(JobStatus::Succeeded)));
    ensure!(
        ended.iter().filter_map(|ran| ran.job.as_ref()).all(|job| job.head.job_tries.len() == 1),
        "one submission each"
    );
    endpoint.stop().await?;
    Ok(())
}

#[tokio::test]
async fn jobs_of_others_are_adopted_and_stopped_and_their_changes_are_told() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(options(folder.path())).await?;
    let client = Client::connect(config(&endpoint).await?).await?;
    let job_id = endpoint.submit("foreign", &["sleep", "60"]).await?.parse()?;
    let adopted = client.adopt(&job_id).await?;
    assert_eq!(adopted.head.job_id.as_ref(), Some(&job_id));
    assert_eq!(client.adopt(&job_id).await?.head.job_tries.len(), 1, "twice is once");
    let skipped = client.submit([job("foreign", "true")?]).await?;
    ensure!(skipped[0].job_id.is_none(), "it is in flight: {skipped:?}");
    let stopped = client.terminate([name("foreign")?], "enough").await?;
    assert_eq!(
        stopped.iter().map(|line| (line.outcome, line.job_id.as_ref())).collect::<Vec<_>>(),
        [(StopOutcome::Requested, Some(&job_id))]
    );
    let seen: Vec<_> = client.monitor([name("foreign")?]).try_collect().await?;
    let last = seen.last().context("no change was told")?;
    assert_eq!(
        (last.status(), last.state().and_then(JobState::cause)),
        (Some(JobStatus::Failed), Some(Cause::Terminated))
    );
    let again = client.terminate([name("foreign")?], "again").await?;
    assert_eq!(again[0].outcome, StopOutcome::Ended);
    let stranger = client.adopt(&"00000000-0000-4000-8000-000000000000".parse()?).await;
    ensure!(stranger.is_err_and(|error| error.to_string().contains("does not know it")));
    endpoint.stop().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn any_number_of_those_who_wait_share_one_clients_looks() -> anyhow::Result<()> {
    let client = Client::simulated(11, Config::default()).await?;
    let jobs: Vec<JobSpec> = (0..60).map(|n| job(&format!("job-{n}"), "x")).collect::<Result<_, _>>()?;
    let names: Vec<JobName> = jobs.iter().map(|job| job.job_name.clone()).collect();
    client.submit(jobs).await?;
    let waits = names.iter().map(|name| client.wait([name.clone()]));
    let ended = futures_util::future::try_join_all(waits).await?;
    assert_eq!(ended.len(), 60);
    let all: Vec<_> = client.jobs().try_collect().await?;
    ensure!(all.iter().all(|job| job.status().is_some_and(JobStatus::is_terminal)));
    let ids: Vec<_> = client.job_ids().try_collect().await?;
    ensure!(ids.len() >= 60, "{} ids", ids.len());
    Ok(())
}

/// An engine that counts the ids of each `DescribeJobs`.
#[derive(Clone)]
struct Counting {
    within: LocalEngine,
    asked: Arc<Mutex<Vec<usize>>>,
    answers: Answers,
}

/// How an engine answers `DescribeJobs` and `SubmitJob`.
#[derive(Clone, Copy, PartialEq)]
enum Answers {
    AtOnce,
    After(Duration),
    /// Never to `DescribeJobs`.
    Never,
    /// To the first `DescribeJobs`, and at once to the others.
    Panics,
}

impl Counting {
    async fn keeps_waiting(&self) {
        if let Answers::After(delay) = self.answers {
            tokio::time::sleep(delay).await;
        }
    }
}

impl JobEngine for Counting {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        self.keeps_waiting().await;
        self.within.submit_job(request).await
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        let calls = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push(job_ids.len());
            asked.len()
        };
        match self.answers {
            Answers::Never => std::future::pending().await,
            Answers::Panics => assert!(calls > 1, "an engine of a test panics"),
            Answers::AtOnce | Answers::After(_) => self.keeps_waiting().await,
        }
        self.within.describe_jobs(job_ids).await
    }

    batchwright_tests::hand_on! { within: list_jobs, list_jobs_since, cancel_job, terminate_job }
}

impl JobStopper for Counting {
    async fn stop_jobs(&self, job_ids: &[JobId], stop: Stop, reason: &str) -> Vec<Result<(), PortError>> {
        OneByOne(&self.within).stop_jobs(job_ids, stop, reason).await
    }
}

/// An engine on which each job runs for five minutes: all at once, and long after the first look.
async fn counting() -> anyhow::Result<Counting> {
    let (events, _) = tokio::sync::mpsc::unbounded_channel();
    let settings = EngineConfig { ids: JobIds::seeded(5), ..EngineConfig::with_vcpus(1_000) };
    let runner =
        SimulatedRunner::new(|_: &Scene<'_>| AttemptOutcome::success_after(Duration::from_secs(300)));
    let within = LocalEngine::start(settings, MemoryBooks::default(), runner, SystemClock, events).await?;
    Ok(Counting { within, asked: Arc::default(), answers: Answers::AtOnce })
}

/// The same, but it answers otherwise.
async fn answering(answers: Answers) -> anyhow::Result<Counting> {
    Ok(Counting { answers, ..counting().await? })
}

fn client_of(engine: &Counting, config: Config) -> Client {
    let (store, logs) = (InMemoryJobStore::default(), InMemoryLogSource::default());
    Client::new(AnyEngine::new(engine.clone()), AnyStore::new(store), AnyLogSource::new(logs), config)
}

/// A day of tokio's paused clock, in which whatever does not hang ends.
async fn within_a_day<T>(what: &str, call: impl Future<Output = T>) -> anyhow::Result<T> {
    let ended = tokio::time::timeout(Duration::from_secs(86_400), call).await;
    ended.with_context(|| format!("{what} hangs"))
}

/// Looks at `name` four times a second until `waiting` has ended, as a program that shows progress does.
async fn shown<T>(client: &Client, name: &JobName, waiting: impl Future<Output = T>) -> anyhow::Result<T> {
    let mut waiting = std::pin::pin!(waiting);
    loop {
        tokio::select! {
            ended = &mut waiting => return Ok(ended),
            // Meanwhile `waiting` is not polled.
            () = tokio::time::sleep(Duration::from_millis(250)) => {
                within_a_day("update", client.update(std::slice::from_ref(name))).await??;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_jobs_or_runs_them_may_look_at_them_meanwhile() -> anyhow::Result<()> {
    for answers in [Answers::AtOnce, Answers::After(Duration::from_millis(600))] {
        let engine = answering(answers).await?;
        let client = client_of(&engine, Config::default().calls_at_once(2));
        let jobs: Vec<JobSpec> = (0..6).map(|n| job(&format!("job-{n}"), "x")).collect::<Result<_, _>>()?;
        let (first, all) = (jobs[0].job_name.clone(), jobs.clone());
        let ran = within_a_day("run", shown(&client, &first, client.run(all))).await???;
        ensure!(ran.iter().all(|job| job.status() == Some(JobStatus::Succeeded)), "{ran:?}");
        client.submit_again(jobs).await?;
        let waited = within_a_day("wait", shown(&client, &first, client.wait([first.clone()]))).await???;
        assert_eq!(waited[0].status(), Some(JobStatus::Succeeded));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_polled_keeps_nobody_waiting() -> anyhow::Result<()> {
    // With one place for calls, and left in the midst of its wait, or of a look.
    for (answers, left_after) in [
        (Answers::AtOnce, Duration::from_secs(1)),
        (Answers::After(Duration::from_secs(2)), Duration::from_secs(1)),
        (Answers::After(Duration::from_secs(2)), Duration::from_secs(4)),
    ] {
        let engine = answering(answers).await?;
        let client = client_of(&engine, Config::default().calls_at_once(1));
        client.submit([job("a", "x")?]).await?;
        let mut stream = Box::pin(client.monitor([name("a")?]));
        ensure!(stream.next().await.is_some());
        let next = tokio::time::timeout(left_after, stream.next()).await;
        ensure!(next.is_err(), "nothing has changed yet: {next:?}");
        let looked = within_a_day("update", client.update(&[name("a")?])).await??;
        ensure!(looked[0].is_some());
        let ran = within_a_day("run", client.run([job("b", "x")?])).await??;
        assert_eq!(ran[0].status(), Some(JobStatus::Succeeded));
        let waited = within_a_day("wait", client.wait([name("a")?])).await??;
        assert_eq!(waited[0].status(), Some(JobStatus::Succeeded));
        let told: Vec<_> = stream.try_collect().await?;
        assert_eq!(told.last().and_then(batchwright::domain::Job::status), Some(JobStatus::Succeeded));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_look_is_given_up_with_the_last_of_those_who_wait_for_it() -> anyhow::Result<()> {
    let engine = answering(Answers::Never).await?;
    let asked = Arc::downgrade(&engine.asked);
    let client = client_of(&engine, Config::default());
    drop(engine);
    client.submit([job("a", "x")?]).await?;
    let waits = futures_util::future::join(client.wait([name("a")?]), client.update(&[]));
    ensure!(tokio::time::timeout(Duration::from_secs(60), waits).await.is_err(), "nothing was answered");
    let calls = asked.upgrade().context("the client is there")?;
    assert_eq!(calls.lock().unwrap_or_else(PoisonError::into_inner).len(), 1, "one look for both");
    drop((calls, client));
    // What is aborted ends when the runtime comes to it.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    ensure!(asked.upgrade().is_none(), "a look outlives its client");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_is_told_to_who_began_it_and_the_others_go_on() -> anyhow::Result<()> {
    let engine = answering(Answers::Panics).await?;
    let client = client_of(&engine, Config::default());
    client.submit([job("a", "x")?]).await?;
    let (first, second) =
        futures_util::future::join(client.wait([name("a")?]), client.wait([name("a")?])).await;
    let told = first.err().context("it was not told")?.to_string();
    ensure!(told.contains("panicked"), "{told}");
    assert_eq!(second?[0].status(), Some(JobStatus::Succeeded));
    Ok(())
}

/// Has 250 jobs end, waited for in groups of so many. Returns the ids of each `DescribeJobs`.
async fn asked_for(jobs_a_wait: usize) -> anyhow::Result<Vec<usize>> {
    let engine = counting().await?;
    let (store, logs) = (InMemoryJobStore::default(), InMemoryLogSource::default());
    let config = Config::default().submissions_per_second(10_000.0);
    let client =
        Client::new(AnyEngine::new(engine.clone()), AnyStore::new(store), AnyLogSource::new(logs), config);
    let jobs: Vec<JobSpec> = (0..250).map(|n| job(&format!("job-{n}"), "x")).collect::<Result<_, _>>()?;
    let names: Vec<JobName> = jobs.iter().map(|job| job.job_name.clone()).collect();
    client.submit(jobs).await?;
    let waits = names.chunks(jobs_a_wait).map(|names| client.wait(names.to_vec()));
    let ended = futures_util::future::try_join_all(waits).await?;
    ensure!(ended.iter().flatten().all(|job| job.status() == Some(JobStatus::Succeeded)));
    Ok(engine.asked.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_ask_batch_no_more_often_than_one_would_a_hundred_jobs_a_call() -> anyhow::Result<()> {
    let by_one = asked_for(250).await?;
    ensure!(by_one.len() >= 6 && by_one.chunks(3).all(|look| look == [100, 100, 50]), "{by_one:?}");
    assert_eq!(asked_for(1).await?, by_one, "250 wait, and one looks for all");
    Ok(())
}

/// As many as the engine runs at once; `benches/followed_jobs.rs` follows 10,000.
#[tokio::test(start_paused = true)]
async fn a_thousand_jobs_outlive_their_program_and_are_followed_by_the_next() -> anyhow::Result<()> {
    let (engine, store) = (counting().await?, InMemoryJobStore::default());
    let started = || {
        let logs = AnyLogSource::new(InMemoryLogSource::default());
        let config = Config::default().submissions_per_second(5_000.0);
        Client::new(AnyEngine::new(engine.clone()), AnyStore::new(store.clone()), logs, config)
    };
    let jobs: Vec<JobSpec> = (0..1_000).map(|n| job(&format!("job-{n}"), "x")).collect::<Result<_, _>>()?;
    // Dropped between two looks, as by a kill. A kill in the midst of submissions is `crash_points`' to try: their claims
    // expire by the system's clock, which nothing here moves.
    for seconds in [10, 60, 120] {
        let killed = tokio::time::timeout(Duration::from_secs(seconds), started().run(jobs.clone())).await;
        ensure!(killed.is_err(), "it ended before it was killed");
    }
    let ended = started().run(jobs.clone()).await?;
    ensure!(ended.iter().all(|job| job.status() == Some(JobStatus::Succeeded)));
    for job in &jobs {
        let page = engine.list_jobs("q", &job.job_name, None).await?;
        assert_eq!(page.items.len(), 1, "{} was submitted once", job.job_name);
    }
    let asked = engine.asked.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(asked.iter().all(|ids| *ids <= 100), "{asked:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_is_the_same_after_it_was_written_as_json_and_read_again() -> anyhow::Result<()> {
    let client = Client::simulated(3, Config::default()).await?;
    let first = job("first", "x")?.array(2);
    let second = job("second", "y")?.after(&first);
    client.run([first.clone(), second]).await?;
    client.submit_again([first]).await?;
    let jobs: Vec<batchwright::domain::Job> = client.jobs().try_collect().await?;
    assert_eq!(jobs.len(), 2);
    let text = serde_json::to_string(&jobs)?;
    assert_eq!(serde_json::from_str::<Vec<batchwright::domain::Job>>(&text)?, jobs);
    Ok(())
}

#[test]
fn the_blocking_client_works_outside_a_runtime_and_says_so_inside_one() -> anyhow::Result<()> {
    let client = blocking::Client::simulated(3, Config::default().pause(PAUSE))?;
    let submitted = client.submit([job("a", "x")?])?;
    ensure!(submitted[0].job_id.is_some());
    ensure!(client.job(&name("a")?)?.is_some());
    let job_id = submitted[0].job_id.clone().context("no id")?;
    let again = client.to_run(vec![job("a", "x")?, job("b", "x")?])?;
    ensure!(again.len() == 2, "{again:?}");
    let (mut names, mut ids) = (Vec::new(), Vec::new());
    client.jobs(|job| names.push(job.name().clone()))?;
    client.job_ids(|job_id| ids.push(job_id))?;
    assert_eq!((names, ids), (vec![name("a")?], vec![job_id.clone()]));
    ensure!(client.submission(&job_id)?.is_some());
    // It is in flight, and so no second one is made.
    ensure!(client.submit_again([job("a", "x")?])?.len() == 1);
    assert_eq!(client.submissions(&name("a")?)?.len(), 1);
    ensure!(client.remove_submission(&job_id)?.is_some() && client.submission(&job_id)?.is_none());
    let of_b = client.submit([job("b", "x")?])?[0].job_id.clone().context("no id")?;
    assert_eq!(client.remove_job(&name("b")?)?, [of_b]);
    ensure!(client.job(&name("b")?)?.is_none());
    let runtime = tokio::runtime::Runtime::new()?;
    let refused = runtime.block_on(async { client.jobs(|_| ()) });
    ensure!(matches!(refused, Err(ClientError::InsideRuntime)), "{refused:?}");
    let refused = runtime.block_on(async { client.count_by_status() });
    ensure!(matches!(refused, Err(ClientError::InsideRuntime)), "{refused:?}");
    let refused = runtime.block_on(async { blocking::Client::simulated(3, Config::default()) });
    ensure!(matches!(refused, Err(ClientError::InsideRuntime)));
    runtime.block_on(async move { drop(client) });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_setting_panics_or_asks_without_a_pause() -> anyhow::Result<()> {
    let second = Duration::from_secs(1);
    for (config, most) in [
        (Config::default().calls_at_once(usize::MAX), 61),
        (Config::default().calls_at_once(0), 61),
        (Config::default().pause(Duration::MAX..=Duration::MAX), 1),
        (Config::default().pause(30 * second..=second), 11),
        // From 10 milliseconds, doubled until half a minute, for five minutes.
        (Config::default().pause(Duration::ZERO..=30 * second), 22),
        (Config::default().jitter(Duration::ZERO..=Duration::MAX), 61),
    ] {
        let engine = counting().await?;
        let client = client_of(&engine, config.clone());
        let ran = client.run([job("a", "x")?]).await?;
        assert_eq!(ran[0].status(), Some(JobStatus::Succeeded), "{config:?}");
        let looks = engine.asked.lock().unwrap_or_else(PoisonError::into_inner).len();
        ensure!((1..=most).contains(&looks), "{looks} looks: {config:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_log_of_an_array_is_that_of_its_children_in_the_order_of_their_indexes() -> anyhow::Result<()> {
    let engine = counting().await?;
    let logs = InMemoryLogSource::default();
    let source = AnyLogSource::new(logs.clone());
    let store = AnyStore::new(InMemoryJobStore::default());
    let client = Client::new(AnyEngine::new(engine), store, source, Config::default());
    let array = job("array", "x")?.array(12);
    client.run([array.clone()]).await?;
    // Nothing was written yet, and the client hears of the children.
    assert_eq!(client.log(&array.job_name).try_collect::<Vec<_>>().await?, []);
    let mut children: Vec<_> = client.submissions(&array.job_name).try_collect().await?;
    children.retain(|submission| submission.state.job_id.array_index().is_some());
    children.sort_by_key(|child| child.state.job_id.array_index());
    assert_eq!(children.len(), 12);
    let mut expected = Vec::new();
    // One of them has never written: its stream does not exist.
    for child in children.iter().filter(|child| child.state.job_id.array_index() != Some(7)) {
        let stream = child.state.all_log_streams().first().copied().context("it has no stream")?.clone();
        let message = format!("of {}", child.state.job_id);
        expected.push(message.clone());
        let (timestamp, ingestion_time) = (Timestamp::from_millis(1), Timestamp::from_millis(2));
        logs.append(&stream, [LogEvent { timestamp, ingestion_time, message }]);
    }
    let lines: Vec<String> = client.log(&array.job_name).map_ok(|event| event.message).try_collect().await?;
    assert_eq!(lines, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_chosen_at_run_time_keeps_the_contracts() -> anyhow::Result<()> {
    job_store::holds(async || Ok(AnyStore::new(InMemoryJobStore::default()))).await?;
    run_store::holds(async || Ok(AnyStore::new(InMemoryJobStore::default()))).await
}
