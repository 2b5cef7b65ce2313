//! Job queues: `CreateJobQueue`, `DescribeJobQueues`, `UpdateJobQueue`, `DeleteJobQueue`.
//!
//! All queues share the one machine. Their priorities and compute environments are kept and described.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Batch, COMPUTE_ENVIRONMENT};
use crate::domain::reasons;
use crate::engine::arn::{self, resource_name};
use crate::ports::JobEngine;
use crate::wire::fault::{Fault, members};
use crate::wire::resources::{Queue, Resources};

/// Jobs that are looked at at once where a queue is deleted.
const STRIDE: usize = 500;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeJobQueues {
    job_queues: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamedQueue {
    job_queue: String,
}

impl Batch {
    pub(super) async fn create_job_queue(&self, body: Value) -> Result<Value, Fault> {
        let Value::Object(created) = body else { return Err(Fault::client("the request is no object")) };
        let name = created.get("jobQueueName").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() || name.contains(['/', ':']) {
            return Err(Fault::client(format!("jobQueueName: {name:?} is no name of a job queue")));
        }
        let enabled = state(&created).map_err(Fault::client)?.unwrap_or(true);
        let mut held = self.shelf.lock().await;
        if held.queues.contains_key(&name) {
            return Err(Fault::client(format!("job queue {name} already exists")));
        }
        let mut new = held.clone();
        new.queues.insert(name.clone(), Queue { enabled, created });
        self.keep(&mut held, new).await?;
        Ok(named(&name))
    }

    pub(super) async fn describe_job_queues(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeJobQueues = members(body).map_err(Fault::client)?;
        let held = self.shelf.lock().await;
        let described: Vec<Value> = if request.job_queues.is_empty() {
            held.queues.iter().map(|(name, queue)| description(name, queue)).collect()
        } else {
            let names = request.job_queues.iter().map(|queue| resource_name(queue));
            names.filter_map(|name| self.described(&held, name)).collect()
        };
        Ok(json!({"jobQueues": described}))
    }

    pub(super) async fn update_job_queue(&self, body: Value) -> Result<Value, Fault> {
        let request: NamedQueue = members(body.clone()).map_err(Fault::client)?;
        let Value::Object(mut updated) = body else { return Err(Fault::client("the request is no object")) };
        let state = state(&updated).map_err(Fault::client)?;
        updated.remove("jobQueue");
        let name = resource_name(&request.job_queue);
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        let queue = match new.queues.get_mut(name) {
            Some(queue) => queue,
            // Where any queue will do, this one is there already.
            None if self.any_queue => new.queues.entry(name.to_owned()).or_insert_with(Queue::implied),
            None => return Err(unknown(name)),
        };
        queue.enabled = state.unwrap_or(queue.enabled);
        queue.created.extend(updated);
        self.keep(&mut held, new).await?;
        Ok(named(name))
    }

    /// Refuses unless the queue is DISABLED. What has not ended in it is terminated.
    pub(super) async fn delete_job_queue(&self, body: Value) -> Result<Value, Fault> {
        let request: NamedQueue = members(body).map_err(Fault::client)?;
        let name = resource_name(&request.job_queue);
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
            new.queues.entry(name.clone()).or_insert_with(Queue::implied);
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
            None => self.any_queue.then(|| description(name, &Queue::implied())),
        }
    }
}

impl Queue {
    /// One that is there because it was named.
    fn implied() -> Self {
        Self { enabled: true, created: Map::new() }
    }
}

fn state(members: &Map<String, Value>) -> Result<Option<bool>, String> {
    match members.get("state").map(|state| state.as_str().unwrap_or_default()) {
        None => Ok(None),
        Some("ENABLED") => Ok(Some(true)),
        Some("DISABLED") => Ok(Some(false)),
        Some(other) => Err(format!("state: {other:?} is neither ENABLED nor DISABLED")),
    }
}

fn unknown(name: &str) -> Fault {
    Fault::client(format!("job queue {name} does not exist"))
}

fn named(name: &str) -> Value {
    json!({"jobQueueName": name, "jobQueueArn": arn::arn("job-queue", name)})
}

fn description(name: &str, queue: &Queue) -> Value {
    let environment = arn::arn("compute-environment", COMPUTE_ENVIRONMENT);
    let mut described = queue.created.clone();
    described.insert("jobQueueName".to_owned(), name.into());
    described.insert("jobQueueArn".to_owned(), arn::arn("job-queue", name).into());
    described.insert("state".to_owned(), if queue.enabled { "ENABLED" } else { "DISABLED" }.into());
    described.insert("status".to_owned(), "VALID".into());
    described.insert("statusReason".to_owned(), "JobQueue Healthy".into());
    described.entry("priority").or_insert_with(|| json!(1));
    described.entry("tags").or_insert_with(|| json!({}));
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
        let queue = Queue { enabled: false, created: created.as_object().unwrap().clone() };
        let described = description("q", &queue);
        assert_eq!((&described["priority"], &described["state"]), (&json!(7), &json!("DISABLED")));
        assert_eq!(described["jobQueueArn"], "arn:aws:batch:local:000000000000:job-queue/q");
        assert_eq!(described["computeEnvironmentOrder"][0]["order"], 1);
    }

    #[test]
    fn a_state_is_one_of_two() {
        let of = |value: Value| state(value.as_object().unwrap());
        assert_eq!(of(json!({})), Ok(None));
        assert_eq!(of(json!({"state": "DISABLED"})), Ok(Some(false)));
        assert!(of(json!({"state": "OFF"})).is_err());
        assert!(of(json!({"state": 1})).is_err());
    }
}
