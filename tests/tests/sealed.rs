//! A sealed job's environment and parameters are in Batch's hands alone: no store, report, log line or event holds them, and
//! another submission has them all the same.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use batchwright::domain::{
    Checkpoint, ClaimOutcome, JobId, JobName, JobSpec, JobState, JobStatus, NewClaim, NewSubmission, RunState,
};
use batchwright::engine::{FaultPlan, Scene};
use batchwright::events::JobDetail;
use batchwright::job_file::{self, JobFileError, Problem, check_job};
use batchwright::ports::{ClaimStore as _, JobEngine as _, JobQueries as _, RunStore as _, Unpaced};
use batchwright::sqlite::SqliteStore;
use batchwright::use_cases::record_state::Recorded;
use batchwright::use_cases::run_file::{
    ReportLine, ReportOutcome, RunEnd, RunFile, merged, reject_file, run_file,
};
use batchwright::use_cases::submit::SubmitOutcome;
use batchwright_tests::crash::deployment::{Deployment, Recovery};
use batchwright_tests::crash::fuse::Fuse;
use batchwright_tests::crash::scenario::{self, Expected, Scenario, job};
use batchwright_tests::crash::sweep::{in_memory, singles};
use batchwright_tests::crash::verdict::judge;
use batchwright_tests::world::{Ends, World, after, exits, loses_host, run_id, succeeds};
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;

const SECRET: &str = "hunter2-0b5e55ed";
const PLAIN: &str = "no-secret-5eed";

fn sealed(name: &str) -> Value {
    scenario::sealed(job(name), SECRET)
}

fn spec(name: &str) -> JobSpec {
    check_job(sealed(name)).expect("the job is valid")
}

/// The same with another secret.
fn changed(name: &str) -> JobSpec {
    check_job(scenario::sealed(job(name), "another")).expect("the job is valid")
}

/// What lies under a run's key in the bucket.
const SOURCE: &str = "s3://bucket/jobs/file.jsonl";

fn order() -> RunFile {
    RunFile { concurrency: 1, ..RunFile::new(run_id(), SOURCE) }
}

/// One invocation of the submitter, which reads this job file.
async fn read_file(world: &World, text: &str) -> anyhow::Result<RunEnd> {
    let mut file = job_file::open(text.as_bytes(), SOURCE).await?;
    let World { store, engine, clock, archive, .. } = world;
    Ok(run_file(store, engine, &Unpaced, clock, archive, &mut file, &order(), |_| ()).await?)
}

/// The passwords of a job's submissions, oldest first.
async fn passwords(world: &World, name: &str) -> anyhow::Result<Vec<String>> {
    let job = world.store.job(&JobName::parse(name)?).await?.context("it is lost")?;
    let details = world.engine.inner().describe_jobs(&job.head.job_tries).await?;
    let of = |detail: &JobDetail| {
        detail
            .container
            .as_ref()?
            .environment
            .iter()
            .find(|it| it.name.as_deref() == Some("PASSWORD"))?
            .value
            .clone()
    };
    details.iter().map(|detail| of(detail).context("no password")).collect()
}

/// The lines of the run's report.
fn report(world: &World) -> anyhow::Result<Vec<ReportLine>> {
    let keys = world.archive.keys().into_iter().filter(|key| key.starts_with("reports/"));
    let text: Vec<u8> = keys.flat_map(|key| world.archive.bytes(&key).unwrap_or_default()).collect();
    let lines: Result<Vec<ReportLine>, _> =
        String::from_utf8(text)?.lines().map(serde_json::from_str).collect();
    Ok(merged(lines?))
}

/// Each line of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The first try of `a`, and the second child of `array`, lose their hosts.
fn ends(scene: &Scene<'_>) -> Ends {
    match (scene.job_name.as_str(), scene.submission, scene.array_index) {
        ("a", 1, _) | ("array", _, Some(1)) => loses_host(),
        _ => succeeds(),
    }
}

