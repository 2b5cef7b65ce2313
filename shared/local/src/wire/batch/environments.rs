//! Compute environments: `CreateComputeEnvironment`, `DescribeComputeEnvironments`, `UpdateComputeEnvironment`,
//! `DeleteComputeEnvironment`.
//!
//! This machine is always there, as `local`. Others are kept and described; jobs of their queues run on this machine.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Batch;
use super::names::{name_of, named, state, state_text};
use super::object;
use super::paging::Paging;
use crate::engine::arn::{ACCOUNT, COMPUTE_ENVIRONMENT, REGION, arn, resource_name};
use crate::wire::fault::{Fault, members};
use crate::wire::resources::{Resources, Switched};

/// In ARNs and paths.
const KIND: &str = "compute-environment";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeComputeEnvironments {
    compute_environments: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamedEnvironment {
    compute_environment: String,
}

impl Batch {
    pub(super) async fn create_compute_environment(&self, body: Value) -> Result<Value, Fault> {
        let created = object(body)?;
        let name = name_of(&created, "computeEnvironmentName")?;
        check(&created)?;
        let enabled = state(&created)?.unwrap_or(true);
        let mut held = self.shelf.lock().await;
        if held.has_environment(&name) {
            return Err(Fault::client(format!("compute environment {name} already exists")));
        }
        let mut new = held.clone();
        new.compute_environments.insert(name.clone(), Switched { enabled, created });
        self.keep(&mut held, new).await?;
        Ok(told(&name))
    }

    pub(super) async fn describe_compute_environments(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeComputeEnvironments = members(body).map_err(Fault::client)?;
        let wanted: Vec<&str> = request.compute_environments.iter().map(|text| resource_name(text)).collect();
        let held = self.shelf.lock().await;
        let this = Switched::implied();
        let all = std::iter::once((COMPUTE_ENVIRONMENT, &this))
            .chain(held.compute_environments.iter().map(|(name, environment)| (name.as_str(), environment)));
        let chosen = all.filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
        let described = chosen
            .map(|(name, environment)| (name.to_owned(), self.described_environment(name, environment)));
        request.paging.page("computeEnvironments", described)
    }

    pub(super) async fn update_compute_environment(&self, body: Value) -> Result<Value, Fault> {
        let request: NamedEnvironment = members(body.clone()).map_err(Fault::client)?;
        let mut updated = object(body)?;
        updated.remove("computeEnvironment");
        let state = state(&updated)?;
        let name = own(&request.compute_environment)?;
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        let environment = new.compute_environments.get_mut(name).ok_or_else(|| unknown(name))?;
        environment.enabled = state.unwrap_or(environment.enabled);
        for (key, value) in updated {
            match (environment.created.get_mut(&key), value) {
                // Members of computeResources are updated one by one.
                (Some(Value::Object(known)), Value::Object(changed)) => known.extend(changed),
                (_, value) => {
                    environment.created.insert(key, value);
                }
            }
        }
        self.keep(&mut held, new).await?;
        Ok(told(name))
    }

    /// Refuses unless the environment is DISABLED and no queue has it.
    pub(super) async fn delete_compute_environment(&self, body: Value) -> Result<Value, Fault> {
        let request: NamedEnvironment = members(body).map_err(Fault::client)?;
        let name = own(&request.compute_environment)?;
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        let Some(gone) = new.compute_environments.remove(name) else { return Err(unknown(name)) };
        if gone.enabled {
            return Err(Fault::client(format!(
                "compute environment {name} is ENABLED; update it to DISABLED first"
            )));
        }
        if let Some(queue) = queue_with(&held, name) {
            return Err(Fault::client(format!(
                "compute environment {name} is used by job queue {queue}; update or delete the queue first"
            )));
        }
        self.keep(&mut held, new).await?;
        Ok(json!({}))
    }

    fn described_environment(&self, name: &str, environment: &Switched) -> Value {
        let mut described = environment.created.clone();
        let kind = described.get("type").and_then(Value::as_str).unwrap_or("MANAGED").to_owned();
        described.insert("computeEnvironmentName".to_owned(), name.into());
        described.insert("computeEnvironmentArn".to_owned(), arn(KIND, name).into());
        described.insert("ecsClusterArn".to_owned(), cluster(name).into());
        described.insert("containerOrchestrationType".to_owned(), "ECS".into());
        described.insert("type".to_owned(), kind.as_str().into());
        described.insert("state".to_owned(), state_text(environment.enabled).into());
        described.insert("status".to_owned(), "VALID".into());
        described.insert("statusReason".to_owned(), "ComputeEnvironment Healthy".into());
        described.entry("serviceRole").or_insert_with(|| "".into());
        described.entry("tags").or_insert_with(|| json!({}));
        if kind == "UNMANAGED" {
            described.entry("unmanagedvCpus").or_insert_with(|| self.vcpus.into());
            return described.into();
        }
        let resources = described.entry("computeResources").or_insert_with(|| json!({}));
        if let Value::Object(resources) = resources {
            for (member, value) in [
                ("type", json!("EC2")),
                ("minvCpus", json!(0)),
                ("maxvCpus", json!(self.vcpus)),
                ("desiredvCpus", json!(self.vcpus)),
                ("instanceTypes", json!(["optimal"])),
                ("subnets", json!([])),
                ("securityGroupIds", json!([])),
                ("tags", json!({})),
            ] {
                resources.entry(member).or_insert(value);
            }
        }
        described.into()
    }
}

/// Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateComputeEnvironment.html>
fn check(created: &Map<String, Value>) -> Result<(), Fault> {
    let kind = created.get("type").and_then(Value::as_str);
    let resources = created.get("computeResources").and_then(Value::as_object);
    match (kind, resources) {
        (Some("UNMANAGED"), _) => Ok(()),
        (Some("MANAGED"), Some(resources)) => {
            let kind = resources.get("type").and_then(Value::as_str).unwrap_or_default();
            if !["EC2", "SPOT", "FARGATE", "FARGATE_SPOT"].contains(&kind) {
                return Err(Fault::client(format!(
                    "computeResources.type: {kind:?} is none of EC2, SPOT, FARGATE and FARGATE_SPOT"
                )));
            }
            if !resources.get("maxvCpus").is_some_and(Value::is_u64) {
                return Err(Fault::client("computeResources.maxvCpus: must be a whole number of vCPUs"));
            }
            Ok(())
        }
        (Some("MANAGED"), None) => {
            Err(Fault::client("computeResources: is missing; it is required where type is MANAGED"))
        }
        _ => Err(Fault::client("type: must be MANAGED or UNMANAGED")),
    }
}

/// The name of an environment that clients may change.
fn own(text: &str) -> Result<&str, Fault> {
    match named(text, KIND)? {
        COMPUTE_ENVIRONMENT => Err(Fault::client(format!(
            "compute environment {COMPUTE_ENVIRONMENT} is this machine; it can't be changed or deleted"
        ))),
        name => Ok(name),
    }
}

fn queue_with<'a>(resources: &'a Resources, environment: &str) -> Option<&'a str> {
    let uses = |created: &Map<String, Value>| {
        let order = created.get("computeEnvironmentOrder").and_then(Value::as_array);
        order.into_iter().flatten().any(|entry| {
            entry["computeEnvironment"].as_str().is_some_and(|text| resource_name(text) == environment)
        })
    };
    resources.queues.iter().find(|(_, queue)| uses(&queue.created)).map(|(name, _)| name.as_str())
}

