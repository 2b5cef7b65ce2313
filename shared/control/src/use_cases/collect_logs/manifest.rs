//! What is said of an archive, beside it.

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;

use super::folder;
use crate::domain::{JobId, JobName, JobStatus, LogStream, LogsRecord, Submission, Timestamp};
use crate::ports::{ObjectStore, ObjectWriter, PortError};

/// What is said of an archive, beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The job.
    pub job_name: JobName,
    /// The submission, child or node.
    pub job_id: JobId,
    /// How it ended.
    pub status: JobStatus,
    /// Every stream that the job names, in the order of its attempts; those so far where there is
    /// [`Manifest::progress`].
    pub streams: Vec<ArchivedStream>,
    /// Events in all streams.
    pub events: u64,
    /// Nothing is missing.
    pub complete: bool,
    /// Why something may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_reason: Option<String>,
    /// When the reading of the logs began.
    pub collected_at: Timestamp,
    /// Where the archive goes on, while it is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// How far an archive has come: all of its streams are in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The last stream is in it up to this place, a cursor of the log source. Absent: to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One stream in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct ArchivedStream {
    pub log_group: String,
    pub log_stream: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The object with its events; absent where there is no such stream, and where there are `parts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The objects with its events, in their order, where it is too long for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    pub events: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_timestamp: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_timestamp: Option<Timestamp>,
    /// Why nothing, or nothing more, could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// There is more, which could not be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
}

impl ArchivedStream {
    pub(super) fn new(stream: &LogStream) -> Self {
        Self {
            log_group: stream.group().to_owned(),
            log_stream: stream.name.clone(),
            container: stream.container.clone(),
            key: None,
            parts: Vec::new(),
            events: 0,
            first_timestamp: None,
            last_timestamp: None,
            missing: None,
            unreadable: false,
        }
    }

    /// The objects with its events, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.key.iter().chain(&self.parts)
    }
}

impl Manifest {
    /// Of an archive that is begun now.
    pub(super) fn new(submission: &Submission, now: Timestamp) -> Self {
        let state = &submission.state;
        Self {
            job_name: state.job_name.clone(),
            job_id: state.job_id.clone(),
            status: state.status,
            streams: Vec::new(),
            events: 0,
            complete: false,
            incomplete_reason: None,
            collected_at: now,
            progress: None,
        }
    }

    /// Itself, where an archive was begun that is worth going on with: not where what it holds was read
    /// before the log had settled, and the log has settled now.
    pub(super) fn resumable(self, submission: &Submission, now: Timestamp, settle_ms: i64) -> Option<Self> {
        let settled = |at: Timestamp, ended_at: Timestamp| at.millis_since(ended_at) >= settle_ms;
        let stopped_at = submission.state.times.stopped_at;
        let is_worth_it = stopped_at
            .is_none_or(|stopped_at| settled(self.collected_at, stopped_at) || !settled(now, stopped_at));
        (self.progress.is_some() && self.job_id == submission.state.job_id && is_worth_it).then_some(self)
    }

    /// Says that the archive has come so far.
    pub(super) fn go_on_after(&mut self, next: Option<String>) {
        self.events = self.streams.iter().map(|stream| stream.events).sum();
        self.incomplete_reason = Some("the archive is being made: what is listed is in it so far".to_owned());
        self.progress = Some(Progress { next });
    }

    /// Says that every stream was read to its end. A log is whole once the time to settle has passed: what
    /// has not come by then does not come. Of a job without `stoppedAt` the last change counts as its end,
    /// until the archive itself changes it.
    pub(super) fn finish(&mut self, submission: &Submission, settle_ms: i64, is_continued: bool) {
        self.progress = None;
        self.events = self.streams.iter().map(|stream| stream.events).sum();
        let stopped_at = submission.state.times.stopped_at;
        let since_end_ms = self.collected_at.millis_since(stopped_at.unwrap_or(submission.updated_at));
        let unreadable = self.streams.iter().find(|stream| stream.unreadable);
        let has_settled = since_end_ms >= settle_ms || (is_continued && stopped_at.is_none());
        self.complete = has_settled && unreadable.is_none();
        let missing = unreadable.into_iter().chain(&self.streams).find_map(|stream| stream.missing.clone());
        let may_grow = || format!("the job ended {since_end_ms} ms ago; late lines may follow");
        self.incomplete_reason = (!self.complete).then(|| missing.unwrap_or_else(may_grow));
    }

    /// Writes it. Returns what the store keeps of it.
    pub(super) async fn save<O: ObjectStore>(
        &self,
        archive: &O,
        submission: &Submission,
    ) -> Result<LogsRecord, PortError> {
        let manifest_key = format!("{}/manifest.json", folder(submission));
        let json =
            serde_json::to_vec_pretty(self).map_err(|error| PortError::permanent("manifest", error))?;
        let mut object = archive.create_object(&manifest_key, "application/json").await?;
        object.write(&json).await?;
        object.finish().await?;
        Ok(LogsRecord {
            manifest_key,
            complete: self.complete,
            incomplete_reason: self.incomplete_reason.clone(),
            events: self.events,
        })
    }
}

/// The manifest that the store knows of. `None` where there is none, or none that can be read: the archive
/// can be made anew.
pub(in crate::use_cases) async fn manifest_of<O: ObjectStore>(
    archive: &O,
    submission: &Submission,
) -> Result<Option<Manifest>, PortError> {
    let Some(logs) = &submission.logs else { return Ok(None) };
    let mut object = match archive.open_object(&logs.manifest_key).await {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(None),
        Err(error) if error.may_pass() => return Err(error),
        Err(_) => return Ok(None),
    };
    let mut json = Vec::new();
    object.read_to_end(&mut json).await.map_err(|error| PortError::retryable("manifest", error))?;
    Ok(serde_json::from_slice(&json).ok())
}
