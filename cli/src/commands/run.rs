//! `batchwright run` on this machine.

use std::path::PathBuf;

use anyhow::Context;
use batchwright::domain::{Job, JobDefinition, JobHead};
use batchwright::engine::VirtualClock;
use batchwright::job_file;
use batchwright::local::{Controller, End, Mode, Options, Others, RunningProcess, StateDir, source_of};
use batchwright::ports::{Clock, JobQueries, SystemClock};

use super::{interrupt, processes, runs, summary};
use crate::args::RunArgs;
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::output::{human, progress};

pub(crate) async fn run(args: &RunArgs) -> Result<Exit, Failure> {
    summary::may_be_read_again(&args.file)?;
    let Some(seed) = args.simulate else {
        let settings = processes::settings(&args.processes, Some(&args.file)).await?;
        return run_in(args, args.place.state_dir(), Mode::Processes(settings), SystemClock).await;
    };
    let clock = VirtualClock::starting_at(SystemClock.now());
    let mode = Mode::Simulated { seed };
    if args.place.given_state_dir().is_some() {
        return run_in(args, args.place.state_dir(), mode, clock).await;
    }
    let scratch = tempfile::tempdir().context("a folder for the simulation's state can't be made")?;
    run_in(args, StateDir::new(scratch.path()), mode, clock).await
}

async fn run_in<C: Clock + Clone + 'static>(
    args: &RunArgs,
    state_dir: StateDir,
    mode: Mode,
    clock: C,
) -> Result<Exit, Failure> {
    let definitions = read_definitions(&args.job_definitions).await?;
    let kept = args.processes.keep_workdirs.then(|| state_dir.clone());
    let options = Options { state_dir, vcpus: args.vcpus, mode };
    let mut controller = Controller::open(&options, clock).await?;
    controller.set_requested_by(environment::user());
    let observer = progress::observer(kept);
    let store = controller.store().clone();
    let source = source_of(&args.file);
    let known = store.clone();
    let this_run = async move || {
        let runs = runs::all(&known).await.ok()?.into_iter();
        runs.filter(|run| run.source == source).max_by_key(|run| run.started_at)
    };
    // This process answers its own requests, as it does those of others.
    let stopper = RunningProcess::of(&store);
    let stop = interrupt::detached(
        &store,
        &stopper,
        args.on_interrupt,
        this_run,
        under_way(store.clone(), args.file.clone()),
    );
    let ran = controller.run(&args.file, args.rerun, definitions, observer.as_ref(), stop).await;
    drop(observer);
    let ran = ran?;
    tell_of_others(&controller.others().await?);
    match ran {
        (_, End::Stopped { unfinished }) => {
            eprintln!(
                "interrupted: {} not ended; what runs goes on by itself, and the same command takes it up again",
                human::count(unfinished, "job")
            );
            Ok(Exit::Interrupted)
        }
        (run_id, End::Ended(counts)) => summary::show(controller.store(), args, &run_id, counts).await,
        (run_id, End::Blocked { counts, unfinished }) => {
            summary::show(controller.store(), args, &run_id, counts).await?;
            eprintln!(
                "blocked: {} not ended, because this machine can't hold them or what they wait for; the same command takes them up again where it can, with --vcpus or on a larger machine",
                human::count(unfinished, "job")
            );
            Ok(Exit::Unknown)
        }
    }
}

/// Jobs of a file that are under way, whichever run has submitted them. Where they can't be read, none: the run is
/// cancelled all the same.
async fn under_way<S: JobQueries>(store: S, file: PathBuf) -> Vec<JobHead> {
    let mut heads = Vec::new();
    let Ok(mut file) = summary::open_job_file(&file).await else { return heads };
    while let Ok(Some(entry)) = file.next().await {
        let Ok(spec) = entry.job else { continue };
        let known = store.job(&spec.job_name).await.ok().flatten();
        let is_under_way = |job: &Job| job.status().is_some_and(|status| !status.is_terminal());
        heads.extend(known.filter(is_under_way).map(|job| job.head));
    }
    heads
}

/// Says which jobs of the folder the run has not waited for.
fn tell_of_others(others: &Others) {
    if others.unfinished == 0 {
        return;
    }
    let files: Vec<String> =
        others.files.iter().map(|file| human::file(&file.display().to_string())).collect();
    let files = if files.is_empty() { String::new() } else { format!(" ({})", files.join(", ")) };
    eprintln!(
        "left to others: {} of other files{files} not ended; what runs goes on by itself, and the command that started the rest takes it up again",
        human::count(others.unfinished, "job")
    );
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
