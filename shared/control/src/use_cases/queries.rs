//! What is asked of the state beyond the store's own methods. Nothing here holds more than a page,
//! besides what the caller names.
//!
//! | question | answer |
//! | --- | --- |
//! | a submission by its id, its logs | [`JobQueries::submission`], its `logs` |
//! | a job by its name, the latest of that name | [`JobQueries::job`] |
//! | every submission of a name | [`for_each_submission_of`] |
//! | jobs with given statuses; all, grouped by status | [`for_each_job_with_status`] |
//! | how many jobs have each status | [`JobQueries::count_by_status`] |
//! | all jobs; all ids, children among them | [`for_each_job`], [`for_each_job_id`] |
//! | which of these jobs are to be run; all that are | [`jobs_to_run`], [`for_each_job_to_run`] |
//! | what is known of these jobs, after an interruption | [`recover_jobs`] |
//! | forget a submission, or a job | [`remove_submission`], [`remove_job`] |
//!
//! [`remove_submission`]: crate::ports::JobRemoval::remove_submission
//! [`remove_job`]: crate::ports::JobRemoval::remove_job

use crate::domain::{Job, JobId, JobName, JobSpec, JobStatus, Submission};
use crate::ports::{JobQueries, PortError};

/// Names that are looked up in one call.
const NAMES_PER_CALL: usize = 100;

/// A job that has not SUCCEEDED, with what is known of it: one in flight is told apart from a new one.
#[derive(Debug, Clone, PartialEq)]
pub struct JobToRun {
    /// As it was given.
    pub spec: JobSpec,
    /// `None` where the job is new.
    pub known: Option<Job>,
}

/// Drops the jobs whose latest submission SUCCEEDED; the others stay in order. An earlier submission
/// that SUCCEEDED does not count, nor does a job's spec.
pub async fn jobs_to_run<S: JobQueries>(store: &S, specs: Vec<JobSpec>) -> Result<Vec<JobToRun>, PortError> {
    let names: Vec<JobName> = specs.iter().map(|spec| spec.job_name.clone()).collect();
    let known = recover_jobs(store, &names).await?;
    let jobs = specs.into_iter().zip(known).map(|(spec, known)| JobToRun { spec, known });
    Ok(jobs.filter(|job| !job.known.as_ref().is_some_and(has_succeeded)).collect())
}

fn has_succeeded(job: &Job) -> bool {
    job.status() == Some(JobStatus::Succeeded)
}

/// What is known of each job, its latest submission and that one's logs among it: as many answers as
/// names, in their order, `None` for an unknown job.
pub async fn recover_jobs<S: JobQueries>(
    store: &S,
    names: &[JobName],
) -> Result<Vec<Option<Job>>, PortError> {
    let mut jobs = Vec::with_capacity(names.len());
    for names in names.chunks(NAMES_PER_CALL) {
        jobs.extend(store.jobs_named(names).await?);
    }
    Ok(jobs)
}

/// Calls `each` with every job, once.
pub async fn for_each_job<S: JobQueries>(store: &S, mut each: impl FnMut(Job)) -> Result<(), PortError> {
    let mut page = store.jobs(None, None).await?;
    loop {
        page.items.into_iter().for_each(&mut each);
        let Some(next) = page.next else { return Ok(()) };
        page = store.jobs(None, Some(&next)).await?;
    }
}

/// Calls `each` with every job that has not SUCCEEDED: those that FAILED, are in flight, or were never
/// submitted.
pub async fn for_each_job_to_run<S: JobQueries>(
    store: &S,
    mut each: impl FnMut(Job),
) -> Result<(), PortError> {
    for_each_job(store, |job| {
        if !has_succeeded(&job) {
            each(job);
        }
    })
    .await
}

/// Calls `each` with the jobs whose latest submission has one of the statuses, one status after the
/// other. [`JobStatus::ALL`] groups all jobs that were submitted. A job that moves on meanwhile may
/// come under both statuses, or under neither.
pub async fn for_each_job_with_status<S: JobQueries>(
    store: &S,
    statuses: &[JobStatus],
    mut each: impl FnMut(JobStatus, Job),
) -> Result<(), PortError> {
    for &status in statuses {
        let mut page = store.jobs_with_status(status, None).await?;
        loop {
            page.items.into_iter().for_each(|job| each(status, job));
            let Some(next) = page.next else { break };
            page = store.jobs_with_status(status, Some(&next)).await?;
        }
    }
    Ok(())
}

/// Calls `each` with every submission, child and node of a job, in no promised order.
pub async fn for_each_submission_of<S: JobQueries>(
    store: &S,
    job_name: &JobName,
    mut each: impl FnMut(Submission),
) -> Result<(), PortError> {
    let mut page = store.submissions(job_name, None).await?;
    loop {
        page.items.into_iter().for_each(&mut each);
        let Some(next) = page.next else { return Ok(()) };
        page = store.submissions(job_name, Some(&next)).await?;
    }
}

