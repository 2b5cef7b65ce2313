//! The archive of one submission's logs: every stream of every attempt and container, whole, as
//! gzipped JSON Lines, with a manifest that says what is there and what is not.
//!
//! A log that is too long for one call is archived in parts. After each part the manifest says how far the
//! archive has come, and the next call goes on from there.

mod archivist;
mod bundle;
mod held;
mod looks;
mod manifest;
mod part;
mod place;
mod stream;

use tracing::{info, warn};

use self::archivist::{Archivist, Stopped};
use self::manifest::{Known, known, manifest_key};
use crate::domain::{JobId, JobState, LogStream, LogsRecord, Submission, Timestamp};
use crate::ports::{CheckpointStore, Clock, JobQueries, LogSource, ObjectStore, PortError, StateStore};

pub use bundle::{Bundle, Member};
pub use manifest::{ArchiveState, ArchivedStream, Manifest, Progress, Tail};
pub use part::PartLimits;
pub use place::Place;

pub(crate) use manifest::open_manifest;

/// How long a log may still grow after its job has ended.
#[derive(Debug, Clone, Copy)]
pub struct CollectPolicy {
    /// Milliseconds after the end before the log is believed to be whole. Agents deliver late. Later looks come
    /// after multiples of it.
    pub settle_ms: i64,
}

/// Why a log is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is time.
    WhenDue,
    /// Somebody asks for it: all of it is read again, whatever is archived.
    Forced,
}

/// Reads all logs of a submission that has ended and archives them. `None` where the submission is
/// not known, has not ended, or is not to be looked at now.
///
/// Idempotent: archives that no look is due for are left alone, and one that holds more is never replaced by
/// one that holds less. Dropped or failed, it has kept the parts that were finished, and the next call goes on
/// after them. Any number of calls at once leave an archive of one of them. A stream that can't be read stands
/// in the manifest with the reason, and keeps none of the others out.
pub async fn collect_logs<S: JobQueries + StateStore, L: LogSource, O: ObjectStore + CheckpointStore>(
    store: &S,
    source: &L,
    archive: &O,
    clock: &impl Clock,
    policy: &CollectPolicy,
    job_id: &JobId,
    look: Look,
) -> Result<Option<LogsRecord>, PortError> {
    Collector { store, source, archive, clock, policy, limits: PartLimits::default(), bundle: None }
        .collect(job_id, look)
        .await
}

/// What archives logs: the ports, and in what size.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Collector<'a, S, L, O, C> {
    pub store: &'a S,
    pub source: &'a L,
    pub archive: &'a O,
    pub clock: &'a C,
    pub policy: &'a CollectPolicy,
    pub limits: PartLimits,
    /// Logs that are collected at once, and share an object where they are small. Whoever collects one holds a
    /// [`Member`] of it meanwhile.
    pub bundle: Option<&'a Bundle>,
}

impl<S: JobQueries + StateStore, L: LogSource, O: ObjectStore + CheckpointStore, C: Clock>
    Collector<'_, S, L, O, C>
{
    /// Does what [`collect_logs`] does.
    pub async fn collect(&self, job_id: &JobId, look: Look) -> Result<Option<LogsRecord>, PortError> {
        let Some(submission) = self.store.submission(job_id).await? else { return Ok(None) };
        let now = self.clock.now();
        if !submission.state.status.is_terminal() || !(look == Look::Forced || is_due(&submission, now)) {
            return Ok(None);
        }
        let archivist = Archivist { collector: self, submission: &submission, now };
        let mut found = match &submission.logs {
            Some(logs) => known(self.archive, &submission, logs.manifest_key.clone()).await?,
            None => None,
        };
        for _ in 0..2 {
            match archivist.look(found, look).await {
                Ok(record) => {
                    info!(job.id = %job_id, events = record.events, complete = record.complete, "logs archived");
                    return Ok(Some(record));
                }
                Err(Stopped::Port(error)) => return Err(error),
                Err(Stopped::Overtaken) => {
                    found = known(self.archive, &submission, manifest_key(&submission)).await?;
                }
            }
            if let Some(Known { manifest: Some(theirs), place, .. }) = &found
                && theirs.progress.is_none()
            {
                warn!(job.id = %job_id, "another call has archived the logs meanwhile");
                return archivist.keep_record(theirs.record(place.clone())).await.map(Some);
            }
        }
        Err(PortError::retryable("archive logs", format!("another call is archiving the logs of {job_id}")))
    }
}

/// Whether it is time to look at the logs of a job that has ended.
fn is_due(submission: &Submission, now: Timestamp) -> bool {
    let Some(logs) = &submission.logs else { return true };
    logs.waits_since(now).is_some_and(|since| since <= now)
}

/// What the objects of the n-th stream of [`JobState::all_log_streams`] begin with.
fn stream_prefix(submission: &Submission, index: usize, stream: &LogStream) -> String {
    let container = stream.container.as_deref().map(|name| format!("-{name}")).unwrap_or_default();
    let JobState { job_name, job_id, .. } = &submission.state;
    format!("{}/{index:03}{container}", LogsRecord::own_folder(job_name, job_id))
}

/// The object of a stream that is in one.
pub(super) fn stream_key(submission: &Submission, index: usize, stream: &LogStream) -> String {
    format!("{}.jsonl.gz", stream_prefix(submission, index, stream))
}
