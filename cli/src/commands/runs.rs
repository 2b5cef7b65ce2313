//! `batchwright runs`.

use std::io::{self, BufWriter};

use anyhow::Context;
use batchwright::domain::{Ending, Run};
use batchwright::ports::{Cursor, RunStore};

use crate::args::{Output, RunsArgs};
use crate::exit::{Exit, Failure};
use crate::output::records::Records;
use crate::output::{human, table};

pub(crate) async fn runs<S: RunStore>(store: &S, args: &RunsArgs) -> Result<Exit, Failure> {
    let mut runs = all(store).await?;
    // The newest last, where the reader's eye is.
    runs.sort_by_key(|run| (run.started_at, run.run_id.clone()));
    let known = runs.len();
    runs.drain(..known.saturating_sub(args.limit));
    if args.shown.output != Output::Table {
        let mut records = Records::new(BufWriter::new(io::stdout()), args.shown.output, "runs");
        for run in &runs {
            records.push(&told(run)).context("stdout")?;
        }
        records.finish(&serde_json::Map::new()).context("stdout")?;
        return Ok(Exit::Well);
    }
    if runs.is_empty() {
        println!("no runs");
        return Ok(Exit::Well);
    }
    println!("{}", table::rendered(table(&runs)));
    if known > runs.len() {
        println!("the latest {} of {}", runs.len(), human::count(known as u64, "run"));
    }
    Ok(Exit::Well)
}

/// A run as it is printed as JSON: how its end is looked for is not for others.
pub(super) fn told(run: &Run) -> Run {
    Run { ending: Ending::default(), ..run.clone() }
}

pub(super) async fn all<S: RunStore>(store: &S) -> Result<Vec<Run>, Failure> {
    let mut runs = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.runs(cursor.as_ref()).await.context("the runs can't be read")?;
        runs.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(runs);
        }
    }
}

pub(super) fn table(runs: &[Run]) -> comfy_table::Table {
    let mut rows = table::table(&[
        "RUN",
        "STATE",
        "STARTED",
        "ENDED",
        "BY",
        "SUBMITTED",
        "SUCCEEDED",
        "FAILED",
        "SKIPPED",
        "REJECTED",
        "JOB FILE",
    ]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for run in runs {
        rows.add_row([
            run.run_id.to_string(),
            run.state.to_string(),
            run.started_at.to_rfc3339_seconds(),
            or_dash(run.end.map(|end| end.ended_at.to_rfc3339_seconds())),
            or_dash(run.requested_by.clone()),
            run.counts.submitted.to_string(),
            or_dash(run.end.map(|end| end.succeeded.to_string())),
            or_dash(run.end.map(|end| end.failed.to_string())),
            run.counts.skipped.to_string(),
            (run.counts.rejected + run.counts.unknown).to_string(),
            human::file(&run.source),
        ]);
    }
    rows
}
