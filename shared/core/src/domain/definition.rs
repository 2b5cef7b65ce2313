//! A job definition for the embedded engine, by the names of AWS Batch's `RegisterJobDefinition`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// Shown in descriptions; the embedded engine runs the command on this machine.
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
}

impl JobDefinition {
    /// Whether a job's `jobDefinition` means this one: by name, `name:revision`, or ARN.
    pub fn is_named_by(&self, job_definition: &str) -> bool {
        let last = job_definition.rsplit('/').next().unwrap_or(job_definition);
        let name = match last.rsplit_once(':') {
            Some((name, revision)) if revision.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => last,
        };
        self.job_definition_name == name || self.job_definition_name == last
    }
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
}
