//! What batchwright itself puts on an event bus: that a job has ended, that a run has. `docs/events.md` is made for
//! those who take them.

use serde::Serialize;

use crate::domain::{Job, JobId, JobName, JobStatus, Run, RunCounts, RunId, RunOutcome, Timestamp};

/// The `source` of these events.
pub const SOURCE: &str = "batchwright";

/// Characters of a reason that go into an event: an entry of `PutEvents` holds 256 KB, ten of them share it.
const REASON_MAX_CHARS: usize = 2_000;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// A job has ended for good, whatever its submissions did on the way.
    Job(Box<JobEnded>),
    /// A run has ended with the last of its jobs.
    Run(Box<RunEnded>),
}

impl Announcement {
    /// Its `detail-type`.
    pub const fn detail_type(&self) -> &'static str {
        match self {
            Self::Job(_) => "Job State Change",
            Self::Run(_) => "Run State Change",
        }
    }

    /// Its `detail`, as JSON.
    pub fn detail(&self, stack: &str) -> serde_json::Result<String> {
        match self {
            Self::Job(ended) => serde_json::to_string(&Told { stack, ended: ended.as_ref() }),
            Self::Run(ended) => serde_json::to_string(&Told { stack, ended: ended.as_ref() }),
        }
    }
}

/// A `detail`: what has ended, and in which stack.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Told<'a, T> {
    /// The `Name` of the stack.
    pub stack: &'a str,
    /// What has ended.
    #[serde(flatten)]
    pub ended: &'a T,
}

/// The detail of `Job State Change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct JobEnded {
    /// The same whenever the same end is told again: `job/` and the id of the last submission.
    pub id: String,
    /// The job.
    pub job_name: JobName,
    /// Its last submission.
    pub job_id: JobId,
    /// The run that submitted it.
    pub run_id: RunId,
    /// SUCCEEDED or FAILED.
    pub status: JobStatus,
    /// Why it FAILED, in the classifier's words, as in `EXIT_CODE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What AWS Batch says of it; at most 2,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// The exit code of its last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Its submissions so far.
    pub submissions: u64,
    /// The queue of its last submission.
    pub job_queue: String,
    /// When its last submission ended, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// Whether it runs the child of an array again: the array tells of its end, and this is not told.
    #[serde(skip)]
    pub is_child: bool,
}

impl JobEnded {
    /// The end of a job by its submission `job_id`.
    pub fn of(job: &Job, job_id: &JobId, status: JobStatus, cause: Option<String>) -> Self {
        let state = job.state();
        let head = &job.head;
        let queue = state.map(|state| state.job_queue.clone()).filter(|queue| !queue.is_empty());
        let reason = state.and_then(|state| state.status_reason.clone());
        Self {
            id: format!("job/{job_id}"),
            job_name: job.name().clone(),
            job_id: job_id.clone(),
            run_id: head.run_id.clone(),
            status,
            cause,
            status_reason: reason.map(|reason| reason.chars().take(REASON_MAX_CHARS).collect()),
            exit_code: state.and_then(|state| state.exit_code),
            submissions: head.job_tries.len() as u64 + u64::from(head.earlier_tries),
            job_queue: queue.unwrap_or_else(|| head.spec.job_queue.clone()),
            stopped_at: state.and_then(|state| state.times.stopped_at),
            is_child: head.spec.child_of.is_some(),
        }
    }
}

/// The detail of `Run State Change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunEnded {
    /// The same whenever the same end is told again: `run/` and the run's id.
    pub id: String,
    /// The run.
    pub run_id: RunId,
    /// Its job file.
    pub source: String,
    /// How it ended.
    pub status: RunOutcome,
    /// Jobs that it submitted and that SUCCEEDED.
    pub succeeded: u64,
    /// Jobs that it submitted and that FAILED for good.
    pub failed: u64,
    /// What became of the lines of its file.
    pub counts: RunCounts,
    /// Where its report lies in the stack's bucket: what comes before the names of its parts.
    pub report: String,
    /// When it started, in milliseconds since 1970.
    pub started_at: Timestamp,
    /// When the last of its jobs ended, in milliseconds since 1970.
    pub ended_at: Timestamp,
}

impl RunEnded {
    /// The end of a run; `None` where it has not ended.
    pub fn of(run: &Run) -> Option<Self> {
        let end = run.end?;
        Some(Self {
            id: format!("run/{}", run.run_id),
            run_id: run.run_id.clone(),
            source: run.source.clone(),
            status: end.outcome,
            succeeded: end.succeeded,
            failed: end.failed,
            counts: run.counts,
            report: format!("reports/{}/", run.run_id),
            started_at: run.started_at,
            ended_at: end.ended_at,
        })
    }
}
