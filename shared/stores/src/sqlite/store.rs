//! The ports on one SQLite file. What spans several statements is one immediate transaction.

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
        self.write("claim a job", |connection| writes::claim(connection, claim))
    }

    async fn release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.write("release a claim", |connection| writes::release(connection, job_name, nonce, refusal, now))
    }

    async fn record_submission(&self, submission: &NewSubmission) -> Result<RecordOutcome, PortError> {
        self.write("record a submission", |connection| writes::record_submission(connection, submission))
    }
}

impl StateStore for SqliteStore {
    async fn apply_state(&self, state: &JobState, now: Timestamp) -> Result<Applied, PortError> {
        self.statement("apply a state", |connection| writes::apply_state(connection, state, now))
    }

    async fn save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.write("keep what is known of an array's children", |connection| {
            writes::save_children(connection, job_name, job_id, children, now)
        })
    }

    async fn save_logs(&self, job_id: &JobId, logs: &LogsRecord, now: Timestamp) -> Result<bool, PortError> {
        self.statement("save logs", |connection| writes::save_logs(connection, job_id, logs, now))
    }
}

impl WorkLists for SqliteStore {
    async fn unsettled_ends(&self, page: Option<&Cursor>) -> Result<Page<Submission>, PortError> {
        self.statement("list unsettled ends", |connection| reads::unsettled_ends(connection, page))
    }

    async fn save_follow_up(
        &self,
        _: &JobName,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> Result<(), PortError> {
        self.statement("keep what follows from an end", |connection| {
            writes::save_follow_up(connection, job_id, follow_up)
        })
    }

    async fn ends_waiting_for(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.statement("list ends that wait for a job", |connection| {
            reads::ends_waiting_for(connection, job_name, page)
        })
    }

    async fn expired_claims(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        self.statement("list expired claims", |connection| reads::expired_claims(connection, before, page))
    }

    async fn silent_submissions(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.statement("list silent submissions", |connection| {
            reads::silent_submissions(connection, since, page)
        })
    }

    async fn no_news(
        &self,
        submissions: &[Submission],
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> Result<(), PortError> {
        self.write("note silence", |connection| writes::no_news(connection, submissions, heard_at, asked_at))
    }

    async fn unfinished_logs(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.statement("list unfinished logs", |connection| reads::unfinished_logs(connection, before, page))
    }
}

impl JobQueries for SqliteStore {
    async fn job(&self, job_name: &JobName) -> Result<Option<Job>, PortError> {
        self.statement("find a job", |connection| reads::job(connection, job_name))
    }

    async fn jobs_named(&self, job_names: &[JobName]) -> Result<Vec<Option<Job>>, PortError> {
        self.statement("find jobs", |connection| {
            let snapshot = connection.unchecked_transaction()?;
            job_names.iter().map(|job_name| reads::job(&snapshot, job_name)).collect()
        })
    }

    async fn submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.statement("find a submission", |connection| reads::submission(connection, job_id))
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
        self.statement("list a job's submissions", |connection| {
            reads::submissions(connection, job_name, page)
        })
    }

    async fn submissions_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.statement("list submissions", |connection| {
            reads::submissions_with_status(connection, status, page)
        })
    }

    async fn jobs(&self, run_id: Option<&RunId>, page: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        self.statement("list jobs", |connection| reads::jobs(connection, run_id, page))
    }

    async fn jobs_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Job>, PortError> {
        self.statement("list jobs", |connection| reads::jobs_with_status(connection, status, page))
    }

    async fn count_by_status(&self) -> Result<StatusCounts, PortError> {
        self.statement("count jobs", |connection| {
            let snapshot = connection.unchecked_transaction()?;
            reads::count_by_status(&snapshot)
        })
    }
}

impl JobRemoval for SqliteStore {
    async fn remove_submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.write("remove a submission", |connection| writes::remove_submission(connection, job_id))
    }

    async fn remove_job(&self, job_name: &JobName) -> Result<Vec<JobId>, PortError> {
        self.write("remove a job", |connection| writes::remove_job(connection, job_name))
    }
}

impl RunStore for SqliteStore {
    async fn create_run(&self, run: &Run) -> Result<Option<Run>, PortError> {
        self.write("create a run", |connection| {
            if writes::create_run(connection, run)? {
                return Ok(None);
            }
            reads::run(connection, &run.run_id)
        })
    }

    async fn save_run(&self, run: &Run) -> Result<bool, PortError> {
        self.write("save a run", |connection| writes::save_run(connection, run))
    }

    async fn run(&self, run_id: &RunId) -> Result<Option<Run>, PortError> {
        self.statement("find a run", |connection| reads::run(connection, run_id))
    }

    async fn runs(&self, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        self.statement("list runs", |connection| reads::runs(connection, page))
    }

    async fn unfinished_runs(&self, since: Timestamp, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        self.statement("list unfinished runs", |connection| reads::unfinished_runs(connection, since, page))
    }
}
