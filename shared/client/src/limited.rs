//! The limit of calls under way that everything made from one config shares, and how calls are repeated.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::domain::{JobId, JobName, LogStream, Stop, SubmitJobRequest, Timestamp};
use crate::events::JobDetail;
use crate::ports::{
    Cursor, ErrorKind, JobEngine, JobStopper, JobSummary, LogPage, LogSource, LogSourceError, Page, PortError,
};

/// Places for calls. A call has one only while it is under way: waiting to repeat it would keep others out.
#[derive(Debug)]
pub(crate) struct Calls {
    places: Semaphore,
    retries: u32,
    jitter: RangeInclusive<Duration>,
}

impl Calls {
    pub(crate) fn new(at_once: usize, retries: u32, jitter: RangeInclusive<Duration>) -> Self {
        Self { places: Semaphore::new(at_once), retries, jitter }
    }

    /// No limit at all.
    #[cfg(feature = "serializer")]
    pub(crate) fn unlimited() -> Self {
        Self::new(Semaphore::MAX_PERMITS, 0, Duration::ZERO..=Duration::ZERO)
    }

    /// Makes a call once.
    pub(crate) async fn once<T>(&self, call: impl Future<Output = T>) -> T {
        // The semaphore is never closed; without a place the call would still be right.
        let _place = self.places.acquire().await;
        call.await
    }

    /// Makes a call that may be repeated, until it comes through or its tries are used up.
    pub(crate) async fn repeated<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        call: impl Fn() -> F,
        kind: impl Fn(&E) -> Option<ErrorKind>,
    ) -> Result<T, E> {
        self.tried(|| self.once(call()), kind).await
    }

    /// The same of a call that finds a place by itself.
    async fn tried<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        call: impl Fn() -> F,
        kind: impl Fn(&E) -> Option<ErrorKind>,
    ) -> Result<T, E> {
        let mut left = self.retries;
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = match kind(&error) {
                Some(ErrorKind::Throttled { retry_after: Some(hint) }) => hint.max(self.wait()),
                Some(ErrorKind::Throttled { retry_after: None } | ErrorKind::Retryable) => self.wait(),
                Some(ErrorKind::Ambiguous | ErrorKind::Permanent) | None => return Err(error),
            };
            if left == 0 {
                return Err(error);
            }
            left -= 1;
            tokio::time::sleep(wait).await;
        }
    }

    /// Somewhere between the shortest and the longest wait, so that callers who failed together come back apart.
    fn wait(&self) -> Duration {
        let (shortest, longest) = (*self.jitter.start(), *self.jitter.end());
        let spread = f64::from(crate::uuids::new().as_fields().0) / f64::from(u32::MAX);
        shortest + longest.saturating_sub(shortest).mul_f64(spread)
    }
}

fn of_port(error: &PortError) -> Option<ErrorKind> {
    Some(error.kind)
}

/// A port behind the limit. Each of its calls is a task: whoever asked for it may be pending and not polled (one branch of a
/// `select!` whose other branch is under way), and a call that nobody drives would keep its place from everybody else for ever.
pub(crate) struct Limited<T> {
    pub(crate) port: T,
    pub(crate) calls: Arc<Calls>,
}

impl<P: Clone + Send + 'static> Limited<P> {
    /// Makes a call once. Dropped, it gives the call up.
    async fn once<T, E, F>(&self, call: impl FnOnce(P) -> F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<PortError> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (calls, call) = (Arc::clone(&self.calls), call(self.port.clone()));
        // It aborts its task when it is dropped.
        let mut task = JoinSet::new();
        task.spawn(async move { calls.once(call).await }.in_current_span());
        match task.join_next().await {
            Some(Ok(answer)) => answer,
            Some(Err(gone)) if gone.is_panic() => std::panic::resume_unwind(gone.into_panic()),
            // Nobody else has the task. What it asked for may have been done.
            _ => Err(PortError::ambiguous("call", "the runtime is shutting down").into()),
        }
    }
}

