//! Tags: `ListTagsForResource`, `TagResource`.

use serde_json::{Map, Value, json};

use super::Batch;
use crate::domain::JobId;
use crate::engine::arn::{definition_name, resource_name};
use crate::wire::fault::Fault;
use crate::wire::resources::Resources;

impl Batch {
    pub(in crate::wire) async fn tags_of(&self, arn: &str) -> Result<Value, Fault> {
        if arn.contains(":job/") {
            let id = JobId::parse(resource_name(arn)).map_err(|error| Fault::client(error.to_string()))?;
            let records = self.engine.records(vec![id]).await?;
            let record = records.first().ok_or_else(|| unknown(arn))?;
            return Ok(json!({"tags": record.detail.tags}));
        }
        let mut held = self.shelf.lock().await;
        let members = tagged(&mut held, arn).ok_or_else(|| unknown(arn))?;
        Ok(json!({"tags": members.get("tags").cloned().unwrap_or_else(|| json!({}))}))
    }

    pub(in crate::wire) async fn tag(&self, arn: &str, body: Value) -> Result<Value, Fault> {
        let Some(tags) = body.get("tags").and_then(Value::as_object) else {
            return Err(Fault::client("tags: is missing; it is required"));
        };
        if tags.values().any(|value| !value.is_string()) {
            return Err(Fault::client("tags: every value must be a string"));
        }
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        let members = tagged(&mut new, arn).ok_or_else(|| unknown(arn))?;
        if let Value::Object(known) = members.entry("tags").or_insert_with(|| json!({})) {
            known.extend(tags.clone());
        }
        self.keep(&mut held, new).await?;
        Ok(json!({}))
    }
}

/// The members of a queue or of a job definition's revision. Jobs keep the tags they were submitted with.
fn tagged<'a>(resources: &'a mut Resources, arn: &str) -> Option<&'a mut Map<String, Value>> {
    let name = resource_name(arn);
    if arn.contains(":job-queue/") {
        return resources.queues.get_mut(name).map(|queue| &mut queue.created);
    }
    let revisions = resources.definitions.get_mut(definition_name(name))?;
    let mut found = revisions.iter_mut().filter(|revision| revision.definition.job_definition_name == name);
    found.next().map(|revision| &mut revision.registered)
}

fn unknown(arn: &str) -> Fault {
    Fault::client(format!("{arn} is no job queue or job definition that is known here"))
}
