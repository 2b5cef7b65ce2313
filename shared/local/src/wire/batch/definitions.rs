//! Job definitions: `RegisterJobDefinition`, `DescribeJobDefinitions`, `DeregisterJobDefinition`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::paging::Paging;
use super::registration::readable;
use super::{Batch, object};
use crate::domain::JobDefinition;
use crate::engine::arn::{self, definition_name, resource_name};
use crate::wire::fault::{Fault, members};
use crate::wire::resources::{Resources, Revision};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DescribeJobDefinitions {
    job_definitions: Vec<String>,
    job_definition_name: Option<String>,
    status: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeregisterJobDefinition {
    job_definition: String,
}

impl Batch {
    pub(super) async fn register_job_definition(&self, body: Value) -> Result<Value, Fault> {
        let registered = object(body)?;
        let definition = readable(&registered).map_err(Fault::client)?;
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
        let held = self.shelf.lock().await;
        // By name, the newest revision first.
        let all = held.definitions.values().flat_map(|revisions| revisions.iter().rev());
        let wanted = all.filter(|revision| request.wants(revision));
        request
            .paging
            .page("jobDefinitions", wanted.map(|revision| (arn_of(revision), description(revision))))
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
        let mut given = given;
        given.sort_by_key(JobDefinition::revision);
        for definition in given {
            let latest = new.definitions.get(&definition.job_definition_name).and_then(|all| all.last());
            if latest.is_some_and(|latest| unnumbered(latest) == definition) {
                continue;
            }
            let (registered, active) = (as_registered(&definition), definition.is_active());
            let name = definition.job_definition_name.clone();
            add(&mut new, definition, registered);
            if let Some(added) = new.definitions.get_mut(&name).and_then(|all| all.last_mut()) {
                added.active = active;
            }
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

/// Adds the next revision.
fn add(resources: &mut Resources, mut definition: JobDefinition, registered: Map<String, Value>) -> Revision {
    let revisions = resources.definitions.entry(definition.job_definition_name.clone()).or_default();
    let next = revisions.last().map_or(1, |latest| latest.revision + 1);
    // One that was printed by AWS keeps its number.
    let revision = definition.revision().filter(|printed| *printed >= next).unwrap_or(next);
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
    let mut registered = definition.more.clone();
    registered.insert("type".to_owned(), definition.kind.as_deref().unwrap_or("container").into());
    let mut container = definition.container_properties.clone();
    container.insert("image".to_owned(), definition.image.as_deref().unwrap_or_default().into());
    container.insert("command".to_owned(), json!(definition.command));
    container.insert("environment".to_owned(), json!(definition.environment));
    container.insert("resourceRequirements".to_owned(), json!(definition.resource_requirements));
    registered.insert("containerProperties".to_owned(), container.into());
    registered.insert("parameters".to_owned(), json!(definition.parameters));
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
    let orchestration = if described.contains_key("eksProperties") { "EKS" } else { "ECS" };
    described.insert("containerOrchestrationType".to_owned(), orchestration.into());
    described.entry("tags").or_insert_with(|| json!({}));
    described.entry("parameters").or_insert_with(|| json!({}));
    described.into()
}

#[cfg(test)]
mod tests {
    use super::*;

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