impl<E: JobEngine + Clone + 'static> JobEngine for Limited<E> {
    /// Never repeated here: `submit` knows whether a claim allows it.
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        let request = request.clone();
        self.once(|port| async move { port.submit_job(&request).await }).await
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        let describe = || {
            let job_ids = job_ids.to_vec();
            self.once(|port| async move { port.describe_jobs(&job_ids).await })
        };
        self.calls.tried(describe, of_port).await
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        let list = || {
            let (job_queue, job_name, page) = (job_queue.to_owned(), job_name.clone(), page.cloned());
            self.once(|port| async move { port.list_jobs(&job_queue, &job_name, page.as_ref()).await })
        };
        self.calls.tried(list, of_port).await
    }

    async fn list_jobs_since(
        &self,
        job_queue: &str,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        let list = || {
            let (job_queue, page) = (job_queue.to_owned(), page.cloned());
            self.once(move |port| async move { port.list_jobs_since(&job_queue, since, page.as_ref()).await })
        };
        self.calls.tried(list, of_port).await
    }

    async fn cancel_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        let cancel = || {
            let (job_id, reason) = (job_id.clone(), reason.to_owned());
            self.once(|port| async move { port.cancel_job(&job_id, &reason).await })
        };
        self.calls.tried(cancel, of_port).await
    }

    async fn terminate_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        let terminate = || {
            let (job_id, reason) = (job_id.clone(), reason.to_owned());
            self.once(|port| async move { port.terminate_job(&job_id, &reason).await })
        };
        self.calls.tried(terminate, of_port).await
    }
}

impl<E: JobStopper + Clone + 'static> JobStopper for Limited<E> {
    async fn stop_jobs(&self, job_ids: &[JobId], stop: Stop, reason: &str) -> Vec<Result<(), PortError>> {
        let (asked, reason) = (job_ids.to_vec(), reason.to_owned());
        let stop = |port: E| async move { Ok(port.stop_jobs(&asked, stop, &reason).await) };
        let answered: Result<_, PortError> = self.once(stop).await;
        answered.unwrap_or_else(|error| vec![Err(error); job_ids.len()])
    }
}

impl<L: LogSource + Clone + 'static> LogSource for Limited<L> {
    async fn log_events(&self, stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        let kind = |error: &LogSourceError| match error {
            LogSourceError::Port(error) => Some(error.kind),
            _ => None,
        };
        let read = || {
            let (stream, page) = (stream.clone(), page.cloned());
            self.once(|port| async move { port.log_events(&stream, page.as_ref()).await })
        };
        self.calls.tried(read, kind).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn calls(at_once: usize, retries: u32) -> Calls {
        Calls::new(at_once, retries, Duration::from_secs(1)..=Duration::from_secs(10))
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_repeated_so_often_as_its_kind_and_the_config_allow() {
        for (error, made) in [
            (PortError::throttled("x", None), 4),
            (PortError::retryable("x", "later"), 4),
            (PortError::ambiguous("x", "lost"), 1),
            (PortError::permanent("x", "no"), 1),
        ] {
            let count = AtomicU32::new(0);
            let call = async || {
                count.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>(error.clone())
            };
            assert!(calls(1, 3).repeated(call, of_port).await.is_err());
            assert_eq!(count.into_inner(), made, "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_waits_to_be_repeated_keeps_no_other_out() {
        let calls = calls(1, 1);
        let failed = AtomicU32::new(0);
        let failing = calls.repeated(
            async || {
                failed.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>(PortError::throttled("x", Some(Duration::from_secs(3_600))))
            },
            of_port,
        );
        let other = async {
            while failed.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            calls.once(async {}).await;
            failed.load(Ordering::Relaxed)
        };
        let (_, seen) = tokio::join!(failing, other);
        assert_eq!(seen, 1, "the other call was made while the first one waited");
    }
}
