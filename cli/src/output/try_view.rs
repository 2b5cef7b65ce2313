//! A job's tries as `status JOB` and `--output json` show them.

use batchwright::domain::{Cause, JobHead, JobId, JobState, JobStatus, Submission, Timestamp};
use comfy_table::Table;
use serde::Serialize;

use super::table::table;

/// One submission of a job.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TryView {
    pub(crate) job_id: JobId,
    /// `None` where an older version submitted it and nothing has been heard of it.
    pub(crate) job_queue: Option<String>,
    pub(crate) status: Option<JobStatus>,
    pub(crate) cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) submitted_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stopped_at: Option<Timestamp>,
}

impl TryView {
    /// Every try of a job, oldest first, from its head and, where given, from their own items.
    pub(crate) fn of(head: &JobHead, known: impl Fn(&JobId) -> Option<Submission>) -> Vec<TryView> {
        head.job_tries.iter().map(|job_id| Self::of_one(head, job_id, known(job_id))).collect()
    }

    fn of_one(head: &JobHead, job_id: &JobId, known: Option<Submission>) -> TryView {
        let kept = head.tries.iter().find(|kept| kept.job_id == *job_id);
        let end = kept.and_then(|kept| kept.end);
        let state = known.map(|known| known.state);
        let told = state.as_ref().map(|state| state.job_queue.clone()).filter(|queue| !queue.is_empty());
        TryView {
            job_id: job_id.clone(),
            job_queue: kept.map(|kept| kept.job_queue.clone()).or(told),
            status: end.map(|end| end.status).or(state.as_ref().map(|state| state.status)),
            cause: end.and_then(|end| end.cause).or(state.as_ref().and_then(JobState::cause)),
            submitted_at: kept.and_then(|kept| kept.submitted_at),
            started_at: state.as_ref().and_then(|state| state.times.started_at),
            stopped_at: state.as_ref().and_then(|state| state.times.stopped_at),
        }
    }
}

/// A row a try.
pub(crate) fn tries(views: &[TryView]) -> Table {
    let mut table = table(&["TRY", "JOB ID", "QUEUE", "STATUS", "CAUSE", "SUBMITTED", "STARTED", "STOPPED"]);
    for (number, view) in (1..).zip(views) {
        let none = || "-".to_owned();
        let moment = |moment: Option<Timestamp>| moment.map_or_else(none, Timestamp::to_rfc3339_seconds);
        table.add_row([
            format!("{number}"),
            view.job_id.to_string(),
            view.job_queue.clone().unwrap_or_else(none),
            view.status.map_or_else(none, |status| status.to_string()),
            view.cause.map_or_else(none, |cause| cause.to_string()),
            moment(view.submitted_at),
            moment(view.started_at),
            moment(view.stopped_at),
        ]);
    }
    table
}
