//! Jobs put back into a store, as `batchwright store export` wrote them.

use crate::aio_aws::Imported;
use crate::any::Store;
use crate::domain::{FollowUp, JobHead, JobId, Submission, Timestamp};
use crate::ports::PortError;
use crate::take_in::{Foreign, take_in};

/// Puts a job into a store, from its head and its submissions, array children and nodes: its spec, its tries in their
/// order, the state of each and when it was heard of, where its logs are, and what was decided about its end; and the id
/// of its latest run, whose own record is not in an export. Returns what became of each submission. Idempotent; killed
/// in between, it goes on when it is called again.
///
/// Not put back: tries that the head no longer names, a claim, and what AWS Batch said to a
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
    // The tries before a person asked anew don't count, also where one of them can't be put back.
    let tries_before = usize::try_from(head.tries_before).unwrap_or(usize::MAX);
    let mut is_asked_anew = false;
    for (at, job_id) in head.job_tries.iter().enumerate() {
        let of_try = |submission: &&Submission| submission.state.job_id.root() == *job_id;
        let refused = match submissions.iter().find(|submission| submission.state.job_id == *job_id) {
            None => Some("nothing is known of its state".to_owned()),
            Some(root) if at + 1 < head.job_tries.len() && !root.state.status.is_terminal() => {
                Some("it has no end, and there is a later submission".to_owned())
            }
            Some(root) => {
                let foreign = Foreign {
                    spec: head.spec.clone(),
                    state: root.state.clone(),
                    run_id: head.run_id.clone(),
                    submitted_at: submitted_at(head, job_id).unwrap_or(root.updated_at),
                    heard_at: root.updated_at,
                    resets_budget: at >= tries_before && !is_asked_anew,
                };
                let refused = take_in(store, &foreign).await?.err();
                is_asked_anew |= foreign.resets_budget && refused.is_none();
                refused
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

/// When a try was submitted. The head alone knows it of the latest, and of earlier ones what it keeps of each.
fn submitted_at(head: &JobHead, job_id: &JobId) -> Option<Timestamp> {
    let kept = head.tries.iter().find(|kept| kept.job_id == *job_id).and_then(|kept| kept.submitted_at);
    kept.or(head.submitted_at.filter(|_| head.job_id.as_ref() == Some(job_id)))
}

/// What is known of a submission, a child or a node.
async fn keep<S: Store>(store: &S, submission: &Submission) -> Result<(), PortError> {
    let Submission { state, logs, follow_up, updated_at, .. } = submission;
    store.apply_state(state, *updated_at).await?;
    if let Some(logs) = logs {
        store.save_logs(&state.job_id, logs, *updated_at).await?;
    }
    if *follow_up == FollowUp::Open {
        return Ok(());
    }
    store.save_follow_up(&state.job_name, &state.job_id, follow_up).await
}

#[cfg(test)]
mod tests {
    use batchwright_stores::memory::InMemoryJobStore;

    use super::*;
    use crate::domain::{
        ClaimOutcome, Job, JobName, JobSpec, JobState, JobStatus, LogsRecord, NewClaim, RecordOutcome, RunId,
        Timestamp,
    };
    use crate::ports::{ClaimStore as _, JobQueries as _, StateStore as _, WorkLists as _};

    fn id(text: &str) -> JobId {
        JobId::parse(text).unwrap()
    }

    fn name() -> JobName {
        JobName::parse("job").unwrap()
    }

    fn claim(replaces: Option<&str>) -> NewClaim {
        NewClaim {
            spec: JobSpec::new(name(), "q", "d"),
            run_id: RunId::derive("test", "1", ""),
            replaces: replaces.map(id),
            replaced_end: None,
            job_queue: None,
            takes_over: None,
            resets_budget: false,
            on_sheet: false,
            now: Timestamp::from_millis(1_000),
            expires_at: Timestamp::from_millis(2_000),
        }
    }

    fn state(job_id: &str, status: JobStatus) -> JobState {
        JobState { status, ..JobState::submitted(name(), id(job_id), None) }
    }

    /// A store with these submissions of one job, oldest first.
    async fn store_of(submissions: &[(&str, JobStatus)]) -> InMemoryJobStore {
        let store = InMemoryJobStore::default();
        let mut latest = None;
        for (job_id, status) in submissions {
            assert_eq!(store.take_in(&claim(latest), &id(job_id)).await.unwrap(), RecordOutcome::Recorded);
            store.apply_state(&state(job_id, *status), Timestamp::from_millis(1_500)).await.unwrap();
            latest = Some(job_id);
        }
        store
    }

    /// What an export of a store holds.
    async fn exported(store: &InMemoryJobStore) -> (Job, Vec<Submission>) {
        let job = store.job(&name()).await.unwrap().unwrap();
        (job, store.submissions(&name(), None).await.unwrap().items)
    }

    async fn refusals(into: &InMemoryJobStore, head: &JobHead, kept: &[Submission]) -> Vec<Option<String>> {
        restore(into, head, kept).await.unwrap().into_iter().map(|told| told.refused).collect()
    }

    #[tokio::test]
    async fn a_job_that_is_put_back_has_the_tries_left_that_it_had() {
        let ended = |name| (name, JobStatus::Failed);
        let from = store_of(&[ended("a-1"), ended("a-2"), ended("a-3"), ("a-4", JobStatus::Running)]).await;
        let (job, kept) = exported(&from).await;
        for tries_before in 0..4 {
            let head = JobHead { tries_before, ..job.head.clone() };
            let into = InMemoryJobStore::default();
            for _ in 0..2 {
                assert_eq!(refusals(&into, &head, &kept).await, [None, None, None, None]);
                assert_eq!(into.job(&name()).await.unwrap().unwrap().head.tries_before, tries_before);
            }
        }
        let unknown: Vec<Submission> =
            kept.into_iter().filter(|found| found.state.job_id != id("a-3")).collect();
        let (into, head) = (InMemoryJobStore::default(), JobHead { tries_before: 2, ..job.head });
        assert_eq!(refusals(&into, &head, &unknown).await.iter().flatten().count(), 1);
        let found = into.job(&name()).await.unwrap().unwrap().head;
        assert_eq!((found.job_tries.len(), found.tries_before), (3, 2), "a-4 is the first that counts");
    }

    #[tokio::test]
    async fn a_job_is_put_back_with_its_tries_children_logs_and_decisions_once() {
        let from = store_of(&[("a-1", JobStatus::Failed), ("a-2", JobStatus::Succeeded)]).await;
        let at = Timestamp::from_millis(1_600);
        from.apply_state(&state("a-2:0", JobStatus::Succeeded), at).await.unwrap();
        let logs: LogsRecord = serde_json::from_value(
            serde_json::json!({"manifestKey": "logs/job/a-2/manifest.json", "complete": true, "events": 3}),
        )
        .unwrap();
        from.save_logs(&id("a-2"), &logs, at).await.unwrap();
        from.save_follow_up(&name(), &id("a-1"), &FollowUp::Decided).await.unwrap();
        let (job, kept) = exported(&from).await;
        assert_eq!(kept.len(), 3);
        let into = InMemoryJobStore::default();
        for _ in 0..2 {
            assert_eq!(refusals(&into, &job.head, &kept).await, [None, None]);
        }
        let (back, again) = exported(&into).await;
        assert_eq!((&back.head.job_tries, &back.head.job_id), (&job.head.job_tries, &job.head.job_id));
        let moments = |head: &JobHead| (head.run_id.clone(), head.submitted_at, head.updated_at);
        assert_eq!(moments(&back.head), moments(&job.head));
        assert_eq!(again, kept);
    }

    #[tokio::test]
    async fn a_try_of_which_no_state_is_kept_is_refused_alone() {
        let from = store_of(&[("a-1", JobStatus::Failed), ("a-2", JobStatus::Succeeded)]).await;
        let (job, mut kept) = exported(&from).await;
        kept.retain(|submission| submission.state.job_id != id("a-1"));
        let into = InMemoryJobStore::default();
        let told = refusals(&into, &job.head, &kept).await;
        assert_eq!(told, [Some("nothing is known of its state".to_owned()), None]);
        assert_eq!(exported(&into).await.0.head.job_tries, [id("a-2")]);
    }

    #[tokio::test]
    async fn an_earlier_try_without_an_end_is_refused_and_its_children_with_it() {
        let from = store_of(&[("a-1", JobStatus::Running), ("a-2", JobStatus::Succeeded)]).await;
        from.apply_state(&state("a-1:0", JobStatus::Running), Timestamp::from_millis(1_600)).await.unwrap();
        let (job, kept) = exported(&from).await;
        let into = InMemoryJobStore::default();
        let told = refusals(&into, &job.head, &kept).await;
        assert_eq!(told, [Some("it has no end, and there is a later submission".to_owned()), None]);
        let (_, again) = exported(&into).await;
        assert_eq!(again.iter().map(|kept| &kept.state.job_id).collect::<Vec<_>>(), [&id("a-2")]);
    }

    #[tokio::test]
    async fn a_job_that_is_under_way_or_claimed_in_the_store_is_left_alone() {
        let (job, kept) = exported(&store_of(&[("a-1", JobStatus::Succeeded)]).await).await;
        let into = store_of(&[("b-1", JobStatus::Running)]).await;
        let told = refusals(&into, &job.head, &kept).await;
        assert_eq!(told, [Some("another submission of job is under way; wait for it".to_owned())]);
        let into = InMemoryJobStore::default();
        assert!(matches!(into.claim(&claim(None)).await.unwrap(), ClaimOutcome::Granted(_)));
        let told = refusals(&into, &job.head, &kept).await;
        assert_eq!(told, [Some("job is being submitted; try again when it has a job id".to_owned())]);
        assert!(exported(&into).await.1.is_empty());
    }
}
