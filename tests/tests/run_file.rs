//! Files: resumed from their checkpoint, reported line by line, bounded in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use batchwright::domain::plan::Plan;
use batchwright::domain::{Allowed, Checkpoint, JobId, JobStatus, RunCounts, RunId, RunState};
use batchwright::job_file;
use batchwright::pace::TokenBucket;
use batchwright::ports::{
    JobQueries as _, NoBus, ObjectStore as _, ObjectWriter as _, PortError, RunStore, SubmissionPace, Unpaced,
};
use batchwright::use_cases::plan_file::{Planned, plan_file};
use batchwright::use_cases::read_report::read_report;
use batchwright::use_cases::run_file::{
    ReportLine, ReportOutcome, RunEnd, RunFile, RunFileError, merged, reject_file, report_key, run_file,
};
use batchwright::use_cases::submit::SubmitPolicy;
use batchwright_tests::world::{World, exits, succeeds};
use tokio::sync::watch;

fn lines(count: usize) -> String {
    let line = |index| {
        format!(
            r#"{{"jobName": "job-{index:05}", "jobQueue": "queue", "jobDefinition": "d", "command": ["true"]}}"#
        )
    };
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

fn order(name: &str) -> RunFile {
    RunFile { concurrency: 8, ..RunFile::new(RunId::derive(name, "1", "0"), name) }
}

async fn run(world: &World, text: &str, order: &RunFile) -> Result<RunEnd, RunFileError> {
    let mut file = job_file::open(text.as_bytes(), &order.source).await?;
    let World { store, engine, clock, archive, .. } = world;
    run_file(store, engine, engine, clock, archive, &mut file, order, |_| ()).await
}

/// The whole report of a run, in the order of its parts.
fn report(world: &World) -> anyhow::Result<Vec<ReportLine>> {
    let mut keys = world.archive.keys();
    keys.retain(|key| key.starts_with("reports/"));
    keys.sort();
    let mut lines = Vec::new();
    for key in keys {
        let bytes = world.archive.bytes(&key).unwrap_or_default();
        for line in String::from_utf8(bytes)?.lines() {
            lines.push(serde_json::from_str(line)?);
        }
    }
    Ok(lines)
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_jobs_run_to_their_end_and_each_stands_in_the_report_once() -> anyhow::Result<()> {
    const JOBS: usize = 10_000;
    let mut world = World::new(|_| succeeds()).await?;
    let order = order("jobs.jsonl");
    let World { store, engine, clock, archive, .. } = &world;
    let text = lines(JOBS);
    let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
    let end = run_file(store, engine, &Unpaced, clock, archive, &mut file, &order, |_| ()).await?;
    let counts = RunCounts { submitted: JOBS as u64, ..RunCounts::default() };
    assert_eq!(end, RunEnd::Complete(counts));
    world.settle().await?;
    assert_eq!(world.store.count_by_status().await?[JobStatus::Succeeded], JOBS as u64);
    let lines = report(&world)?;
    assert_eq!(lines.len(), JOBS);
    assert!(lines.is_sorted_by_key(|line| line.line));
    assert!(lines.iter().all(|line| line.outcome == ReportOutcome::Submitted && line.job_id.is_some()));
    Ok(())
}

/// Time is simulated, so how long it takes says how many calls waited for nothing.
#[tokio::test(start_paused = true)]
async fn the_quota_is_what_binds_and_each_checkpoint_costs_the_same_however_long_the_file()
-> anyhow::Result<()> {
    const PER_SECOND: f64 = 50.0;
    let mut largest = Vec::new();
    for count in [2_000, 8_000] {
        let world = World::new(|_| succeeds()).await?;
        let order = order("jobs/paced.jsonl");
        let text = lines(count);
        let mut file = job_file::open(text.as_bytes(), &order.source).await?;
        let World { store, engine, clock, archive, .. } = &world;
        let begun = tokio::time::Instant::now();
        let pace = TokenBucket::new(PER_SECOND);
        let end = run_file(store, engine, &pace, clock, archive, &mut file, &order, |_| ()).await?;
        let share = begun.elapsed().as_secs_f64() * PER_SECOND / f64::from(u32::try_from(count)?);
        assert!(matches!(end, RunEnd::Complete(counts) if counts.submitted == count as u64), "{end:?}");
        assert!((0.9..=1.02).contains(&share), "{count} jobs take {share} of what the quota asks for");
        // A checkpoint writes its part of the report, and the run's record.
        let keys = archive.keys();
        let parts: Vec<usize> = keys
            .iter()
            .filter(|key| key.starts_with("reports/"))
            .filter_map(|key| archive.bytes(key).map(|part| part.len()))
            .collect();
        assert!(parts.len() <= count / 1_000 + 1, "{} parts of {count} jobs", parts.len());
        let run = serde_json::to_vec(&store.run(&order.run_id).await?)?;
        largest.push(parts.into_iter().max().unwrap_or(0) + run.len());
    }
    // Numbers of more digits apart.
    assert!(largest[1] < largest[0] + largest[0] / 20, "{largest:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_met_its_deadline_goes_on_from_its_checkpoint() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let text = lines(50);
    let late = RunFile { deadline: Some(world.now()), ..order("jobs.jsonl") };
    assert_eq!(run(&world, &text, &late).await?, RunEnd::ToBeContinued(Checkpoint(0)), "nothing was started");
    assert_eq!(world.store.run(&late.run_id).await?.unwrap().state, RunState::Submitting);

    let end = run(&world, &text, &order("jobs.jsonl")).await?;
    assert_eq!(end, RunEnd::Complete(RunCounts { submitted: 50, ..RunCounts::default() }));
    let again = run(&world, &text, &order("jobs.jsonl")).await?;
    assert_eq!(again, end, "a run that is done is told, not done again");
    assert_eq!(report(&world)?.len(), 50);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_does_not_submit_again_what_ended_while_nobody_was_there() -> anyhow::Result<()> {
    let mut world = World::new(|_| exits(1)).await?;
    let again = RunFile { rerun: true, ..order("jobs.jsonl") };
    let text = lines(3);
    let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
    let World { store, engine, clock, archive, .. } = &world;
    let (told, mut stop) = tokio::sync::watch::channel(());
    let pace = batchwright::pace::TokenBucket::new(1.0);
    let running =
        run_file(store, engine, &pace, clock, archive, &mut file, &again, |_| told.send_replace(()));
    tokio::select! {
        biased;
        _ = stop.changed() => {}
        end = running => panic!("ended before it was stopped: {end:?}"),
    }
    world.settle().await?;
    let end = run(&world, &lines(3), &again).await?;
    assert!(matches!(end, RunEnd::Complete(counts) if counts.total() == 3), "{end:?}");
    world.settle().await?;
    for index in 0..3 {
        assert_eq!(world.job(&format!("job-{index:05}")).await?.unwrap().head.job_tries.len(), 1, "{index}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_stopped_at_any_job_is_finished_by_the_next_without_gaps_in_its_report()
-> anyhow::Result<()> {
    let text = lines(2_500);
    for stop_after in [1, 999, 1_000, 1_001, 2_400] {
        let world = World::new(|_| succeeds()).await?;
        let order = order("jobs.jsonl");
        let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
        let World { store, engine, clock, archive, .. } = &world;
        let (told, mut stop) = tokio::sync::watch::channel(0usize);
        let running = run_file(store, engine, &Unpaced, clock, archive, &mut file, &order, |_| {
            told.send_modify(|seen| *seen += 1);
        });
        tokio::select! {
            biased;
            _ = stop.wait_for(|seen| *seen >= stop_after) => {}
            end = running => panic!("ended before it was stopped: {end:?}"),
        }
        let end =
            run_file(store, engine, &Unpaced, clock, archive, &mut reopened(&text).await?, &order, |_| ())
                .await?;
        let RunEnd::Complete(counts) = end else { panic!("{stop_after}: {end:?}") };
        assert_eq!(counts.total(), 2_500, "{stop_after}");
        let lines = report(&world)?;
        // A job that was stopped between its claim and its record is nobody's yet.
        let claimed = lines
            .iter()
            .filter(|line| line.reason.as_deref().is_some_and(|reason| reason.contains("holds its claim")));
        let claimed = claimed.count();
        let own = lines.iter().filter(|line| line.outcome == ReportOutcome::Submitted).count();
        assert_eq!((own + claimed, counts.submitted), (2_500, own as u64), "{stop_after}");
        assert!(claimed <= order.concurrency, "{claimed}");
        let mut by_line: BTreeMap<u64, usize> = BTreeMap::new();
        lines.iter().for_each(|line| *by_line.entry(line.line).or_default() += 1);
        assert_eq!(by_line.len(), 2_500, "{stop_after}: no job is missing");
        assert!(by_line.values().all(|times| *times == 1), "{stop_after}: none stands twice");
        assert_eq!(world.store.count_by_status().await?.total(), 2_500);
    }
    Ok(())
}

async fn reopened(text: &str) -> anyhow::Result<job_file::JobFile<&[u8]>> {
    Ok(job_file::open(text.as_bytes(), "jobs.jsonl").await?)
}

#[tokio::test(start_paused = true)]
async fn of_two_invocations_of_a_run_the_one_behind_stops_and_leaves_the_report_alone() -> anyhow::Result<()>
{
    const JOBS: usize = 2_500;
    for stop_after in [500, 1_200, 2_400] {
        let world = World::new(|_| succeeds()).await?;
        let World { store, engine, clock, archive, .. } = &world;
        let order = order("jobs.jsonl");
        let text = lines(JOBS);
        let mut slow_file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
        let slow_pace =
            StopsAfter { left: AtomicUsize::new(stop_after), turn: watch::Sender::new(Turn::First) };
        let each = |_: &ReportLine| ();
        let slow = run_file(store, engine, &slow_pace, clock, archive, &mut slow_file, &order, each);
        let quick = async {
            slow_pace.comes(Turn::Second).await;
            let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
            let end = run_file(store, engine, &Unpaced, clock, archive, &mut file, &order, |_| ()).await;
            slow_pace.turn.send_replace(Turn::Last);
            anyhow::Ok(end?)
        };
        let (slow, quick) = tokio::join!(slow, quick);
        assert!(matches!(slow, Err(RunFileError::Overtaken)), "{stop_after}: {slow:?}");
        let RunEnd::Complete(counts) = quick? else { panic!("{stop_after}: it did not end") };
        assert_eq!(counts.total(), JOBS as u64, "{stop_after}");
        let lines: Vec<u64> = report(&world)?.iter().map(|line| line.line).collect();
        assert_eq!(lines, (1..=JOBS as u64).collect::<Vec<_>>(), "{stop_after}");
        let submissions = world.engine.inner().newest(false, u64::MAX, 2 * JOBS).await?;
        assert_eq!(submissions.len(), JOBS, "{stop_after}: each was submitted once");
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    First,
    Second,
    Last,
}

/// Lets so many submissions through, and the rest when its last turn comes.
struct StopsAfter {
    left: AtomicUsize,
    turn: watch::Sender<Turn>,
}

impl StopsAfter {
    async fn comes(&self, turn: Turn) {
        self.turn.subscribe().wait_for(|now| *now == turn).await.expect("it has a sender itself");
    }
}

impl SubmissionPace for StopsAfter {
    async fn admit(&self) {
        let left = self.left.load(Ordering::Relaxed);
        if left > 0 {
            self.left.store(left - 1, Ordering::Relaxed);
            return;
        }
        self.turn.send_if_modified(|turn| std::mem::replace(turn, (*turn).max(Turn::Second)) == Turn::First);
        self.comes(Turn::Last).await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_streamed_file_a_bad_line_is_rejected_and_the_others_are_submitted() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let mut text = lines(15_000);
    text.push_str("\n{\"jobName\": \"no-queue\", \"jobDefinition\": \"d\"}\n");
    text.push_str(&lines(1).replace("job-00000", "last"));
    assert!(text.len() > 1024 * 1024, "long enough to be streamed");
    let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
    assert!(!file.is_checked());
    let World { store, engine, clock, archive, .. } = &world;
    let order = order("jobs.jsonl");
    let end = run_file(store, engine, &Unpaced, clock, archive, &mut file, &order, |_| ()).await?;
    let counts = RunCounts { submitted: 15_001, rejected: 1, ..RunCounts::default() };
    assert_eq!(end, RunEnd::Complete(counts));
    let lines = report(&world)?;
    let rejected = lines.iter().find(|line| line.outcome == ReportOutcome::Rejected).unwrap();
    assert_eq!(rejected.line, 15_001);
    assert!(rejected.reason.as_deref().unwrap_or_default().contains("jobQueue"), "{rejected:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wrong_file_is_rejected_as_a_whole_with_a_report() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let order = order("jobs.yaml");
    let text = "jobs: [{jobName: a, jobQueue: q}, {jobName: a b, jobQueue: q, jobDefinition: d}]";
    let Err(error) = job_file::open(text.as_bytes(), "jobs.yaml").await else { panic!("accepted") };
    reject_file(&world.store, &world.archive, &world.clock, &order, &error).await?;
    let run = world.store.run(&order.run_id).await?.unwrap();
    assert_eq!((run.state, run.counts.rejected), (RunState::Rejected, 2));
    assert_eq!(report(&world)?.len(), 2);
    assert_eq!(world.store.count_by_status().await?.total(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_what_a_run_does_and_changes_nothing() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    run(&world, &lines(3), &order("first.jsonl")).await?;
    world.settle().await?;
    let text = lines(5);
    let mut planned = Vec::new();
    let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
    plan_file(&world.store, &mut file, false, |_| None, |line, plan| planned.push((line, plan))).await?;
    let submits = |(_, plan): &&(u64, Planned)| matches!(plan, Planned::Job(_, Plan::Submit { .. }));
    assert_eq!((planned.len(), planned.iter().filter(submits).count()), (5, 2));
    assert_eq!(world.store.count_by_status().await?.total(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_a_streamed_file_says_of_each_line_what_a_run_does() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    run(&world, &lines(3), &order("first.jsonl")).await?;
    world.settle().await?;
    let job = |name: &str, more: &str| {
        format!("{{\"jobName\": \"{name}\", \"jobQueue\": \"queue\", \"jobDefinition\": \"d\"{more}}}")
    };
    let runs = r#", "command": ["true"]"#;
    let needs = |name: &str| format!("{runs}, \"dependsOn\": [{{\"jobName\": \"{name}\"}}]");
    let array = |size: u32| format!("{runs}, \"arrayProperties\": {{\"size\": {size}}}");
    let of_each =
        |name: &str| format!(", \"dependsOn\": [{{\"jobName\": \"{name}\", \"type\": \"N_TO_N\"}}]");
    let odd = [
        job("needs-known", &needs("job-00001")),
        job("needs-earlier", &needs("job-14999")),
        job("needs-later", &needs("later")),
        job("later", runs),
        job("needs-unknown", &needs("nowhere")),
        job("needs-rejected", &needs("needs-unknown")),
        job("later", runs),
        job("without-a-command", ""),
        job("needs-refused", &needs("without-a-command")),
        job("without-a-command", runs),
        job("needs-it-then", &needs("without-a-command")),
        job("three", &array(3)),
        job("each-of-three", &[array(3), of_each("three")].concat()),
        job("each-of-four", &[array(4), of_each("three")].concat()),
        job("no-queue", "").replace("queue\": \"queue", "none\": \"none"),
    ];
    let text = format!("{}\n{}\n", lines(15_000), odd.join("\n"));
    assert!(text.len() > 1024 * 1024, "long enough to be streamed");
    let mut planned = BTreeMap::new();
    let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
    let refuses = |spec: &_| batchwright::engine::refusal(spec, None, false);
    plan_file(&world.store, &mut file, false, refuses, |line, plan| {
        let outcome = match plan {
            Planned::Job(_, Plan::Submit { .. }) | Planned::Waits(..) => ReportOutcome::Submitted,
            Planned::Job(_, Plan::Skip(_)) | Planned::Twice(_) => ReportOutcome::Skipped,
            Planned::Rejected(..) | Planned::Invalid(_) => ReportOutcome::Rejected,
        };
        planned.insert(line, outcome);
    })
    .await?;
    run(&world, &text, &order("jobs.jsonl")).await?;
    let mut came = BTreeMap::new();
    read_report(&world.archive, &order("jobs.jsonl").run_id, |line| {
        came.insert(line.line, line.outcome);
    })
    .await?;
    assert_eq!(planned, came);
    let of = |outcome| came.range(15_001..).filter(|(_, came)| **came == outcome).count();
    assert_eq!(of(ReportOutcome::Submitted), 7);
    assert_eq!((of(ReportOutcome::Skipped), of(ReportOutcome::Rejected)), (1, 7));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_report_that_holds_something_else_is_named() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let order = order("jobs.jsonl");
    let read = async || read_report(&world.archive, &order.run_id, |_| ()).await;
    read().await?;
    let key = report_key(&order.run_id, Checkpoint::default());
    let mut part = world.archive.create_object(&key, "application/x-ndjson").await?;
    part.write(b"no line\n").await?;
    part.finish().await?;
    let error = read().await.unwrap_err();
    assert!(error.to_string().contains(&key), "{error}");
    Ok(())
}

/// An engine that leaves its answers open: a connection that breaks, or Batch away. What it took took effect or
/// not, as `takes` says.
struct Away<'a> {
    engine: &'a batchwright::engine::LocalEngine,
    calls: AtomicUsize,
    until: usize,
}

impl batchwright::ports::JobEngine for Away<'_> {
    async fn submit_job(&self, request: &batchwright::domain::SubmitJobRequest) -> Result<JobId, PortError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call < self.until {
            return Err(PortError::ambiguous("SubmitJob", "503"));
        }
        self.engine.submit_job(request).await
    }

    async fn describe_jobs(&self, ids: &[JobId]) -> Result<Vec<batchwright::events::JobDetail>, PortError> {
        self.engine.describe_jobs(ids).await
    }

    async fn list_jobs(
        &self,
        queue: &str,
        name: &batchwright::domain::JobName,
        page: Option<&batchwright::ports::Cursor>,
    ) -> Result<batchwright::ports::Page<batchwright::ports::JobSummary>, PortError> {
        self.engine.list_jobs(queue, name, page).await
    }

    async fn list_jobs_since(
        &self,
        queue: &str,
        since: batchwright::domain::Timestamp,
        page: Option<&batchwright::ports::Cursor>,
    ) -> Result<batchwright::ports::Page<batchwright::ports::JobSummary>, PortError> {
        self.engine.list_jobs_since(queue, since, page).await
    }

    async fn cancel_job(&self, id: &JobId, reason: &str) -> Result<(), PortError> {
        self.engine.cancel_job(id, reason).await
    }

    async fn terminate_job(&self, id: &JobId, reason: &str) -> Result<(), PortError> {
        self.engine.terminate_job(id, reason).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_some_claims_and_not_the_file_and_the_report_is_put_right() -> anyhow::Result<()> {
    const JOBS: usize = 300;
    let mut world = World::new(|_| succeeds()).await?;
    let text = lines(JOBS);
    let order = order("jobs.jsonl");
    let World { store, engine, clock, archive, .. } = &world;
    let away = Away { engine: engine.inner(), calls: AtomicUsize::new(0), until: 12 };
    let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
    let end = run_file(store, &away, &Unpaced, clock, archive, &mut file, &order, |_| ()).await?;
    assert_eq!(
        end,
        RunEnd::ToBeContinued(Checkpoint(JOBS as u64)),
        "every line is dealt with, and some are open"
    );
    let known = store.run(&order.run_id).await?.expect("it is known");
    assert_eq!(known.state, RunState::Submitting, "UNKNOWN is not done");
    assert_eq!((known.counts.unknown, known.open.len(), known.counts.submitted), (12, 12, 288));

    tokio::time::sleep(std::time::Duration::from_secs(700)).await;
    let recorder = batchwright::use_cases::record_state::Recorder {
        store,
        engine,
        pace: engine,
        clock,
        bus: &NoBus,
        policy: SubmitPolicy::default(),
    };
    let policy = batchwright::use_cases::reconcile::ReconcilePolicy::default();
    let done = batchwright::use_cases::reconcile::reconcile(&recorder, &policy).await?;
    assert_eq!((done.claims_released, done.resubmitted), (12, 12), "none had taken effect");
    let end = run(&world, &text, &order).await?;
    assert_eq!(end, RunEnd::Complete(RunCounts { submitted: JOBS as u64, ..RunCounts::default() }));
    let lines = merged(report(&world)?);
    assert_eq!(lines.len(), JOBS, "a line a job");
    assert!(lines.iter().all(|line| line.outcome == ReportOutcome::Submitted && line.job_id.is_some()));
    world.settle().await?;
    assert_eq!(world.store.count_by_status().await?[JobStatus::Succeeded], JOBS as u64);
    Ok(())
}

/// An engine that lets nobody submit into a queue, from one call to another.
struct Denied<'a> {
    engine: &'a batchwright::engine::LocalEngine,
    calls: AtomicUsize,
    denied: std::ops::Range<usize>,
    job_queue: &'static str,
}

impl batchwright::ports::JobEngine for Denied<'_> {
    async fn submit_job(&self, request: &batchwright::domain::SubmitJobRequest) -> Result<JobId, PortError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.denied.contains(&call) && request.spec().job_queue == self.job_queue {
            return Err(PortError::permanent("SubmitJob", "AccessDeniedException: not yours").of_caller());
        }
        self.engine.submit_job(request).await
    }

    batchwright_tests::hand_on! { engine: describe_jobs, list_jobs, list_jobs_since, cancel_job, terminate_job }
}

/// The permission is missing from the start, or is taken away, or the token expires: no job is given up for it.
#[tokio::test(start_paused = true)]
async fn a_caller_who_may_not_submit_is_no_verdict_on_the_jobs() -> anyhow::Result<()> {
    for (jobs, from) in [(1, 0), (300, 0), (300, 100)] {
        let world = World::new(|_| succeeds()).await?;
        let (text, order) = (lines(jobs), order("jobs.jsonl"));
        let World { store, engine, clock, archive, .. } = &world;
        let (engine, calls) = (engine.inner(), AtomicUsize::new(0));
        let denied = Denied { engine, calls, denied: from..usize::MAX, job_queue: "queue" };
        let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
        let end = run_file(store, &denied, &Unpaced, clock, archive, &mut file, &order, |_| ()).await;
        let Err(RunFileError::Port(error)) = end else { anyhow::bail!("{end:?}") };
        assert!(error.to_string().contains("AccessDeniedException"), "{error}");
        let calls = denied.calls.load(Ordering::Relaxed) - from;
        assert!(calls < 50, "it asks {calls} times in vain");
        let known = store.run(&order.run_id).await?.expect("it is known");
        assert_eq!((known.state, known.counts.rejected), (RunState::Submitting, 0));
        let end = run(&world, &text, &order).await?;
        let all = RunCounts { submitted: jobs as u64, ..RunCounts::default() };
        assert_eq!(end, RunEnd::Complete(all), "with the permission it goes on");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_into_a_queue_where_the_caller_is_not_let_is_rejected_and_the_others_are_submitted()
-> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let text = lines(60).replacen(r#""jobQueue": "queue""#, r#""jobQueue": "not-ours""#, 5);
    let order = order("jobs.jsonl");
    let World { store, engine, clock, archive, .. } = &world;
    let (engine, calls) = (engine.inner(), AtomicUsize::new(0));
    let denied = Denied { engine, calls, denied: 0..usize::MAX, job_queue: "not-ours" };
    let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
    let end = run_file(store, &denied, &Unpaced, clock, archive, &mut file, &order, |_| ()).await?;
    let counts = RunCounts { submitted: 55, rejected: 5, ..RunCounts::default() };
    assert_eq!(end, RunEnd::Complete(counts));
    let rejected = report(&world)?.into_iter().filter(|line| line.outcome == ReportOutcome::Rejected);
    let whys: Vec<_> = rejected.filter_map(|line| line.reason).collect();
    assert!(whys.len() == 5 && whys.iter().all(|why| why.contains("not yours")), "{whys:?}");
    Ok(())
}

/// `b` waits for `a`, of which nobody knows yet whether Batch has it; `c` waits for `b`, which the store does not know.
#[tokio::test(start_paused = true)]
async fn a_job_waits_with_the_one_it_depends_on_and_is_not_rejected_for_it() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    let text = ["a", "b", "c"].map(|name| {
        let depends_on = match name {
            "b" => r#", "dependsOn": [{"jobName": "a"}]"#,
            "c" => r#", "dependsOn": [{"jobName": "b"}]"#,
            _ => "",
        };
        format!(
            r#"{{"jobName": "{name}", "jobQueue": "queue", "jobDefinition": "d", "command": ["true"]{depends_on}}}"#
        )
    });
    let (text, order) = (text.join("\n"), order("jobs.jsonl"));
    let World { store, engine, clock, archive, .. } = &world;
    let away = Away { engine: engine.inner(), calls: AtomicUsize::new(0), until: 1 };
    let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
    let end = run_file(store, &away, &Unpaced, clock, archive, &mut file, &order, |_| ()).await?;
    assert_eq!(end, RunEnd::ToBeContinued(Checkpoint(1)), "b and c are neither submitted nor rejected");

    tokio::time::sleep(std::time::Duration::from_secs(700)).await;
    let policy = batchwright::use_cases::reconcile::ReconcilePolicy::default();
    assert_eq!(world.reconcile(&policy).await?.resubmitted, 1);
    let end = run(&world, &text, &order).await?;
    assert_eq!(end, RunEnd::Complete(RunCounts { submitted: 3, ..RunCounts::default() }));
    world.settle().await?;
    assert_eq!(world.store.count_by_status().await?[JobStatus::Succeeded], 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_names_what_is_not_allowed_is_rejected_by_its_line_and_the_others_run()
-> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let allowed = Allowed::matching("arn:aws:batch:eu-west-1:123456789012:job-queue/queue", "");
    let order = RunFile { allowed, ..order("jobs.jsonl") };
    let text = lines(3).replacen("\"queue\"", "\"another\"", 1);
    let end = run(&world, &text, &order).await?;
    assert!(
        matches!(end, RunEnd::Complete(counts) if (counts.submitted, counts.rejected) == (2, 1)),
        "{end:?}"
    );
    let told: Vec<_> =
        report(&world)?.into_iter().map(|line| (line.line, line.outcome, line.reason)).collect();
    assert_eq!((told[0].0, told[0].1), (1, ReportOutcome::Rejected), "{told:?}");
    let reason = told[0].2.clone().unwrap_or_default();
    assert!(reason.contains("jobQueue") && reason.contains("another is not allowed here"), "{reason}");
    assert!(world.job("job-00000").await?.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn where_every_job_is_sealed_one_that_cannot_be_is_rejected_by_its_line() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    let order = RunFile { seals_all: true, ..order("jobs.jsonl") };
    let of_nodes = r#"{"jobName": "nodes", "jobQueue": "queue", "jobDefinition": "definition", "nodeOverrides": {"numNodes": 2}}"#;
    let text = format!("{}\n{of_nodes}\n", lines(1).trim_end());
    let end = run(&world, &text, &order).await?;
    assert!(
        matches!(end, RunEnd::Complete(counts) if (counts.submitted, counts.rejected) == (1, 1)),
        "{end:?}"
    );
    let report = report(&world)?;
    let reason = report[1].reason.clone().unwrap_or_default();
    assert!(reason.contains("nodeOverrides: can't be sealed"), "{reason}");
    let sealed = world.job("job-00000").await?.expect("it was submitted");
    assert!(sealed.head.spec.sealed && sealed.head.spec.seal.is_some());
    Ok(())
}