fn cluster(name: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{name}_Batch")
}

fn unknown(name: &str) -> Fault {
    Fault::client(format!("compute environment {name} does not exist"))
}

fn told(name: &str) -> Value {
    json!({"computeEnvironmentName": name, "computeEnvironmentArn": arn(KIND, name)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_refuses_is_refused() {
        for (created, wrong) in [
            (json!({"type": "MANAGED", "computeResources": {"type": "EC2", "maxvCpus": 4}}), None),
            (json!({"type": "MANAGED", "computeResources": {"type": "FARGATE", "maxvCpus": 4}}), None),
            (json!({"type": "UNMANAGED"}), None),
            (json!({"type": "MANAGED"}), Some("computeResources: is missing")),
            (json!({"type": "MANAGED", "computeResources": {"type": "EC3", "maxvCpus": 4}}), Some("EC3")),
            (json!({"type": "MANAGED", "computeResources": {"type": "EC2"}}), Some("maxvCpus")),
            (json!({"type": "managed"}), Some("type: must be")),
            (json!({}), Some("type: must be")),
        ] {
            let found = check(created.as_object().unwrap()).err();
            assert_eq!(found.is_some(), wrong.is_some(), "{created}: {found:?}");
            assert!(found.is_none_or(|fault| fault.message().contains(wrong.unwrap())), "{created}");
        }
    }

    #[test]
    fn this_machine_is_no_clients_to_change() {
        assert!(own("local").is_err());
        assert!(own("arn:aws:batch:local:000000000000:compute-environment/local").is_err());
        assert_eq!(own("spot").unwrap(), "spot");
        assert!(own("arn:aws:batch:local:000000000000:job-queue/spot").is_err());
    }
}
