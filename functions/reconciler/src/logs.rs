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

/// Archives the logs of every submission that ended a while ago and whose logs wait to be looked at.
pub(crate) async fn archive_logs<S: JobStore, L: LogSource, O: ObjectStore + CheckpointStore>(
    store: &S,
    source: &L,
    archive: &O,
    clock: &impl Clock,
    policy: &CollectPolicy,
    done: &mut Archived,
) -> Result<(), PortError> {
    let before = clock.now().plus_millis(-policy.settle_ms);
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.unfinished_logs(before, cursor.as_ref()).await?;
        done.unreadable += page.unreadable.len() as u64;
        let now = clock.now();
        let left_alone = page.items.iter().filter(|submission| !is_in_hand(submission, now));
        let mut results = stream::iter(left_alone)
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
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// Whether somebody wrote a part of its archive a moment ago: the collector, which has more time.
fn is_in_hand(submission: &Submission, now: Timestamp) -> bool {
    submission.logs.is_some() && now.millis_since(submission.updated_at) < IN_HAND_MS
}
