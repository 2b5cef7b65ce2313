//! The archive of one submission's logs: every stream of every attempt and container, whole, as
//! gzipped JSON Lines, with a manifest that says what is there and what is not.
//!
//! A log that is too long for one call is archived in parts. After each part the manifest says how far the
//! archive has come, and the next call goes on from there.

mod manifest;
mod part;
mod stream;

use tracing::{info, warn};

use self::stream::Archivist;
use crate::domain::{JobId, LogStream, LogsRecord, Submission};
use crate::ports::{Clock, JobQueries, LogSource, ObjectStore, PortError, StateStore};

pub use manifest::{ArchivedStream, Manifest, Progress};
pub use part::PartLimits;

pub(super) use manifest::manifest_of;

/// How long a log may still grow after its job has ended.
#[derive(Debug, Clone, Copy)]
pub struct CollectPolicy {
    /// Milliseconds after the end before the log is believed to be whole. Agents deliver late.
    pub settle_ms: i64,
}

/// Reads all logs of a submission that has ended and archives them. `None` where the submission is
/// not known, has not ended, or is archived whole already.
///
/// Idempotent: complete archives are left alone. Dropped or failed, it has kept the parts that were
/// finished, and the next call goes on after them. Any number of calls at once leave an archive of one of
/// them.
pub async fn collect_logs<S: JobQueries + StateStore, L: LogSource, O: ObjectStore>(
    store: &S,
    source: &L,
    archive: &O,
    clock: &impl Clock,
    policy: &CollectPolicy,
    job_id: &JobId,
) -> Result<Option<LogsRecord>, PortError> {
    collect_in_parts(store, source, archive, clock, policy, &PartLimits::default(), job_id).await
}

/// The same with parts of another size.
pub async fn collect_in_parts<S: JobQueries + StateStore, L: LogSource, O: ObjectStore>(
    store: &S,
    source: &L,
    archive: &O,
    clock: &impl Clock,
    policy: &CollectPolicy,
    limits: &PartLimits,
    job_id: &JobId,
) -> Result<Option<LogsRecord>, PortError> {
    let Some(submission) = store.submission(job_id).await? else { return Ok(None) };
    let archived = submission.logs.as_ref().is_some_and(|logs| logs.complete);
    if archived || !submission.state.status.is_terminal() {
        return Ok(None);
    }
    let now = clock.now();
    let archivist = Archivist { store, source, archive, clock, policy, limits, submission: &submission, now };
    let begun = manifest_of(archive, &submission).await?;
    let record = match begun.and_then(|begun| begun.resumable(&submission, now, policy.settle_ms)) {
        None => archivist.archive(Manifest::new(&submission, now)).await?,
        Some(begun) => match archivist.archive(begun).await {
            Ok(record) => record,
            // CloudWatch forgets the place after a day.
            Err(error) if !error.may_pass() => {
                warn!(job.id = %job_id, %error, "the archive is begun anew");
                archivist.archive(Manifest::new(&submission, now)).await?
            }
            Err(error) => return Err(error),
        },
    };
    info!(job.id = %job_id, events = record.events, complete = record.complete, "logs archived");
    Ok(Some(record))
}

/// Where the logs of a submission lie in the archive.
fn folder(submission: &Submission) -> String {
    format!("logs/{}/{}", submission.state.job_name, submission.state.job_id)
}

/// What the objects of the n-th stream of [`JobState::all_log_streams`] begin with.
///
/// [`JobState::all_log_streams`]: crate::domain::JobState::all_log_streams
fn stream_prefix(submission: &Submission, index: usize, stream: &LogStream) -> String {
    let container = stream.container.as_deref().map(|name| format!("-{name}")).unwrap_or_default();
    format!("{}/{index:03}{container}", folder(submission))
}

/// The object of a stream that is in one.
pub(super) fn stream_key(submission: &Submission, index: usize, stream: &LogStream) -> String {
    format!("{}.jsonl.gz", stream_prefix(submission, index, stream))
}
