//! Any store.

use std::sync::Arc;

use super::{argument, erase};
use crate::domain::{
    Children, ClaimOutcome, FollowUp, Job, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord,
    NewClaim, NewSubmission, Nonce, RecordOutcome, Run, RunId, SheetId, StatusCounts, Submission, Timestamp,
};
use crate::ports::{
    Applied, ClaimStore, Cursor, JobQueries, JobRemoval, JobStore, Page, PortError, RunStore, StateStore,
    WorkLists,
};

/// What a [`Client`] keeps its jobs in: heads, submissions and runs.
///
/// A store of your own implements the port traits, passes their contract suites, and becomes a `Store` by this
/// trait's blanket implementation.
///
/// [`Client`]: crate::Client
pub trait Store: JobStore + RunStore {}

impl<S: JobStore + RunStore> Store for S {}

/// A handle on any [`Store`], chosen at run time. Clones share it.
#[derive(Clone)]
pub struct AnyStore(Arc<dyn ErasedStore>);

impl AnyStore {
    /// Takes a store in.
    pub fn new(store: impl Store + 'static) -> Self {
        Self(Arc::new(store))
    }
}

trait ErasedStore:
    ErasedClaims + ErasedStates + ErasedWorkLists + ErasedQueries + ErasedRemoval + ErasedRuns
{
}

impl<S: Store> ErasedStore for S {}

erase! {
    ClaimStore as ErasedClaims for AnyStore {
        fn open_sheet(names: reference [JobName], expires_at: value Timestamp) -> Result<Option<SheetId>, PortError>;
        fn close_sheet(sheet: reference SheetId) -> Result<(), PortError>;
        fn claim(claim: reference NewClaim) -> Result<ClaimOutcome, PortError>;
        fn release(job_name: reference JobName, nonce: reference Nonce, refusal: option str, now: value Timestamp) -> Result<bool, PortError>;
        fn record_submission(submission: reference NewSubmission) -> Result<RecordOutcome, PortError>;
        fn take_in(claim: reference NewClaim, job_id: reference JobId) -> Result<RecordOutcome, PortError>;
    }
}

erase! {
    StateStore as ErasedStates for AnyStore {
        fn apply_state(state: reference JobState, now: value Timestamp) -> Result<Applied, PortError>;
        fn apply_known(state: reference JobState, now: value Timestamp) -> Result<Option<Applied>, PortError>;
        fn save_children(job_name: reference JobName, job_id: reference JobId, children: reference Children, now: value Timestamp) -> Result<bool, PortError>;
        fn save_logs(job_id: reference JobId, logs: reference LogsRecord, now: value Timestamp) -> Result<bool, PortError>;
    }
}

erase! {
    WorkLists as ErasedWorkLists for AnyStore {
        fn unsettled_ends(page: option Cursor) -> Result<Page<Submission>, PortError>;
        fn ends_waiting_for(job_name: reference JobName, page: option Cursor) -> Result<Page<Submission>, PortError>;
        fn save_follow_up(job_name: reference JobName, job_id: reference JobId, follow_up: reference FollowUp) -> Result<(), PortError>;
        fn expired_claims(before: value Timestamp, page: option Cursor) -> Result<Page<JobHead>, PortError>;
        fn close_left_sheets(before: value Timestamp) -> Result<(), PortError>;
        fn silent_submissions(since: value Timestamp, page: option Cursor) -> Result<Page<Submission>, PortError>;
        fn no_news(submissions: reference [Submission], heard_at: value Option<Timestamp>, asked_at: value Timestamp) -> Result<(), PortError>;
        fn unfinished_logs(before: value Timestamp, page: option Cursor) -> Result<Page<Submission>, PortError>;
    }
}

erase! {
    JobQueries as ErasedQueries for AnyStore {
        fn job(job_name: reference JobName) -> Result<Option<Job>, PortError>;
        fn jobs_named(job_names: reference [JobName]) -> Result<Vec<Option<Job>>, PortError>;
        fn submission(job_id: reference JobId) -> Result<Option<Submission>, PortError>;
        fn submission_of(job_name: reference JobName, job_id: reference JobId) -> Result<Option<Submission>, PortError>;
        fn is_recorded(job_name: reference JobName, job_id: reference JobId) -> Result<bool, PortError>;
        fn submissions(job_name: reference JobName, page: option Cursor) -> Result<Page<Submission>, PortError>;
        fn submissions_with_status(status: value JobStatus, page: option Cursor) -> Result<Page<Submission>, PortError>;
        fn jobs(run_id: option RunId, page: option Cursor) -> Result<Page<Job>, PortError>;
        fn jobs_with_status(status: value JobStatus, page: option Cursor) -> Result<Page<Job>, PortError>;
        fn count_by_status() -> Result<StatusCounts, PortError>;
    }
}

erase! {
    JobRemoval as ErasedRemoval for AnyStore {
        fn remove_submission(job_id: reference JobId) -> Result<Option<Submission>, PortError>;
        fn remove_job(job_name: reference JobName) -> Result<Vec<JobId>, PortError>;
        fn prune_job(head: reference JobHead) -> Result<bool, PortError>;
        fn prune_run(run: reference Run) -> Result<bool, PortError>;
    }
}

erase! {
    RunStore as ErasedRuns for AnyStore {
        fn create_run(run: reference Run) -> Result<Option<Run>, PortError>;
        fn save_run(run: reference Run) -> Result<bool, PortError>;
        fn run(run_id: reference RunId) -> Result<Option<Run>, PortError>;
        fn runs(page: option Cursor) -> Result<Page<Run>, PortError>;
        fn unfinished_runs(since: value Timestamp, page: option Cursor) -> Result<Page<Run>, PortError>;
    }
}
