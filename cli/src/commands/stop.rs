//! `batchwright cancel` and `batchwright terminate`.

use std::collections::BTreeSet;
use std::io::{self, BufWriter};

use anyhow::Context;
use batchwright::domain::stop::{Stopping, stopping};
use batchwright::domain::{Cause, Job, JobId, JobName, JobState, Run, RunState, Stop};
use batchwright::local::{Controller, LocalError, Mode, Options, RunningProcess, StateDir, StateDirError};
use batchwright::ports::{JobQueries, JobStopper, RunStore, SystemClock};
use batchwright::use_cases::stop::{StopCounts, StopLine, StopOutcome, cancel_run, stop_jobs, stop_run};
use serde::Serialize;

use super::confirm::{self, somebody_can_answer};
use super::{open_to_change, processes};
use crate::args::{Output, ProcessArgs, StopArgs};
use crate::exit::{Exit, Failure};
use crate::output::records::Records;
use crate::output::table::ROWS_MAX;
use crate::output::{human, table};
use crate::selection::{BATCH, Named, for_each_job, named};

/// One job in the output for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    job_name: &'a JobName,
    job_id: Option<&'a JobId>,
    outcome: StopOutcome,
    reason: Option<&'a str>,
}

/// What is to be stopped.
struct Asked {
    runs: Vec<Run>,
    names: Vec<JobName>,
    /// Jobs that are under way.
    open: u64,
}

/// On this machine: by the process that runs the jobs, or, where there is none, by an engine of our own.
pub(crate) async fn stop_locally(dir: &StateDir, args: &StopArgs, stop: Stop) -> Result<Exit, Failure> {
    let store = open_to_change(dir)?;
    let asked = ask(&store, args, stop).await?;
    if !is_confirmed(&asked, args, stop)? {
        return Ok(Exit::Well);
    }
    let settings = processes::settings(&ProcessArgs::default(), None).await?;
    let options = Options { state_dir: dir.clone(), vcpus: None, mode: Mode::Processes(settings) };
    match Controller::open_to_stop(&options, SystemClock).await {
        Ok(mut controller) => {
            let (names, waits) = (asked.names.clone(), stop == Stop::Terminate);
            let (exit, Stopped { asked, all }) =
                carry_out(&store, &controller.stopper(), asked, args, stop).await?;
            controller.until_ended(asked, waits).await?;
            // A try that had ended by itself may have been submitted again since: that is asked to stop, too.
            let again = submitted_since(&store, &names, &all).await?;
            let (mut asked, reason) = (BTreeSet::new(), reason(args, stop));
            let note = |line: &StopLine| asked.extend(line.job_id.clone());
            let stopped = stop_jobs(&store, &controller.stopper(), &again, stop, &reason, note).await;
            stopped.context("the jobs can't be read")?;
            controller.until_ended(asked, waits).await?;
            controller.finish_cancelled_runs().await?;
            Ok(exit)
        }
        Err(LocalError::StateDir(StateDirError::InUse { .. })) => {
            let (exit, _) = carry_out(&store, &RunningProcess::of(&store), asked, args, stop).await?;
            Ok(exit)
        }
        Err(error) => Err(error.into()),
    }
}

/// Wherever the stopper reaches.
#[cfg(feature = "aws")]
pub(crate) async fn stop<S: JobQueries + RunStore>(
    store: &S,
    stopper: &impl JobStopper,
    args: &StopArgs,
    stop: Stop,
) -> Result<Exit, Failure> {
    let asked = ask(store, args, stop).await?;
    if !is_confirmed(&asked, args, stop)? {
        return Ok(Exit::Well);
    }
    Ok(carry_out(store, stopper, asked, args, stop).await?.0)
}