/// Calls `each` with the id of every submission, child and node of every job, once. One list a job.
pub async fn for_each_job_id<S: JobQueries>(store: &S, mut each: impl FnMut(JobId)) -> Result<(), PortError> {
    let mut page = store.jobs(None, None).await?;
    loop {
        for job in &page.items {
            for_each_submission_of(store, job.name(), |submission| each(submission.state.job_id)).await?;
        }
        let Some(next) = page.next else { return Ok(()) };
        page = store.jobs(None, Some(&next)).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::domain::{ClaimOutcome, JobState, LogsRecord, NewClaim, NewSubmission, RunId, Timestamp};
    use crate::memory::InMemoryJobStore;
    use crate::ports::{ClaimStore as _, StateStore as _};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn name(text: &str) -> JobName {
        JobName::parse(text).unwrap()
    }

    fn id(text: &str) -> JobId {
        JobId::parse(text).unwrap()
    }

    fn spec(text: &str) -> JobSpec {
        JobSpec::new(name(text), "queue", "definition")
    }

    async fn apply(store: &InMemoryJobStore, job: &str, job_id: &str, status: JobStatus) {
        let state = JobState { status, ..JobState::submitted(name(job), id(job_id), None) };
        store.apply_state(&state, NOW).await.unwrap();
    }

    /// A submission with the id `<job>-<n>` that has come to `status`.
    async fn submit(store: &InMemoryJobStore, job: &str, status: JobStatus) -> JobId {
        let head = store.job(&name(job)).await.unwrap().map(|job| job.head);
        let tries = head.as_ref().map_or(0, |head| head.job_tries.len());
        let claim = NewClaim {
            spec: spec(job),
            run_id: RunId::parse("run-1").unwrap(),
            replaces: head.and_then(|head| head.job_id),
            replaced_end: None,
            job_queue: None,
            takes_over: None,
            resets_budget: false,
            on_sheet: false,
            now: NOW,
            expires_at: NOW.plus_millis(1),
        };
        let ClaimOutcome::Granted(nonce) = store.claim(&claim).await.unwrap() else {
            panic!("{job} is held")
        };
        let job_id = id(&format!("{job}-{tries}"));
        let new = NewSubmission { job_name: name(job), nonce, job_id: job_id.clone(), now: NOW };
        store.record_submission(&new).await.unwrap();
        apply(store, job, job_id.as_str(), status).await;
        job_id
    }

    #[tokio::test]
    async fn only_the_latest_submission_tells_whether_a_job_is_to_be_run() {
        let store = InMemoryJobStore::default();
        submit(&store, "done", JobStatus::Succeeded).await;
        submit(&store, "failed", JobStatus::Failed).await;
        submit(&store, "running", JobStatus::Running).await;
        submit(&store, "undone", JobStatus::Succeeded).await;
        submit(&store, "undone", JobStatus::Failed).await;
        submit(&store, "at-last", JobStatus::Failed).await;
        submit(&store, "at-last", JobStatus::Succeeded).await;
        let names = ["new", "done", "failed", "running", "undone", "at-last", "failed"];
        let found = jobs_to_run(&store, names.map(spec).to_vec()).await.unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|job| (job.spec.job_name.as_str(), job.known.as_ref().and_then(Job::status)))
            .collect();
        assert_eq!(
            found,
            [
                ("new", None),
                ("failed", Some(JobStatus::Failed)),
                ("running", Some(JobStatus::Running)),
                ("undone", Some(JobStatus::Failed)),
                ("failed", Some(JobStatus::Failed)),
            ]
        );
        let mut all = Vec::new();
        for_each_job_to_run(&store, |job| all.push(job.name().to_string())).await.unwrap();
        assert_eq!(all, ["failed", "running", "undone"]);
    }

    #[tokio::test]
    async fn recovery_answers_each_name_in_order_with_its_logs() {
        let store = InMemoryJobStore::default();
        let job_id = submit(&store, "logged", JobStatus::Succeeded).await;
        let logs = LogsRecord {
            manifest_key: "m".into(),
            complete: true,
            incomplete_reason: None,
            events: 3,
            next_look: None,
        };
        store.save_logs(&job_id, &logs, NOW).await.unwrap();
        let mut names: Vec<_> = (0..150).map(|n| name(&format!("absent-{n}"))).collect();
        names.push(name("logged"));
        let found = recover_jobs(&store, &names).await.unwrap();
        assert_eq!(found.len(), names.len());
        assert!(found[..150].iter().all(Option::is_none));
        assert_eq!(found[150].as_ref().unwrap().latest.as_ref().unwrap().logs, Some(logs));
        assert!(recover_jobs(&store, &[]).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn lists_of_many_pages_hold_every_job_and_id_once_also_children() {
        let store = InMemoryJobStore::default();
        let mut ids = BTreeSet::new();
        for number in 0..250 {
            ids.insert(submit(&store, &format!("job-{number}"), JobStatus::Runnable).await);
        }
        for index in 0..120 {
            let child = format!("job-7-0:{index}");
            apply(&store, "job-7", &child, JobStatus::Running).await;
            ids.insert(id(&child));
        }
        let mut jobs = Vec::new();
        for_each_job(&store, |job| jobs.push(job.name().clone())).await.unwrap();
        assert_eq!((jobs.len(), jobs.iter().collect::<BTreeSet<_>>().len()), (250, 250));
        let mut found = Vec::new();
        for_each_job_id(&store, |id| found.push(id)).await.unwrap();
        assert_eq!(found.len(), ids.len());
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), ids);
        let mut of_one = 0;
        for_each_submission_of(&store, &name("job-7"), |_| of_one += 1).await.unwrap();
        assert_eq!(of_one, 121);
    }

    #[tokio::test]
    async fn jobs_are_grouped_by_the_status_of_their_latest_submission() {
        let store = InMemoryJobStore::default();
        for number in 0..130 {
            submit(&store, &format!("failed-{number}"), JobStatus::Failed).await;
        }
        submit(&store, "twice", JobStatus::Failed).await;
        submit(&store, "twice", JobStatus::Succeeded).await;
        let mut groups: BTreeMap<JobStatus, usize> = BTreeMap::new();
        for_each_job_with_status(&store, &JobStatus::ALL, |status, job| {
            assert_eq!(job.status(), Some(status));
            *groups.entry(status).or_default() += 1;
        })
        .await
        .unwrap();
        assert_eq!(groups, BTreeMap::from([(JobStatus::Succeeded, 1), (JobStatus::Failed, 130)]));
    }
}
