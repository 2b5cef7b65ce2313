//! A job as AWS Batch's `SubmitJob` takes it, by the same names.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html>

mod build;
mod container;
mod ecs;
mod eks;
mod field;
mod node;
mod request;
mod retries;
mod sealed;
#[cfg(test)]
mod whole;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use container::{ContainerOverrides, KeyValuePair, ResourceRequirement, ResourceType};
pub use ecs::{EcsPropertiesOverride, TaskContainerOverrides, TaskPropertiesOverride};
pub use eks::{
    EksContainerEnvironmentVariable, EksContainerOverride, EksContainerResourceRequirements, EksMetadata,
    EksPodPropertiesOverride, EksPropertiesOverride,
};
pub use field::JobField;
pub use node::{NodeOverrides, NodePropertyOverride};
pub use request::SubmitJobRequest;
pub use retries::{FallbackQueue, RetryOn};

use super::children::ChildOf;
use super::ids::{JobId, JobName, hex_digest};
use super::limits::DEFAULT_MAX_TRIES;
use crate::with::with;

/// One job of a job file, its defaults filled in and its short forms written out.
///
/// It grows as `SubmitJob` does, so it is made by [`JobSpec::named`] or [`JobSpec::new`], and [`JobSpec::with`] sets what has no
/// method of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct JobSpec {
    pub job_name: JobName,
    pub job_queue: String,
    pub job_definition: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling_priority_override: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array_properties: Option<ArrayProperties>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_overrides: Option<ContainerOverrides>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_overrides: Option<NodeOverrides>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_strategy: Option<RetryStrategy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagate_tags: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<JobTimeout>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eks_properties_override: Option<EksPropertiesOverride>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecs_properties_override: Option<EcsPropertiesOverride>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumable_resource_properties_override: Option<ConsumableResourceProperties>,
    /// Submissions in all, the first among them. Ours; 4 where the file does not say.
    #[serde(default = "default_max_tries")]
    pub max_tries: u32,
    /// Where it goes after so many lost hosts. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_queue: Option<FallbackQueue>,
    /// The failures of the job itself for which it is submitted again, each cause once. Ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_on: Vec<RetryOn>,
    /// Each child of the array that lost its host is run again as a job of its own. Ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resubmit_children: bool,
    /// Its environment and parameters are kept by Batch alone: no store, report or log holds them. Ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// Of a sealed job as a store keeps it: a digest of what was left out. Ours, and never read from a job file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// This job is such a child. Ours, and never read from a job file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child_of: Option<ChildOf>,
}

with!(JobSpec);

const fn default_max_tries() -> u32 {
    DEFAULT_MAX_TRIES
}

impl JobSpec {
    /// A job with nothing but what `SubmitJob` requires.
    pub fn new(job_name: JobName, job_queue: &str, job_definition: &str) -> Self {
        Self {
            job_name,
            job_queue: job_queue.to_owned(),
            job_definition: job_definition.to_owned(),
            share_identifier: None,
            scheduling_priority_override: None,
            array_properties: None,
            depends_on: Vec::new(),
            parameters: BTreeMap::new(),
            container_overrides: None,
            node_overrides: None,
            retry_strategy: None,
            propagate_tags: None,
            timeout: None,
            tags: BTreeMap::new(),
            eks_properties_override: None,
            ecs_properties_override: None,
            consumable_resource_properties_override: None,
            max_tries: DEFAULT_MAX_TRIES,
            fallback_queue: None,
            retry_on: Vec::new(),
            resubmit_children: false,
            sealed: false,
            seal: None,
            child_of: None,
        }
    }

    /// The names of the jobs of the same file that must end first.
    pub fn dependency_names(&self) -> impl Iterator<Item = &JobName> {
        self.depends_on.iter().filter_map(|dependency| dependency.job_name.as_ref())
    }

    /// A digest of all that Batch is told: equal for equal work. Tags, and what is said of resubmission,
    /// do not count.
    pub fn digest(&self) -> String {
        let kept = self.as_kept();
        // What is sealed counts by its digest, as it is kept: so a job of a file is compared with what a store knows.
        let spec = Self { seal: kept.seal.clone(), ..kept.for_batch() };
        let work = Self {
            max_tries: DEFAULT_MAX_TRIES,
            tags: BTreeMap::new(),
            propagate_tags: None,
            // Overrides that change nothing are none.
            container_overrides: spec.container_overrides.filter(|own| *own != ContainerOverrides::default()),
            retry_strategy: spec.retry_strategy.filter(|own| *own != RetryStrategy::default()),
            timeout: spec.timeout.filter(|own| own.attempt_duration_seconds.is_some()),
            ..spec
        };
        let text = serde_json::to_string(&work).expect("a spec has string keys only");
        hex_digest(&[&text])[..32].to_owned()
    }

