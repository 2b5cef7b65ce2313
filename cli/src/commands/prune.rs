//! `batchwright prune`.

use anyhow::Context;
use batchwright::domain::Timestamp;
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
    let before = before(SystemClock.now(), args.older_than);
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

fn before(now: Timestamp, age_ms: i64) -> Timestamp {
    now.plus_millis(age_ms.saturating_neg())
}

/// Reads an age, as in `30d`, in milliseconds.
pub(crate) fn parse_age(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no age: give a number of hours or days, as in 12h or 30d");
    let (number, unit_ms) = match text.char_indices().next_back() {
        Some((at, 'h')) => (&text[..at], 3_600_000),
        Some((at, 'd')) => (&text[..at], 86_400_000),
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(i64::from(number) * unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_hours_or_days() {
        for (text, hours) in [("0h", 0), ("12h", 12), ("30d", 720), ("4294967295d", 103_079_215_080)] {
            assert_eq!(parse_age(text), Ok(hours * 3_600_000), "{text}");
        }
        for text in ["", "d", "30", "-1d", "1w", "1.5d", "4294967296d", "３０d", "3 d"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
        let now = Timestamp::from_millis(5 * 86_400_000);
        assert_eq!(before(now, parse_age("2d").unwrap()), Timestamp::from_millis(3 * 86_400_000));
    }
}
