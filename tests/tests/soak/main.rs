//! A deployment in a storm, for as long as it takes: all functions at once, over SQLite, a folder and the embedded
//! engine, on virtual time.
//!
//! `just soak 20000` runs so many jobs; `just soak 20000 7` those of another seed. The seed decides what is asked for
//! and what goes wrong; what comes first within one millisecond is the runtime's own.

mod bucket;
mod judge;
mod load;
mod mail;
mod storm;
mod world;

use anyhow::{Context as _, ensure};
use tokio::task::LocalSet;

use crate::judge::{Held, judge};
use crate::load::Wave;
use crate::world::World;

/// Jobs where nobody says how many.
const JOBS: u64 = 1_000;

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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let lived = LocalSet::new().block_on(&runtime, soak(seed, jobs));
    lived.with_context(|| format!("SOAK={jobs} SOAK_SEED={seed} runs it again"))
}

async fn soak(seed: u64, jobs: u64) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::new(seed, folder.path(), jobs).await?;
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
         cancelled runs; {} calls of SubmitJob, {} calls while Batch was away; {} events sent, {} dropped, {} doubled, \
         {} dead letters; {} invocations, {} killed, {} passes; the most memory by wave {:?} MiB; duplicates 0, losses 0",
        held.jobs,
        held.runs,
        held.submissions,
        held.again,
        held.children,
        held.left_out,
        calls.submissions,
        calls.in_outages,
        events.sent,
        events.dropped,
        events.doubled,
        counts.dead,
        counts.invocations,
        counts.killed,
        counts.passes,
        peaks.iter().map(|bytes| bytes >> 20).collect::<Vec<_>>(),
    );
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
