//! Scheduling policies: `CreateSchedulingPolicy`, `DescribeSchedulingPolicies`, `ListSchedulingPolicies`,
//! `UpdateSchedulingPolicy`, `DeleteSchedulingPolicy`.
//!
//! They are kept and described, and a queue that has one asks its jobs for a share. Shares are not weighed: jobs start
//! by priority and in the order of their submission.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::names::{name_of, named};
use super::paging::Paging;
use super::{Batch, object};
use crate::engine::arn::arn;
use crate::wire::fault::{Fault, members};
use crate::wire::resources::Resources;

/// In ARNs.
const KIND: &str = "scheduling-policy";

/// ARNs in one `DescribeSchedulingPolicies`. Source: its API reference.
const ARNS_MAX: usize = 100;

#[derive(Deserialize)]
struct Named {
    arn: String,
}

#[derive(Deserialize)]
struct DescribeSchedulingPolicies {
    arns: Vec<String>,
}

impl Batch {
    pub(super) async fn create_scheduling_policy(&self, body: Value) -> Result<Value, Fault> {
        let created = object(body)?;
        let name = name_of(&created, "name")?;
        let mut held = self.shelf.lock().await;
        if held.scheduling_policies.contains_key(&name) {
            return Err(Fault::client(format!("scheduling policy {name} already exists")));
        }
        let mut new = held.clone();
        new.scheduling_policies.insert(name.clone(), created);
        self.keep(&mut held, new).await?;
        Ok(json!({"name": name, "arn": arn(KIND, &name)}))
    }

    pub(super) async fn describe_scheduling_policies(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeSchedulingPolicies = members(body).map_err(Fault::client)?;
        if request.arns.len() > ARNS_MAX {
            let count = request.arns.len();
            return Err(Fault::client(format!("arns has {count} entries, at most {ARNS_MAX} are allowed")));
        }
        let held = self.shelf.lock().await;
        let names = request.arns.iter().filter_map(|text| named(text, KIND).ok());
        let known = names.filter_map(|name| Some(description(name, held.scheduling_policies.get(name)?)));
        Ok(json!({"schedulingPolicies": known.collect::<Vec<_>>()}))
    }

    pub(super) async fn list_scheduling_policies(&self, body: Value) -> Result<Value, Fault> {
        let paging: Paging = members(body).map_err(Fault::client)?;
        let held = self.shelf.lock().await;
        let names = held.scheduling_policies.keys();
        paging.page("schedulingPolicies", names.map(|name| (name.clone(), json!({"arn": arn(KIND, name)}))))
    }

    pub(super) async fn update_scheduling_policy(&self, body: Value) -> Result<Value, Fault> {
        let request: Named = members(body.clone()).map_err(Fault::client)?;
        let mut updated = object(body)?;
        updated.remove("arn");
        let name = named(&request.arn, KIND)?;
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        new.scheduling_policies.get_mut(name).ok_or_else(|| unknown(name))?.extend(updated);
        self.keep(&mut held, new).await?;
        Ok(json!({}))
    }

    pub(super) async fn delete_scheduling_policy(&self, body: Value) -> Result<Value, Fault> {
        let request: Named = members(body).map_err(Fault::client)?;
        let name = named(&request.arn, KIND)?;
        let mut held = self.shelf.lock().await;
        if let Some(queue) = queue_with(&held, name) {
            return Err(Fault::client(format!("scheduling policy {name} is used by job queue {queue}")));
        }
        let mut new = held.clone();
        new.scheduling_policies.remove(name).ok_or_else(|| unknown(name))?;
        self.keep(&mut held, new).await?;
        Ok(json!({}))
    }
}

fn queue_with<'a>(resources: &'a Resources, policy: &str) -> Option<&'a str> {
    let uses = |created: &Map<String, Value>| {
        let used = created.get("schedulingPolicyArn").and_then(Value::as_str);
        used.is_some_and(|arn| named(arn, KIND).is_ok_and(|name| name == policy))
    };
    resources.queues.iter().find(|(_, queue)| uses(&queue.created)).map(|(name, _)| name.as_str())
}

/// Whether a policy is there, by its ARN.
pub(super) fn check_policy(resources: &Resources, policy: &str) -> Result<(), Fault> {
    let name = named(policy, KIND)?;
    resources.scheduling_policies.get(name).map(drop).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Fault {
    Fault::client(format!("scheduling policy {name} does not exist"))
}

fn description(name: &str, created: &Map<String, Value>) -> Value {
    let mut described = created.clone();
    described.insert("name".to_owned(), name.into());
    described.insert("arn".to_owned(), arn(KIND, name).into());
    described.entry("fairsharePolicy").or_insert_with(|| json!({}));
    described.entry("tags").or_insert_with(|| json!({}));
    described.into()
}
