//! The archive of one submission's logs: every stream of every attempt and container, whole, as
//! gzipped JSON Lines, with a manifest that says what is there and what is not.

use async_compression::tokio::write::GzipEncoder;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tracing::info;

use crate::domain::{JobId, JobName, JobStatus, LogStream, LogsRecord, Submission, Timestamp};
use crate::ports::{Clock, JobStore, LogSource, LogSourceError, ObjectStore, ObjectWriter, PortError};

/// How long a log may still grow after its job has ended.
#[derive(Debug, Clone, Copy)]
pub struct CollectPolicy {
    /// Milliseconds after the end before the log is believed to be whole. Agents deliver late.
    pub settle_ms: i64,
}

/// What is said of an archive, beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The job.
    pub job_name: JobName,
    /// The submission, child or node.
    pub job_id: JobId,
    /// How it ended.
    pub status: JobStatus,
    /// Every stream that the job names.
    pub streams: Vec<ArchivedStream>,
    /// Events in all streams.
    pub events: u64,
    /// Nothing is missing.
    pub complete: bool,
    /// Why something may be missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete_reason: Option<String>,
    /// When the logs were read.
    pub collected_at: Timestamp,
}

/// One stream in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct ArchivedStream {
    pub log_group: String,
    pub log_stream: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The object with its events; absent where there is no such stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_timestamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_timestamp: Option<Timestamp>,
    /// Why nothing could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Reads all logs of a submission that has ended and archives them. `None` where the submission is
/// not known, has not ended, or is archived whole already.
///
/// Idempotent: an archive is replaced as a whole, and complete ones are left alone.
pub async fn collect_logs<S: JobStore, L: LogSource, O: ObjectStore>(
    store: &S,
    source: &L,
    archive: &O,
    clock: &impl Clock,
    policy: &CollectPolicy,
    job_id: &JobId,
) -> Result<Option<LogsRecord>, PortError> {
    let Some(submission) = store.submission(job_id).await? else { return Ok(None) };
    let archived = submission.logs.as_ref().is_some_and(|logs| logs.complete);
    if archived || !submission.state.status.is_terminal() {
        return Ok(None);
    }
    let manifest = archive_streams(source, archive, clock.now(), policy, &submission).await?;
    let manifest_key = format!("{}/manifest.json", folder(&submission));
    let json =
        serde_json::to_vec_pretty(&manifest).map_err(|error| PortError::permanent("manifest", error))?;
    let mut object = archive.create_object(&manifest_key, "application/json").await?;
    object.write(&json).await?;
    object.finish().await?;
    let record = LogsRecord {
        manifest_key,
        complete: manifest.complete,
        incomplete_reason: manifest.incomplete_reason,
        events: manifest.events,
    };
    store.save_logs(job_id, &record, clock.now()).await?;
    info!(job.id = %job_id, events = record.events, complete = record.complete, "logs archived");
    Ok(Some(record))
}

/// Where the logs of a submission lie in the archive.
fn folder(submission: &Submission) -> String {
    format!("logs/{}/{}", submission.state.job_name, submission.state.job_id)
}

/// The object of the n-th stream of [`JobState::all_log_streams`].
///
/// [`JobState::all_log_streams`]: crate::domain::JobState::all_log_streams
pub(super) fn stream_key(submission: &Submission, index: usize, stream: &LogStream) -> String {
    let container = stream.container.as_deref().map(|name| format!("-{name}")).unwrap_or_default();
    format!("{}/{index:03}{container}.jsonl.gz", folder(submission))
}

async fn archive_streams<L: LogSource, O: ObjectStore>(
    source: &L,
    archive: &O,
    now: Timestamp,
    policy: &CollectPolicy,
    submission: &Submission,
) -> Result<Manifest, PortError> {
    let state = &submission.state;
    let mut streams = Vec::new();
    for (index, stream) in state.all_log_streams().into_iter().enumerate() {
        let key = stream_key(submission, index, stream);
        streams.push(archive_stream(source, archive, key, stream).await?);
    }
    let ended = state.times.stopped_at.unwrap_or(submission.updated_at);
    let incomplete_reason = why_incomplete(&streams, now.millis_since(ended), policy.settle_ms);
    Ok(Manifest {
        job_name: state.job_name.clone(),
        job_id: state.job_id.clone(),
        status: state.status,
        events: streams.iter().map(|stream| stream.events).sum(),
        streams,
        complete: incomplete_reason.is_none(),
        incomplete_reason,
        collected_at: now,
    })
}

/// A log is whole once the time to settle has passed: what has not come by then does not come.
fn why_incomplete(streams: &[ArchivedStream], since_end_ms: i64, settle_ms: i64) -> Option<String> {
    if since_end_ms >= settle_ms {
        return None;
    }
    let missing = streams.iter().find_map(|stream| stream.missing.clone());
    Some(missing.unwrap_or_else(|| format!("the job ended {since_end_ms} ms ago; late lines may follow")))
}

async fn archive_stream<L: LogSource, O: ObjectStore>(
    source: &L,
    archive: &O,
    key: String,
    stream: &LogStream,
) -> Result<ArchivedStream, PortError> {
    let mut archived = ArchivedStream {
        log_group: stream.group().to_owned(),
        log_stream: stream.name.clone(),
        container: stream.container.clone(),
        key: None,
        events: 0,
        first_timestamp: None,
        last_timestamp: None,
        missing: None,
    };
    let mut page = match source.log_events(stream, None).await {
        Ok(page) => page,
        Err(LogSourceError::Port(error)) => return Err(error),
        Err(missing) => {
            archived.missing = Some(missing.to_string());
            return Ok(archived);
        }
    };
    let mut object = archive.create_object(&key, "application/x-ndjson").await?;
    let mut gzip = GzipEncoder::new(Vec::new());
    loop {
        for event in &page.events {
            let mut line =
                serde_json::to_vec(event).map_err(|error| PortError::permanent("log event", error))?;
            line.push(b'\n');
            gzip.write_all(&line).await.map_err(|error| PortError::permanent("gzip", error))?;
            archived.first_timestamp.get_or_insert(event.timestamp);
            archived.last_timestamp = Some(event.timestamp);
        }
        archived.events += page.events.len() as u64;
        object.write(&std::mem::take(gzip.get_mut())).await?;
        let Some(next) = page.next else { break };
        page = source.log_events(stream, Some(&next)).await.map_err(|error| match error {
            LogSourceError::Port(error) => error,
            gone => PortError::retryable("log stream", gone),
        })?;
    }
    gzip.shutdown().await.map_err(|error| PortError::permanent("gzip", error))?;
    object.write(gzip.get_ref()).await?;
    object.finish().await?;
    archived.key = Some(key);
    Ok(archived)
}
