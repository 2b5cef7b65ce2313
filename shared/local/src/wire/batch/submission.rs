//! `SubmitJob`.

use serde_json::{Value, json};

use super::{Batch, joined};
use crate::domain::spec::JobField;
use crate::domain::{JobSpec, Nonce, SubmitJobRequest};
use crate::engine::arn;
use crate::job_file::check_job;
use crate::ports::JobEngine;
use crate::wire::fault::Fault;

impl Batch {
    pub(super) async fn submit_job(&self, body: Value) -> Result<Value, Fault> {
        let mut spec = spec(body).map_err(Fault::client)?;
        let job_name = spec.job_name.clone();
        {
            let resources = self.shelf.lock().await;
            resources.admit(&spec.job_queue, self.any_queue).map_err(Fault::client)?;
            spec.job_definition = resources.resolve(&spec.job_definition).map_err(Fault::client)?;
        }
        let job_id = self.engine.submit_job(&SubmitJobRequest::verbatim(spec)).await?;
        let job_arn = arn::arn("job", job_id.as_str());
        Ok(json!({"jobArn": job_arn, "jobName": job_name, "jobId": job_id}))
    }
}

/// Checks a request by the rules of job files, without what these have beside `SubmitJob`'s own.
fn spec(mut body: Value) -> Result<JobSpec, String> {
    let given = |field: &&JobField| body.get(field.name()).is_some();
    if let Some(field) = JobField::ALL.iter().filter(|field| !field.is_of_submit_job()).find(given) {
        return Err(format!("{} is not a member of SubmitJob", field.name()));
    }
    let dependencies = body.get("dependsOn").and_then(Value::as_array).into_iter().flatten();
    if dependencies.into_iter().any(|dependency| dependency.get("jobName").is_some()) {
        return Err("dependsOn names a job by jobName; SubmitJob knows jobs by jobId alone".to_owned());
    }
    // A job file may not set it; a submitter that follows its jobs by it does.
    let nonce = body.get_mut("parameters").and_then(Value::as_object_mut);
    let nonce = nonce.and_then(|parameters| parameters.remove(Nonce::PARAMETER));
    let mut spec = check_job(body).map_err(|problems| joined(&problems))?;
    if let Some(nonce) = nonce {
        let text = nonce.as_str().ok_or("parameters: every value must be a string")?;
        spec.parameters.insert(Nonce::PARAMETER.to_owned(), text.to_owned());
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(member: &str, value: Value) -> Value {
        let mut body = json!({"jobName": "a", "jobQueue": "q", "jobDefinition": "d"});
        body[member] = value;
        body
    }

    #[test]
    fn a_request_is_checked_by_submit_jobs_own_members_alone() {
        for (member, value, expected) in [
            ("command", json!(["x"]), "command is not a member of SubmitJob"),
            ("maxTries", json!(2), "maxTries is not a member of SubmitJob"),
            ("retryOn", json!(["TIMEOUT"]), "retryOn is not a member of SubmitJob"),
            ("fallbackQueue", json!({"jobQueue": "r"}), "fallbackQueue is not a member of SubmitJob"),
            ("resubmitChildren", json!(true), "resubmitChildren is not a member of SubmitJob"),
            ("dependsOn", json!([{"jobName": "b"}]), "SubmitJob knows jobs by jobId alone"),
            ("jobName", json!("a b"), "contains ' '"),
            ("jobNamed", json!("a"), "jobNamed: unknown field"),
            ("parameters", json!({"batchwright.nonce": 7}), "every value must be a string"),
        ] {
            let error = spec(with(member, value)).unwrap_err();
            assert!(error.contains(expected), "{member}: {error}");
        }
    }

    #[test]
    fn empty_members_and_a_submitters_nonce_are_taken() {
        let mut body = with("parameters", json!({"batchwright.nonce": "1-0123456789abcdef", "p": "v"}));
        body["containerOverrides"] = json!({});
        body["dependsOn"] = json!([]);
        let spec = spec(body).unwrap();
        assert_eq!(spec.parameters.len(), 2);
        assert!(SubmitJobRequest::verbatim(spec).nonce().is_some());
    }
}
