//! A store of one's own: here one that says what is written, and hands it on to another.
//!
//! A store implements the traits of `ports`, and passes the contract suites of `tests/src/contract`. It needs no
//! account: a simulated engine runs the jobs, on tokio's paused clock.
//!
//! `cargo run -p batchwright --example own_store --features local`

use batchwright::domain::{
    Children, ClaimOutcome, FollowUp, Job, JobHead, JobId, JobName, JobState, JobStatus, LogsRecord,
    NewClaim, NewSubmission, Nonce, RecordOutcome, Run, RunId, StatusCounts, Submission, Timestamp,
};
use batchwright::memory::InMemoryJobStore;
use batchwright::ports::{
    Applied, ClaimStore, Cursor, JobQueries, JobRemoval, Page, PortError, RunStore, StateStore, WorkLists,
};
use batchwright::{AnyStore, Client, Config, JobSpec};

#[derive(Clone, Default)]
struct Telling {
    within: InMemoryJobStore,
}

impl ClaimStore for Telling {
    async fn claim(&self, claim: &NewClaim) -> Result<ClaimOutcome, PortError> {
        let outcome = self.within.claim(claim).await?;
        println!("{}: {outcome:?}", claim.spec.job_name);
        Ok(outcome)
    }

    async fn release(
        &self,
        job_name: &JobName,
        nonce: &Nonce,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.within.release(job_name, nonce, refusal, now).await
    }

    async fn record_submission(&self, submission: &NewSubmission) -> Result<RecordOutcome, PortError> {
        println!("{}: submitted as {}", submission.job_name, submission.job_id);
        self.within.record_submission(submission).await
    }

    async fn take_in(&self, claim: &NewClaim, job_id: &JobId) -> Result<RecordOutcome, PortError> {
        self.within.take_in(claim, job_id).await
    }
}

impl StateStore for Telling {
    async fn apply_state(&self, state: &JobState, now: Timestamp) -> Result<Applied, PortError> {
        let applied = self.within.apply_state(state, now).await?;
        println!("{}: {} ({applied:?})", state.job_name, state.status);
        Ok(applied)
    }

    async fn apply_known(&self, state: &JobState, now: Timestamp) -> Result<Option<Applied>, PortError> {
        let applied = self.within.apply_known(state, now).await?;
        println!("{}: {} ({applied:?})", state.job_name, state.status);
        Ok(applied)
    }

    async fn save_children(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        children: &Children,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.within.save_children(job_name, job_id, children, now).await
    }

    async fn save_logs(&self, job_id: &JobId, logs: &LogsRecord, now: Timestamp) -> Result<bool, PortError> {
        self.within.save_logs(job_id, logs, now).await
    }
}

impl WorkLists for Telling {
    async fn unsettled_ends(&self, page: Option<&Cursor>) -> Result<Page<Submission>, PortError> {
        self.within.unsettled_ends(page).await
    }

    async fn ends_waiting_for(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.within.ends_waiting_for(job_name, page).await
    }

    async fn save_follow_up(
        &self,
        job_name: &JobName,
        job_id: &JobId,
        follow_up: &FollowUp,
    ) -> Result<(), PortError> {
        self.within.save_follow_up(job_name, job_id, follow_up).await
    }

    async fn expired_claims(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobHead>, PortError> {
        self.within.expired_claims(before, page).await
    }

    async fn silent_submissions(
        &self,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.within.silent_submissions(since, page).await
    }

    async fn no_news(
        &self,
        submissions: &[Submission],
        heard_at: Option<Timestamp>,
        asked_at: Timestamp,
    ) -> Result<(), PortError> {
        self.within.no_news(submissions, heard_at, asked_at).await
    }

    async fn unfinished_logs(
        &self,
        before: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.within.unfinished_logs(before, page).await
    }
}

impl JobQueries for Telling {
    async fn job(&self, job_name: &JobName) -> Result<Option<Job>, PortError> {
        self.within.job(job_name).await
    }

    async fn jobs_named(&self, job_names: &[JobName]) -> Result<Vec<Option<Job>>, PortError> {
        self.within.jobs_named(job_names).await
    }

    async fn submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.within.submission(job_id).await
    }

    async fn submission_of(
        &self,
        job_name: &JobName,
        job_id: &JobId,
    ) -> Result<Option<Submission>, PortError> {
        Ok(self.submission(job_id).await?.filter(|found| found.state.job_name == *job_name))
    }

    async fn is_recorded(&self, job_name: &JobName, job_id: &JobId) -> Result<bool, PortError> {
        self.within.is_recorded(job_name, job_id).await
    }

    async fn submissions(
        &self,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.within.submissions(job_name, page).await
    }

    async fn submissions_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        self.within.submissions_with_status(status, page).await
    }

    async fn jobs(&self, run_id: Option<&RunId>, page: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        self.within.jobs(run_id, page).await
    }

    async fn jobs_with_status(
        &self,
        status: JobStatus,
        page: Option<&Cursor>,
    ) -> Result<Page<Job>, PortError> {
        self.within.jobs_with_status(status, page).await
    }

    async fn count_by_status(&self) -> Result<StatusCounts, PortError> {
        self.within.count_by_status().await
    }
}

impl JobRemoval for Telling {
    async fn remove_submission(&self, job_id: &JobId) -> Result<Option<Submission>, PortError> {
        self.within.remove_submission(job_id).await
    }

    async fn remove_job(&self, job_name: &JobName) -> Result<Vec<JobId>, PortError> {
        self.within.remove_job(job_name).await
    }

    async fn prune_job(&self, head: &JobHead) -> Result<bool, PortError> {
        self.within.prune_job(head).await
    }

    async fn prune_run(&self, run: &Run) -> Result<bool, PortError> {
        self.within.prune_run(run).await
    }
}

impl RunStore for Telling {
    async fn create_run(&self, run: &Run) -> Result<Option<Run>, PortError> {
        self.within.create_run(run).await
    }

    async fn save_run(&self, run: &Run) -> Result<bool, PortError> {
        self.within.save_run(run).await
    }

    async fn run(&self, run_id: &RunId) -> Result<Option<Run>, PortError> {
        self.within.run(run_id).await
    }

    async fn runs(&self, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        self.within.runs(page).await
    }

    async fn unfinished_runs(&self, since: Timestamp, page: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        self.within.unfinished_runs(since, page).await
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = AnyStore::new(Telling::default());
    let client = Client::simulated_over(7, store, Config::default()).await?;
    let first = JobSpec::named("first", "queue", "definition")?.command(["echo", "hello"]);
    let second = JobSpec::named("second", "queue", "definition")?.command(["echo", "world"]).after(&first);
    for job in client.run([first, second]).await? {
        println!("{}: {}", job.name(), job.status().map_or("not submitted", |status| status.as_str()));
    }
    Ok(())
}
