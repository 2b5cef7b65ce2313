//! `Batch Job Queue Blocked` from EventBridge.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::Deserialize;

use super::EventError;
use super::lenient::or_default;
use crate::domain::JobId;

/// The RUNNABLE job at the head of a queue can't be placed, and holds up those behind it.
///
/// Source: <https://docs.aws.amazon.com/batch/latest/userguide/batch-job-queue-blocked-events.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueBlocked {
    /// The account of the queue; empty where the event does not say.
    pub account: String,
    /// The Region of the queue; empty where the event does not say.
    pub region: String,
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Detail {
    #[serde(deserialize_with = "or_default")]
    job_arn: Option<String>,
    #[serde(deserialize_with = "or_default")]
    job_id: Option<JobId>,
    #[serde(deserialize_with = "or_default")]
    job_queue: Option<String>,
    #[serde(deserialize_with = "or_default")]
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
                "account": generator.subschema_for::<String>(),
                "region": generator.subschema_for::<String>(),
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
    pub(crate) fn is_detail_type(detail_type: &str) -> bool {
        detail_type.starts_with("Batch ") && detail_type.ends_with(" Queue Blocked")
    }

    /// Reads it from its envelope. What the detail leaves out is taken from the resources.
    pub(super) fn from_envelope(event: EventBridgeEvent) -> Result<Self, EventError> {
        let detail = Detail::deserialize(event.detail)
            .map_err(|error| EventError::malformed("Batch Job Queue Blocked", &error))?;
        let resources = event.resources.unwrap_or_default();
        let resource = |kinds: &[&str]| {
            resources.iter().find(|arn| kinds.iter().any(|kind| arn.contains(kind))).cloned()
        };
        let job_arn = detail.job_arn.or_else(|| resource(&[":job/", ":service-job/"]));
        let named = job_arn.as_deref().and_then(|arn| JobId::parse(arn.rsplit_once('/')?.1).ok());
        Ok(Self {
            account: event.account.unwrap_or_default(),
            region: event.region.unwrap_or_default(),
            job_arn,
            job_id: detail.job_id.or(named),
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
            "source": QueueBlocked::SOURCE, "detail-type": "Batch Job Queue Blocked",
            "account": "1", "region": "eu-west-1",
            "resources": ["arn:aws:batch:eu-west-1:1:job/j", "arn:aws:batch:eu-west-1:1:job-queue/q"],
            "detail": {"statusReason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"}
        });
        let blocked = QueueBlocked::from_envelope(serde_json::from_value(event).unwrap()).unwrap();
        assert_eq!((blocked.account.as_str(), blocked.region.as_str()), ("1", "eu-west-1"));
        assert_eq!(blocked.job_arn.as_deref(), Some("arn:aws:batch:eu-west-1:1:job/j"));
        assert_eq!(blocked.queue_arn.as_deref(), Some("arn:aws:batch:eu-west-1:1:job-queue/q"));
        assert_eq!(
            (blocked.job_id, blocked.status_reason.as_str()),
            (JobId::parse("j").ok(), "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
        );
    }

    #[test]
    fn both_kinds_of_queue_are_recognised() {
        assert!(QueueBlocked::is_detail_type("Batch Job Queue Blocked"));
        assert!(QueueBlocked::is_detail_type("Batch Service Job Queue Blocked"));
        assert!(!QueueBlocked::is_detail_type("Batch Job State Change"));
    }
}
