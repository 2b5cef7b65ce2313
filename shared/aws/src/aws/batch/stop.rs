//! Many jobs cancelled or terminated at once.

use std::collections::HashMap;

use super::BatchJobEngine;
use crate::aws::error::{Effect, kind_of, port_error};
use crate::domain::{JobId, Stop};
use crate::ports::{ErrorKind, JobEngine, JobStopper, PortError, STOP_MAX, ServiceAnswer};

impl JobStopper for BatchJobEngine {
    async fn stop_jobs(&self, job_ids: &[JobId], stop: Stop, reason: &str) -> Vec<Result<(), PortError>> {
        match stop {
            Stop::Cancel => self.cancel_jobs(job_ids, reason).await,
            Stop::Terminate => self.terminate_jobs(job_ids, reason).await,
        }
    }
}

/// One id's entry in `errors[]`: id, code, message.
type StopFailure = (Option<String>, Option<String>, Option<String>);

impl BatchJobEngine {
    /// `CancelJobs`, 50 ids a call: one result for each id, in their order. Where the call as a whole is
    /// refused (no permission for it, or an endpoint that does not know it) each id gets a `CancelJob`
    /// of its own. Idempotent.
    pub async fn cancel_jobs(&self, job_ids: &[JobId], reason: &str) -> Vec<Result<(), PortError>> {
        let mut results = Vec::with_capacity(job_ids.len());
        for chunk in job_ids.chunks(STOP_MAX) {
            let call = self.client.cancel_jobs().set_jobs(Some(ids(chunk))).reason(reason);
            let answer = call.send().await.map(|answer| {
                let errors = answer.errors.unwrap_or_default().into_iter();
                errors.map(|error| (error.job, error.code, error.message)).collect()
            });
            match answer.map_err(|error| port_error("CancelJobs", Effect::Idempotent, error)) {
                Ok(failures) => results.extend(each("CancelJobs", chunk, failures)),
                Err(error) if error.kind == ErrorKind::Permanent => {
                    for job_id in chunk {
                        results.push(self.cancel_job(job_id, reason).await);
                    }
                }
                Err(error) => results.extend(chunk.iter().map(|_| Err(error.clone()))),
            }
        }
        results
    }

    /// `TerminateJobs`, as [`BatchJobEngine::cancel_jobs`]. Idempotent.
    pub async fn terminate_jobs(&self, job_ids: &[JobId], reason: &str) -> Vec<Result<(), PortError>> {
        let mut results = Vec::with_capacity(job_ids.len());
        for chunk in job_ids.chunks(STOP_MAX) {
            let call = self.client.terminate_jobs().set_jobs(Some(ids(chunk))).reason(reason);
            let answer = call.send().await.map(|answer| {
                let errors = answer.errors.unwrap_or_default().into_iter();
                errors.map(|error| (error.job, error.code, error.message)).collect()
            });
            match answer.map_err(|error| port_error("TerminateJobs", Effect::Idempotent, error)) {
                Ok(failures) => results.extend(each("TerminateJobs", chunk, failures)),
                Err(error) if error.kind == ErrorKind::Permanent => {
                    for job_id in chunk {
                        results.push(self.terminate_job(job_id, reason).await);
                    }
                }
                Err(error) => results.extend(chunk.iter().map(|_| Err(error.clone()))),
            }
        }
        results
    }
}

fn ids(job_ids: &[JobId]) -> Vec<String> {
    job_ids.iter().map(ToString::to_string).collect()
}

/// What an answer with status 200 says of each id.
fn each(
    operation: &'static str,
    job_ids: &[JobId],
    failures: Vec<StopFailure>,
) -> impl Iterator<Item = Result<(), PortError>> {
    let mut failed: HashMap<String, PortError> = HashMap::new();
    for (job, code, message) in failures {
        let message = format!(
            "{}: {}",
            code.as_deref().unwrap_or("no error code"),
            message.as_deref().unwrap_or("no message")
        );
        let error = PortError::new(kind(code.as_deref()), operation, message);
        let mut answer = ServiceAnswer::default();
        answer.code = code;
        failed.insert(job.unwrap_or_default(), error.with_answer(answer));
    }
    job_ids.iter().map(move |job_id| failed.remove(job_id.as_str()).map_or(Ok(()), Err))
}

/// An entry has no status of its own: what is the service's fault may pass.
fn kind(code: Option<&str>) -> ErrorKind {
    let is_servers = code.is_some_and(|code| code.starts_with("Server") || code.starts_with("Internal"));
    kind_of(Effect::Idempotent, if is_servers { 500 } else { 400 }, code, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_gets_what_the_answer_says_of_it() {
        let job_ids = ["a", "b", "c"].map(|id| JobId::parse(id).unwrap());
        let entry = |id: &str, code: &str| (Some(id.to_owned()), Some(code.to_owned()), None);
        let failures = vec![entry("c", "ClientException"), entry("a", "ServerException")];
        let results: Vec<_> = each("CancelJobs", &job_ids, failures).collect();
        assert_eq!(results[0].as_ref().unwrap_err().kind, ErrorKind::Retryable);
        assert!(results[1].is_ok());
        let refused = results[2].as_ref().unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Permanent);
        assert_eq!(refused.to_string(), "CancelJobs: ClientException: no message");
        let answer = refused.service_answer().unwrap();
        assert_eq!((answer.status, answer.code.as_deref()), (None, Some("ClientException")));
    }

    #[test]
    fn a_throttled_entry_may_be_repeated() {
        assert_eq!(kind(Some("TooManyRequestsException")), ErrorKind::Throttled { retry_after: None });
        assert_eq!(kind(None), ErrorKind::Permanent);
    }
}
