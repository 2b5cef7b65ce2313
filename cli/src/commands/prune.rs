//! `batchwright prune`.

use anyhow::Context;
use batchwright::ports::{Clock, JobQueries, JobRemoval, RunStore, SystemClock};
use batchwright::use_cases::prune::prune as forget_old;

use super::confirm::{is_confirmed, somebody_can_answer};
use crate::args::PruneArgs;
use crate::exit::{Exit, Failure};
use crate::output::human;

/// Forgets jobs and runs that ended long ago.
pub(crate) async fn prune<S>(store: &S, args: &PruneArgs) -> Result<Exit, Failure>
where
    S: JobQueries + JobRemoval + RunStore,
{
    if !args.yes {
        somebody_can_answer("prune")?;
    }
    let before = SystemClock.now().plus_millis(i64::from(args.older_than) * -1_000);
    if !args.yes {
        let old = forget_old(store, before, true).await.context("the jobs can't be counted")?;
        let what = format!("{} and {}", human::count(old.jobs, "job"), human::count(old.runs, "run"));
        let question = format!("forget {what} that ended before {}", before.to_rfc3339_seconds());
        if !is_confirmed(&question)? {
            return Ok(Exit::Well);
        }
    }
    let pruned = forget_old(store, before, false).await.context("not all was forgotten; prune again")?;
    let what = format!("{} and {}", human::count(pruned.jobs, "job"), human::count(pruned.runs, "run"));
    println!("{what} forgotten that ended before {}", before.to_rfc3339_seconds());
    if pruned.asked_for > 0 {
        println!("{} asked for meanwhile left alone", human::count(pruned.asked_for, "job"));
    }
    Ok(Exit::Well)
}