async fn ask<S: JobQueries + RunStore>(store: &S, args: &StopArgs, stop: Stop) -> Result<Asked, Failure> {
    let mut asked = Asked { runs: Vec::new(), names: Vec::new(), open: 0 };
    let mut others = Vec::new();
    for word in &args.what {
        match named(store, word).await? {
            // Of a run some of whose jobs are chosen, the others go on.
            Named::Run(run) if args.cause.is_empty() => {
                let count = &mut async |_, job: Option<Job>| {
                    asked.open += is_open(job.as_ref(), stop);
                    Ok(())
                };
                for_each_job(store, std::slice::from_ref(word), count).await?;
                asked.runs.push(*run);
            }
            _ => others.push(word.clone()),
        }
    }
    if others.is_empty() && !args.what.is_empty() {
        return Ok(asked);
    }
    let choose = &mut async |name, job: Option<Job>| {
        if has_cause(job.as_ref(), &args.cause) {
            asked.open += is_open(job.as_ref(), stop);
            asked.names.push(name);
        }
        Ok(())
    };
    for_each_job(store, &others, choose).await?;
    Ok(asked)
}

fn is_open(job: Option<&Job>, stop: Stop) -> u64 {
    let stopping = job.map(|job| stopping(job, stop));
    u64::from(matches!(
        stopping,
        Some(Stopping::Ask(_) | Stopping::RunsOn(_) | Stopping::BeingSubmitted | Stopping::Children(_))
    ))
}

/// Whether one of the tries since a person last asked ended for one of the causes.
fn has_cause(job: Option<&Job>, causes: &[Cause]) -> bool {
    let Some(job) = job else { return false };
    let latest = job.state().and_then(JobState::cause);
    let earlier = job.head.tries_since_asked().iter().filter_map(|id| job.head.end_of(id)?.cause);
    causes.is_empty() || earlier.chain(latest).any(|cause| causes.contains(&cause))
}

fn is_confirmed(asked: &Asked, args: &StopArgs, stop: Stop) -> Result<bool, Failure> {
    if args.yes {
        return Ok(true);
    }
    somebody_can_answer(&stop.to_string())?;
    let runs: Vec<String> = asked
        .runs
        .iter()
        .map(|run| format!("the run {} ({})", run.run_id, human::file(&run.source)))
        .collect();
    let what =
        if runs.is_empty() { human::count(asked.names.len() as u64, "job") } else { runs.join(" and ") };
    confirm::is_confirmed(&format!("{stop} {what}: {} under way", human::count(asked.open, "job")))
}

/// Submissions that were looked at.
#[derive(Default)]
struct Stopped {
    /// Those that Batch was asked to stop.
    asked: BTreeSet<JobId>,
    all: BTreeSet<JobId>,
}

/// Jobs that are under way by a submission that nobody has looked at.
async fn submitted_since<S: JobQueries>(
    store: &S,
    names: &[JobName],
    seen: &BTreeSet<JobId>,
) -> Result<Vec<JobName>, Failure> {
    let is_new = |job: &Job| {
        let is_unseen = job.head.job_id.as_ref().is_some_and(|id| !seen.contains(id));
        is_unseen && job.status().is_some_and(|status| !status.is_terminal())
    };
    let mut since = Vec::new();
    for names in names.chunks(BATCH) {
        let jobs = store.jobs_named(names).await.context("the jobs can't be read")?;
        since.extend(jobs.into_iter().flatten().filter(is_new).map(|job| job.head.spec.job_name));
    }
    Ok(since)
}

fn reason(args: &StopArgs, stop: Stop) -> String {
    args.reason.clone().unwrap_or_else(|| match crate::environment::user() {
        Some(user) => format!("{stop} by {user}, with batchwright"),
        None => format!("{stop}, with batchwright"),
    })
}

