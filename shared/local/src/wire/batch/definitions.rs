//! Job definitions: `RegisterJobDefinition`, `DescribeJobDefinitions`, `DeregisterJobDefinition`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Batch, joined};
use crate::domain::JobDefinition;
use crate::engine::arn::{self, definition_name, resource_name};
use crate::job_file::check_definition;
use crate::wire::fault::{Fault, members};
use crate::wire::resources::{Resources, Revision};

/// Definitions on a page. Source: the API reference of `DescribeJobDefinitions`.
const PAGE_MAX: usize = 100;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeJobDefinitions {
    job_definitions: Vec<String>,
    job_definition_name: Option<String>,
    status: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeregisterJobDefinition {
    job_definition: String,
}

impl Batch {
    pub(super) async fn register_job_definition(&self, body: Value) -> Result<Value, Fault> {
        let definition = readable(&body).map_err(Fault::client)?;
        let Value::Object(registered) = body else { return Err(Fault::client("the request is no object")) };
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        let added = add(&mut new, definition, registered);
        self.engine.define(added.definition.clone()).await?;
        self.keep(&mut held, new).await?;
        let name = definition_name(&added.definition.job_definition_name);
        Ok(json!({
            "jobDefinitionName": name,
            "jobDefinitionArn": arn_of(&added),
            "revision": added.revision,
        }))
    }

    pub(super) async fn describe_job_definitions(&self, body: Value) -> Result<Value, Fault> {
        let request: DescribeJobDefinitions = members(body).map_err(Fault::client)?;
        let page = request.max_results.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&page) {
            return Err(Fault::client(format!("maxResults: {page} is not from 1 to {PAGE_MAX}")));
        }
        let held = self.shelf.lock().await;
        // By name, the newest revision first, so that a page ends between two whole descriptions.
        let all = held.definitions.values().flat_map(|revisions| revisions.iter().rev());
        let mut wanted =
            all.filter(|revision| request.wants(revision)).map(|revision| (arn_of(revision), revision));
        if let Some(token) = &request.next_token {
            wanted
                .find(|(arn, _)| arn == token)
                .ok_or_else(|| Fault::client("nextToken: is not one of this list's"))?;
        }
        let mut wanted = wanted.peekable();
        let mut last = None;
        let mut described = Vec::new();
        while described.len() < page
            && let Some((arn, revision)) = wanted.next()
        {
            described.push(description(revision));
            last = Some(arn);
        }
        let mut answer = json!({"jobDefinitions": described});
        if let Some(last) = last.filter(|_| wanted.peek().is_some()) {
            answer["nextToken"] = last.into();
        }
        Ok(answer)
    }

    pub(super) async fn deregister_job_definition(&self, body: Value) -> Result<Value, Fault> {
        let request: DeregisterJobDefinition = members(body).map_err(Fault::client)?;
        let named = resource_name(&request.job_definition);
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        let revisions = new.definitions.get_mut(definition_name(named)).into_iter().flatten();
        let mut found = revisions.filter(|revision| revision.definition.job_definition_name == named);
        let Some(revision) = found.next() else {
            return Err(Fault::client(format!(
                "job definition {named} does not exist; name it with its revision"
            )));
        };
        revision.active = false;
        drop(found);
        self.keep(&mut held, new).await?;
        Ok(json!({}))
    }

    /// Takes definitions that are given at the start: one that is the latest revision already is left.
    pub(in crate::wire) async fn register_given(&self, given: Vec<JobDefinition>) -> Result<(), Fault> {
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        for definition in given {
            let latest = new.definitions.get(&definition.job_definition_name).and_then(|all| all.last());
            if latest.is_some_and(|latest| latest.active && unnumbered(latest) == definition) {
                continue;
            }
            let registered = as_registered(&definition);
            add(&mut new, definition, registered);
        }
        for revision in new.definitions.values().flatten() {
            self.engine.define(revision.definition.clone()).await?;
        }
        self.keep(&mut held, new).await
    }
}

impl DescribeJobDefinitions {
    fn wants(&self, revision: &Revision) -> bool {
        let numbered = revision.definition.job_definition_name.as_str();
        let name = definition_name(numbered);
        let is_named = |text: &String| {
            let named = resource_name(text);
            named == numbered || named == name
        };
        (self.job_definitions.is_empty() || self.job_definitions.iter().any(is_named))
            && self.job_definition_name.as_ref().is_none_or(is_named)
            && self.status.as_ref().is_none_or(|wanted| wanted == status(revision))
    }
}

/// What the engine reads of a definition, checked. The rest is kept and described.
fn readable(body: &Value) -> Result<JobDefinition, String> {
    let kind = body.get("type").and_then(Value::as_str);
    if kind != Some("container") {
        return Err("type: must be \"container\"; other jobs don't run here".to_owned());
    }
    let pick = |from: &Value, names: &[&str]| -> Map<String, Value> {
        names.iter().filter_map(|name| Some(((*name).to_owned(), from.get(*name)?.clone()))).collect()
    };
    let mut read = pick(body, &["jobDefinitionName", "parameters", "timeout", "retryStrategy"]);
    let Some(container) = body.get("containerProperties") else {
        return Err("containerProperties: is missing; it is required for container jobs".to_owned());
    };
    let mut properties = pick(container, &["image", "command", "environment", "resourceRequirements"]);
    let has_vcpu = properties
        .get("resourceRequirements")
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|requirement| requirement["type"] == "VCPU"));
    if let Some(vcpus) = container.get("vcpus").and_then(Value::as_i64).filter(|_| !has_vcpu) {
        let requirement = json!({"type": "VCPU", "value": vcpus.to_string()});
        match properties.entry("resourceRequirements").or_insert_with(|| json!([])) {
            Value::Array(requirements) => requirements.push(requirement),
            _ => return Err("resourceRequirements: must be a list".to_owned()),
        }
    }
    read.insert("containerProperties".to_owned(), properties.into());
    check_definition(read.into()).map_err(|problems| joined(&problems))
}

