//! What is said at the end.

use batchwright::fan_out::{Progress, Summary};
use batchwright::use_cases::fan_out::{Came, Ended, FanOutError};

use crate::exit::{Exit, Failure};
use crate::output::human;

/// Says what all came to, and how the program ends. `before`: items that had a result already. `place`: the file
/// with which the same command goes on.
pub(super) fn tell(came: &Came, before: u64, place: Option<&str>) -> Result<Exit, Failure> {
    let Came { ended, progress, not_begun, aside, .. } = came;
    let counts = progress.counts;
    let is_nothing = counts.total() == 0;
    if is_nothing && matches!(ended, Ended::Complete) {
        eprintln!("the list is empty: nothing was invoked");
        return Ok(Exit::Well);
    }
    if let Ended::Halted(FanOutError::Port(error)) = ended
        && is_nothing
        && !error.may_pass()
    {
        return Err(Failure::Rejected(error.message.clone()));
    }
    eprintln!("{}", line(progress, before, *not_begun, matches!(ended, Ended::Complete)));
    match (aside, place, ended) {
        // With what lies there at the end of the file the same command goes on: without it these items would be unknown.
        (Some(aside), _, Ended::Halted(why)) if why.to_string().contains(aside) => {}
        (Some(aside), ..) => eprintln!("{aside}"),
        (None, Some(place), Ended::Stopped | Ended::Halted(_)) => {
            eprintln!("the results so far are in {place}: the same command goes on with them");
        }
        _ => {}
    }
    match ended {
        Ended::Stopped => Ok(Exit::Interrupted),
        Ended::Complete if counts.succeeded == counts.total() => Ok(Exit::Well),
        Ended::Complete => Ok(Exit::JobsFailed),
        Ended::Halted(why) => Err(Failure::Broken(anyhow::anyhow!("{why}"))),
    }
}

fn line(progress: &Progress, before: u64, not_begun: Option<u64>, is_complete: bool) -> String {
    let Summary { items, counts, retries, latency_ms, wall_time_ms, peak_concurrency } =
        Summary::from(progress);
    let named = [
        (counts.succeeded, "succeeded"),
        (counts.function_error, "failed"),
        (counts.rejected, "rejected"),
        (counts.unknown, "unknown"),
        (counts.not_run, "not run"),
    ];
    let told: Vec<String> =
        named.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    let mut line = format!("{}: {}", human::count(items, "invocation"), told.join(", "));
    match not_begun {
        _ if is_complete => {}
        Some(count) => line.push_str(&format!("; {count} not begun")),
        None => line.push_str("; the rest of the list not begun"),
    }
    if before > 0 {
        line.push_str(&format!("; {before} had a result before"));
    }
    if retries > 0 {
        let plural = if retries == 1 { "retry" } else { "retries" };
        line.push_str(&format!("; {retries} {plural}"));
    }
    if let Some(latency) = latency_ms {
        line.push_str(&format!("; p50 {} ms, p90 {} ms, p99 {} ms", latency.p50, latency.p90, latency.p99));
    }
    let wall = human::duration(i64::try_from(wall_time_ms).unwrap_or(i64::MAX));
    format!("{line}; {wall}, up to {peak_concurrency} at once")
}