    /// The job without what is said of resubmission, but `maxTries`.
    pub fn for_batch(&self) -> Self {
        Self {
            fallback_queue: None,
            retry_on: Vec::new(),
            resubmit_children: false,
            sealed: false,
            seal: None,
            child_of: None,
            ..self.clone()
        }
    }

    /// Bytes of the `SubmitJob` payload.
    pub fn payload_bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |bytes| bytes.len())
    }
}

/// `arrayProperties`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArrayProperties {
    /// Children, 2 to 10,000.
    pub size: u32,
}

with!(ArrayProperties);

impl ArrayProperties {
    /// So many children, 2 to 10,000.
    pub fn new(size: u32) -> Self {
        Self { size }
    }
}

/// An entry of `dependsOn`: by `jobId` as in `SubmitJob`, or by the `jobName` of a job of the same file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct Dependency {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<JobName>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<DependencyType>,
}

with!(Dependency);

/// How an array job depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum DependencyType {
    /// Each child waits for the other array's child of the same index.
    NToN,
    /// Each child waits for the child before it.
    Sequential,
}

impl DependencyType {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NToN => "N_TO_N",
            Self::Sequential => "SEQUENTIAL",
        }
    }
}

/// `retryStrategy`: Batch's own retries within one submission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct RetryStrategy {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluate_on_exit: Vec<EvaluateOnExit>,
}

with!(RetryStrategy);

/// A rule of `retryStrategy.evaluateOnExit`: its action is taken where every pattern given matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct EvaluateOnExit {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_status_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exit_code: Option<String>,
    pub action: RetryAction,
}

with!(EvaluateOnExit);

impl EvaluateOnExit {
    /// A rule without patterns, which Batch does not take: set one at least.
    pub fn new(action: RetryAction) -> Self {
        Self { on_status_reason: None, on_reason: None, on_exit_code: None, action }
    }
}

/// What a rule of `evaluateOnExit` does. AWS takes it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE", try_from = "String")]
#[expect(missing_docs, reason = "the names are AWS's own")]
pub enum RetryAction {
    Retry,
    Exit,
}

impl TryFrom<String> for RetryAction {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "RETRY" => Ok(Self::Retry),
            "EXIT" => Ok(Self::Exit),
            _ => Err(format!("unknown action {text:?}; RETRY and EXIT are known")),
        }
    }
}

/// `timeout`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct JobTimeout {
    /// Seconds, at least 60, from an attempt's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_duration_seconds: Option<u32>,
}

with!(JobTimeout);

/// `consumableResourcePropertiesOverride`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct ConsumableResourceProperties {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumable_resource_list: Vec<ConsumableResourceRequirement>,
}

with!(ConsumableResourceProperties);

/// An entry of `consumableResourceList`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are SubmitJob's own")]
#[non_exhaustive]
pub struct ConsumableResourceRequirement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumable_resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
}

with!(ConsumableResourceRequirement);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Cause;

    #[test]
    fn the_digest_tells_work_apart_and_nothing_else() {
        let spec = JobSpec::new(JobName::parse("a").unwrap(), "q", "d");
        let relabelled =
            JobSpec { max_tries: 9, tags: BTreeMap::from([("k".into(), "v".into())]), ..spec.clone() };
        let retried = JobSpec {
            fallback_queue: Some(FallbackQueue { job_queue: "r".into(), after_losses: 1 }),
            retry_on: vec![RetryOn { cause: Cause::Timeout, max_tries: None }],
            resubmit_children: true,
            ..spec.clone()
        };
        assert_eq!(spec.digest(), retried.digest());
        assert_eq!(spec.digest(), relabelled.digest());
        assert_ne!(spec.digest(), JobSpec { job_definition: "e".into(), ..spec.clone() }.digest());
    }

    #[test]
    fn a_spec_is_written_with_submit_jobs_names() {
        let mut spec = JobSpec::new(JobName::parse("a").unwrap(), "q", "d");
        spec.depends_on = vec![Dependency { kind: Some(DependencyType::NToN), ..Dependency::default() }];
        let json = serde_json::to_value(&spec).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "jobName": "a", "jobQueue": "q", "jobDefinition": "d", "dependsOn": [{"type": "N_TO_N"}], "maxTries": 4
            })
        );
        assert_eq!(serde_json::from_value::<JobSpec>(json).unwrap(), spec);
    }
}
