//! A job as `jobs --output json` shows it: by the names of `DescribeJobs` where it has them.

use batchwright::domain::{
    Cause, Job, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord, RunId, Submission, Timestamp,
};
use batchwright::use_cases::array_counts::ArrayCounts;
use serde::Serialize;

use super::try_view::TryView;

/// One job with its latest submission, or one submission, child or node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobView {
    pub(crate) job_name: JobName,
    pub(crate) job_id: Option<JobId>,
    pub(crate) status: Option<JobStatus>,
    /// An array of which children that lost their hosts are run again: it has not ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) recovering: bool,
    pub(crate) status_reason: Option<String>,
    pub(crate) cause: Option<Cause>,
    pub(crate) exit_code: Option<i32>,
    /// The container's reason.
    pub(crate) reason: Option<String>,
    /// Of one submission, child or node: the number of the job's try that it is of, from 1.
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    pub(crate) of_try: Option<u64>,
    pub(crate) job_tries: Vec<JobId>,
    /// Submissions before those of `jobTries`.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) earlier_tries: u32,
    /// Each of `jobTries`, with how it ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tries: Vec<TryView>,
    pub(crate) max_tries: Option<u32>,
    pub(crate) attempts: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) submitted_at: Option<Timestamp>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) stopped_at: Option<Timestamp>,
    pub(crate) job_queue: String,
    pub(crate) job_definition: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) array_size: Option<u32>,
    /// Of an array: what became of its children.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) children: Option<ArrayCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logs: Option<LogsRecord>,
    /// Why those tries ended, since a person last asked for the job, that were followed by another.
    #[serde(skip)]
    pub(crate) again: Vec<Cause>,
    #[serde(skip)]
    pub(crate) waited_ms: Option<i64>,
    #[serde(skip)]
    pub(crate) ran_ms: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl JobView {
    /// A job with its latest submission.
    pub(crate) fn of(job: &Job) -> JobView {
        let spec = &job.head.spec;
        let (status, state) = (job.status(), job.state());
        let refusal = job.head.refusal.as_ref().map(|why| format!("refused: {why}"));
        let told = state.and_then(|state| state.status_reason.clone());
        let why = refusal.or(match told {
            Some(told) if job.is_recovering() => Some(format!("{told}; lost children are run again")),
            Some(told) if job.head.has_recovered() => Some(format!("{told}; run again, all SUCCEEDED")),
            told => told,
        });
        let cause = state.and_then(JobState::cause).filter(|_| status == Some(JobStatus::Failed));
        JobView {
            job_id: job.head.job_id.clone(),
            status,
            recovering: job.is_recovering(),
            cause,
            status_reason: why,
            submitted_at: job.head.submitted_at,
            job_tries: job.head.job_tries.clone(),
            earlier_tries: job.head.earlier_tries,
            tries: TryView::of(&job.head, |job_id| {
                job.latest.clone().filter(|latest| latest.state.job_id == *job_id)
            }),
            max_tries: Some(spec.max_tries),
            again: again(&job.head),
            job_queue: queue(&job.head).to_owned(),
            job_definition: spec.job_definition.clone(),
            array_size: spec.array_properties.as_ref().map(|array| array.size),
            run_id: Some(job.head.run_id.clone()),
            logs: job.latest.as_ref().and_then(|latest| latest.logs.clone()),
            ..match state {
                Some(state) => Self::of_state(state),
                None => Self::unsubmitted(spec.job_name.clone()),
            }
        }
    }

    /// One submission, child or node, of a job.
    pub(crate) fn of_submission(head: &JobHead, submission: &Submission) -> JobView {
        let root = submission.state.job_id.root();
        let place = head.job_tries.iter().position(|job_id| *job_id == root);
        let of_try = place.map(|place| u64::from(head.earlier_tries) + place as u64 + 1);
        JobView { of_try, logs: submission.logs.clone(), ..Self::of_state(&submission.state) }
    }

    fn of_state(state: &JobState) -> JobView {
        JobView {
            job_name: state.job_name.clone(),
            job_id: Some(state.job_id.clone()),
            status: Some(state.status),
            recovering: false,
            status_reason: state.status_reason.clone(),
            cause: state.cause(),
            exit_code: state.exit_code,
            reason: state.reason.clone(),
            of_try: None,
            job_tries: Vec::new(),
            earlier_tries: 0,
            tries: Vec::new(),
            max_tries: None,
            attempts: state.attempts.len(),
            submitted_at: None,
            created_at: state.times.created_at,
            started_at: state.times.started_at,
            stopped_at: state.times.stopped_at,
            job_queue: state.job_queue.clone(),
            job_definition: state.job_definition.clone(),
            array_size: state.array_size,
            children: None,
            run_id: None,
            logs: None,
            again: Vec::new(),
            waited_ms: state.times.spinup_ms(),
            ran_ms: state.times.runtime_ms(),
        }
    }

    fn unsubmitted(job_name: JobName) -> JobView {
        JobView {
            job_name,
            job_id: None,
            status: None,
            recovering: false,
            status_reason: None,
            cause: None,
            exit_code: None,
            reason: None,
            of_try: None,
            job_tries: Vec::new(),
            earlier_tries: 0,
            tries: Vec::new(),
            max_tries: None,
            attempts: 0,
            submitted_at: None,
            created_at: None,
            started_at: None,
            stopped_at: None,
            job_queue: String::new(),
            job_definition: String::new(),
            array_size: None,
            children: None,
            run_id: None,
            logs: None,
            again: Vec::new(),
            waited_ms: None,
            ran_ms: None,
        }
    }

    /// Why it is not SUCCEEDED, in one line.
    pub(crate) fn why(&self) -> String {
        let children = self.children.as_ref().and_then(ArrayCounts::failure);
        let children = children.filter(|_| self.status != Some(JobStatus::Succeeded));
        // What the children say is more than Batch's own `Array Child Job failed`.
        let said =
            self.status_reason.as_deref().filter(|_| children.is_none() || self.cause != Some(Cause::Child));
        let told = [children.as_deref(), said, self.reason.as_deref()];
        let texts: Vec<&str> = told.into_iter().flatten().collect();
        match (self.cause, self.status) {
            (Some(cause), _) if texts.is_empty() => cause.to_string(),
            (Some(cause), _) => format!("{cause}: {}", texts.join("; ")),
            (None, Some(JobStatus::Succeeded)) => String::new(),
            (None, _) => texts.join("; "),
        }
    }
}

fn again(head: &JobHead) -> Vec<Cause> {
    let earlier = head.tries_since_asked().split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    earlier.iter().filter_map(|job_id| head.end_of(job_id)?.cause).collect()
}

/// Where the latest submission went.
fn queue(head: &JobHead) -> &str {
    let latest = head.tries.iter().find(|known| Some(&known.job_id) == head.job_id.as_ref());
    latest.map_or(&head.spec.job_queue, |known| &known.job_queue)
}
