//! What the jobs that a job depends on by name are called by Batch.

use std::collections::BTreeMap;

use crate::domain::{Job, JobId, JobName, JobSpec, JobStatus};
use crate::ports::{JobQueries, PortError, RunStore};

/// Whether a job's dependencies allow it to be submitted.
pub(super) enum Resolved {
    /// They do. `None`: it SUCCEEDED, Batch need not be told.
    Ready(BTreeMap<JobName, Option<JobId>>),
    /// One will not be submitted.
    Blocked(String),
    /// One is being submitted.
    NotYet(String),
}

/// Looks the dependencies up. One that FAILED is passed on to Batch, which then fails the dependant
/// with its own reason.
pub(super) async fn resolve<S: JobQueries + RunStore>(
    store: &S,
    spec: &JobSpec,
) -> Result<Resolved, PortError> {
    resolve_names(store, spec.dependency_names().cloned().collect()).await
}

/// Looks some jobs up on which one depends.
pub(super) async fn resolve_names<S: JobQueries + RunStore>(
    store: &S,
    names: Vec<JobName>,
) -> Result<Resolved, PortError> {
    if names.is_empty() {
        return Ok(Resolved::Ready(BTreeMap::new()));
    }
    let jobs = store.jobs_named(&names).await?;
    let mut ids = BTreeMap::new();
    for (name, job) in names.into_iter().zip(jobs) {
        match look_up(&name, job.as_ref()) {
            Err(Resolved::Blocked(_)) if is_left_to_its_run(store, job.as_ref()).await? => {
                let why = format!("it depends on {name}, which its run has yet to submit");
                return Ok(Resolved::NotYet(why));
            }
            Ok(id) => ids.insert(name, id),
            Err(resolved) => return Ok(resolved),
        };
    }
    Ok(Resolved::Ready(ids))
}

fn look_up(name: &JobName, job: Option<&Job>) -> Result<Option<JobId>, Resolved> {
    let Some(job) = job else {
        return Err(Resolved::Blocked(format!("it depends on {name}, which was never submitted")));
    };
    if job.head.claim.is_some() {
        return Err(Resolved::NotYet(format!("it depends on {name}, which is being submitted")));
    }
    if job.is_recovering() {
        let why = format!("it depends on {name}, of which children that lost their hosts are run again");
        return Err(Resolved::NotYet(why));
    }
    match (job.status(), &job.head.job_id) {
        (Some(JobStatus::Succeeded), _) => Ok(None),
        (Some(_), Some(id)) => Ok(Some(id.clone())),
        _ => {
            let why = job.head.refusal.as_deref().unwrap_or("it was not submitted");
            Err(Resolved::Blocked(format!("it depends on {name}, which was rejected: {why}")))
        }
    }
}

/// Whether a job that was never submitted is still to be: nobody has refused it, and its run goes on.
async fn is_left_to_its_run<S: RunStore>(store: &S, job: Option<&Job>) -> Result<bool, PortError> {
    let Some(head) = job.map(|job| &job.head).filter(|head| head.refusal.is_none()) else { return Ok(false) };
    Ok(store.run(&head.run_id).await?.is_some_and(|run| run.is_read_again()))
}
