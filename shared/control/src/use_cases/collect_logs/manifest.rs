//! What is said of an archive, beside it.

use std::fmt::Display;
use std::io::ErrorKind;

use async_compression::tokio::bufread::GzipDecoder;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;

use super::looks::{Found, next_look};
use super::place::Place;
use crate::domain::{JobId, JobName, JobStatus, LogStream, LogsRecord, NextLook, Submission, Timestamp};
use crate::ports::{CheckpointStore, ObjectStore, PortError, Stored, Version};

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
    /// What there is to be had of the logs, and what of it the archive holds.
    #[serde(default)]
    pub state: ArchiveState,
    /// The state is [`ArchiveState::Complete`].
    pub complete: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_reason: Option<String>,
    /// When the reading of the logs began.
    pub collected_at: Timestamp,
    /// Looks at the log since it settled.
    #[serde(default)]
    pub looks: usize,
    /// When it is looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_look: Option<NextLook>,
    /// Where the archive goes on, while it is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// How an archive compares with the logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ArchiveState {
    /// Every stream that there is is in it, to its end.
    Complete,
    /// Something is missing, or may be.
    #[default]
    Incomplete,
    /// The job writes no logs to CloudWatch Logs.
    NotInCloudwatch,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub log_stream: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The object with its events, or where in an object that several logs share they lie, as in `…#bytes=0-119`: see
    /// [`Place`]. Absent where there is no such stream, where it has no events, and where there are `parts`. Earlier
    /// versions wrote an empty object for a stream without events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The objects with its events, in their order, where it is too long for one. With a `key` too, they hold
    /// what came later.
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
    /// `missing` tells of a refusal: there may be events that can't be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Its last page with events: later looks begin there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
}

/// The last page of a stream that had events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tail {
    /// Where it starts, a cursor of the log source. Absent: at the stream's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Its events that are in the archive.
    pub events: usize,
}

impl ArchivedStream {
    pub(super) fn new(stream: &LogStream) -> Self {
        Self {
            log_group: stream.group().to_owned(),
            region: stream.region.clone(),
            log_stream: stream.name.clone(),
            container: stream.container.clone(),
            key: None,
            parts: Vec::new(),
            events: 0,
            first_timestamp: None,
            last_timestamp: None,
            missing: None,
            refused: false,
            tail: None,
        }
    }

    /// The objects with its events, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.key.iter().chain(&self.parts)
    }

    /// Whether it was read, wholly or in part: one without events has no objects then.
    pub(crate) fn was_read(&self) -> bool {
        self.missing.is_none() || self.keys().next().is_some()
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
            state: ArchiveState::Incomplete,
            complete: false,
            incomplete_reason: None,
            collected_at: now,
            looks: 0,
            next_look: None,
            progress: None,
        }
    }

    /// Whether the log had settled when it was read. Of a job without `stoppedAt` nobody can tell.
    pub(super) fn had_settled(&self, submission: &Submission, settle_ms: i64) -> bool {
        let stopped_at = submission.state.times.stopped_at;
        stopped_at.is_none_or(|stopped_at| self.collected_at.millis_since(stopped_at) >= settle_ms)
    }

    /// Says that the archive has come so far.
    pub(super) fn go_on_after(&mut self, next: Option<String>) {
        self.events = self.streams.iter().map(|stream| stream.events).sum();
        (self.state, self.complete, self.next_look) = (ArchiveState::Incomplete, false, None);
        self.incomplete_reason = Some("the archive is being made: what is listed is in it so far".to_owned());
        self.progress = Some(Progress { next });
    }

    /// Says that every stream was read as far as it can be. A log is whole once the time to settle has passed.
    /// Of a job without `stoppedAt` the last change counts as its end, until the archive itself changes it.
    pub(super) fn finish(
        &mut self,
        submission: &Submission,
        settle_ms: i64,
        is_continued: bool,
        news: bool,
        now: Timestamp,
    ) {
        self.progress = None;
        self.events = self.streams.iter().map(|stream| stream.events).sum();
        let stopped_at = submission.state.times.stopped_at;
        let since_end_ms = self.collected_at.millis_since(stopped_at.unwrap_or(submission.updated_at));
        let has_settled = since_end_ms >= settle_ms || (is_continued && stopped_at.is_none());
        let elsewhere = submission.state.logs_elsewhere.clone();
        let refused = self.streams.iter().filter(|stream| stream.refused).find_map(|one| one.missing.clone());
        let missing = self.streams.iter().find_map(|stream| stream.missing.clone());
        let has_gap = missing.is_some();
        (self.state, self.incomplete_reason) = if self.streams.is_empty() && elsewhere.is_some() {
            (ArchiveState::NotInCloudwatch, elsewhere)
        } else if !has_settled {
            let may_grow = || format!("the job ended {since_end_ms} ms ago; late lines may follow");
            (ArchiveState::Incomplete, Some(missing.unwrap_or_else(may_grow)))
        } else {
            match refused.or(elsewhere) {
                Some(why) => (ArchiveState::Incomplete, Some(why)),
                None => (ArchiveState::Complete, None),
            }
        };
        self.complete = self.state == ArchiveState::Complete;
        self.next_look = match self.state {
            ArchiveState::NotInCloudwatch => Some(NextLook::Never),
            _ if !has_settled => None,
            _ => {
                let found = match (has_gap, news, self.streams.is_empty()) {
                    (true, ..) => Found::Gap,
                    (false, true, _) => Found::News,
                    (false, false, true) => Found::Nothing,
                    (false, false, false) => Found::Same,
                };
                let next = next_look(found, self.looks, settle_ms, now);
                self.looks += 1;
                Some(next)
            }
        };
    }

    /// What the store keeps of it, where it lies at a place.
    pub(super) fn record(&self, place: String) -> LogsRecord {
        LogsRecord {
            manifest_key: place,
            complete: self.complete,
            incomplete_reason: self.incomplete_reason.clone(),
            events: self.events,
            next_look: self.next_look,
        }
    }

    /// Writes it over the version that was read. Returns the new version; `None` where another call has written
    /// meanwhile.
    pub(super) async fn save<O: CheckpointStore>(
        &self,
        archive: &O,
        submission: &Submission,
        over: Option<&Version>,
    ) -> Result<Option<Version>, PortError> {
        let json =
            serde_json::to_vec_pretty(self).map_err(|error| PortError::permanent("manifest", error))?;
        archive.save(&manifest_key(submission), &json, over).await
    }
}

