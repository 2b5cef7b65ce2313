//! Histories of jobs by the thousand: events in any order, up to five times, late past later submissions,
//! or never; messages that fail and come again; calls and the store failing. After the reconciler has
//! passed, the store says what the engine's own books say.
//!
//! `HISTORIES=100000 cargo test -p batchwright-tests --test histories` plays so many;
//! `HISTORY=4711` plays the one of that seed.

mod check;
mod history;
mod nodes;
mod plan;
mod queue;
mod store;

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use batchwright::memory::InMemoryJobStore;
use batchwright::sqlite::SqliteStore;

use crate::history::{Told, run};

/// Histories that are played where nobody says how many.
const HISTORIES: u64 = 10_000;

/// One in so many is kept in SQLite.
const IN_SQLITE: u64 = 20;

/// All that happened.
#[derive(Debug, Default)]
struct Sum {
    histories: u64,
    sent: u64,
    deliveries: u64,
    dropped: u64,
    doubled: u64,
    redelivered: u64,
    dead: u64,
    submissions: u64,
    duplicates: u64,
}

impl AddAssign<Told> for Sum {
    fn add_assign(&mut self, told: Told) {
        self.histories += 1;
        self.sent += told.events.sent;
        self.deliveries += told.events.deliveries;
        self.dropped += told.events.dropped;
        self.doubled += told.events.doubled;
        self.redelivered += told.redelivered;
        self.dead += told.dead;
        self.submissions += told.agreed.submissions;
        self.duplicates += told.agreed.duplicates;
    }
}

fn play(seed: u64) -> anyhow::Result<Told> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let told = if seed.is_multiple_of(IN_SQLITE) {
        runtime.block_on(run(seed, SqliteStore::in_memory()?))
    } else {
        runtime.block_on(run(seed, InMemoryJobStore::default()))
    };
    told.with_context(|| format!("HISTORY={seed} plays it again"))
}

/// A number of the environment.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn setting(name: &str) -> anyhow::Result<Option<u64>> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    Ok(Some(text.parse().with_context(|| format!("{name}={text:?} is no number"))?))
}

#[test]
fn whatever_becomes_of_its_events_a_history_ends_as_the_engines_books_say() -> anyhow::Result<()> {
    let (first, end) = match setting("HISTORY")? {
        Some(seed) => (seed, seed + 1),
        None => (0, setting("HISTORIES")?.unwrap_or(HISTORIES)),
    };
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let played = std::thread::scope(|scope| {
        let player = || {
            let mut sum = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return Ok(sum);
                }
                match play(seed) {
                    Ok(told) => sum.push(told),
                    Err(error) => {
                        next.store(end, Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
        };
        let players: Vec<_> = (0..threads).map(|_| scope.spawn(player)).collect();
        players.into_iter().map(|player| player.join().expect("a player does not panic")).collect::<Vec<_>>()
    });
    let mut sum = Sum::default();
    for told in played {
        told?.into_iter().for_each(|told| sum += told);
    }
    assert_eq!(sum.histories, end - first);
    if sum.histories >= 100 {
        assert!(sum.dropped > 0 && sum.doubled > 0 && sum.redelivered > 0 && sum.dead > 0, "{sum:?}");
        assert!(sum.submissions > sum.histories, "{sum:?}");
    }
    println!(
        "histories: {} played, {} events sent, {} delivered, {} dropped, {} sent more than once, {} redelivered, \
         {} to the dead-letter queue, {} submissions, duplicates {}, losses 0",
        sum.histories,
        sum.sent,
        sum.deliveries,
        sum.dropped,
        sum.doubled,
        sum.redelivered,
        sum.dead,
        sum.submissions,
        sum.duplicates,
    );
    Ok(())
}
