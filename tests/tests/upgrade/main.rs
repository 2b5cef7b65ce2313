//! Another version of batchwright takes over with jobs in flight: nothing is lost, nothing is submitted twice, and every
//! list holds what the other version left.
//!
//! The items of earlier versions lie in `tests/data/upgrade` as these versions wrote them. `WRITE_ITEMS=FILE` writes those
//! of this version, by the same story: to be kept where the data model is about to change, and to be played by an older
//! version's copy of this test, which is the roll-back.

mod left;
mod lists;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::domain::{JobId, JobName, JobStatus, SubmitJobRequest};
use batchwright::events::{Announcement, JobEnded};
use batchwright::ports::{Clock as _, EventBus as _, JobEngine as _, JobQueries as _};
use batchwright_tests::crash::deployment::{Deployment, Recovery};
use batchwright_tests::crash::fuse::Fuse;
use batchwright_tests::crash::scenario::{Expected, Scenario};
use batchwright_tests::crash::verdict::judge;
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::dynoxide::Dynoxide;

use left::{Left, TAIL, ends, file, leave};

/// As in `crash_stores`.
const STACK: usize = 8 * 1024 * 1024;

fn played(story: impl AsyncFnOnce() -> anyhow::Result<()> + Send + 'static) -> anyhow::Result<()> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let test = std::thread::Builder::new().stack_size(STACK).spawn(move || runtime()?.block_on(story()))?;
    test.join().map_err(|_| anyhow::anyhow!("the test's thread panicked"))?
}

async fn tables(client: &Client) -> anyhow::Result<Tables> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let tables = Tables { jobs: format!("jobs-{number}"), runs: format!("runs-{number}") };
    create_tables(client, &tables).await?;
    Ok(tables)
}

/// The story's jobs, and how each must have ended.
fn story(events_lost: bool) -> Scenario {
    let once =
        |name| Expected { name, status: Some(JobStatus::Succeeded), least: 1, most: 1, reported: true };
    let twice = |name| Expected { least: 2, most: 2, ..once(name) };
    let mut jobs: Vec<Expected> =
        ["done", "ended", "running", "runnable", "submitted", "sent", "claimed", "array"].map(once).to_vec();
    jobs.extend(["lost", "retried", "waits"].map(twice));
    jobs.push(Expected { status: Some(JobStatus::Failed), ..once("failed") });
    jobs.push(Expected { reported: false, ..once("array--bw-child-1") });
    jobs.extend(TAIL.map(once));
    let scenario = Scenario::of_file("another version takes over", &file(), &jobs);
    Scenario { calls: Vec::new(), script: ends, events_lost, ..scenario }
}

/// Batch is as the items say, or has come further; then the functions of this version go on.
async fn take_over(client: &Client, left: &Left, events_lost: bool) -> anyhow::Result<()> {
    let tables = tables(client).await?;
    left.put(client, &tables).await?;
    let store = DynamoDbJobStore::new(client.clone(), tables.clone()).with_page_size(3);
    lists::are_complete(&store, left.moment).await.context("the lists before anything has happened")?;
    let ids: Result<Vec<JobId>, _> = left.submitted.iter().map(|one| JobId::parse(&one.job_id)).collect();
    let scenario = Scenario { ids: ids?, ..story(events_lost) };
    let opened = DynamoDbJobStore::new(client.clone(), tables).beside_log_collector();
    let open = move || Ok(opened.clone());
    let deployment = Deployment::new(&scenario, open, Fuse::new([]), Recovery::Redelivered, true).await?;
    left.put_objects(&deployment.objects);
    for submitted in &left.submitted {
        let name = JobName::parse(&submitted.job_name)?;
        let job = store.job(&name).await?.with_context(|| format!("{name} is unknown"))?;
        let known = |name: &JobName| {
            let found = left.submitted.iter().rev().find(|earlier| earlier.job_name == name.as_str());
            found.and_then(|found| JobId::parse(&found.job_id).ok())
        };
        let request = SubmitJobRequest::new(&job.head.spec, &submitted.nonce, known);
        let job_id = deployment.network.engine().submit_job(&request).await?;
        anyhow::ensure!(job_id.as_str() == submitted.job_id, "the engine numbers its jobs in another way");
    }
    // What the other version told before it left.
    for name in ["done", "ended", "failed"] {
        let job = store.job(&JobName::parse(name)?).await?.with_context(|| format!("{name} is unknown"))?;
        let state = job.state().with_context(|| format!("{name} has no state"))?;
        let cause = state.cause().map(|cause| cause.to_string());
        let end = JobEnded::of(&job, &state.job_id, state.status, cause);
        deployment.bus.put(&[Announcement::Job(Box::new(end))]).await?;
    }
    deployment.clock.pass_until(left.moment, true).await;
    deployment.live().await?;
    judge(&deployment, &scenario).await?;
    lists::are_at_rest(&store, deployment.clock.now().plus_millis(1)).await
}

#[test]
fn items_of_the_version_before_one_list_of_what_is_in_flight_are_taken_over() -> anyhow::Result<()> {
    played(async || {
        let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
        let client = Client::new(&dynoxide.sdk_config().await?);
        let left =
            Left::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/upgrade/2-before-one-list.json"))?;
        for events_lost in [false, true] {
            take_over(&client, &left, events_lost)
                .await
                .with_context(|| format!("events lost: {events_lost}"))?;
        }
        Ok(())
    })
}

#[test]
fn items_of_this_version_are_taken_over() -> anyhow::Result<()> {
    played(async || {
        let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
        let client = Client::new(&dynoxide.sdk_config().await?);
        let left = leave(&client, tables(&client).await?).await?;
        if let Some(file) = std::env::var_os("WRITE_ITEMS") {
            left.write(Path::new(&file))?;
        }
        for events_lost in [false, true] {
            take_over(&client, &left, events_lost)
                .await
                .with_context(|| format!("events lost: {events_lost}"))?;
        }
        Ok(())
    })
}

/// Items that another version wrote, named by the environment: a roll-back is played by an older version's copy of this
/// test.
#[test]
fn items_of_a_version_that_is_named_are_taken_over() -> anyhow::Result<()> {
    let Some(file) = std::env::var_os("READ_ITEMS") else { return Ok(()) };
    played(async move || {
        let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
        let client = Client::new(&dynoxide.sdk_config().await?);
        let left = Left::read(Path::new(&file))?;
        take_over(&client, &left, false).await.context("with events")?;
        take_over(&client, &left, true).await.context("without events")
    })
}
