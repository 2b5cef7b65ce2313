//! A deployment in a storm, for as long as it takes: all functions at once, over SQLite, a folder and the embedded
//! engine, on virtual time; and with its state on DynamoDB and Batch behind its own protocol, both over HTTP by the SDK.
//!
//! `just soak 20000` runs so many jobs; `just soak 20000 7` those of another seed; `just soak-http 2000` over HTTP. The
//! seed decides what is asked for and what goes wrong; what comes first within one millisecond is the runtime's own.

mod bucket;
mod judge;
mod load;
mod mail;
mod storm;
mod wire;
mod world;

use std::path::Path;

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::Client;
use batchwright::AnyStore;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::sqlite::SqliteStore;
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::dynoxide::Dynoxide;
use batchwright_tests::paused_clock;
use tokio::runtime::Handle;
use tokio::task::LocalSet;

use crate::judge::{Held, judge};
use crate::load::Wave;
use crate::world::World;

/// Jobs where nobody says how many.
const JOBS: u64 = 1_000;

/// The same over HTTP, where a call takes milliseconds.
const JOBS_OVER_HTTP: u64 = 200;

/// Bytes of stack, as the main thread of a function on Lambda has: in a build without optimization the frames of the SDK
/// need more than a test's thread has.
const STACK: usize = 8 * 1024 * 1024;

/// The seed where nobody says which.
const SEED: u64 = 16;

const WAVES: u64 = 4;

/// What one job more may add to the memory of this process, which keeps a ledger of what the event bus was told.
const LEDGER_BYTES: u64 = 2_000;

/// What the allocator and SQLite's caches may add.
const SLACK_BYTES: u64 = 24 << 20;

/// A number of the environment.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn setting(name: &str) -> anyhow::Result<Option<u64>> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    Ok(Some(text.parse().with_context(|| format!("{name}={text:?} is no number"))?))
}

/// The most memory that this process has held.
fn peak_bytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("a line VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib << 10)
}

#[test]
fn a_deployment_in_a_storm_loses_nothing_and_does_nothing_twice() -> anyhow::Result<()> {
    let (jobs, seed) = (setting("SOAK")?.unwrap_or(JOBS), setting("SOAK_SEED")?.unwrap_or(SEED));
    let folder = tempfile::tempdir()?;
    let store = AnyStore::new(SqliteStore::open(&folder.path().join("state.sqlite"))?);
    let lived = on_virtual_time(soak(seed, jobs, store, folder.path(), None));
    lived.with_context(|| format!("SOAK={jobs} SOAK_SEED={seed} runs it again"))
}

#[test]
fn over_http_to_dynamodb_and_batch_it_loses_nothing_and_does_nothing_twice() -> anyhow::Result<()> {
    let test = std::thread::Builder::new().stack_size(STACK).spawn(over_http)?;
    test.join().map_err(|_| anyhow::anyhow!("the test's thread panicked"))?
}

fn over_http() -> anyhow::Result<()> {
    let (jobs, seed) =
        (setting("SOAK_HTTP")?.unwrap_or(JOBS_OVER_HTTP), setting("SOAK_SEED")?.unwrap_or(SEED));
    let Some(dynoxide) = Dynoxide::start()? else { return Ok(()) };
    let wire = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let tables = Tables { jobs: "jobs".to_owned(), runs: "runs".to_owned() };
    let config = wire.block_on(async {
        let config = dynoxide.sdk_config().await?;
        create_tables(&Client::new(&config), &tables).await?;
        anyhow::Ok(config)
    })?;
    let config = paused_clock::through(&config, wire.handle().clone());
    let store = AnyStore::new(DynamoDbJobStore::new(Client::new(&config), tables));
    let folder = tempfile::tempdir()?;
    let lived = on_virtual_time(soak(seed, jobs, store, folder.path(), Some(wire.handle())));
    lived.with_context(|| format!("SOAK_HTTP={jobs} SOAK_SEED={seed} runs it again"))
}

fn on_virtual_time(lived: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    LocalSet::new().block_on(&runtime, lived)
}

async fn soak(
    seed: u64,
    jobs: u64,
    store: AnyStore,
    folder: &Path,
    http: Option<&Handle>,
) -> anyhow::Result<()> {
    let world = World::new(seed, store, folder, jobs, http).await?;
    let (mut held, mut peaks) = (Held::default(), Vec::new());
    for number in 0..WAVES {
        let wave = Wave::of(seed, number, jobs / WAVES);
        world.live(&wave, number == 1 || number == 2).await.with_context(|| format!("wave {number}"))?;
        peaks.push(peak_bytes()?);
        judge(&world, &wave, &mut held).await.with_context(|| format!("wave {number}"))?;
    }
    let (counts, calls) = (world.counts(), world.storm.calls());
    ensure!(counts.surplus == 0, "{} submissions were one too many", counts.surplus);
    let events = world.end().await?;
    println!(
        "soak: seed {seed}: {} jobs in {} runs, {} submissions, {} of them again, {} array children, {} left out by \
         cancelled runs; {} calls of SubmitJob, {} calls while Batch was away; {:?} on the wire by 429, by 5xx, \
         without a whole answer; {} events sent, {} dropped, {} doubled, \
         {} dead letters; {} invocations, {} killed, {} passes; the most memory by wave {:?} MiB; duplicates 0, losses 0",
        held.jobs,
        held.runs,
        held.submissions,
        held.again,
        held.children,
        held.left_out,
        calls.submissions,
        calls.in_outages,
        calls.on_the_wire,
        events.sent,
        events.dropped,
        events.doubled,
        counts.dead,
        counts.invocations,
        counts.killed,
        counts.passes,
        peaks.iter().map(|bytes| bytes >> 20).collect::<Vec<_>>(),
    );
    ensure!(http.is_none() || calls.on_the_wire[0] > 0, "nothing was throttled on the wire: {calls:?}");
    if jobs < JOBS {
        return Ok(());
    }
    ensure!(held.again > 0 && held.children > 0 && held.left_out > 0, "{held:?}");
    ensure!(
        counts.killed > 0 && calls.in_outages > 0 && events.dropped > 0 && events.doubled > 0,
        "{counts:?}"
    );
    let (first, last) = (peaks[0], peaks[peaks.len() - 1]);
    let most = first + SLACK_BYTES + jobs * LEDGER_BYTES;
    ensure!(last <= most, "the memory grows: {peaks:?}");
    Ok(())
}
