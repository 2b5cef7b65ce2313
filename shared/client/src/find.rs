//! Jobs found, one or as streams.

use std::collections::VecDeque;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream, StreamExt as _, TryStreamExt as _};

use batchwright_control::use_cases::queries::{JobToRun, jobs_to_run, recover_jobs};

use crate::client::Client;
use crate::domain::{Job, JobId, JobName, JobSpec, JobStatus, StatusCounts, Submission};
use crate::error::ClientError;
use crate::ports::{Cursor, JobQueries, JobRemoval, Page, PortError};

impl Client {
    /// The job of that name with its latest submission.
    pub async fn job(&self, name: &JobName) -> Result<Option<Job>, ClientError> {
        Ok(self.store().job(name).await?)
    }

    /// The submission, array child or node of that id.
    pub async fn submission(&self, job_id: &JobId) -> Result<Option<Submission>, ClientError> {
        Ok(self.store().submission(job_id).await?)
    }

    /// What is known of jobs after an interruption: as many answers as names, in their order.
    pub async fn recover(&self, names: &[JobName]) -> Result<Vec<Option<Job>>, ClientError> {
        Ok(recover_jobs(self.store(), names).await?)
    }

    /// Those of the jobs that have not SUCCEEDED, in their order.
    pub async fn to_run(&self, jobs: Vec<JobSpec>) -> Result<Vec<JobToRun>, ClientError> {
        Ok(jobs_to_run(self.store(), jobs).await?)
    }

    /// How many jobs have each status.
    pub async fn count_by_status(&self) -> Result<StatusCounts, ClientError> {
        Ok(self.store().count_by_status().await?)
    }

    /// Every job, once, a page held at a time.
    pub fn jobs(&self) -> impl Stream<Item = Result<Job, ClientError>> + Send + use<> {
        let store = self.store().clone();
        pages(move |page| {
            let store = store.clone();
            async move { store.jobs(None, page.as_ref()).await }.boxed()
        })
    }

    /// The jobs whose latest submission has a status.
    pub fn jobs_with_status(
        &self,
        status: JobStatus,
    ) -> impl Stream<Item = Result<Job, ClientError>> + Send + use<> {
        let store = self.store().clone();
        pages(move |page| {
            let store = store.clone();
            async move { store.jobs_with_status(status, page.as_ref()).await }.boxed()
        })
    }

    /// Every submission, array child and node of a job, in no promised order.
    pub fn submissions(
        &self,
        name: &JobName,
    ) -> impl Stream<Item = Result<Submission, ClientError>> + Send + use<> {
        let (store, name) = (self.store().clone(), name.clone());
        pages(move |page| {
            let (store, name) = (store.clone(), name.clone());
            async move { store.submissions(&name, page.as_ref()).await }.boxed()
        })
    }

    /// The id of every submission, array child and node of every job, once.
    pub fn job_ids(&self) -> impl Stream<Item = Result<JobId, ClientError>> + Send + use<> {
        let client = self.clone();
        self.jobs()
            .map_ok(move |job| client.submissions(job.name()).map_ok(|submission| submission.state.job_id))
            .try_flatten()
    }

    /// Forgets a submission. AWS Batch is not told.
    pub async fn remove_submission(&self, job_id: &JobId) -> Result<Option<Submission>, ClientError> {
        Ok(self.store().remove_submission(job_id).await?)
    }

    /// Forgets a job with all its submissions, and returns their ids. AWS Batch is not told: a job that still runs
    /// goes on, and may be submitted a second time.
    pub async fn remove_job(&self, name: &JobName) -> Result<Vec<JobId>, ClientError> {
        Ok(self.store().remove_job(name).await?)
    }
}

/// The items of a list that comes in pages. Ends after the first error.
fn pages<T: Send + 'static>(
    fetch: impl Fn(Option<Cursor>) -> BoxFuture<'static, Result<Page<T>, PortError>> + Send + 'static,
) -> impl Stream<Item = Result<T, ClientError>> + Send {
    enum At {
        Page(Option<Cursor>),
        End,
    }
    let start = (VecDeque::new(), At::Page(None), fetch);
    futures_util::stream::unfold(start, |(mut items, mut at, fetch)| async move {
        loop {
            if let Some(item) = items.pop_front() {
                return Some((Ok(item), (items, at, fetch)));
            }
            let At::Page(cursor) = at else { return None };
            match fetch(cursor).await {
                Ok(page) => {
                    items = page.items.into();
                    at = page.next.map_or(At::End, |next| At::Page(Some(next)));
                }
                Err(error) => return Some((Err(error.into()), (items, At::End, fetch))),
            }
        }
    })
    .fuse()
}
