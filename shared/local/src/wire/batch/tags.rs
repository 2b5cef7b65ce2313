//! Tags of every resource: `ListTagsForResource`, `TagResource`, `UntagResource`.

use serde_json::{Map, Value, json};

use super::Batch;
use crate::domain::JobId;
use crate::domain::limits::{TAG_KEY_MAX_CHARS, TAG_VALUE_MAX_CHARS, TAGS_MAX};
use crate::engine::arn::{definition_name, resource_name};
use crate::wire::fault::{Fault, without_nulls};
use crate::wire::resources::Resources;

impl Batch {
    pub(in crate::wire) async fn tags_of(&self, arn: &str) -> Result<Value, Fault> {
        let submitted = self.submitted_with(arn).await?;
        let mut held = self.shelf.lock().await;
        let tags = tags(&mut held, arn, submitted).ok_or_else(|| unknown(arn))?;
        Ok(json!({"tags": tags}))
    }

    pub(in crate::wire) async fn tag(&self, arn: &str, body: Value) -> Result<Value, Fault> {
        let body = without_nulls(body);
        let Some(given) = body.get("tags").and_then(Value::as_object) else {
            return Err(Fault::client("tags: is missing; it is required"));
        };
        check(given)?;
        self.change(arn, |tags| tags.extend(given.clone())).await
    }

    pub(in crate::wire) async fn untag(&self, arn: &str, keys: Vec<String>) -> Result<Value, Fault> {
        if keys.is_empty() {
            return Err(Fault::client("tagKeys: is missing; give at least one"));
        }
        self.change(arn, |tags| tags.retain(|key, _| !keys.contains(key))).await
    }

    async fn change(&self, arn: &str, change: impl FnOnce(&mut Map<String, Value>)) -> Result<Value, Fault> {
        let submitted = self.submitted_with(arn).await?;
        let mut held = self.shelf.lock().await;
        let mut new = held.clone();
        let tags = tags(&mut new, arn, submitted).ok_or_else(|| unknown(arn))?;
        change(tags);
        if tags.len() > TAGS_MAX {
            let count = tags.len();
            return Err(Fault::client(format!(
                "the resource would have {count} tags, at most {TAGS_MAX} are allowed"
            )));
        }
        self.keep(&mut held, new).await?;
        Ok(json!({}))
    }

    /// The tags that a job was submitted with; `None` where the ARN is that of something else.
    async fn submitted_with(&self, arn: &str) -> Result<Option<Map<String, Value>>, Fault> {
        if !arn.contains(":job/") {
            return Ok(None);
        }
        let id = JobId::parse(resource_name(arn)).map_err(|error| Fault::client(error.to_string()))?;
        let records = self.engine.records(vec![id]).await?;
        let record = records.first().ok_or_else(|| unknown(arn))?;
        let tags = record.detail.tags.iter();
        Ok(Some(tags.map(|(key, value)| (key.clone(), value.clone().into())).collect()))
    }
}

/// Where the tags of a resource are kept. Those of a job begin as it was `submitted` with them.
fn tags<'a>(
    resources: &'a mut Resources,
    arn: &str,
    submitted: Option<Map<String, Value>>,
) -> Option<&'a mut Map<String, Value>> {
    let name = resource_name(arn);
    if let Some(submitted) = submitted {
        return Some(resources.job_tags.entry(name.to_owned()).or_insert(submitted));
    }
    let members = if arn.contains(":job-queue/") {
        &mut resources.queues.get_mut(name)?.created
    } else if arn.contains(":compute-environment/") {
        &mut resources.compute_environments.get_mut(name)?.created
    } else if arn.contains(":scheduling-policy/") {
        resources.scheduling_policies.get_mut(name)?
    } else if arn.contains(":job-definition/") {
        let mut revisions = resources.definitions.get_mut(definition_name(name))?.iter_mut();
        &mut revisions.find(|revision| revision.definition.job_definition_name == name)?.registered
    } else {
        return None;
    };
    members.entry("tags").or_insert_with(|| json!({})).as_object_mut()
}

/// Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_TagResource.html>
fn check(tags: &Map<String, Value>) -> Result<(), Fault> {
    for (key, value) in tags {
        let Some(value) = value.as_str() else {
            return Err(Fault::client(format!("tags.{key}: must be a string")));
        };
        if !(1..=TAG_KEY_MAX_CHARS).contains(&key.chars().count()) {
            return Err(Fault::client(format!("tags: a key has 1 to {TAG_KEY_MAX_CHARS} characters")));
        }
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(Fault::client(format!(
                "tags.{key}: begins with \"aws:\", which AWS keeps for itself"
            )));
        }
        if value.chars().count() > TAG_VALUE_MAX_CHARS {
            return Err(Fault::client(format!("tags.{key}: has more than {TAG_VALUE_MAX_CHARS} characters")));
        }
    }
    Ok(())
}

fn unknown(arn: &str) -> Fault {
    Fault::client(format!("{arn} is no resource that is known here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_checked_as_aws_does() {
        let long = "x".repeat(257);
        for (given, good) in [
            (json!({"k": "v", "l": ""}), true),
            (json!({"k": 1}), false),
            (json!({"": "v"}), false),
            (json!({"aws:k": "v"}), false),
            (json!({"k": long}), false),
        ] {
            assert_eq!(check(given.as_object().unwrap()).is_ok(), good, "{given}");
        }
    }
}
