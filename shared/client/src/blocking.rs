//! The client for programs without an async runtime.

use batchwright_control::use_cases::queries::JobToRun;
use batchwright_control::use_cases::stop::StopLine;
#[cfg(feature = "serializer")]
use batchwright_serial::objects::{Converted, Failure, Info};
use futures_util::{StreamExt as _, TryStreamExt as _};
#[cfg(feature = "serializer")]
use serde::{Serialize, de::DeserializeOwned};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::aio_aws::{Imported, KeptJob};
use crate::config::Config;
use crate::domain::{Job, JobId, JobName, JobSpec, JobStatus, StatusCounts, Submission};
#[cfg(feature = "serializer")]
use crate::domain::{S3Prefix, S3Uri};
use crate::error::ClientError;
use crate::ports::{CallAnswer, CallError, FunctionCall, FunctionCaller, LogEvent};
use crate::submit::{Ran, Submitted};

/// A [`Client`](crate::Client) whose calls return when they are done.
///
/// It has a runtime of its own, so that it works in programs that have none. Inside an async function it would stop
/// the runtime that runs it: there each call errs with [`ClientError::InsideRuntime`]. It does so inside tokio's
/// `spawn_blocking`, too, which can't be told from an async function; use a thread of `std` there.
///
/// Dropped, it waits until what is under way in its runtime has stopped; inside a runtime it does not.
#[derive(Debug)]
pub struct Client {
    client: crate::Client,
    runtime: OwnRuntime,
}

/// The runtime of one blocking client; there until it is dropped.
#[derive(Debug)]
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn block_on<T>(&self, call: impl Future<Output = T>) -> T {
        self.0.as_ref().expect("it is taken when it is dropped").block_on(call)
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        // A runtime waits for its threads when it is dropped, and panics inside another one, which that would stop.
        if let Some(runtime) = self.0.take_if(|_| Handle::try_current().is_ok()) {
            runtime.shutdown_background();
        }
    }
}

/// A runtime for one blocking client. Errs inside another runtime, which blocking would stop.
fn runtime() -> Result<OwnRuntime, ClientError> {
    outside_of_runtimes()?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    Ok(OwnRuntime(Some(runtime.map_err(ClientError::Runtime)?)))
}

fn outside_of_runtimes() -> Result<(), ClientError> {
    Handle::try_current().map_or(Ok(()), |_| Err(ClientError::InsideRuntime))
}

impl Client {
    /// Makes one as `make` says: `Client::with(|| crate::Client::connect(Config::default()))`.
    pub fn with<F>(make: impl FnOnce() -> F) -> Result<Self, ClientError>
    where
        F: Future<Output = Result<crate::Client, ClientError>>,
    {
        let runtime = runtime()?;
        let client = runtime.block_on(async { make().await })?;
        Ok(Self { client, runtime })
    }

    /// As [`Client::connect`](crate::Client::connect).
    #[cfg(feature = "aws")]
    pub fn connect(config: Config) -> Result<Self, ClientError> {
        Self::with(|| crate::Client::connect(config))
    }

    /// As [`Client::simulated`](crate::Client::simulated), but in real time: what waits for its jobs waits as long as they
    /// run, minutes or hours. A test that waits takes the async client, in a runtime whose clock is paused.
    #[cfg(feature = "local")]
    pub fn simulated(seed: u64, config: Config) -> Result<Self, ClientError> {
        Self::with(|| crate::Client::simulated(seed, config))
    }

    /// As [`Client::simulated_over`](crate::Client::simulated_over), in real time.
    #[cfg(feature = "local")]
    pub fn simulated_over(seed: u64, store: crate::AnyStore, config: Config) -> Result<Self, ClientError> {
        Self::with(|| crate::Client::simulated_over(seed, store, config))
    }

