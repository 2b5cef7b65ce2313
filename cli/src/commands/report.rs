//! `batchwright report`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use batchwright::domain::{Job, JobName, JobStatus, Run};
use batchwright::ports::{Clock, JobQueries, LogSource, ObjectStore, RunStore, SystemClock};
use batchwright::use_cases::array_counts::array_counts;
use batchwright::use_cases::explain::Logs;
use batchwright::use_cases::read_logs::read_logs;

use crate::args::ReportArgs;
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::output::job_view::JobView;
use crate::report::{Beside, Page};
use crate::selection::{Named, for_each_job, named};

/// Failed jobs whose log ends stand in the page. More would make it heavy, and nobody reads them.
const LOGS_MAX: u32 = 50;

/// Lines of each.
const LOG_LINES: usize = 40;

pub(crate) async fn report<S, L, O>(
    store: &S,
    logs: &Logs<'_, L, O>,
    args: &ReportArgs,
) -> Result<Exit, Failure>
where
    S: JobQueries + RunStore,
    L: LogSource,
    O: ObjectStore,
{
    let mut runs: Vec<Run> = Vec::new();
    for word in &args.what {
        if let Named::Run(run) = named(store, word).await? {
            runs.push(*run);
        }
    }
    let title = match runs.as_slice() {
        [run] => run.source.clone(),
        _ if args.what.is_empty() => "all jobs".to_owned(),
        _ => args.what.join(" "),
    };
    if args.out == Path::new("-") {
        let out = BufWriter::new(io::stdout());
        write(store, logs, args, (out, &title, &runs)).await?;
        return Ok(Exit::Well);
    }
    let file = File::create(&args.out)
        .map_err(|error| Failure::Rejected(format!("{}: {error}", args.out.display())))?;
    let jobs = write(store, logs, args, (BufWriter::new(file), &title, &runs)).await?;
    println!("{}: {}", args.out.display(), human::count(jobs, "job"));
    Ok(Exit::Well)
}

async fn write<S, L, O>(
    store: &S,
    logs: &Logs<'_, L, O>,
    args: &ReportArgs,
    (out, title, runs): (impl Write, &str, &[Run]),
) -> Result<u64, Failure>
where
    S: JobQueries + RunStore,
    L: LogSource,
    O: ObjectStore,
{
    let place = args.place.as_options();
    let mut page = Page::begin(out, title, &place, runs, SystemClock.now()).context("stdout")?;
    let mut logs_left = LOGS_MAX;
    let each = &mut async |_: JobName, job: Option<Job>| {
        let Some(job) = job else { return Ok(()) };
        let mut beside = Beside::default();
        for earlier in job.head.job_tries.iter().filter(|job_id| Some(*job_id) != job.head.job_id.as_ref()) {
            beside.earlier.extend(store.submission(earlier).await.context("an earlier try can't be read")?);
        }
        if job.status() == Some(JobStatus::Failed) && logs_left > 0 {
            beside.log = tail(logs, &job).await;
            logs_left -= u32::from(beside.log.is_some());
        }
        let mut view = JobView::of(&job);
        if job.status() == Some(JobStatus::Failed) {
            view.children = array_counts(store, &job).await.context("the array's children can't be read")?;
        }
        beside.why = view.why();
        page.job(&job, &beside).context("stdout")?;
        Ok(())
    };
    for_each_job(store, &args.what, each).await?;
    Ok(page.finish().context("stdout")?)
}

/// `None` where it wrote nothing, or its log can't be read.
async fn tail<L: LogSource, O: ObjectStore>(logs: &Logs<'_, L, O>, job: &Job) -> Option<String> {
    let mut lines: VecDeque<String> = VecDeque::with_capacity(LOG_LINES);
    let read = read_logs(logs.source, logs.archive, job.latest.as_ref()?, |_, event| {
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(event.message.clone());
    });
    read.await.ok()?;
    let lines: Vec<String> = lines.into();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
