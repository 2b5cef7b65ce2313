//! `batchwright logs`.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use batchwright::domain::{Job, JobId, JobName, JobStatus, LogStream, Submission, Timestamp};
use batchwright::ports::{
    Clock, Cursor, JobQueries, LogEvent, LogSource, ObjectStore, RunStore, SystemClock,
};
use batchwright::use_cases::follow_logs::FollowedLogs;
use batchwright::use_cases::read_logs::read_logs;
use serde::Serialize;

use crate::args::{LogsArgs, Output};
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::output::records::Records;
use crate::output::text::harmless_log;
use crate::selection::for_each_job;

/// Between two looks at what is followed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// One line of a log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    job_id: &'a JobId,
    log_stream: &'a str,
    timestamp: i64,
    ingestion_time: i64,
    message: &'a str,
}

pub(crate) async fn logs<S: JobQueries + RunStore, L: LogSource, O: ObjectStore>(
    store: &S,
    source: &L,
    archive: &O,
    args: &LogsArgs,
) -> Result<Exit, Failure> {
    let mut chosen = chosen(store, args).await?;
    let since = args.since.map(|seconds| SystemClock.now().plus_millis(-i64::from(seconds) * 1_000));
    let mut printer = Printer::new(args, since, chosen.len() > 1);
    // Of what has ended nothing more comes; what has not is read on from where it was.
    let (mut ended, mut read, mut followed) = (BTreeSet::new(), BTreeSet::new(), FollowedLogs::default());
    let mut attempts = 0;
    loop {
        let mut is_open = false;
        for job in &chosen {
            is_open |= job.is_recovering() || !job.status().is_some_and(JobStatus::is_terminal);
            for submission in submissions(store, job, args).await? {
                let job_id = &submission.state.job_id;
                if ended.contains(job_id) {
                    continue;
                }
                attempts = attempts.max(attempts_of(&submission));
                printer.open(job.name(), job_id)?;
                let print = |stream: &LogStream, event: &LogEvent| {
                    if is_of_attempt(&submission, stream, args.attempt) {
                        printer.print(job.name(), job_id, stream, event);
                    }
                };
                let is_over = submission.state.status.is_terminal();
                let done = if followed.has(&submission) || args.follow && !is_over {
                    followed.read_on(source, &submission, print).await
                } else {
                    read_logs(source, archive, &submission, print).await.map(drop)
                };
                done.with_context(|| format!("the log of {job_id} can't be read"))?;
                read.insert(job_id.clone());
                if is_over {
                    ended.insert(job_id.clone());
                }
            }
        }
        printer.flush()?;
        if !(args.follow && is_open) {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        for job in &mut chosen {
            let known = store.job(job.name()).await.context("the job can't be read")?;
            *job = known.ok_or_else(|| super::no_such_job(job.name()))?;
        }
    }
    is_there(args, &chosen, read.len(), attempts)?;
    printer.finish(&chosen, read.len())?;
    Ok(Exit::Well)
}

/// Errs where the child or the attempt that is asked for is not there, and says what is.
fn is_there(args: &LogsArgs, jobs: &[Job], submissions: usize, attempts: usize) -> Result<(), Failure> {
    let of = match jobs {
        [job] => job.name().to_string(),
        jobs => human::count(jobs.len() as u64, "job"),
    };
    let size = jobs.iter().filter_map(|job| Some(job.head.spec.array_properties.as_ref()?.size)).max();
    let why = match (args.child.filter(|_| submissions == 0), args.attempt, size) {
        (Some(child), _, None) => format!("{of}: no array, and so without a child {child}"),
        (Some(child), _, Some(size)) if child >= size => {
            format!("{of}: children have the indices 0 to {}, and none has {child}", size - 1)
        }
        (Some(child), _, Some(_)) => format!("{of}: nothing was heard of child {child} yet"),
        (None, Some(attempt), _) if usize::try_from(attempt).unwrap_or(usize::MAX) > attempts => {
            format!(
                "{of}: no submission has an attempt {attempt}; {} so far",
                human::count(attempts as u64, "attempt")
            )
        }
        _ => return Ok(()),
    };
    Err(Failure::Broken(anyhow!(why)))
}

/// Batch's attempts of a submission, the one under way among them.
fn attempts_of(submission: &Submission) -> usize {
    let is_under_way = matches!(submission.state.status, JobStatus::Starting | JobStatus::Running);
    submission.state.attempts.len() + usize::from(is_under_way)
}

async fn chosen<S: JobQueries + RunStore>(store: &S, args: &LogsArgs) -> Result<Vec<Job>, Failure> {
    let mut jobs = Vec::new();
    let take = &mut async |_: JobName, job: Option<Job>| {
        jobs.extend(job);
        Ok(())
    };
    for_each_job(store, &args.what, take).await?;
    Ok(jobs)
}

/// Whether a stream was written by Batch's n-th attempt; the one under way comes after those that have ended.
fn is_of_attempt(submission: &Submission, stream: &LogStream, attempt: Option<u32>) -> bool {
    let Some(attempt) = attempt else { return true };
    let attempts = &submission.state.attempts;
    let number = attempts.iter().position(|attempt| attempt.log_streams.contains(stream));
    number.unwrap_or(attempts.len()) + 1 == usize::try_from(attempt).unwrap_or(usize::MAX)
}

/// Where lines go, and which.
struct Printer<'a> {
    args: &'a LogsArgs,
    since: Option<Timestamp>,
    has_prefix: bool,
    records: Records<BufWriter<io::Stdout>>,
    /// With `--out`: the file of the submission that is read.
    file: Option<BufWriter<File>>,
    /// With `--out`: the files that this call has written into.
    begun: HashSet<PathBuf>,
    files: u64,
    written: io::Result<()>,
}

