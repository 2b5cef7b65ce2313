//! Why jobs are RUNNABLE for long: their queues are asked, and what they say is kept with the jobs.

use std::collections::BTreeMap;

use tracing::warn;

use crate::domain::explain::wait_reason;
use crate::domain::{JobState, Submission};
use crate::ports::{Applied, Clock, PortError, QueueSource, StateStore};

/// Queues that one pass asks, each of which takes three calls.
pub const QUEUES_MAX: usize = 20;

/// What was found about jobs that wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    /// Jobs that wait until somebody does something: a queue that is disabled, broken or blocked.
    pub held_back: u64,
    /// Jobs whose reason has changed.
    pub noted: u64,
    /// Jobs whose queue could not be asked, or whose reason could not be written.
    pub postponed: u64,
}

/// Asks the queues of RUNNABLE submissions, at most [`QUEUES_MAX`] of them, and keeps with each submission why it waits,
/// where AWS Batch has not told. The next pass begins with other queues.
///
/// `waits` counts also where this is dropped before its end. What fails for one queue or one job is left to the next
/// pass.
pub async fn note_waits<S: StateStore, Q: QueueSource>(
    store: &S,
    queues: &Q,
    clock: &impl Clock,
    waiting: &[Submission],
    waits: &mut Waits,
) {
    let mut by_queue: BTreeMap<&str, Vec<&JobState>> = BTreeMap::new();
    for submission in waiting {
        by_queue.entry(&submission.state.job_queue).or_default().push(&submission.state);
    }
    let mut by_queue: Vec<(&str, Vec<&JobState>)> = by_queue.into_iter().collect();
    let first = usize::try_from(clock.now().as_millis() / 1_000).unwrap_or_default() % by_queue.len().max(1);
    by_queue.rotate_left(first);
    for (name, states) in by_queue.into_iter().take(QUEUES_MAX) {
        let queue = match queues.job_queue(name).await {
            Ok(Some(queue)) => queue,
            Ok(None) => continue,
            Err(error) => {
                warn!(queue = name, %error, "the queue could not be asked why its jobs wait");
                waits.postponed += states.len() as u64;
                continue;
            }
        };
        for state in states {
            let Some((situation, reason)) = wait_reason(&queue, state, clock.now()) else { continue };
            waits.held_back += u64::from(situation.holds_back());
            if state.status_reason.as_deref() == Some(reason.as_str()) {
                continue;
            }
            match keep(store, clock, state, reason).await {
                Ok(applied) => waits.noted += u64::from(applied == Applied::Applied),
                Err(error) => {
                    warn!(job.name = %state.job_name, %error, "why it waits could not be written");
                    waits.postponed += 1;
                }
            }
        }
    }
}

async fn keep<S: StateStore>(
    store: &S,
    clock: &impl Clock,
    state: &JobState,
    reason: String,
) -> Result<Applied, PortError> {
    let state = JobState { status_reason: Some(reason), ..state.clone() };
    store.apply_state(&state, clock.now()).await
}
