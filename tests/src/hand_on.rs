//! Engines of tests that stand before another one and hand most calls on.

/// Writes those methods of `JobEngine` that do nothing but hand on, for an engine that holds another one in a field.
#[macro_export]
macro_rules! hand_on {
    ($inner:tt: $($method:ident),+) => {
        $($crate::hand_on!(@ $inner $method);)+
    };
    (@ $inner:tt submit_job) => {
        async fn submit_job(
            &self,
            request: &::batchwright::domain::SubmitJobRequest,
        ) -> Result<::batchwright::domain::JobId, ::batchwright::ports::PortError> {
            self.$inner.submit_job(request).await
        }
    };
    (@ $inner:tt describe_jobs) => {
        async fn describe_jobs(
            &self,
            job_ids: &[::batchwright::domain::JobId],
        ) -> Result<Vec<::batchwright::events::JobDetail>, ::batchwright::ports::PortError> {
            self.$inner.describe_jobs(job_ids).await
        }
    };
    (@ $inner:tt list_jobs) => {
        async fn list_jobs(
            &self,
            job_queue: &str,
            job_name: &::batchwright::domain::JobName,
            page: Option<&::batchwright::ports::Cursor>,
        ) -> Result<
            ::batchwright::ports::Page<::batchwright::ports::JobSummary>,
            ::batchwright::ports::PortError,
        > {
            self.$inner.list_jobs(job_queue, job_name, page).await
        }
    };
    (@ $inner:tt list_jobs_since) => {
        async fn list_jobs_since(
            &self,
            job_queue: &str,
            since: ::batchwright::domain::Timestamp,
            page: Option<&::batchwright::ports::Cursor>,
        ) -> Result<
            ::batchwright::ports::Page<::batchwright::ports::JobSummary>,
            ::batchwright::ports::PortError,
        > {
            self.$inner.list_jobs_since(job_queue, since, page).await
        }
    };
    (@ $inner:tt cancel_job) => {
        async fn cancel_job(
            &self,
            job_id: &::batchwright::domain::JobId,
            reason: &str,
        ) -> Result<(), ::batchwright::ports::PortError> {
            self.$inner.cancel_job(job_id, reason).await
        }
    };
    (@ $inner:tt terminate_job) => {
        async fn terminate_job(
            &self,
            job_id: &::batchwright::domain::JobId,
            reason: &str,
        ) -> Result<(), ::batchwright::ports::PortError> {
            self.$inner.terminate_job(job_id, reason).await
        }
    };
}