/// The place of a manifest that has an object of its own.
pub(super) fn manifest_key(submission: &Submission) -> String {
    LogsRecord::own_manifest_key(&submission.state.job_name, &submission.state.job_id)
}

/// A manifest that can't be read stands for none: the archive can be made anew.
pub(super) struct Known {
    pub(super) manifest: Option<Manifest>,
    /// Where it lies.
    pub(super) place: String,
    /// Of an object of its own.
    pub(super) version: Option<Version>,
}

/// The manifest that lies at a place; `None` where there is none, or none that may be read.
pub(super) async fn known<O: ObjectStore + CheckpointStore>(
    archive: &O,
    submission: &Submission,
    place: String,
) -> Result<Option<Known>, PortError> {
    let (manifest, version) = if Place::of(&place).bytes.is_some() {
        let found = open_manifest(archive, &place).await;
        let Some(manifest) = readable(found.map(Some))? else { return Ok(None) };
        (Some(manifest), None)
    } else {
        let Some(Stored { bytes, version }) = readable(archive.load(&place).await)? else { return Ok(None) };
        (serde_json::from_slice(&bytes).ok(), Some(version))
    };
    let is_of_this = |found: &Manifest| found.job_id == submission.state.job_id;
    Ok(Some(Known { manifest: manifest.filter(is_of_this), place, version }))
}

/// Reads the manifest that lies at a place: in an object of its own, or packed in one with others.
///
/// Errs where it can't be read, and for good where there is none, or none that is whole.
pub(crate) async fn open_manifest<O: ObjectStore>(archive: &O, place: &str) -> Result<Manifest, PortError> {
    let useless = |why: &dyn Display| PortError::permanent("archived log", format!("{place}: {why}"));
    let at = Place::of(place);
    let Some(mut object) = at.open(archive).await? else { return Err(useless(&"it is not there")) };
    let mut json = Vec::new();
    let read = match at.bytes {
        None => object.read_to_end(&mut json).await,
        Some(_) => GzipDecoder::new(object).read_to_end(&mut json).await,
    };
    match read {
        Ok(_) => serde_json::from_slice(&json).map_err(|why| useless(&why)),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(useless(&error)),
        Err(error) => Err(PortError::retryable("archived log", format!("{place}: {error}"))),
    }
}

/// What is refused for good is as good as not there.
fn readable<T>(found: Result<Option<T>, PortError>) -> Result<Option<T>, PortError> {
    found.or_else(|error| if error.may_pass() { Err(error) } else { Ok(None) })
}
