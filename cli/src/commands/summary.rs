//! What `run` says at its end.

use std::collections::BTreeMap;
use std::io::{self, BufWriter};
use std::path::Path;

use anyhow::Context;
use batchwright::domain::{JobStatus, RunCounts, RunId, StatusCounts};
use batchwright::job_file::{self, JobFile};
use batchwright::ports::{JobQueries, RunStore};
use batchwright::use_cases::array_counts::array_counts;
use tokio::fs::File;
use tokio::io::BufReader;

use crate::args::{Output, RunArgs};
use crate::exit::{Exit, Failure};
use crate::output::job_view::JobView;
use crate::output::records::Records;
use crate::output::table::ROWS_MAX;
use crate::output::{human, table};
use crate::selection::for_each_of_file;

/// What became of the jobs of the file: all of them, or those that did not succeed where they are many.
pub(super) async fn show<S: JobQueries + RunStore>(
    store: &S,
    args: &RunArgs,
    run_id: &RunId,
    counts: RunCounts,
) -> Result<Exit, Failure> {
    let output = args.shown.output;
    let mut records = Records::new(BufWriter::new(io::stdout()), output, "jobs");
    let mut statuses = StatusCounts::default();
    let (mut all, mut unsuccessful) = (Vec::new(), Vec::new());
    let mut again: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut printed = Ok(());
    for_each_of_file(store, &args.file, &mut async |_, job| {
        let Some(view) = job.as_ref().map(JobView::of) else { return Ok(()) };
        match view.status {
            Some(status) => statuses[status] += 1,
            None => statuses.unsubmitted += 1,
        }
        for cause in &view.again {
            *again.entry(cause.as_str()).or_default() += 1;
        }
        if output != Output::Table {
            if printed.is_ok() {
                printed = records.push(&view);
            }
        } else if statuses.total() <= ROWS_MAX as u64 {
            all.push(view);
        } else if view.status != Some(JobStatus::Succeeded) && unsuccessful.len() < ROWS_MAX {
            unsuccessful.push(view);
        }
        Ok(())
    })
    .await?;
    printed.context("stdout")?;
    let total = statuses.total();
    let run = store.run(run_id).await.context("the run can't be read")?;
    let cancellation = run.as_ref().and_then(|run| run.cancellation.as_ref());
    if let Some(cancellation) = cancellation {
        eprintln!("the run {run_id} was cancelled: {}", cancellation.reason);
    }
    if output == Output::Table {
        let whole = total <= ROWS_MAX as u64;
        if !whole {
            all.retain(|view| view.status != Some(JobStatus::Succeeded));
            all.extend(unsuccessful);
            all.truncate(ROWS_MAX);
        }
        for view in all.iter_mut().filter(|view| view.array_size.is_some()) {
            if let Some(job) = store.job(&view.job_name).await.context("an array can't be read")? {
                view.children =
                    array_counts(store, &job).await.context("the array's children can't be read")?;
            }
        }
        if !all.is_empty() {
            println!("{}", table::rendered(table::jobs(&all)));
        }
        println!("{}", summary(&statuses, &counts, &again));
    } else {
        let rest =
            serde_json::json!({"runId": run_id, "counts": statuses, "run": counts, "resubmissions": again});
        records.finish(rest.as_object().unwrap_or(&serde_json::Map::new())).context("stdout")?;
    }
    // What became of the jobs counts, and not on which way: one that was UNKNOWN to the run is in the state by now.
    let well = cancellation.is_none() && statuses[JobStatus::Succeeded] == total && counts.rejected == 0;
    Ok(if well { Exit::Well } else { Exit::JobsFailed })
}

/// As in `7 jobs: 5 SUCCEEDED, 2 FAILED; 7 submitted, 0 skipped; 3 submitted again (HOST_LOST 2, TIMEOUT 1)`.
fn summary(statuses: &StatusCounts, counts: &RunCounts, again: &BTreeMap<&'static str, u64>) -> String {
    let by_status = statuses.iter().filter(|(_, count)| *count > 0);
    let mut parts: Vec<String> = by_status.map(|(status, count)| format!("{count} {status}")).collect();
    if statuses.unsubmitted > 0 {
        parts.push(format!("{} not submitted", statuses.unsubmitted));
    }
    let mut text = format!("{}: {}", human::count(statuses.total(), "job"), parts.join(", "));
    text.push_str(&format!("; {} submitted, {} skipped", counts.submitted, counts.skipped));
    for (count, word) in
        [(counts.changed, "of them changed"), (counts.rejected, "rejected"), (counts.unknown, "unknown")]
    {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    if !again.is_empty() {
        let causes: Vec<String> = again.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
        let sum: u64 = again.values().sum();
        text.push_str(&format!("; {sum} submitted again ({})", causes.join(", ")));
    }
    text
}

/// Errs where a run could not read its file again: it does before it submits the first job, and where it goes on.
pub(super) fn may_be_read_again(path: &Path) -> Result<(), Failure> {
    if path == Path::new("-") {
        let why = "-: a run reads its job file again where it goes on, so it is not read from standard input; write the jobs into a file first (a file of this name is ./-)";
        return Err(Failure::Rejected(why.to_owned()));
    }
    let is_read_once = path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    if is_read_once {
        return Err(Failure::Rejected(format!(
            "{}: can be read only once, and a run reads its job file again where it goes on; write the jobs into a file first",
            path.display()
        )));
    }
    Ok(())
}

/// Opens a job file, wherever it is to run.
pub(crate) async fn open_job_file(path: &Path) -> Result<JobFile<BufReader<File>>, Failure> {
    let name = path.display().to_string();
    let opened = File::open(path).await.map_err(|error| Failure::Rejected(format!("{name}: {error}")))?;
    let opened = job_file::open(BufReader::new(opened), &name).await;
    opened.map_err(|error| Failure::Rejected(error.to_string()))
}

/// How many jobs a file holds. Errs where it is wrong.
#[cfg(feature = "aws")]
pub(super) async fn count_jobs(path: &Path) -> Result<u64, Failure> {
    let mut file = open_job_file(path).await?;
    let mut jobs = 0;
    while file.next().await.map_err(|error| Failure::Rejected(error.to_string()))?.is_some() {
        jobs += 1;
    }
    Ok(jobs)
}
