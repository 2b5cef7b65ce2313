//! `batchwright run`.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::Context;
use batchwright::domain::{JobDefinition, JobName, JobStatus, RunCounts, RunId, StatusCounts};
use batchwright::engine::VirtualClock;
use batchwright::job_file;
use batchwright::local::StateDir;
use batchwright::local::{Controller, End, Mode, Options};
use batchwright::ports::{Clock, JobStore, SystemClock};
use batchwright::sqlite::SqliteStore;
use tokio::fs::File;
use tokio::io::BufReader;

use crate::args::{Output, RunArgs};
use crate::exit::{Exit, Failure};
use crate::output::job_view::JobView;
use crate::output::records::Records;
use crate::output::table::ROWS_MAX;
use crate::output::{human, progress, table};

pub(crate) async fn run(args: RunArgs) -> Result<Exit, Failure> {
    let Some(seed) = args.simulate else {
        return run_in(&args, args.place.state_dir(), Mode::Processes, SystemClock).await;
    };
    let clock = VirtualClock::starting_at(SystemClock.now());
    let mode = Mode::Simulated { seed };
    if args.place.given_state_dir().is_some() {
        return run_in(&args, args.place.state_dir(), mode, clock).await;
    }
    let scratch = tempfile::tempdir().context("a folder for the simulation's state can't be made")?;
    run_in(&args, StateDir::new(scratch.path()), mode, clock).await
}

async fn run_in<C: Clock + Clone + 'static>(
    args: &RunArgs,
    state_dir: StateDir,
    mode: Mode,
    clock: C,
) -> Result<Exit, Failure> {
    let definitions = read_definitions(&args.job_definitions).await?;
    let working_directory = std::env::current_dir().context("the working directory can't be told")?;
    let options = Options { state_dir, vcpus: args.vcpus, mode, working_directory };
    let mut controller = Controller::open(&options, clock).await?;
    let observer = progress::observer();
    let stop = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let ran = controller.run(&args.file, args.rerun, definitions, observer.as_ref(), stop).await;
    drop(observer);
    match ran? {
        (_, End::Stopped { unfinished }) => {
            eprintln!(
                "interrupted: {} not ended; what runs goes on by itself, and the same command takes it up again",
                human::count(unfinished, "job")
            );
            Ok(Exit::Interrupted)
        }
        (run_id, End::Ended(counts)) => show(controller.store(), args, &run_id, counts).await,
    }
}

/// The job definitions of some files.
pub(super) async fn read_definitions(paths: &[PathBuf]) -> Result<Vec<JobDefinition>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        let bytes = tokio::fs::read(path).await;
        let bytes = bytes.map_err(|error| Failure::Rejected(format!("{}: {error}", path.display())))?;
        let read = job_file::read_definitions(&bytes, &path.display().to_string());
        all.extend(read.map_err(|error| Failure::Rejected(error.to_string()))?);
    }
    Ok(all)
}

/// What became of the jobs of the file: all of them, or those that did not succeed where they are many.
async fn show(
    store: &SqliteStore,
    args: &RunArgs,
    run_id: &RunId,
    counts: RunCounts,
) -> Result<Exit, Failure> {
    let output = args.shown.output;
    let mut records = Records::new(BufWriter::new(io::stdout()), output, "jobs");
    let mut statuses = StatusCounts::default();
    let (mut all, mut unsuccessful) = (Vec::new(), Vec::new());
    let mut printed = Ok(());
    for_each_job(store, &args.file, |view| {
        match view.status {
            Some(status) => statuses[status] += 1,
            None => statuses.unsubmitted += 1,
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
    })
    .await?;
    printed.context("stdout")?;
    let total = statuses.total();
    if output == Output::Table {
        let whole = total <= ROWS_MAX as u64;
        if !whole {
            all.retain(|view| view.status != Some(JobStatus::Succeeded));
            all.extend(unsuccessful);
            all.truncate(ROWS_MAX);
        }
        if !all.is_empty() {
            println!("{}", table::rendered(table::jobs(&all)));
        }
        println!("{}", summary(&statuses, &counts));
    } else {
        let rest = serde_json::json!({"runId": run_id, "counts": statuses, "run": counts});
        records.finish(rest.as_object().unwrap_or(&serde_json::Map::new())).context("stdout")?;
    }
    let well = statuses[JobStatus::Succeeded] == total && counts.rejected == 0 && counts.unknown == 0;
    Ok(if well { Exit::Well } else { Exit::JobsFailed })
}

/// As in `7 jobs: 5 SUCCEEDED, 2 FAILED; 7 submitted, 0 skipped`.
fn summary(statuses: &StatusCounts, counts: &RunCounts) -> String {
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
    text
}

/// Reads the file once more and looks its jobs up, so that none has to be held.
async fn for_each_job(
    store: &SqliteStore,
    path: &Path,
    mut each: impl FnMut(JobView),
) -> Result<(), Failure> {
    const BATCH: usize = 200;
    let name = path.display().to_string();
    let rejected = |error: &dyn std::fmt::Display| Failure::Rejected(error.to_string());
    let opened = File::open(path).await.map_err(|error| rejected(&error))?;
    let mut file = job_file::open(BufReader::new(opened), &name).await.map_err(|error| rejected(&error))?;
    let mut names: Vec<JobName> = Vec::with_capacity(BATCH);
    loop {
        let entry = file.next().await.map_err(|error| rejected(&error))?;
        let ended = entry.is_none();
        names.extend(entry.and_then(|entry| entry.job.ok()).map(|spec| spec.job_name));
        if names.len() == BATCH || ended {
            let jobs = store.jobs_named(&names).await.context("the jobs can't be read")?;
            jobs.iter().flatten().for_each(|job| each(JobView::of(job)));
            names.clear();
        }
        if ended {
            return Ok(());
        }
    }
}
