//! An engine whose calls keep to a pace.

use crate::domain::{JobId, JobName, JobQueue, SubmitJobRequest, Timestamp};
use crate::events::JobDetail;
use crate::ports::{Cursor, ErrorKind, JobEngine, JobSummary, Page, PortError, QueueSource, SubmissionPace};

/// Holds back the calls that describe, list, cancel and terminate jobs, because all programs of an account and
/// Region share Batch's quotas. `SubmitJob` passes at once: a submitter waits before its claim, so that the claim
/// does not grow old.
#[derive(Debug)]
pub struct PacedEngine<E, P> {
    inner: E,
    pace: P,
}

impl<E, P: SubmissionPace> PacedEngine<E, P> {
    /// Lets the calls of `inner` through at this pace.
    pub fn new(inner: E, pace: P) -> Self {
        Self { inner, pace }
    }

    async fn paced<T>(
        &self,
        call: impl Future<Output = Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        self.pace.admit().await;
        let answer = call.await;
        if answer.as_ref().is_err_and(|error| matches!(error.kind, ErrorKind::Throttled { .. })) {
            self.pace.throttled();
        }
        answer
    }
}

impl<E: JobEngine, P: SubmissionPace> JobEngine for PacedEngine<E, P> {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        self.inner.submit_job(request).await
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        self.paced(self.inner.describe_jobs(job_ids)).await
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.paced(self.inner.list_jobs(job_queue, job_name, page)).await
    }

    async fn list_jobs_since(
        &self,
        job_queue: &str,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        self.paced(self.inner.list_jobs_since(job_queue, since, page)).await
    }

    async fn cancel_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        self.paced(self.inner.cancel_job(job_id, reason)).await
    }

    async fn terminate_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        self.paced(self.inner.terminate_job(job_id, reason)).await
    }
}

/// For one queue: `DescribeJobQueues`, `DescribeComputeEnvironments`, `GetJobQueueSnapshot`.
const CALLS_OF_A_QUEUE: usize = 3;

impl<E: QueueSource, P: SubmissionPace> QueueSource for PacedEngine<E, P> {
    async fn job_queue(&self, name: &str) -> Result<Option<JobQueue>, PortError> {
        // The last of them is paced with what it answers.
        for _ in 1..CALLS_OF_A_QUEUE {
            self.pace.admit().await;
        }
        self.paced(self.inner.job_queue(name)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::pace::TokenBucket;

    /// Knows no job.
    #[derive(Default)]
    struct Empty {
        throttles: AtomicBool,
    }

    impl JobEngine for Empty {
        async fn submit_job(&self, _: &SubmitJobRequest) -> Result<JobId, PortError> {
            Err(PortError::permanent("SubmitJob", "no"))
        }

        async fn describe_jobs(&self, _: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
            if self.throttles.load(Ordering::Relaxed) {
                return Err(PortError::throttled("DescribeJobs", None));
            }
            Ok(Vec::new())
        }

        async fn list_jobs(
            &self,
            _: &str,
            _: &JobName,
            _: Option<&Cursor>,
        ) -> Result<Page<JobSummary>, PortError> {
            Ok(Page::last(Vec::new()))
        }

        async fn list_jobs_since(
            &self,
            _: &str,
            _: Timestamp,
            _: Option<&Cursor>,
        ) -> Result<Page<JobSummary>, PortError> {
            Ok(Page::last(Vec::new()))
        }

        async fn cancel_job(&self, _: &JobId, _: &str) -> Result<(), PortError> {
            Ok(())
        }

        async fn terminate_job(&self, _: &JobId, _: &str) -> Result<(), PortError> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_of_every_kind_share_the_pace() {
        let engine = PacedEngine::new(Empty::default(), TokenBucket::new(5.0));
        let (name, id) = (JobName::parse("job").unwrap(), JobId::parse("id").unwrap());
        let start = Instant::now();
        for _ in 0..5 {
            engine.describe_jobs(&[]).await.unwrap();
            engine.list_jobs("queue", &name, None).await.unwrap();
            engine.cancel_job(&id, "").await.unwrap();
            engine.terminate_job(&id, "").await.unwrap();
        }
        let passed = start.elapsed();
        assert!((Duration::from_millis(3_700)..Duration::from_millis(4_100)).contains(&passed), "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_slows_it_down() {
        let engine = PacedEngine::new(Empty::default(), TokenBucket::new(10.0));
        let timed = async || {
            let start = Instant::now();
            for _ in 0..10 {
                let _answer = engine.describe_jobs(&[]).await;
            }
            start.elapsed()
        };
        let full = timed().await;
        engine.inner.throttles.store(true, Ordering::Relaxed);
        let slowed = timed().await;
        assert!(slowed > full * 3 / 2, "{full:?} {slowed:?}");
    }
}
