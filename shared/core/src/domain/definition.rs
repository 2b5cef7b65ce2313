//! A job definition for the embedded engine, by the names of AWS Batch's `RegisterJobDefinition`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::spec::{JobTimeout, KeyValuePair, ResourceRequirement, RetryStrategy};

/// What a job runs where its own spec does not say. A job that names no known definition runs its
/// command as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are RegisterJobDefinition's own")]
pub struct JobDefinition {
    pub job_definition_name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Run where the embedded engine runs containers. Otherwise the command runs on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<KeyValuePair>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_requirements: Vec<ResourceRequirement>,
    /// Defaults for `Ref::name` in the command.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<JobTimeout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_strategy: Option<RetryStrategy>,
    /// `type`, where it is another than `container`: the embedded engine runs no such jobs.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The other members of `containerProperties`, as they were registered.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub container_properties: Map<String, Value>,
    /// The other members, as they were registered or printed.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl JobDefinition {
    /// Whether a job's `jobDefinition` means this one: by name, `name:revision`, or ARN.
    pub(crate) fn is_named_by(&self, job_definition: &str) -> bool {
        let last = job_definition.rsplit('/').next().unwrap_or(job_definition);
        let name = match last.rsplit_once(':') {
            Some((name, revision)) if revision.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => last,
        };
        self.job_definition_name == name || self.job_definition_name == last
    }

    /// Whether it names an image, which containers can be made of.
    pub fn has_image(&self) -> bool {
        self.image.as_ref().is_some_and(|image| !image.is_empty())
    }

    /// Its revision, where its name or what was printed of it tells.
    pub fn revision(&self) -> Option<u32> {
        let printed =
            self.more.get("revision").and_then(Value::as_u64).and_then(|number| number.try_into().ok());
        printed.or_else(|| revision_of(&self.job_definition_name))
    }

    /// Whether jobs may be submitted with it.
    pub fn is_active(&self) -> bool {
        self.more.get("status").and_then(Value::as_str) != Some("INACTIVE")
    }

    /// `logConfiguration`, as it was registered.
    pub fn log_configuration(&self) -> Option<&Value> {
        self.container_properties.get("logConfiguration")
    }
}

/// The definition that a job's `jobDefinition` means: the revision that it names, or the latest active one.
pub fn find_definition<'a>(
    definitions: &'a [JobDefinition],
    job_definition: &str,
) -> Option<&'a JobDefinition> {
    let named = || definitions.iter().filter(|definition| definition.is_named_by(job_definition));
    match revision_of(job_definition) {
        Some(wanted) => named()
            .find(|definition| definition.revision() == Some(wanted))
            .or_else(|| named().find(|definition| definition.revision().is_none())),
        None => named().max_by_key(|definition| (definition.is_active(), definition.revision())),
    }
}

fn revision_of(job_definition: &str) -> Option<u32> {
    let last = job_definition.rsplit('/').next().unwrap_or(job_definition);
    last.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_found_by_name_revision_and_arn() {
        let definition = JobDefinition { job_definition_name: "hello".into(), ..JobDefinition::default() };
        for named in ["hello", "hello:3", "arn:aws:batch:us-east-1:123456789012:job-definition/hello:3"] {
            assert!(definition.is_named_by(named), "{named}");
        }
        assert!(!definition.is_named_by("hello-world:1"));
    }

    #[test]
    fn of_several_revisions_the_named_one_or_the_latest_active_one_is_meant() {
        let printed = |revision: u32, status: &str| {
            let more = Map::from_iter([
                ("revision".to_owned(), revision.into()),
                ("status".to_owned(), status.into()),
            ]);
            JobDefinition { job_definition_name: "d".into(), more, ..JobDefinition::default() }
        };
        let all = [printed(3, "INACTIVE"), printed(1, "ACTIVE"), printed(2, "ACTIVE")];
        let found = |named: &str| find_definition(&all, named).and_then(JobDefinition::revision);
        assert_eq!((found("d"), found("d:1"), found("d:3"), found("d:4")), (Some(2), Some(1), Some(3), None));
        let plain = [JobDefinition { job_definition_name: "d".into(), ..JobDefinition::default() }];
        assert!(find_definition(&plain, "d:7").is_some(), "a definition without a revision is any");
    }
}
