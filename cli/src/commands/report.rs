//! `batchwright report`.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context;
use batchwright::domain::{Job, JobName, JobStatus, Run};
use batchwright::ports::{Clock, JobQueries, LogSource, ObjectStore, RunStore, SystemClock};
use batchwright::use_cases::array_counts::array_counts;
use batchwright::use_cases::explain::Logs;
use batchwright::use_cases::log_tail::LogTail;
use batchwright::use_cases::read_logs::read_logs;

use super::rejected::{Rejected, RejectedLine};
use crate::args::ReportArgs;
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::output::job_view::JobView;
use crate::report::{Beside, Page, earlier, earlier_ids};
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
    let runs = runs_of(store, &args.what).await?;
    let title = title(&args.what, &runs);
    if args.out == Path::new("-") {
        let out = BufWriter::new(io::stdout());
        let lost = |error| Failure::Broken(anyhow::Error::new(error).context("stdout"));
        write(store, logs, args, (out, &title, &runs), &lost).await?;
        return Ok(Exit::Well);
    }
    let jobs = write_file(store, logs, args, (&title, &runs)).await?;
    println!("{}: {}", args.out.display(), human::count(jobs, "job"));
    Ok(Exit::Well)
}

/// The runs among the words.
/// Writes the page beside its place and puts it there when it is whole, because a page from before is worth more than half a
/// new one. What is no regular file is written in place.
async fn write_file<S, L, O>(
    store: &S,
    logs: &Logs<'_, L, O>,
    args: &ReportArgs,
    about: (&str, &[Run]),
) -> Result<u64, Failure>
where
    S: JobQueries + RunStore,
    L: LogSource,
    O: ObjectStore,
{
    let (title, runs) = about;
    let lost = |error: io::Error| Failure::Rejected(format!("{}: {error}", args.out.display()));
    let place = std::fs::canonicalize(&args.out).unwrap_or_else(|_| args.out.clone());
    if std::fs::metadata(&place).is_ok_and(|found| !found.is_file()) {
        let file = File::options().write(true).open(&place).map_err(lost)?;
        return write(store, logs, args, (BufWriter::new(file), title, runs), &lost).await;
    }
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As any new file, and not for its owner alone.
    let mode = Permissions::from_mode(0o666);
    let new =
        tempfile::Builder::new().prefix(".report-").permissions(mode).tempfile_in(folder).map_err(lost)?;
    let jobs = write(store, logs, args, (BufWriter::new(&new), title, runs), &lost).await?;
    new.persist(&place).map_err(|error| lost(error.error))?;
    Ok(jobs)
}

pub(super) async fn runs_of<S: JobQueries + RunStore>(
    store: &S,
    words: &[String],
) -> Result<Vec<Run>, Failure> {
    let mut runs: Vec<Run> = Vec::new();
    for word in words {
        if let Named::Run(run) = named(store, word).await? {
            runs.push(*run);
        }
    }
    Ok(runs)
}

/// What a page is about.
pub(super) fn title(words: &[String], runs: &[Run]) -> String {
    match runs {
        [run] => human::file(&run.source),
        _ if words.is_empty() => "all jobs".to_owned(),
        _ => words.join(" "),
    }
}

async fn write<S, L, O>(
    store: &S,
    logs: &Logs<'_, L, O>,
    args: &ReportArgs,
    (out, title, runs): (impl Write, &str, &[Run]),
    lost: &impl Fn(io::Error) -> Failure,
) -> Result<u64, Failure>
where
    S: JobQueries + RunStore,
    L: LogSource,
    O: ObjectStore,
{
    let place = args.place.as_options();
    let mut page = Page::begin(out, title, &place, runs, SystemClock.now()).map_err(lost)?;
    let mut rejected = Rejected::by(store, logs.archive, &args.what).await?;
    if rejected.lines.len() as u64 != rejected.count {
        eprintln!(
            "of {} that were rejected the page has the first {}",
            human::count(rejected.count, "line"),
            rejected.lines.len()
        );
    }
    let mut logs_left = LOGS_MAX;
    let each = &mut async |name: JobName, job: Option<Job>| {
        let Some(job) = job else { return Ok(()) };
        // What is known of a job says more.
        if rejected.has(&name) {
            rejected.lines.retain(|line| line.job_name.as_ref() != Some(&name));
        }
        let mut beside = Beside::default();
        for job_id in earlier_ids(&job) {
            let item = store.submission(job_id).await.context("an earlier try can't be read")?;
            beside.earlier.push(earlier(&job, job_id, item.as_ref()));
        }
        if job.status() == Some(JobStatus::Failed) && logs_left > 0 {
            beside.log = tail(logs, &job).await;
            logs_left -= u32::from(beside.log.is_some());
        }
        beside.why = why(store, &job).await?;
        page.job(&job, &beside).map_err(lost)?;
        Ok(())
    };
    for_each_job(store, &args.what, each).await?;
    for RejectedLine { line, job_name, reason, .. } in &rejected.lines {
        let name = job_name.as_ref().map_or_else(|| format!("line {line}"), ToString::to_string);
        page.rejected(&name, &format!("rejected: {reason}")).map_err(lost)?;
    }
    page.finish().map_err(lost)
}

/// Why a job is not SUCCEEDED; of an array that FAILED, how many children and which.
pub(super) async fn why<S: JobQueries>(store: &S, job: &Job) -> Result<String, Failure> {
    let mut view = JobView::of(job);
    if job.status() == Some(JobStatus::Failed) {
        view.children = array_counts(store, job).await.context("the array's children can't be read")?;
    }
    Ok(view.why())
}

/// `None` where it wrote nothing, or its log can't be read.
async fn tail<L: LogSource, O: ObjectStore>(logs: &Logs<'_, L, O>, job: &Job) -> Option<String> {
    let mut tail = LogTail::of(LOG_LINES);
    let latest = job.latest.as_ref()?;
    read_logs(logs.source, logs.archive, latest, |_, event| tail.push(&event.message)).await.ok()?;
    let lines = tail.into_lines();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
