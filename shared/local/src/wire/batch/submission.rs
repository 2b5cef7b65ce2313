//! `SubmitJob`.

use serde_json::{Value, json};

use super::{Batch, joined};
use crate::domain::{JobSpec, Nonce, SubmitJobRequest};
use crate::engine::arn;
use crate::job_file::check_request;
use crate::ports::JobEngine;
use crate::wire::fault::Fault;

impl Batch {
    pub(super) async fn submit_job(&self, body: Value) -> Result<Value, Fault> {
        let mut spec = spec(body).map_err(Fault::client)?;
        let job_name = spec.job_name.clone();
        {
            let resources = self.shelf.lock().await;
            resources
                .admit(&spec.job_queue, spec.share_identifier.as_deref(), self.any_queue)
                .map_err(Fault::client)?;
            spec.job_definition = resources.resolve(&spec.job_definition).map_err(Fault::client)?;
        }
        let job_id = self.engine.submit_job(&SubmitJobRequest::verbatim(spec)).await?;
        let job_arn = arn::arn("job", job_id.as_str());
        Ok(json!({"jobArn": job_arn, "jobName": job_name, "jobId": job_id}))
    }
}

/// Checks a request by the rules of job files, as far as these are `SubmitJob`'s own.
fn spec(mut body: Value) -> Result<JobSpec, String> {
    // A job file may not set it; a submitter that follows its jobs by it does.
    let nonce = body.get_mut("parameters").and_then(Value::as_object_mut);
    let nonce = nonce.and_then(|parameters| parameters.remove(Nonce::PARAMETER));
    let dependencies = body.get_mut("dependsOn").and_then(Value::as_array_mut);
    for dependency in dependencies.into_iter().flatten().filter_map(Value::as_object_mut) {
        // A job file may name a job by it.
        dependency.remove("jobName");
    }
    let mut spec = check_request(body).map_err(|problems| joined(&problems))?;
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
    fn what_batch_refuses_is_refused() {
        const QUEUE: &str = "arn:aws:batch:us-east-1:123456789012:job-queue/q";
        const DEFINITION: &str = "arn:aws:batch:us-east-1:123456789012:job-definition/d:1";
        let require =
            |kind: &str, value: &str| json!({"resourceRequirements": [{"type": kind, "value": value}]});
        for (member, value, expected) in [
            ("jobName", json!("a b"), "contains ' '"),
            ("jobName", Value::Null, "jobName: is null"),
            ("jobQueue", json!(DEFINITION), "is the ARN of something else"),
            ("jobDefinition", json!(QUEUE), "is the ARN of something else"),
            ("jobQueue", json!("my queue!"), "is no job queue"),
            ("jobDefinition", json!("my def"), "is no job definition"),
            ("jobDefinition", json!("d:latest"), "which is no number"),
            ("containerOverrides", json!({"command": ["echo", ""]}), "command[1]: is empty"),
            ("containerOverrides", require("VCPU", "0.3"), "\"0.25\", \"0.5\" or a whole number"),
            ("containerOverrides", require("VCPU", "1.0"), "\"0.25\", \"0.5\" or a whole number"),
            ("containerOverrides", require("MEMORY", "1"), "at least 4"),
            ("containerOverrides", json!({"memory": 3}), "from 4 to"),
            ("dependsOn", json!([{"jobName": "b"}]), "needs a jobId"),
            ("parameters", json!({"batchwright.nonce": 7}), "every value must be a string"),
            ("parameters", json!({"p": "x".repeat(31_000)}), "at most 30720 are allowed"),
        ] {
            let error = spec(with(member, value)).unwrap_err();
            assert!(error.contains(expected), "{member}: {error}");
        }
    }

    #[test]
    fn empty_members_null_and_a_submitters_nonce_are_taken() {
        let mut body = with("parameters", json!({"batchwright.nonce": "1-0123456789abcdef", "p": "v"}));
        body["containerOverrides"] = json!({"command": [], "environment": null});
        for member in ["dependsOn", "arrayProperties", "tags", "retryStrategy", "timeout", "nodeOverrides"] {
            body[member] = Value::Null;
        }
        body["arrayProperties"] = json!({});
        body["ecsPropertiesOverride"] = json!({});
        let spec = spec(body).unwrap();
        assert_eq!((spec.parameters.len(), spec.array_properties.is_none()), (2, true));
        assert!(SubmitJobRequest::verbatim(spec).nonce().is_some());
    }

    #[test]
    fn unknown_members_and_those_of_job_files_are_left_alone() {
        let mut body = with("memberOfANewerSdk", json!(1));
        for (member, value) in [
            ("command", json!(["x"])),
            ("maxTries", json!(2)),
            ("retryOn", json!(["TIMEOUT"])),
            ("fallbackQueue", json!({"jobQueue": "od"})),
            ("resubmitChildren", json!(true)),
            ("jobqueue", json!("other")),
        ] {
            body[member] = value;
        }
        body["containerOverrides"] = json!({"command": ["true"], "newer": [{}]});
        let plain = with("containerOverrides", json!({"command": ["true"]}));
        assert_eq!(spec(body).unwrap(), spec(plain).unwrap());
    }

    #[test]
    fn overrides_that_ecs_will_refuse_are_taken() {
        let body = with("containerOverrides", json!({"command": ["x".repeat(9_000)]}));
        assert!(spec(body).is_ok(), "Batch fails the job when it dispatches it");
    }
}
