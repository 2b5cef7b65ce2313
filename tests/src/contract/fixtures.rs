//! Jobs to fill a store with, and a walk over all pages of a list.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};
use batchwright::domain::{
    ClaimOutcome, JobId, JobName, JobSpec, JobState, JobStatus, NewClaim, NewSubmission, Nonce,
    RecordOutcome, RunId, Submission, Timestamp,
};
use batchwright::ports::{Applied, Cursor, JobStore, Page, PortError};

/// When the fixtures claim and record.
pub const NOW: Timestamp = at(1_000);

/// When their claims expire.
pub const EXPIRY: Timestamp = at(2_000);

/// A moment.
pub const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A job's name.
pub fn name(text: &str) -> JobName {
    JobName::parse(text).expect("the fixture's job name is valid")
}

/// A job's id.
pub fn id(text: &str) -> JobId {
    JobId::parse(text).expect("the fixture's job id is valid")
}

/// A run's id.
pub fn run_id(text: &str) -> RunId {
    RunId::parse(text).expect("the fixture's run id is valid")
}

/// A wish to submit, by run-1.
pub fn wish(job: &str, replaces: Option<&str>) -> NewClaim {
    NewClaim {
        spec: JobSpec::new(name(job), "queue", "definition"),
        run_id: run_id("run-1"),
        replaces: replaces.map(id),
        replaced_end: None,
        job_queue: None,
        takes_over: None,
        resets_budget: false,
        on_sheet: false,
        now: NOW,
        expires_at: EXPIRY,
    }
}

/// Claims, and errs where the claim is not granted.
pub async fn granted<S: JobStore>(store: &S, claim: &NewClaim) -> anyhow::Result<Nonce> {
    match store.claim(claim).await? {
        ClaimOutcome::Granted(nonce) => Ok(nonce),
        refused => bail!("the claim of {} was {refused:?}", claim.spec.job_name),
    }
}

/// A submission under a claim.
pub fn taken(job: &str, nonce: &Nonce, job_id: &str) -> NewSubmission {
    NewSubmission { job_name: name(job), nonce: nonce.clone(), job_id: id(job_id), now: NOW }
}

/// Claims and records: `job_id` is the job's latest submission then.
pub async fn submit<S: JobStore>(store: &S, job: &str, job_id: &str) -> anyhow::Result<Nonce> {
    let known = store.job(&name(job)).await?;
    let latest = known.and_then(|known| known.head.job_id);
    let nonce = granted(store, &wish(job, latest.as_ref().map(JobId::as_str))).await?;
    let outcome = store.record_submission(&taken(job, &nonce, job_id)).await?;
    ensure!(outcome == RecordOutcome::Recorded, "{job_id} was {outcome:?}");
    Ok(nonce)
}

/// A state with nothing but its status.
pub fn state(job: &str, job_id: &str, status: JobStatus) -> JobState {
    JobState { status, ..JobState::submitted(name(job), id(job_id), None) }
}

/// Applies a state that is newer than what is known.
pub async fn advance<S: JobStore>(
    store: &S,
    job: &str,
    job_id: &str,
    status: JobStatus,
) -> anyhow::Result<()> {
    let outcome = store.apply_state(&state(job, job_id, status), NOW).await?;
    ensure!(outcome == Applied::Applied, "{status} of {job_id} was {outcome:?}");
    Ok(())
}

/// The submission, which must be known.
pub async fn known<S: JobStore>(store: &S, job_id: &str) -> anyhow::Result<Submission> {
    match store.submission(&id(job_id)).await? {
        Some(submission) => Ok(submission),
        None => bail!("{job_id} is not known"),
    }
}

/// Everything in a list. Errs where the list does not end.
pub async fn walk<T>(
    fetch: impl AsyncFn(Option<Cursor>) -> Result<Page<T>, PortError>,
) -> anyhow::Result<Vec<T>> {
    const PAGES_MAX: usize = 10_000;
    let (mut items, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = fetch(cursor).await?;
        items.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(items);
        }
    }
    bail!("the list does not end after {PAGES_MAX} pages")
}

/// Submissions that are in flight and silent since a moment. Those on the list that have ended wait for their logs.
pub async fn in_flight<S: JobStore>(store: &S, since: Timestamp) -> anyhow::Result<Vec<Submission>> {
    let mut silent = walk(async |page| store.silent_submissions(since, page.as_ref()).await).await?;
    for ended in silent.extract_if(.., |found| found.state.status.is_terminal()) {
        ensure!(ended.logs_wait_since().is_some(), "nothing is left to be done about {ended:?}");
    }
    Ok(silent)
}

/// Ends whose logs wait since before a moment, on whichever list.
pub async fn without_logs<S: JobStore>(store: &S, before: Timestamp) -> anyhow::Result<Vec<Submission>> {
    let mut found = walk(async |page| store.silent_submissions(before, page.as_ref()).await).await?;
    found.retain(|found| found.logs_wait_since().is_some_and(|since| since < before));
    found.extend(walk(async |page| store.unfinished_logs(before, page.as_ref()).await).await?);
    Ok(found)
}

/// The keys of a list in which each comes once.
pub fn each_once<T>(items: &[T], key: impl Fn(&T) -> String) -> anyhow::Result<BTreeSet<String>> {
    let keys: BTreeSet<String> = items.iter().map(key).collect();
    ensure!(keys.len() == items.len(), "{} items have {} keys", items.len(), keys.len());
    Ok(keys)
}

/// The ids of submissions, each of which comes once.
pub fn ids(submissions: &[Submission]) -> anyhow::Result<BTreeSet<String>> {
    each_once(submissions, |submission| submission.state.job_id.to_string())
}

/// What is expected of [`ids`] and [`each_once`].
pub fn set<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(str::to_owned).into()
}
