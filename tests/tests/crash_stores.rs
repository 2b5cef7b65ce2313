//! Once, whatever dies, on the stores that are used: SQLite in a file, Redis, and DynamoDB.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::Client;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::redis::RedisStore;
use batchwright::sqlite::SqliteStore;
use batchwright_tests::crash::deployment::Recovery;
use batchwright_tests::crash::fuse::{Moment, Point};
use batchwright_tests::crash::scenario::Scenario;
use batchwright_tests::crash::sweep::{Figures, live, singles};
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::dynoxide::Dynoxide;
use batchwright_tests::emulators::redis::Redis;

#[tokio::test(start_paused = true)]
async fn a_deployment_on_a_file_that_dies_does_everything_once() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let mut all = Figures::default();
    for (scenario, stride) in [(Scenario::lost_host(), 2), (Scenario::dependant(), 5)] {
        let open = || {
            let path = tempfile::tempdir_in(scratch.path())?.keep().join("state.db");
            Ok(move || Ok(SqliteStore::open(&path)?))
        };
        all += singles(&scenario, open, stride, false).await?;
    }
    println!("crash: on SQLite: {all}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_on_redis_that_dies_does_everything_once() -> anyhow::Result<()> {
    let Some(redis) = Redis::shared()? else { return Ok(()) };
    let scenario = Scenario::short_lost_host();
    let mut all = Figures::default();
    // As on DynamoDB, below.
    for call in (1..=64).step_by(3) {
        let moment = if call % 2 == 0 { Moment::Before } else { Moment::After };
        let recovery = if call % 4 < 2 { Recovery::Redelivered } else { Recovery::ReconciledFirst };
        let store = RedisStore::open(&redis.new_store()).await?;
        let open = move || Ok(store.clone());
        let died = live(&scenario, open, &[Point { call, moment }], recovery, true, &mut all).await?;
        all.points += usize::from(died);
    }
    println!("crash: on Redis: {all}");
    Ok(())
}

/// Bytes of stack, as the main thread of a function on Lambda has. In a build without optimization the frames of the
/// SDK alone need more than the 2 MiB of a test's thread.
const STACK: usize = 8 * 1024 * 1024;

#[test]
fn a_deployment_on_dynamodb_that_dies_does_everything_once() -> anyhow::Result<()> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let test =
        std::thread::Builder::new().stack_size(STACK).spawn(move || runtime()?.block_on(on_dynamodb()))?;
    test.join().map_err(|_| anyhow::anyhow!("the test's thread panicked"))?
}

async fn on_dynamodb() -> anyhow::Result<()> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
    let client = Client::new(&dynoxide.sdk_config().await?);
    let scenario = Scenario::short_lost_host();
    let mut all = Figures::default();
    // Each call of the submission, the retry and the archive; both moments and both ways, in turn.
    for call in (1..=64).step_by(3) {
        let moment = if call % 2 == 0 { Moment::Before } else { Moment::After };
        let recovery = if call % 4 < 2 { Recovery::Redelivered } else { Recovery::ReconciledFirst };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let tables = Tables { jobs: format!("jobs-{number}"), runs: format!("runs-{number}") };
        create_tables(&client, &tables).await?;
        let store = DynamoDbJobStore::new(client.clone(), tables).beside_log_collector();
        let open = move || Ok(store.clone());
        let died = live(&scenario, open, &[Point { call, moment }], recovery, true, &mut all).await?;
        all.points += usize::from(died);
    }
    println!("crash: on DynamoDB: {all}");
    Ok(())
}
