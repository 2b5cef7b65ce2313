//! `CancelJob`, `TerminateJob`, and their forms for many jobs.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Batch;
use crate::domain::JobId;
use crate::ports::{ErrorKind, JobEngine, PortError};
use crate::wire::fault::{Fault, members};

/// Ids in one `CancelJobs` or `TerminateJobs`. Source: their API references.
const JOBS_MAX: usize = 50;

/// How jobs are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Cancel,
    Terminate,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopJob {
    job_id: String,
    reason: String,
}

#[derive(Deserialize)]
struct StopJobs {
    jobs: Vec<String>,
    reason: String,
}

impl Batch {
    pub(super) async fn stop_job(&self, kind: Kind, body: Value) -> Result<Value, Fault> {
        let request: StopJob = members(body).map_err(Fault::client)?;
        match self.stop(kind, &request.job_id, &request.reason).await {
            // A job that Batch no longer knows has ended: there is nothing to stop.
            Err(error) if error.kind == ErrorKind::Permanent => Ok(json!({})),
            stopped => stopped.map(|()| json!({})).map_err(Fault::from),
        }
    }

    pub(super) async fn stop_jobs(&self, kind: Kind, body: Value) -> Result<Value, Fault> {
        let request: StopJobs = members(body).map_err(Fault::client)?;
        if request.jobs.len() > JOBS_MAX {
            let count = request.jobs.len();
            return Err(Fault::client(format!("jobs has {count} entries, at most {JOBS_MAX} are allowed")));
        }
        let (mut successful, mut errors) = (Vec::new(), Vec::new());
        for job in request.jobs {
            match self.stop(kind, &job, &request.reason).await {
                Ok(()) => successful.push(job),
                Err(error) => {
                    let permanent = error.kind == ErrorKind::Permanent;
                    let code = if permanent { "ClientException" } else { "ServerException" };
                    errors.push(json!({"job": job, "code": code, "message": error.message}));
                }
            }
        }
        Ok(json!({"successful": successful, "errors": errors}))
    }

    async fn stop(&self, kind: Kind, job_id: &str, reason: &str) -> Result<(), PortError> {
        match kind {
            Kind::Cancel => {
                let id = JobId::parse(job_id).map_err(|error| PortError::permanent("CancelJob", error))?;
                self.engine.cancel_job(&id, reason).await
            }
            Kind::Terminate => {
                let id = JobId::parse(job_id).map_err(|error| PortError::permanent("TerminateJob", error))?;
                self.engine.terminate_job(&id, reason).await
            }
        }
    }
}
