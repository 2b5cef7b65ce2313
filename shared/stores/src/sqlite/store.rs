//! The ports on one SQLite file. What a call changes, it changes as a whole.

use super::group::apart;
use super::{SqliteStore, reads, writes};
use crate::domain::{
    Children, ClaimOutcome, FollowUp, Job, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord,
    NewClaim, NewSubmission, Nonce, RecordOutcome, Run, RunId, StatusCounts, Submission, Timestamp,
};
use crate::ports::{
    Applied, ClaimStore, Cursor, JobQueries, JobRemoval, Page, PortError, RunStore, StateStore, WorkLists,
};

impl ClaimStore for SqliteStore {
    async fn claim(&self, claim: &NewClaim) -> Result<ClaimOutcome, PortError> {
        self.change("claim a job", |connection| writes::claim(connection, claim)).await
    }

    async fn release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.change("release a claim", |connection| {
            writes::release(connection, job_name, nonce, refusal, now)
        })
        .await
    }

    async fn record_submission(&self, submission: &NewSubmission) -> Result<RecordOutcome, PortError> {
        self.change("record a submission", |connection| writes::record_submission(connection, submission))
            .await
    }

    async fn take_in(&self, claim: &NewClaim, job_id: &JobId) -> Result<RecordOutcome, PortError> {
        self.change("take a submission in", |connection| writes::take_in(connection, claim, job_id)).await
    }
}

impl StateStore for SqliteStore {
    async fn apply_state(&self, state: &JobState, now: Timestamp) -> Result<Applied, PortError> {
        self.change("apply a state", |connection| writes::apply_state(connection, state, now)).await
    }

    async fn apply_known(&self, state: &JobState, now: Timestamp) -> Result<Option<Applied>, PortError> {
        self.change("apply a state", |connection| writes::apply_known(connection, state, now)).await
    }

    async fn save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.change("keep what is known of an array's children", |connection| {
            writes::save_children(connection, job_name, job_id, children, now)
        })
        .await
    }

    async fn save_logs(&self, job_id: &JobId, logs: &LogsRecord, now: Timestamp) -> Result<bool, PortError> {
        self.change("save logs", |connection| writes::save_logs(connection, job_id, logs, now)).await
    }
}

impl WorkLists for SqliteStore {
    async fn unsettled_ends(&self, page: Option<&Cursor>) -> Result<Page<Submission>, PortError> {
        self.look("list unsettled ends", |connection| reads::unsettled_ends(connection, page)).await
    }

    async fn save_follow_up(
        &self,
        _: &JobName,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> Result<(), PortError> {
        self.change("keep what follows from an end", |connection| {
            writes::save_follow_up(connection, job_id, follow_up)
        })
        .await
    }

    async fn ends_waiting_for(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.look("list ends that wait for a job", |connection| {
            reads::ends_waiting_for(connection, job_name, page)
        })
        .await
    }

    async fn expired_claims(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        self.look("list expired claims", |connection| reads::expired_claims(connection, before, page)).await
    }

    async fn silent_submissions(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.look("list silent submissions", |connection| reads::silent_submissions(connection, since, page))
            .await
    }

    async fn no_news(
        &self,
        submissions: &[Submission],
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> Result<(), PortError> {
        self.change("note silence", |connection| writes::no_news(connection, submissions, heard_at, asked_at))
            .await
    }

    async fn unfinished_logs(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.look("list unfinished logs", |connection| reads::unfinished_logs(connection, before, page)).await
    }
}

impl JobQueries for SqliteStore {
    async fn job(&self, job_name: &JobName) -> Result<Option<Job>, PortError> {
        self.look("find a job", |connection| reads::job(connection, job_name)).await
    }

    async fn jobs_named(&self, job_names: &[JobName]) -> Result<Vec<Option<Job>>, PortError> {
        self.look("find jobs", |connection| {
            apart(connection, |snapshot| {
                job_names.iter().map(|job_name| reads::job(snapshot, job_name)).collect()
            })
        })
        .await
    }

    async fn submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.look("find a submission", |connection| reads::submission(connection, job_id)).await
    }

    async fn submission_of(
        &self,
        job_name: &JobName,
        job_id: &JobId,
    ) -> Result<Option<Submission>, PortError> {
        Ok(self.submission(job_id).await?.filter(|found| found.state.job_name == *job_name))
    }

    async fn submissions(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.look("list a job's submissions", |connection| reads::submissions(connection, job_name, page))
            .await
    }

    async fn submissions_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.look("list submissions", |connection| reads::submissions_with_status(connection, status, page))
            .await
    }

    async fn jobs(&self, run_id: Option<&RunId>, page: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        self.look("list jobs", |connection| reads::jobs(connection, run_id, page)).await
    }

    async fn jobs_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Job>, PortError> {
        self.look("list jobs", |connection| reads::jobs_with_status(connection, status, page)).await
    }

    async fn count_by_status(&self) -> Result<StatusCounts, PortError> {
        self.look("count jobs", |connection| apart(connection, reads::count_by_status)).await
    }
}

impl JobRemoval for SqliteStore {
    async fn remove_submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.change("remove a submission", |connection| writes::remove_submission(connection, job_id)).await
    }

    async fn remove_job(&self, job_name: &JobName) -> Result<Vec<JobId>, PortError> {
        self.change("remove a job", |connection| writes::remove_job(connection, job_name)).await
    }

    async fn prune_job(&self, head: &JobHead) -> Result<bool, PortError> {
        self.change("remove a job", |connection| writes::prune_job(connection, head)).await
    }

    async fn prune_run(&self, run: &Run) -> Result<bool, PortError> {
        self.change("remove a run", |connection| writes::prune_run(connection, run)).await
    }
}

impl RunStore for SqliteStore {
    async fn create_run(&self, run: &Run) -> Result<Option<Run>, PortError> {
        self.change("create a run", |connection| {
            if writes::create_run(connection, run)? {
                return Ok(None);
            }
            reads::run(connection, &run.run_id)
        })
        .await
    }

    async fn save_run(&self, run: &Run) -> Result<bool, PortError> {
        self.change("save a run", |connection| writes::save_run(connection, run)).await
    }

    async fn run(&self, run_id: &RunId) -> Result<Option<Run>, PortError> {
        self.look("find a run", |connection| reads::run(connection, run_id)).await
    }

    async fn runs(&self, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        self.look("list runs", |connection| reads::runs(connection, page)).await
    }

    async fn unfinished_runs(&self, since: Timestamp, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        self.look("list unfinished runs", |connection| reads::unfinished_runs(connection, since, page)).await
    }
}