    fn block_on<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
        outside_of_runtimes()?;
        self.runtime.block_on(call)
    }

    /// As [`Client::submit`](crate::Client::submit).
    pub fn submit(&self, jobs: impl IntoIterator<Item = JobSpec>) -> Result<Vec<Submitted>, ClientError> {
        self.block_on(self.client.submit(jobs))
    }

    /// As [`Client::submit_again`](crate::Client::submit_again).
    pub fn submit_again(
        &self,
        jobs: impl IntoIterator<Item = JobSpec>,
    ) -> Result<Vec<Submitted>, ClientError> {
        self.block_on(self.client.submit_again(jobs))
    }

    /// As [`Client::run`](crate::Client::run).
    pub fn run(&self, jobs: impl IntoIterator<Item = JobSpec>) -> Result<Vec<Ran>, ClientError> {
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

    /// As [`Client::submission`](crate::Client::submission).
    pub fn submission(&self, job_id: &JobId) -> Result<Option<Submission>, ClientError> {
        self.block_on(self.client.submission(job_id))
    }

    /// Every submission, array child and node of a job, in no promised order. Those of a wide array are 10,000.
    pub fn submissions(&self, name: &JobName) -> Result<Vec<Submission>, ClientError> {
        self.block_on(self.client.submissions(name).try_collect())
    }

    /// As [`Client::to_run`](crate::Client::to_run).
    pub fn to_run(&self, jobs: Vec<JobSpec>) -> Result<Vec<JobToRun>, ClientError> {
        self.block_on(self.client.to_run(jobs))
    }

    /// Calls `each` with every job, once; a page of them is held at a time.
    pub fn jobs(&self, mut each: impl FnMut(Job)) -> Result<(), ClientError> {
        self.block_on(self.client.jobs().try_for_each(|job| {
            each(job);
            std::future::ready(Ok(()))
        }))
    }

    /// Calls `each` with the id of every submission, array child and node of every job, once.
    pub fn job_ids(&self, mut each: impl FnMut(JobId)) -> Result<(), ClientError> {
        self.block_on(self.client.job_ids().try_for_each(|job_id| {
            each(job_id);
            std::future::ready(Ok(()))
        }))
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

    /// As [`Client::import`](crate::Client::import).
    pub fn import(&self, kept: impl IntoIterator<Item = KeptJob>) -> Result<Vec<Imported>, ClientError> {
        self.block_on(self.client.import(kept))
    }

    /// As [`Client::adopt`](crate::Client::adopt).
    pub fn adopt(&self, job_id: &JobId) -> Result<Job, ClientError> {
        self.block_on(self.client.adopt(job_id))
    }

    /// As [`Client::remove_submission`](crate::Client::remove_submission).
    pub fn remove_submission(&self, job_id: &JobId) -> Result<Option<Submission>, ClientError> {
        self.block_on(self.client.remove_submission(job_id))
    }

    /// As [`Client::remove_job`](crate::Client::remove_job).
    pub fn remove_job(&self, name: &JobName) -> Result<Vec<JobId>, ClientError> {
        self.block_on(self.client.remove_job(name))
    }
}

/// As [`aio_aws::redis`](crate::aio_aws::redis).
#[cfg(feature = "redis")]
pub fn kept_in_redis(url: &str) -> Result<Vec<KeptJob>, ClientError> {
    runtime()?.block_on(crate::aio_aws::redis(url))
}

/// [`Functions`](crate::Functions) whose calls return when they are done.
#[derive(Debug)]
pub struct Functions<C> {
    functions: crate::Functions<C>,
    runtime: OwnRuntime,
}

#[cfg(feature = "lambda")]
impl Functions<batchwright_aws::aws::LambdaCaller> {
    /// As [`Functions::connect`](crate::Functions::connect).
    pub fn connect(config: &Config) -> Result<Self, ClientError> {
        let runtime = runtime()?;
        let functions = runtime.block_on(crate::Functions::connect(config));
        Ok(Self { functions, runtime })
    }
}

impl<C: FunctionCaller> Functions<C> {
    /// Over any caller.
    pub fn new(caller: C, config: &Config) -> Result<Self, ClientError> {
        Ok(Self { functions: crate::Functions::new(caller, config), runtime: runtime()? })
    }

    /// As [`Functions::invoke`](crate::Functions::invoke).
    pub fn invoke(&self, call: &FunctionCall<'_>) -> Result<CallAnswer, ClientError> {
        outside_of_runtimes()?;
        Ok(self.runtime.block_on(self.functions.invoke(call))?)
    }

    /// Calls many: the answers are in the order of the calls, and one that fails takes no other with it.
    pub fn invoke_all<'a>(
        &'a self,
        calls: impl IntoIterator<Item = FunctionCall<'a>>,
    ) -> Result<Vec<Result<CallAnswer, CallError>>, ClientError> {
        outside_of_runtimes()?;
        Ok(self.runtime.block_on(self.functions.invoke_all(calls).collect()))
    }

    /// As [`Functions::fan_out`](crate::Functions::fan_out), to the end of the list.
    #[cfg(feature = "fan-out")]
    pub fn fan_out(
        &self,
        call: &batchwright_invocations::fan_out::FanOutCall,
        results: impl AsRef<std::path::Path>,
    ) -> Result<crate::FannedOut, ClientError> {
        outside_of_runtimes()?;
        self.runtime.block_on(self.functions.fan_out(call, results, std::future::pending()))
    }
}

