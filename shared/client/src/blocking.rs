//! The client for programs without an async runtime.

use batchwright_control::use_cases::stop::StopLine;
use futures_util::TryStreamExt as _;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::config::Config;
use crate::domain::{Job, JobId, JobName, JobSpec, JobStatus, StatusCounts};
use crate::error::ClientError;
use crate::ports::LogEvent;
use crate::submit::Submitted;

/// A [`Client`](crate::Client) whose calls return when they are done.
///
/// It has a runtime of its own, so that it works in programs that have none. Inside an async function it would stop
/// the runtime that runs it: there each call errs with [`ClientError::InsideRuntime`].
#[derive(Debug)]
pub struct Client {
    client: crate::Client,
    runtime: Runtime,
}

impl Client {
    /// Makes one as `make` says: `Client::with(|| crate::Client::connect(Config::default()))`.
    pub fn with<F>(make: impl FnOnce() -> F) -> Result<Self, ClientError>
    where
        F: Future<Output = Result<crate::Client, ClientError>>,
    {
        if Handle::try_current().is_ok() {
            return Err(ClientError::InsideRuntime);
        }
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(ClientError::Runtime)?;
        let client = runtime.block_on(async { make().await })?;
        Ok(Self { client, runtime })
    }

    /// As [`Client::connect`](crate::Client::connect).
    #[cfg(feature = "aws")]
    pub fn connect(config: Config) -> Result<Self, ClientError> {
        Self::with(|| crate::Client::connect(config))
    }

    /// As [`Client::simulated`](crate::Client::simulated).
    #[cfg(feature = "local")]
    pub fn simulated(seed: u64, config: Config) -> Result<Self, ClientError> {
        Self::with(|| crate::Client::simulated(seed, config))
    }

    fn block_on<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
        if Handle::try_current().is_ok() {
            return Err(ClientError::InsideRuntime);
        }
        self.runtime.block_on(call)
    }

    /// As [`Client::submit`](crate::Client::submit).
    pub fn submit(&self, jobs: impl IntoIterator<Item = JobSpec>) -> Result<Vec<Submitted>, ClientError> {
        self.block_on(self.client.submit(jobs))
    }

    /// As [`Client::run`](crate::Client::run).
    pub fn run(&self, jobs: impl IntoIterator<Item = JobSpec>) -> Result<Vec<Job>, ClientError> {
        self.block_on(self.client.run(jobs))
    }

    /// As [`Client::wait`](crate::Client::wait).
    pub fn wait(&self, names: impl IntoIterator<Item = JobName>) -> Result<Vec<Job>, ClientError> {
        self.block_on(self.client.wait(names))
    }

    /// Calls `each` for every change of the jobs' statuses, until each has ended for good.
    pub fn monitor(
        &self,
        names: impl IntoIterator<Item = JobName>,
        mut each: impl FnMut(Job),
    ) -> Result<(), ClientError> {
        self.block_on(self.client.monitor(names).try_for_each(|job| {
            each(job);
            std::future::ready(Ok(()))
        }))
    }

    /// As [`Client::update`](crate::Client::update).
    pub fn update(&self, names: &[JobName]) -> Result<Vec<Option<Job>>, ClientError> {
        self.block_on(self.client.update(names))
    }

    /// As [`Client::cancel`](crate::Client::cancel).
    pub fn cancel(
        &self,
        names: impl IntoIterator<Item = JobName>,
        reason: &str,
    ) -> Result<Vec<StopLine>, ClientError> {
        self.block_on(self.client.cancel(names, reason))
    }

    /// As [`Client::terminate`](crate::Client::terminate).
    pub fn terminate(
        &self,
        names: impl IntoIterator<Item = JobName>,
        reason: &str,
    ) -> Result<Vec<StopLine>, ClientError> {
        self.block_on(self.client.terminate(names, reason))
    }

    /// Calls `each` with every line of a job's latest submission.
    pub fn log(&self, name: &JobName, mut each: impl FnMut(LogEvent)) -> Result<(), ClientError> {
        self.block_on(self.client.log(name).try_for_each(|event| {
            each(event);
            std::future::ready(Ok(()))
        }))
    }

    /// As [`Client::job`](crate::Client::job).
    pub fn job(&self, name: &JobName) -> Result<Option<Job>, ClientError> {
        self.block_on(self.client.job(name))
    }

    /// As [`Client::recover`](crate::Client::recover).
    pub fn recover(&self, names: &[JobName]) -> Result<Vec<Option<Job>>, ClientError> {
        self.block_on(self.client.recover(names))
    }

    /// The jobs whose latest submission has a status.
    pub fn jobs_with_status(&self, status: JobStatus) -> Result<Vec<Job>, ClientError> {
        self.block_on(self.client.jobs_with_status(status).try_collect())
    }

    /// As [`Client::count_by_status`](crate::Client::count_by_status).
    pub fn count_by_status(&self) -> Result<StatusCounts, ClientError> {
        self.block_on(self.client.count_by_status())
    }

    /// As [`Client::adopt`](crate::Client::adopt).
    pub fn adopt(&self, job_id: &JobId) -> Result<Job, ClientError> {
        self.block_on(self.client.adopt(job_id))
    }
}
