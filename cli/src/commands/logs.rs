//! `batchwright logs`.

use std::io::{self, BufWriter, Write};

use anyhow::{Context, anyhow};
use batchwright::domain::{Job, JobId, Submission};
use batchwright::ports::{Cursor, JobQueries, LogSource, ObjectStore};
use batchwright::use_cases::read_logs::read_logs;
use serde::Serialize;

use crate::args::{LogsArgs, Output};
use crate::exit::{Exit, Failure};
use crate::output::records::Records;
use crate::output::text::harmless_log;

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

pub(crate) async fn logs<S: JobQueries, L: LogSource, O: ObjectStore>(
    store: &S,
    source: &L,
    archive: &O,
    args: &LogsArgs,
) -> Result<Exit, Failure> {
    let name = &args.name;
    let job = store.job(name).await.context("the job can't be read")?;
    let job = job.ok_or_else(|| Failure::Broken(anyhow!("no job is named {name}")))?;
    let submissions = submissions(store, &job, args.job_id.as_deref()).await?;
    let output = args.shown.output;
    let mut records = Records::new(BufWriter::new(io::stdout()), output, "events");
    let mut written = Ok(());
    for submission in &submissions {
        let job_id = &submission.state.job_id;
        let read = read_logs(source, archive, submission, |stream, event| {
            if written.is_err() {
                return;
            }
            written = if output == Output::Table {
                writeln!(records.out(), "{}", harmless_log(&event.message))
            } else {
                records.push(&Line {
                    job_id,
                    log_stream: &stream.name,
                    timestamp: event.timestamp.as_millis(),
                    ingestion_time: event.ingestion_time.as_millis(),
                    message: &event.message,
                })
            };
        });
        read.await.with_context(|| format!("the log of {job_id} can't be read"))?;
    }
    written.context("stdout")?;
    let rest = serde_json::json!({"jobName": name, "submissions": submissions.len()});
    records.finish(rest.as_object().unwrap_or(&serde_json::Map::new())).context("stdout")?;
    Ok(Exit::Well)
}

/// The job's submissions and children: tries in their order, children by index.
async fn submissions<S: JobQueries>(
    store: &S,
    job: &Job,
    only: Option<&str>,
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
    if let Some(only) = only {
        found.retain(|submission| submission.state.job_id.as_str() == only);
        if found.is_empty() {
            return Err(Failure::Broken(anyhow!("{} has no submission {only}", job.name())));
        }
    }
    job.head.sort_submissions(&mut found);
    Ok(found)
}