impl<'a> Printer<'a> {
    fn new(args: &'a LogsArgs, since: Option<Timestamp>, has_prefix: bool) -> Self {
        let records = Records::new(BufWriter::new(io::stdout()), args.shown.output, "events");
        Self {
            args,
            since,
            has_prefix,
            records,
            file: None,
            begun: HashSet::new(),
            files: 0,
            written: Ok(()),
        }
    }

    /// The next lines are those of a submission.
    fn open(&mut self, job_name: &JobName, job_id: &JobId) -> Result<(), Failure> {
        let Some(folder) = &self.args.out else { return Ok(()) };
        self.close()?;
        let folder = folder.join(job_name.as_str());
        std::fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
        // An index is told from its array's id by a colon, which not every file system takes.
        let path = folder.join(format!("{}.log", job_id.as_str().replace([':', '#'], "-")));
        // Who follows comes back to it.
        let goes_on = !self.begun.insert(path.clone());
        self.file = Some(BufWriter::new(opened(&path, goes_on)?));
        self.files += 1;
        Ok(())
    }

    fn print(&mut self, job_name: &JobName, job_id: &JobId, stream: &LogStream, event: &LogEvent) {
        let is_wanted = self.since.is_none_or(|since| event.timestamp >= since)
            && self.args.grep.as_ref().is_none_or(|text| event.message.contains(text));
        if !is_wanted || self.written.is_err() {
            return;
        }
        self.written = if let Some(file) = &mut self.file {
            writeln!(file, "{}", event.message)
        } else if self.args.shown.output == Output::Table {
            let message = harmless_log(&event.message);
            let index = job_id.array_index().map(|index| format!(":{index}")).unwrap_or_default();
            if self.has_prefix || !index.is_empty() && self.args.follow {
                writeln!(self.records.out(), "{job_name}{index} | {message}")
            } else {
                writeln!(self.records.out(), "{message}")
            }
        } else {
            self.records.push(&Line {
                job_id,
                log_stream: &stream.name,
                timestamp: event.timestamp.as_millis(),
                ingestion_time: event.ingestion_time.as_millis(),
                message: &event.message,
            })
        };
    }

    fn close(&mut self) -> Result<(), Failure> {
        if let Some(mut file) = self.file.take() {
            file.flush().context("the log can't be written")?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.close()?;
        std::mem::replace(&mut self.written, Ok(())).context("stdout")?;
        Ok(self.records.out().flush().context("stdout")?)
    }

    fn finish(self, jobs: &[Job], submissions: usize) -> Result<(), Failure> {
        if let Some(folder) = &self.args.out {
            let told = format!("{}: {}", folder.display(), human::count(self.files, "file"));
            if self.args.shown.output == Output::Table {
                println!("{told}");
                return Ok(());
            }
            eprintln!("{told}");
        }
        let mut rest = serde_json::json!({"submissions": submissions});
        if let [job] = jobs {
            rest["jobName"] = serde_json::json!(job.name());
        }
        self.records.finish(rest.as_object().unwrap_or(&serde_json::Map::new())).context("stdout")?;
        Ok(())
    }
}

/// Opens a file anew, or to go on with what this call has written.
fn opened(path: &Path, goes_on: bool) -> Result<File, Failure> {
    let opened = File::options().create(true).write(true).append(goes_on).truncate(!goes_on).open(path);
    Ok(opened.with_context(|| format!("{} can't be written", path.display()))?)
}

/// The job's submissions and children: tries in their order, children by index.
async fn submissions<S: JobQueries>(
    store: &S,
    job: &Job,
    args: &LogsArgs,
) -> Result<Vec<Submission>, Failure> {
    let mut found = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page =
            store.submissions(job.name(), cursor.as_ref()).await.context("the submissions can't be read")?;
        found.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    if let Some(child) = args.child {
        found.retain(|submission| submission.state.job_id.array_index() == Some(child));
    }
    if let Some(only) = &args.job_id {
        found.retain(|submission| submission.state.job_id.as_str() == *only);
        if found.is_empty() {
            return Err(Failure::Broken(anyhow!("{} has no submission {only}", job.name())));
        }
    }
    job.head.sort_submissions(&mut found);
    Ok(found)
}