/// Documents in files of this machine, without a runtime of the caller's.
#[cfg(feature = "serializer")]
pub mod files {
    use std::path::Path;

    use batchwright_serial::objects::Converted;
    use serde::{Serialize, de::DeserializeOwned};

    use crate::error::ClientError;

    /// As [`files::load`](crate::files::load).
    pub fn load<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T, ClientError> {
        Ok(super::runtime()?.block_on(crate::files::load(path))?)
    }

    /// As [`files::dump`](crate::files::dump).
    pub fn dump<T: Serialize + ?Sized>(path: impl AsRef<Path>, value: &T) -> Result<Converted, ClientError> {
        Ok(super::runtime()?.block_on(crate::files::dump(path, value))?)
    }
}

/// [`Documents`](crate::Documents) whose calls return when they are done.
#[cfg(feature = "serializer")]
#[derive(Debug)]
pub struct Documents<B> {
    documents: crate::Documents<B>,
    runtime: OwnRuntime,
}

#[cfg(feature = "s3")]
impl Documents<batchwright_aws::aws::S3Buckets> {
    /// As [`Documents::connect`](crate::Documents::connect).
    pub fn connect(config: &Config) -> Result<Self, ClientError> {
        let runtime = runtime()?;
        let documents = runtime.block_on(crate::Documents::connect(config));
        Ok(Self { documents, runtime })
    }
}