/// Returns how it went, and what was looked at.
async fn carry_out<S: JobQueries + RunStore>(
    store: &S,
    stopper: &impl JobStopper,
    asked: Asked,
    args: &StopArgs,
    stop: Stop,
) -> Result<(Exit, Stopped), Failure> {
    let reason = reason(args, stop);
    let mut told = Told::new(args.shown.output);
    let mut counts = StopCounts::default();
    let mut runs = Vec::new();
    for run in &asked.runs {
        let cancelled = cancel_run(store, &SystemClock, &run.run_id, stop, &reason).await;
        let Some(run) = cancelled.context("the run can't be cancelled")? else { continue };
        if run.state == RunState::Cancelling {
            let stopped =
                stop_run(store, stopper, &SystemClock, &run, SETTLE_MS, |line| told.tell(line)).await;
            add(&mut counts, stopped.context("the run's jobs can't be read")?);
        }
        runs.push(run);
    }
    if !asked.names.is_empty() {
        let stopped = stop_jobs(store, stopper, &asked.names, stop, &reason, |line| told.tell(line)).await;
        add(&mut counts, stopped.context("the jobs can't be read")?);
    }
    let stopped = told.finish(&runs, counts)?;
    Ok((if counts.not_stopped > 0 { Exit::JobsFailed } else { Exit::Well }, stopped))
}

/// A later look, by the reconciler or the process that runs the jobs, ends the cancellation.
const SETTLE_MS: i64 = i64::MAX;

fn add(sum: &mut StopCounts, counts: StopCounts) {
    sum.requested += counts.requested;
    sum.ended += counts.ended;
    sum.runs_on += counts.runs_on;
    sum.not_stopped += counts.not_stopped;
}

/// Prints jobs as they come, or those that were not stopped.
struct Told {
    output: Output,
    records: Records<BufWriter<io::Stdout>>,
    printed: io::Result<()>,
    rows: Vec<StopLine>,
    left_out: u64,
    stopped: Stopped,
}

impl Told {
    fn new(output: Output) -> Self {
        Self {
            output,
            records: Records::new(BufWriter::new(io::stdout()), output, "jobs"),
            printed: Ok(()),
            rows: Vec::new(),
            left_out: 0,
            stopped: Stopped::default(),
        }
    }

    fn tell(&mut self, line: &StopLine) {
        self.stopped.all.extend(line.job_id.clone());
        if line.outcome == StopOutcome::Requested {
            self.stopped.asked.extend(line.job_id.clone());
        }
        if self.output != Output::Table {
            let StopLine { job_name, job_id, outcome, reason } = line;
            let line =
                Line { job_name, job_id: job_id.as_ref(), outcome: *outcome, reason: reason.as_deref() };
            if self.printed.is_ok() {
                self.printed = self.records.push(&line);
            }
        } else if matches!(line.outcome, StopOutcome::RunsOn | StopOutcome::NotStopped) {
            if self.rows.len() < ROWS_MAX {
                self.rows.push(line.clone());
            } else {
                self.left_out += 1;
            }
        }
    }

    fn finish(self, runs: &[Run], counts: StopCounts) -> Result<Stopped, Failure> {
        self.printed.context("stdout")?;
        if self.output != Output::Table {
            let ids: Vec<_> = runs.iter().map(|run| &run.run_id).collect();
            let rest = serde_json::json!({"runs": ids, "counts": counts});
            self.records.finish(rest.as_object().unwrap_or(&serde_json::Map::new())).context("stdout")?;
            return Ok(self.stopped);
        }
        if !self.rows.is_empty() {
            let mut rows = table::table(&["JOB", "NOT STOPPED BECAUSE"]);
            for line in self.rows {
                rows.add_row([line.job_name.to_string(), line.reason.unwrap_or_default()]);
            }
            println!("{}", table::rendered(rows));
        }
        if self.left_out > 0 {
            println!("… and {} more", self.left_out);
        }
        for run in runs {
            println!("{}", standing(run));
        }
        println!(
            "{} asked to stop, {} not under way, {} run on, {} not stopped",
            human::count(counts.requested, "job"),
            counts.ended,
            counts.runs_on,
            counts.not_stopped
        );
        Ok(self.stopped)
    }
}

fn standing(run: &Run) -> String {
    match run.state {
        RunState::Rejected => format!("run {} was rejected: there is nothing to stop", run.run_id),
        RunState::Cancelled => format!("run {} was cancelled before", run.run_id),
        _ => format!("run {} is cancelled: it submits nothing more", run.run_id),
    }
}
