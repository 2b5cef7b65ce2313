//! `Batch Job Queue Blocked` from EventBridge.

use serde::Deserialize;
use serde_json::Value;

use super::EventError;
use crate::domain::JobId;

/// The RUNNABLE job at the head of a queue can't be placed, and holds up those behind it.
///
/// Source: <https://docs.aws.amazon.com/batch/latest/userguide/batch-job-queue-blocked-events.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueBlocked {
    /// The job at the head.
    pub job_arn: Option<String>,
    /// Its id.
    pub job_id: Option<JobId>,
    /// The queue.
    pub queue_arn: Option<String>,
    /// Why it can't be placed.
    pub status_reason: String,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    resources: Vec<String>,
    detail: Detail,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Detail {
    job_arn: Option<String>,
    job_id: Option<JobId>,
    job_queue: Option<String>,
    status_reason: String,
}

/// As it is read: with the `source` and `detail-type` by which it was told apart.
#[cfg(feature = "schema")]
impl schemars::JsonSchema for QueueBlocked {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "QueueBlocked".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "required": ["source", "detail-type", "detail"],
            "properties": {
                "source": {"const": Self::SOURCE},
                "detail-type": {"type": "string", "pattern": "^Batch .*Queue Blocked$"},
                "resources": generator.subschema_for::<Vec<String>>(),
                "detail": generator.subschema_for::<Detail>(),
            },
        })
    }
}

impl QueueBlocked {
    /// Its `source`.
    pub const SOURCE: &'static str = "aws.batch";

    /// Whether a `detail-type` is one of its: of jobs and of service jobs.
    pub fn is_detail_type(detail_type: &str) -> bool {
        detail_type.starts_with("Batch ") && detail_type.ends_with(" Queue Blocked")
    }

    /// Reads it from its envelope.
    pub(super) fn from_value(event: Value) -> Result<Self, EventError> {
        let Envelope { resources, detail } = serde_json::from_value(event)
            .map_err(|error| EventError::malformed("Batch Job Queue Blocked", &error))?;
        let resource = |kinds: &[&str]| {
            resources.iter().find(|arn| kinds.iter().any(|kind| arn.contains(kind))).cloned()
        };
        Ok(Self {
            job_arn: detail.job_arn.or_else(|| resource(&[":job/", ":service-job/"])),
            job_id: detail.job_id,
            queue_arn: detail.job_queue.or_else(|| resource(&[":job-queue/"])),
            status_reason: detail.status_reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_resources_stand_in_for_what_the_detail_leaves_out() {
        let event = json!({
            "resources": ["arn:aws:batch:eu-west-1:1:job/j", "arn:aws:batch:eu-west-1:1:job-queue/q"],
            "detail": {"statusReason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"}
        });
        let blocked = QueueBlocked::from_value(event).unwrap();
        assert_eq!(blocked.job_arn.as_deref(), Some("arn:aws:batch:eu-west-1:1:job/j"));
        assert_eq!(blocked.queue_arn.as_deref(), Some("arn:aws:batch:eu-west-1:1:job-queue/q"));
        assert_eq!(
            (blocked.job_id, blocked.status_reason.as_str()),
            (None, "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
        );
    }

    #[test]
    fn both_kinds_of_queue_are_recognised() {
        assert!(QueueBlocked::is_detail_type("Batch Job Queue Blocked"));
        assert!(QueueBlocked::is_detail_type("Batch Service Job Queue Blocked"));
        assert!(!QueueBlocked::is_detail_type("Batch Job State Change"));
    }
}