/// All that is logged from now on, whatever its level.
fn logging() -> (Lines, DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

#[tokio::test(start_paused = true)]
async fn the_secret_is_in_no_line_of_the_log_wherever_a_function_dies() -> anyhow::Result<()> {
    let (lines, _logging) = logging();
    let scenario = Scenario::sealed();
    let secret = scenario.secret.context("the scenario has none")?;
    let figures = singles(&scenario, in_memory, 1, false).await?;
    ensure!(figures.points > 100, "{figures}");
    let lines = lines.0.lock().unwrap();
    ensure!(holds(&lines, "submitted") && !holds(&lines, secret), "the secret is in the log");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_secret_is_in_no_item_report_event_or_line_of_the_log_and_in_each_submission()
-> anyhow::Result<()> {
    let (lines, _logging) = logging();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state.db");
    let mut array = sealed("array");
    array["arrayProperties"] = json!({"size": 2});
    array["resubmitChildren"] = json!(true);
    // Beside them one that is not, so that each look is known to find what is there.
    let mut plain = sealed("plain");
    plain["sealed"] = json!(false);
    plain["parameters"] = json!({"token": PLAIN});
    plain["containerOverrides"]["environment"] = json!([]);
    let once =
        |name| Expected { name, status: Some(JobStatus::Succeeded), least: 1, most: 1, reported: true };
    let expected = [
        Expected { least: 2, most: 2, ..once("a") },
        once("array"),
        once("plain"),
        Expected { reported: false, ..once("array--bw-child-1") },
    ];
    let scenario = Scenario::of_file("sealed jobs", &[sealed("a"), array, plain], &expected);
    let scenario = Scenario { script: ends, ..scenario };
    let open = {
        let path = path.clone();
        move || Ok(SqliteStore::open(&path)?)
    };
    let deployment = Deployment::new(&scenario, open, Fuse::new([]), Recovery::Redelivered, false).await?;
    deployment.live().await?;
    judge(&deployment, &scenario).await?;

    for (name, submissions) in [("a", 2), ("array", 1), ("array--bw-child-1", 1)] {
        let books = deployment.network.books(&JobName::parse(name)?).await?;
        ensure!(books.len() == submissions, "{name}: {} submissions", books.len());
        for detail in books {
            let container = detail.container.context("no container")?;
            let password = container.environment.iter().find(|it| it.name.as_deref() == Some("PASSWORD"));
            ensure!(password.and_then(|it| it.value.as_deref()) == Some(SECRET), "{name}: {container:?}");
            ensure!(detail.parameters.get("token").is_some_and(|token| token == SECRET), "{name}");
            let index =
                container.environment.iter().any(|it| it.name.as_deref() == Some("BATCHWRIGHT_ARRAY_INDEX"));
            ensure!(index == name.contains("child"), "{name}: {container:?}");
        }
    }
    let mut finds_plain = false;
    for file in std::fs::read_dir(folder.path())? {
        let file = file?.path();
        let bytes = std::fs::read(&file)?;
        ensure!(!holds(&bytes, SECRET), "the secret is in {}", file.display());
        finds_plain |= holds(&bytes, PLAIN);
    }
    ensure!(finds_plain, "what is not sealed is in the store");
    for key in deployment.objects.keys().into_iter().filter(|key| !key.starts_with("jobs/")) {
        ensure!(
            !holds(&deployment.objects.bytes(&key).unwrap_or_default(), SECRET),
            "the secret is in {key}"
        );
    }
    let told = format!("{:?}", deployment.bus.all());
    ensure!(told.contains("array") && !holds(told.as_bytes(), SECRET), "the secret is told");
    let lines = lines.0.lock().unwrap();
    ensure!(!lines.is_empty() && !holds(&lines, SECRET), "the secret is in the log");
    Ok(())
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_secret_that_stands_in_the_wrong_place_is_told_by_its_place_alone() -> anyhow::Result<()> {
    let assigned = format!("PW={SECRET}");
    for environment in [
        json!([{"name": assigned, "value": "x"}]),
        json!([{"name": format!("AWS_BATCH_{SECRET}"), "value": "x"}]),
        json!([{"name": format!("AWS_BATCH_PW={SECRET}"), "value": "x"}]),
        json!([{"name": assigned}, {"name": assigned}]),
        json!([{assigned.as_str(): "x"}]),
        json!([{SECRET: "x", "name": "A"}]),
        json!([assigned]),
        json!({assigned.as_str(): "x"}),
        json!([{"name": "A", "value": {assigned.as_str(): 1}}]),
    ] {
        let mut wrong = job("sealed");
        wrong["sealed"] = json!(true);
        wrong["containerOverrides"] = json!({"environment": environment});
        let words = match check_job(wrong) {
            Ok(_) => anyhow::bail!("{environment} is taken"),
            Err(problems) => told(&problems),
        };
        ensure!(
            !holds(words.as_bytes(), SECRET) && words.contains("containerOverrides.environment"),
            "{words}"
        );
    }
    let mut wrong = job("sealed");
    wrong["parameters"] = json!({assigned.as_str(): 7});
    let words = told(&check_job(wrong).err().context("it is taken")?);
    ensure!(!holds(words.as_bytes(), SECRET) && words.contains("parameters.PW=…"), "{words}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_sealed_job_that_has_changed_is_told_from_the_same() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    world.submit(&spec("a")).await?;
    world.settle().await?;
    let again = world.submit(&spec("a")).await?;
    ensure!(
        matches!(&again, SubmitOutcome::Skipped(skip) if skip.to_string().contains("it SUCCEEDED")),
        "{again:?}"
    );
    ensure!(!format!("{again:?}").contains("Changed"), "{again:?}");
    let changed = world.submit(&changed("a")).await?;
    ensure!(format!("{changed:?}").contains("Changed"), "{changed:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_line_that_was_claimed_and_not_submitted_is_read_again() -> anyhow::Result<()> {
    let mut world = World::new(|_| succeeds()).await?;
    let text = format!("{}\n{}\n", sealed("claimed"), sealed("other"));
    // A submitter that died after its claim. Its run stays open, also when the file was read to its end.
    world.claim(&spec("claimed"), 0).await?;
    for _ in 0..2 {
        let end = read_file(&world, &text).await?;
        ensure!(matches!(end, RunEnd::ToBeContinued(Checkpoint(2))), "{end:?}");
    }
    world.pass(1_000_000).await;
    let passed = world.reconcile(&Default::default()).await?;
    assert_eq!((passed.claims_released, passed.resubmitted, passed.postponed), (1, 0, 0), "{passed:?}");
    let job = world.store.job(&JobName::parse("claimed")?).await?.context("it is lost")?;
    ensure!(job.head.claim.is_none() && job.head.refusal.is_none() && job.head.job_id.is_none());
    // A job that depends on it, of another run, waits for it.
    let dependant = world.submit(&after("dependant", "claimed")).await?;
    ensure!(
        matches!(&dependant, SubmitOutcome::Deferred(why) if why.contains("yet to submit")),
        "{dependant:?}"
    );
    let end = read_file(&world, &text).await?;
    ensure!(
        matches!(&end, RunEnd::Complete(counts) if (counts.submitted, counts.unknown) == (2, 0)),
        "{end:?}"
    );
    assert_eq!(passwords(&world, "claimed").await?, [SECRET]);
    let report = report(&world)?;
    ensure!(report.iter().all(|line| line.outcome == ReportOutcome::Submitted), "{report:?}");
    world.settle().await?;
    let dependant = world.submit(&after("dependant", "claimed")).await?;
    ensure!(matches!(dependant, SubmitOutcome::Submitted(_)), "{dependant:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_file_that_went_before_its_line_was_read_again_refuses_it() -> anyhow::Result<()> {
    let world = World::new(|_| succeeds()).await?;
    world.claim(&spec("claimed"), 0).await?;
    read_file(&world, &format!("{}\n", sealed("claimed"))).await?;
    let message = "there is no version 7 of it any more; upload it again".to_owned();
    let problems = vec![Problem { line: None, field: None, message }];
    let gone = JobFileError { file: SOURCE.to_owned(), problems };
    let World { store, archive, clock, .. } = &world;
    // Batch may still have the job: nothing is said of its line before that is known.
    ensure!(!reject_file(store, archive, clock, &order(), &gone).await?);
    let run = store.run(&run_id()).await?.context("the run is lost")?;
    assert_eq!((run.state, run.open.len()), (RunState::Submitting, 1));
    world.pass(1_000_000).await;
    world.reconcile(&Default::default()).await?;
    ensure!(reject_file(store, archive, clock, &order(), &gone).await?);
    let run = store.run(&run_id()).await?.context("the run is lost")?;
    assert_eq!((run.state, run.open.len(), run.counts.unknown), (RunState::Rejected, 0, 0));
    let report = report(&world)?;
    let of_job = report.iter().find(|line| line.job_name.is_some()).context("no line of the job")?;
    let reason = of_job.reason.as_deref().unwrap_or_default();
    ensure!(of_job.outcome == ReportOutcome::Rejected && reason.contains("no version 7"), "{of_job:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_a_person_changed_is_never_submitted_with_what_it_had_before() -> anyhow::Result<()> {
    let mut world = World::new(|_| exits(1)).await?;
    world.submit(&spec("a")).await?;
    world.settle().await?;
    let replaces = world.store.job(&JobName::parse("a")?).await?.context("it is lost")?.head.job_id;
    let claim = NewClaim {
        spec: changed("a"),
        run_id: run_id(),
        replaces,
        replaced_end: None,
        job_queue: None,
        takes_over: None,
        resets_budget: true,
        on_sheet: false,
        now: world.now(),
        expires_at: world.now(),
    };
    ensure!(matches!(world.store.claim(&claim).await?, ClaimOutcome::Granted(_)));
    read_file(&world, &format!("{}\n", scenario::sealed(job("a"), "another"))).await?;
    world.pass(1_000_000).await;
    world.reconcile(&Default::default()).await?;
    assert_eq!(passwords(&world, "a").await?, [SECRET], "only the file can tell what it has now");
    read_file(&world, &format!("{}\n", scenario::sealed(job("a"), "another"))).await?;
    assert_eq!(passwords(&world, "a").await?, [SECRET, "another"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_only_the_file_can_tell_is_refused_and_says_so() -> anyhow::Result<()> {
    // A submitter that died after its claim, for a program's own jobs: there is no file to read again.
    let world = World::with_faults(|_| succeeds(), FaultPlan::default()).await?;
    world.claim(&spec("claimed"), -10_000_000).await?;
    let passed = world.reconcile(&Default::default()).await?;
    assert_eq!((passed.claims_released, passed.resubmitted), (1, 0), "{passed:?}");
    let job = world.store.job(&JobName::parse("claimed")?).await?.context("it is lost")?;
    let refusal = job.head.refusal.context("it is not refused")?;
    ensure!(
        refusal.contains("its environment is sealed") && refusal.contains("run its job file again"),
        "{refusal}"
    );
    ensure!(job.head.claim.is_none() && job.head.job_id.is_none());
    // The file, run again, submits it.
    ensure!(matches!(world.submit(&spec("claimed")).await?, SubmitOutcome::Submitted(_)));

    // A submission that Batch has forgotten when it is to be made again.
    let nonce = world.claim(&spec("forgotten"), 300_000).await?;
    let (job_name, job_id) =
        (JobName::parse("forgotten")?, JobId::parse("00000000-0000-4000-8000-000000000000")?);
    let now = world.now();
    let submission = NewSubmission { job_name: job_name.clone(), nonce, job_id: job_id.clone(), now };
    world.store.record_submission(&submission).await?;
    let mut state = JobState::submitted(job_name.clone(), job_id, None);
    state.status = JobStatus::Failed;
    state.status_reason = Some("Host EC2 (instance i-1) terminated.".to_owned());
    let recorded = world.recorder().record_state(&state).await?;
    ensure!(matches!(&recorded, Recorded::Ended(end) if end.status == JobStatus::Failed), "{recorded:?}");
    let job = world.store.job(&job_name).await?.context("it is lost")?;
    let refusal = job.head.refusal.context("it is not refused")?;
    ensure!(refusal.contains("AWS Batch no longer knows its earlier submission"), "{refusal}");
    Ok(())
}
