//! Job queues: `CreateJobQueue`, `DescribeJobQueues`, `UpdateJobQueue`, `DeleteJobQueue`.
//!
//! All queues share the one machine. Their priorities and compute environments are kept and described.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::names::{name_of, named, state, state_text};
use super::paging::Paging;
use super::policies::check_policy;
use super::{Batch, object};
use crate::domain::reasons;
use crate::engine::arn::{COMPUTE_ENVIRONMENT, arn, resource_name};
use crate::ports::JobEngine;
use crate::wire::fault::{Fault, members};
use crate::wire::resources::{Resources, Switched};

/// In ARNs.
const KIND: &str = "job-queue";

/// Compute environments of one queue. Source: the API reference of `CreateJobQueue`.
const ENVIRONMENTS_MAX: usize = 3;

/// Jobs that are looked at at once where a queue is deleted.
const STRIDE: usize = 500;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeJobQueues {
    job_queues: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamedQueue {
    job_queue: String,
}

impl Batch {
    pub(super) async fn create_job_queue(&self, body: Value) -> Result<Value, Fault> {
        let mut created = object(body)?;
        let name = name_of(&created, "jobQueueName")?;
        if !created.contains_key("priority") {
            return Err(Fault::client("priority: is missing; it is required"));
        }
        let enabled = state(&created)?.unwrap_or(true);
        let mut held = self.shelf.lock().await;
        check(&held, &mut created)?;
        if held.queues.contains_key(&name) {
            return Err(Fault::client(format!("job queue {name} already exists")));
        }
        let mut new = held.clone();
        new.queues.insert(name.clone(), Switched { enabled, created });
        self.keep(&mut held, new).await?;
        Ok(told(&name))
    }

    pub(super) async fn describe_job_queues(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeJobQueues = members(body).map_err(Fault::client)?;
        let held = self.shelf.lock().await;
        if request.job_queues.is_empty() {
            let all = held.queues.iter().map(|(name, queue)| (name.clone(), description(name, queue)));
            return request.paging.page("jobQueues", all);
        }
        let names = request.job_queues.iter().filter_map(|text| named(text, KIND).ok());
        let known = names.filter_map(|name| Some((name.to_owned(), self.described(&held, name)?)));
        request.paging.page("jobQueues", known)
    }

    pub(super) async fn update_job_queue(&self, body: Value) -> Result<Value, Fault> {
        let request: NamedQueue = members(body.clone()).map_err(Fault::client)?;
        let mut updated = object(body)?;
        updated.remove("jobQueue");
        let state = state(&updated)?;
        let name = named(&request.job_queue, KIND)?;
        let mut held = self.shelf.lock().await;
        check(&held, &mut updated)?;
        let mut new = held.clone();
        let queue = match new.queues.get_mut(name) {
            Some(queue) => queue,
            // Where any queue will do, this one is there already.
            None if self.any_queue => new.queues.entry(name.to_owned()).or_insert_with(Switched::implied),
            None => return Err(unknown(name)),
        };
        queue.enabled = state.unwrap_or(queue.enabled);
        queue.created.extend(updated);
        self.keep(&mut held, new).await?;
        Ok(told(name))
    }

    /// Refuses unless the queue is DISABLED. What has not ended in it is terminated.
    pub(super) async fn delete_job_queue(&self, body: Value) -> Result<Value, Fault> {
        let request: NamedQueue = members(body).map_err(Fault::client)?;
        let name = named(&request.job_queue, KIND)?;
        let mut held = self.shelf.lock().await;
        match held.queues.get(name) {
            None => return Err(unknown(name)),
            Some(queue) if queue.enabled => {
                return Err(Fault::client(format!(
                    "job queue {name} is ENABLED; update it to DISABLED first"
                )));
            }
            Some(_) => {}
        }
        self.terminate_all_in(name).await?;
        let mut new = held.clone();
        new.queues.remove(name);
        self.keep(&mut held, new).await?;
        Ok(json!({}))
    }

    /// Makes the queues that are given at the start, unless they are there.
    pub(in crate::wire) async fn create_given(&self, names: &[String]) -> Result<(), Fault> {
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        for name in names {
            new.queues.entry(name.clone()).or_insert_with(Switched::implied);
        }
        self.keep(&mut held, new).await
    }

    async fn terminate_all_in(&self, queue: &str) -> Result<(), Fault> {
        let mut before = u64::MAX;
        loop {
            let records = self.engine.newest(true, before, STRIDE).await?;
            let Some(last) = records.last() else { return Ok(()) };
            before = last.sequence;
            for record in records.iter().filter(|record| resource_name(&record.detail.job_queue) == queue) {
                self.engine.terminate_job(record.job_id(), reasons::QUEUE_DELETED).await?;
            }
        }
    }

    fn described(&self, resources: &Resources, name: &str) -> Option<Value> {
        match resources.queues.get(name) {
            Some(queue) => Some(description(name, queue)),
            None => self.any_queue.then(|| description(name, &Switched::implied())),
        }
    }
}

/// Checks what a queue is created with or updated to, and writes its compute environments as ARNs.
fn check(resources: &Resources, members: &mut Map<String, Value>) -> Result<(), Fault> {
    if members.get("priority").is_some_and(|priority| !priority.is_u64()) {
        return Err(Fault::client("priority: must be a whole number, at least 0"));
    }
    if let Some(policy) = members.get("schedulingPolicyArn") {
        check_policy(resources, policy.as_str().unwrap_or_default())?;
    }
    let Some(order) = members.get_mut("computeEnvironmentOrder") else { return Ok(()) };
    let wrong = || Fault::client("computeEnvironmentOrder: must be a list of {order, computeEnvironment}");
    let entries = order.as_array_mut().ok_or_else(wrong)?;
    if entries.len() > ENVIRONMENTS_MAX {
        let count = entries.len();
        return Err(Fault::client(format!(
            "computeEnvironmentOrder has {count} entries, at most {ENVIRONMENTS_MAX} are allowed"
        )));
    }
    for entry in entries {
        let environment = entry.get("computeEnvironment").and_then(Value::as_str).ok_or_else(wrong)?;
        let name = named(environment, "compute-environment")?;
        if !resources.has_environment(name) {
            return Err(Fault::client(format!("compute environment {environment} does not exist")));
        }
        let environment = arn("compute-environment", name);
        entry["computeEnvironment"] = environment.into();
    }
    Ok(())
}

fn unknown(name: &str) -> Fault {
    Fault::client(format!("job queue {name} does not exist"))
}

fn told(name: &str) -> Value {
    json!({"jobQueueName": name, "jobQueueArn": arn(KIND, name)})
}

fn description(name: &str, queue: &Switched) -> Value {
    let environment = arn("compute-environment", COMPUTE_ENVIRONMENT);
    let mut described = queue.created.clone();
    described.insert("jobQueueName".to_owned(), name.into());
    described.insert("jobQueueArn".to_owned(), arn(KIND, name).into());
    described.insert("state".to_owned(), state_text(queue.enabled).into());
    described.insert("status".to_owned(), "VALID".into());
    described.insert("statusReason".to_owned(), "JobQueue Healthy".into());
    described.entry("priority").or_insert_with(|| json!(1));
    described.entry("tags").or_insert_with(|| json!({}));
    described.entry("jobStateTimeLimitActions").or_insert_with(|| json!([]));
    described
        .entry("computeEnvironmentOrder")
        .or_insert_with(|| json!([{"order": 1, "computeEnvironment": environment}]));
    described.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_what_was_created_and_what_every_queue_has() {
        let created = json!({"jobQueueName": "q", "priority": 7, "state": "ENABLED"});
        let queue = Switched { enabled: false, created: created.as_object().unwrap().clone() };
        let described = description("q", &queue);
        assert_eq!((&described["priority"], &described["state"]), (&json!(7), &json!("DISABLED")));
        assert_eq!(described["jobQueueArn"], "arn:aws:batch:local:000000000000:job-queue/q");
        assert_eq!(described["computeEnvironmentOrder"][0]["order"], 1);
    }

    #[test]
    fn environments_and_policies_of_a_queue_must_be_there() {
        let mut resources = Resources::default();
        resources.compute_environments.insert("spot".into(), Switched::implied());
        let with = |environment: &str| json!({"computeEnvironmentOrder": [{"order": 1, "computeEnvironment": environment}]});
        for (members, good) in [
            (with("spot"), true),
            (with("local"), true),
            (with("arn:aws:batch:local:000000000000:compute-environment/spot"), true),
            (with("arn:aws:batch:x:y:compute-environment/none"), false),
            (with("arn:aws:batch:local:000000000000:job-queue/spot"), false),
            (json!({"computeEnvironmentOrder": "spot"}), false),
            (json!({"computeEnvironmentOrder": [{"order": 1}]}), false),
            (json!({"priority": -1}), false),
            (json!({"priority": 1000}), true),
            (
                json!({"schedulingPolicyArn": "arn:aws:batch:local:000000000000:scheduling-policy/none"}),
                false,
            ),
        ] {
            let mut checked = members.as_object().unwrap().clone();
            assert_eq!(check(&resources, &mut checked).is_ok(), good, "{members}");
        }
        let mut named = with("spot").as_object().unwrap().clone();
        check(&resources, &mut named).unwrap();
        let expected = "arn:aws:batch:local:000000000000:compute-environment/spot";
        assert_eq!(named["computeEnvironmentOrder"][0]["computeEnvironment"], expected);
    }
}
