//! A sealed job's environment and parameters are in Batch's hands alone: no store, report, log line or event holds them, and
//! another submission has them all the same.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use batchwright::domain::{JobId, JobName, JobSpec, JobState, JobStatus, NewSubmission};
use batchwright::engine::{FaultPlan, Scene};
use batchwright::job_file::check_job;
use batchwright::ports::{ClaimStore as _, JobQueries as _};
use batchwright::sqlite::SqliteStore;
use batchwright::use_cases::record_state::Recorded;
use batchwright::use_cases::submit::SubmitOutcome;
use batchwright_tests::crash::deployment::{Deployment, Recovery};
use batchwright_tests::crash::fuse::Fuse;
use batchwright_tests::crash::scenario::{Expected, Scenario, job};
use batchwright_tests::crash::verdict::judge;
use batchwright_tests::world::{Ends, World, loses_host, succeeds};
use serde_json::{Value, json};

const SECRET: &str = "hunter2-0b5e55ed";
const PLAIN: &str = "no-secret-5eed";

fn sealed(name: &str) -> Value {
    let mut job = job(name);
    job["sealed"] = json!(true);
    job["parameters"] = json!({"token": SECRET});
    job["containerOverrides"]["environment"] = json!([{"name": "PASSWORD", "value": SECRET}]);
    job
}

fn spec(name: &str) -> JobSpec {
    check_job(sealed(name)).expect("the job is valid")
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

#[tokio::test(start_paused = true)]
async fn the_secret_is_in_no_item_report_event_or_line_of_the_log_and_in_each_submission()
-> anyhow::Result<()> {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
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
    let changed = spec("a").with(|spec| {
        spec.parameters.insert("token".to_owned(), "another".to_owned());
    });
    let changed = world.submit(&changed).await?;
    ensure!(format!("{changed:?}").contains("Changed"), "{changed:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_only_the_file_can_tell_is_refused_and_says_so() -> anyhow::Result<()> {
    // A submitter that died after its claim.
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
