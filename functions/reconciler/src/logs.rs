//! Logs that are not archived whole.

use batchwright::domain::{Submission, Timestamp};
use batchwright::ports::{CheckpointStore, Clock, Cursor, JobStore, LogSource, ObjectStore, PortError};
use batchwright::use_cases::collect_logs::{CollectPolicy, Look, collect_logs};
use futures_util::{StreamExt, stream};
use tracing::warn;

/// Submissions whose logs are archived at once: one with long logs does not hold up the others.
const CONCURRENCY: usize = 8;

/// Milliseconds after its last part in which an archive is believed to be in another's hands.
const IN_HAND_MS: i64 = 180_000;

/// What was done about logs.
#[derive(Debug, Default)]
pub(crate) struct Archived {
    pub(crate) complete: u64,
    pub(crate) incomplete: u64,
    pub(crate) postponed: u64,
    pub(crate) unreadable: u64,
}

/// Archives the logs of every submission that ended a while ago and whose logs wait to be looked at: those that the pass
/// has `met` among the silent, and those on the list of logs.
pub(crate) async fn archive_logs<S: JobStore, L: LogSource, O: ObjectStore + CheckpointStore>(
    (store, source, archive): (&S, &L, &O),
    clock: &impl Clock,
    policy: &CollectPolicy,
    met: &[Submission],
    done: &mut Archived,
) -> Result<(), PortError> {
    let before = clock.now().plus_millis(-policy.settle_ms);
    let is_due = |ended: &&Submission| ended.logs_wait_since().is_some_and(|since| since < before);
    archive_each((store, source, archive), clock, policy, met.iter().filter(is_due), done).await;
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.unfinished_logs(before, cursor.as_ref()).await?;
        done.unreadable += page.unreadable.len() as u64;
        archive_each((store, source, archive), clock, policy, page.items.iter(), done).await;
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// Several at once. What fails is left to the next pass.
async fn archive_each<'a, S: JobStore, L: LogSource, O: ObjectStore + CheckpointStore>(
    (store, source, archive): (&S, &L, &O),
    clock: &impl Clock,
    policy: &CollectPolicy,
    ended: impl Iterator<Item = &'a Submission> + Send,
    done: &mut Archived,
) {
    let now = clock.now();
    let mut results = stream::iter(ended.filter(|submission| !is_in_hand(submission, now)))
        .map(|submission| async move {
            let job_id = &submission.state.job_id;
            (job_id, collect_logs(store, source, archive, clock, policy, job_id, Look::WhenDue).await)
        })
        .buffer_unordered(CONCURRENCY);
    while let Some((job_id, result)) = results.next().await {
        match result {
            Ok(Some(record)) if record.complete => done.complete += 1,
            Ok(Some(_)) => done.incomplete += 1,
            Ok(None) => {}
            Err(error) => {
                warn!(job.id = %job_id, %error, "postponed to the next pass");
                done.postponed += 1;
            }
        }
    }
}

/// Whether somebody wrote a part of its archive a moment ago: the collector, which has more time.
fn is_in_hand(submission: &Submission, now: Timestamp) -> bool {
    submission.logs.is_some() && now.millis_since(submission.updated_at) < IN_HAND_MS
}
