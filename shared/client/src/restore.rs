//! Jobs put back into a store, as `batchwright store export` wrote them.

use crate::aio_aws::Imported;
use crate::any::Store;
use crate::domain::{FollowUp, JobHead, JobId, Submission};
use crate::ports::{Clock, PortError, SystemClock};
use crate::take_in::{Foreign, take_in};

/// Puts a job into a store, from its head and its submissions, array children and nodes: its spec, its tries in their
/// order, the state of each, where its logs are, and what was decided about its end. Returns what became of each
/// submission. Idempotent; killed in between, it goes on when it is called again.
///
/// Not put back: the run that it came from, tries that the head no longer names, a claim, and what AWS Batch said to a
/// refused one. A submission is refused where another of its name is under way in the store, and where it has no end
/// although there is a later one.
///
/// Errs where the store can't be read or written.
pub async fn restore<S: Store>(
    store: &S,
    head: &JobHead,
    submissions: &[Submission],
) -> Result<Vec<Imported>, PortError> {
    let mut answers = Vec::with_capacity(head.job_tries.len());
    for (at, job_id) in head.job_tries.iter().enumerate() {
        let of_try = |submission: &&Submission| submission.state.job_id.root() == *job_id;
        let refused = match submissions.iter().find(|submission| submission.state.job_id == *job_id) {
            None => Some("nothing is known of its state".to_owned()),
            Some(root) if at + 1 < head.job_tries.len() && !root.state.status.is_terminal() => {
                Some("it has no end, and there is a later submission".to_owned())
            }
            Some(root) => {
                let foreign = Foreign { spec: head.spec.clone(), state: root.state.clone() };
                take_in(store, &foreign, SystemClock.now()).await?.err()
            }
        };
        if refused.is_none() {
            for submission in submissions.iter().filter(of_try) {
                keep(store, submission).await?;
            }
        }
        let (job_name, job_id) = (head.spec.job_name.clone(), JobId::clone(job_id));
        answers.push(Imported { job_name, job_id, refused });
    }
    Ok(answers)
}

/// What is known of a submission, a child or a node.
async fn keep<S: Store>(store: &S, submission: &Submission) -> Result<(), PortError> {
    let Submission { state, logs, follow_up, .. } = submission;
    store.apply_state(state, SystemClock.now()).await?;
    if let Some(logs) = logs {
        store.save_logs(&state.job_id, logs, SystemClock.now()).await?;
    }
    if *follow_up == FollowUp::Open {
        return Ok(());
    }
    store.save_follow_up(&state.job_name, &state.job_id, follow_up).await
}