#[cfg(feature = "serializer")]
impl<B: crate::ports::Buckets + 'static> Documents<B> {
    /// Over any buckets.
    pub fn new(buckets: B) -> Result<Self, ClientError> {
        Ok(Self { documents: crate::Documents::new(buckets), runtime: runtime()? })
    }

    fn block_on<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, ClientError> {
        outside_of_runtimes()?;
        Ok(self.runtime.block_on(call)?)
    }

    /// As [`Documents::load`](crate::Documents::load).
    pub fn load<T: DeserializeOwned>(&self, uri: &S3Uri) -> Result<T, ClientError> {
        self.block_on(self.documents.load(uri))
    }

    /// As [`Documents::dump`](crate::Documents::dump).
    pub fn dump<T: Serialize + ?Sized>(&self, uri: &S3Uri, value: &T) -> Result<Converted, ClientError> {
        self.block_on(self.documents.dump(uri, value))
    }

    /// As [`Documents::get`](crate::Documents::get).
    pub fn get(&self, uri: &S3Uri) -> Result<Vec<u8>, ClientError> {
        self.block_on(self.documents.get(uri))
    }

    /// As [`Documents::put`](crate::Documents::put).
    pub fn put(&self, uri: &S3Uri, content_type: &str, bytes: &[u8]) -> Result<Option<String>, ClientError> {
        self.block_on(self.documents.put(uri, content_type, bytes))
    }

    /// As [`Documents::info`](crate::Documents::info).
    pub fn info(&self, uri: &S3Uri) -> Result<Info, ClientError> {
        self.block_on(self.documents.info(uri))
    }

    /// What is said of many objects, so many at once: in their order, each with a result of its own.
    pub fn infos(&self, uris: &[S3Uri], at_once: usize) -> Result<Vec<Result<Info, Failure>>, ClientError> {
        self.block_on(async { Ok(self.documents.infos(uris, at_once).collect().await) })
    }

    /// Loads many documents, so many at once: in their order, each with a result of its own.
    pub fn load_all<T: DeserializeOwned>(
        &self,
        uris: &[S3Uri],
        at_once: usize,
    ) -> Result<Vec<Result<T, Failure>>, ClientError> {
        self.block_on(async { Ok(self.documents.load_all(uris, at_once).collect().await) })
    }

    /// As [`Documents::has_access`](crate::Documents::has_access).
    pub fn has_access(&self, place: &S3Prefix) -> Result<bool, ClientError> {
        self.block_on(self.documents.has_access(place))
    }
}

#[cfg(all(test, feature = "serializer"))]
mod tests {
    use batchwright_stores::memory::InMemoryBuckets;

    use super::*;

    #[test]
    fn documents_are_read_and_written_without_a_runtime_of_the_callers() {
        let documents = Documents::new(InMemoryBuckets::with(["bucket"])).unwrap();
        let uri = S3Uri::parse("s3://bucket/a.json").unwrap();
        documents.dump(&uri, &[1, 2]).unwrap();
        assert_eq!(documents.load::<Vec<u8>>(&uri).unwrap(), [1, 2]);
        assert_eq!(documents.info(&uri).unwrap().uri, "s3://bucket/a.json");
        let none = documents.get(&uri.with_key("none")).unwrap_err();
        assert!(none.to_string().contains("s3://bucket/none"), "{none}");
        let inside = runtime().unwrap().block_on(async { documents.get(&uri) });
        assert!(matches!(inside, Err(ClientError::InsideRuntime)));
        let all = documents.load_all::<Vec<u8>>(&[uri.with_key("none"), uri], 2).unwrap();
        assert!(all[0].is_err() && all[1].as_ref().is_ok_and(|loaded| *loaded == [1, 2]));
    }

    #[test]
    fn files_and_functions_need_no_runtime_of_the_callers() {
        use batchwright_stores::memory::{InMemoryFunctions, Reply};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.geojsons");
        let feature = serde_json::json!({"type": "Feature", "properties": {}, "geometry": null});
        files::dump(&path, &[&feature]).unwrap();
        assert_eq!(files::load::<Vec<serde_json::Value>>(&path).unwrap(), [feature]);
        let echo = InMemoryFunctions::new(|payload: &str, _| Reply::well(std::time::Duration::ZERO, payload));
        let functions = Functions::new(echo, &Config::default()).unwrap();
        let call = FunctionCall::new("f", b"7");
        assert_eq!(functions.invoke(&call).unwrap().payload, b"7");
        assert_eq!(functions.invoke_all([call, call]).unwrap().len(), 2);
        let documents = Documents::new(InMemoryBuckets::with(["bucket"])).unwrap();
        runtime().unwrap().block_on(async {
            assert!(matches!(files::load::<u8>(&path), Err(ClientError::InsideRuntime)));
            assert!(matches!(functions.invoke(&call), Err(ClientError::InsideRuntime)));
            assert!(matches!(functions.invoke_all([call]), Err(ClientError::InsideRuntime)));
            // Each takes its own runtime with it, which another one must not wait for.
            drop((functions, documents));
        });
    }
}
