//! What stands in the lists of the store.

use std::collections::BTreeSet;
use std::fmt::Debug;

use anyhow::{Context as _, ensure};
use batchwright::aws::dynamodb::DynamoDbJobStore;
use batchwright::domain::{Job, JobName, JobStatus, RunState, Submission, Timestamp};
use batchwright::ports::{Cursor, JobQueries as _, Page, PortError, RunStore as _, WorkLists as _};
use batchwright_tests::contract::fixtures::{in_flight, without_logs};

const HOUR_MS: i64 = 3_600_000;

async fn all<T: Debug>(
    mut page: impl AsyncFnMut(Option<Cursor>) -> Result<Page<T>, PortError>,
) -> anyhow::Result<Vec<T>> {
    let mut items = Vec::new();
    let mut cursor = None;
    loop {
        let found = page(cursor).await?;
        ensure!(found.unreadable.is_empty(), "{:?}", found.unreadable);
        items.extend(found.items);
        cursor = found.next;
        if cursor.is_none() {
            return Ok(items);
        }
    }
}

fn names(submissions: &[Submission]) -> BTreeSet<String> {
    submissions.iter().map(|it| it.state.job_name.to_string()).filter(|name| !name.starts_with('t')).collect()
}

fn is(what: &str, found: BTreeSet<String>, expected: &[&str]) -> anyhow::Result<()> {
    let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
    ensure!(found == expected, "{what}: {found:?}, not {expected:?}");
    Ok(())
}

/// Every list holds what the story has left in it.
pub(crate) async fn are_complete(store: &DynamoDbJobStore, moment: Timestamp) -> anyhow::Result<()> {
    let later = moment.plus_millis(HOUR_MS);
    let silent = in_flight(store, later).await?;
    is("in flight", names(&silent), &["array--bw-child-1", "retried", "runnable", "running", "submitted"])?;
    let claims = all(async |at| store.expired_claims(later, at.as_ref()).await).await?;
    let claims = claims.iter().map(|head| head.spec.job_name.to_string()).collect();
    is("claims", claims, &["claimed", "sent"])?;
    let unsettled = all(async |at| store.unsettled_ends(at.as_ref()).await).await?;
    is("unsettled", names(&unsettled), &["array", "lost", "waits"])?;
    let lost = JobName::parse("lost")?;
    let waiting = all(async |at| store.ends_waiting_for(&lost, at.as_ref()).await).await?;
    is("waiting", names(&waiting), &["waits"])?;
    let logs = without_logs(store, later).await?;
    // The log of `done` is whole, and looked at again.
    let looks = ["array", "done", "ended", "failed", "lost", "retried", "waits"];
    is("logs", names(&logs), &looks)?;
    let runs = all(async |at| store.unfinished_runs(later, at.as_ref()).await).await?;
    let [run] = &runs[..] else { anyhow::bail!("{} runs are unfinished", runs.len()) };
    ensure!(run.state == RunState::Submitting && run.checkpoint.0 > 12, "{run:?}");
    let jobs = all(async |at| store.jobs(None, at.as_ref()).await).await?;
    let of_run = all(async |at| store.jobs(Some(&run.run_id), at.as_ref()).await).await?;
    ensure!(jobs.len() == of_run.len(), "{} jobs, {} of the run", jobs.len(), of_run.len());
    let mut counted = 0;
    for status in JobStatus::ALL {
        let expected: BTreeSet<&JobName> =
            jobs.iter().filter(|job| job.status() == Some(status)).map(Job::name).collect();
        let found = all(async |at| store.jobs_with_status(status, at.as_ref()).await).await?;
        let found: BTreeSet<&JobName> = found.iter().map(Job::name).collect();
        ensure!(found == expected, "{status}: {found:?}, not {expected:?}");
        let submissions = all(async |at| store.submissions_with_status(status, at.as_ref()).await).await?;
        let latest: BTreeSet<&JobName> = submissions.iter().map(|it| &it.state.job_name).collect();
        ensure!(expected.is_subset(&latest), "submissions that are {status}: {latest:?}, not {expected:?}");
        let count = store.count_by_status().await?[status];
        ensure!(
            count == expected.len() as u64,
            "{status}: {count} are counted, {} are there",
            expected.len()
        );
        counted += count;
    }
    let unsubmitted = store.count_by_status().await?.unsubmitted;
    ensure!(counted + unsubmitted == jobs.len() as u64, "{counted} and {unsubmitted} of {}", jobs.len());
    for job in &jobs {
        for job_id in &job.head.job_tries {
            store.submission(job_id).await?.with_context(|| format!("{job_id} is not found by its id"))?;
        }
    }
    Ok(())
}

/// Nothing is left to be done.
pub(crate) async fn are_at_rest(store: &DynamoDbJobStore, later: Timestamp) -> anyhow::Result<()> {
    is("in flight", names(&in_flight(store, later).await?), &[])?;
    is("unsettled", names(&all(async |at| store.unsettled_ends(at.as_ref()).await).await?), &[])?;
    ensure!(
        all(async |at| store.expired_claims(later, at.as_ref()).await).await?.is_empty(),
        "a claim stands"
    );
    let runs = all(async |at| store.unfinished_runs(later, at.as_ref()).await).await?;
    ensure!(runs.is_empty(), "{runs:?}");
    let counts = store.count_by_status().await?;
    ensure!(counts[JobStatus::Failed] == 1 && counts.unsubmitted == 0, "{counts:?}");
    ensure!(counts.total() == counts[JobStatus::Succeeded] + 1, "{counts:?}");
    Ok(())
}