/// Adds the next revision.
fn add(resources: &mut Resources, mut definition: JobDefinition, registered: Map<String, Value>) -> Revision {
    let revisions = resources.definitions.entry(definition.job_definition_name.clone()).or_default();
    let revision = revisions.last().map_or(1, |latest| latest.revision + 1);
    definition.job_definition_name = format!("{}:{revision}", definition.job_definition_name);
    let added = Revision { revision, active: true, definition, registered };
    revisions.push(added.clone());
    added
}

fn unnumbered(revision: &Revision) -> JobDefinition {
    let mut definition = revision.definition.clone();
    definition.job_definition_name = definition_name(&definition.job_definition_name).to_owned();
    definition
}

/// A definition of a file, as a client would have registered it.
fn as_registered(definition: &JobDefinition) -> Map<String, Value> {
    let mut registered = Map::from_iter([
        ("type".to_owned(), json!("container")),
        (
            "containerProperties".to_owned(),
            json!({
                "image": definition.image.as_deref().unwrap_or_default(),
                "command": definition.command,
                "environment": definition.environment,
                "resourceRequirements": definition.resource_requirements,
            }),
        ),
        ("parameters".to_owned(), json!(definition.parameters)),
    ]);
    if let Some(timeout) = &definition.timeout {
        registered.insert("timeout".to_owned(), json!(timeout));
    }
    if let Some(retry_strategy) = &definition.retry_strategy {
        registered.insert("retryStrategy".to_owned(), json!(retry_strategy));
    }
    registered
}

fn arn_of(revision: &Revision) -> String {
    arn::arn("job-definition", &revision.definition.job_definition_name)
}

fn status(revision: &Revision) -> &'static str {
    if revision.active { "ACTIVE" } else { "INACTIVE" }
}

fn description(revision: &Revision) -> Value {
    let mut described = revision.registered.clone();
    let name = definition_name(&revision.definition.job_definition_name);
    described.insert("jobDefinitionName".to_owned(), name.into());
    described.insert("jobDefinitionArn".to_owned(), arn_of(revision).into());
    described.insert("revision".to_owned(), revision.revision.into());
    described.insert("status".to_owned(), status(revision).into());
    described.insert("containerOrchestrationType".to_owned(), "ECS".into());
    described.entry("tags").or_insert_with(|| json!({}));
    described.entry("parameters").or_insert_with(|| json!({}));
    described.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_does_not_read_is_no_mistake() {
        let definition = readable(&json!({
            "jobDefinitionName": "hello", "type": "container", "platformCapabilities": ["EC2"],
            "containerProperties": {
                "image": "busybox", "command": ["echo", "hi"], "vcpus": 2, "memory": 64,
                "jobRoleArn": "arn:aws:iam::000000000000:role/r", "volumes": []
            }
        }))
        .unwrap();
        assert_eq!(definition.command, ["echo", "hi"]);
        assert_eq!(definition.resource_requirements[0].value, "2");
    }

    #[test]
    fn what_can_not_run_here_or_is_wrong_is_refused() {
        let with = |kind: &str, container: Value| json!({"jobDefinitionName": "hello", "type": kind, "containerProperties": container});
        for (body, expected) in [
            (with("multinode", json!({})), "other jobs don't run here"),
            (json!({"jobDefinitionName": "hello", "type": "container"}), "containerProperties: is missing"),
            (with("container", json!({"command": "x"})), "containerProperties.command: must be a list"),
            (with("container", json!({"vcpus": 1, "resourceRequirements": 7})), "must be a list"),
        ] {
            let error = readable(&body).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }

    #[test]
    fn revisions_are_counted_by_name_and_chosen_by_name_revision_and_status() {
        let mut resources = Resources::default();
        let named = |name: &str| JobDefinition { job_definition_name: name.into(), ..Default::default() };
        for name in ["a", "a", "b"] {
            add(&mut resources, named(name), Map::new());
        }
        resources.definitions.get_mut("a").unwrap()[0].active = false;
        let chosen = |request: Value| -> Vec<String> {
            let request: DescribeJobDefinitions = serde_json::from_value(request).unwrap();
            let all = resources.definitions.values().flatten().filter(|revision| request.wants(revision));
            all.map(|revision| revision.definition.job_definition_name.clone()).collect()
        };
        assert_eq!(chosen(json!({})), ["a:1", "a:2", "b:1"]);
        assert_eq!(chosen(json!({"jobDefinitionName": "a", "status": "ACTIVE"})), ["a:2"]);
        let arn = "arn:aws:batch:local:000000000000:job-definition/b:1";
        assert_eq!(chosen(json!({"jobDefinitions": ["a:1", arn]})), ["a:1", "b:1"]);
    }
}
