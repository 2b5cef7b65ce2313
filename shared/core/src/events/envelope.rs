//! The envelope of EventBridge, and the change of a job that is read from it.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::Deserialize as _;
use serde_json::Value;

use super::{EventError, JobDetail, JobStateChange};
use crate::domain::Nonce;

/// The envelope of an event of EventBridge.
pub(super) fn envelope(event: Value) -> Result<EventBridgeEvent, EventError> {
    EventBridgeEvent::deserialize(event).map_err(|error| EventError::malformed("EventBridge event", &error))
}

impl JobStateChange {
    /// Reads an event.
    ///
    /// Errs where it is another one, naming its `source` and `detail-type`, and where it is malformed.
    pub fn parse(text: &str) -> Result<Self, EventError> {
        Self::from_value(serde_json::from_str(text).map_err(EventError::NotJson)?)
    }

    /// Reads an event that has been parsed already. Errs as [`JobStateChange::parse`] does.
    pub fn from_value(event: Value) -> Result<Self, EventError> {
        let envelope = envelope(event)?;
        if (envelope.source.as_str(), envelope.detail_type.as_str()) != (Self::SOURCE, Self::DETAIL_TYPE) {
            return Err(EventError::unknown(&envelope.source, &envelope.detail_type));
        }
        Self::from_envelope(envelope)
    }

    pub(super) fn from_envelope(envelope: EventBridgeEvent) -> Result<Self, EventError> {
        let detail = JobDetail::deserialize(envelope.detail)
            .map_err(|error| EventError::malformed(Self::DETAIL_TYPE, &error))?;
        Ok(Self {
            version: envelope.version.unwrap_or_default(),
            id: envelope.id.unwrap_or_default(),
            detail_type: envelope.detail_type,
            source: envelope.source,
            account: envelope.account.unwrap_or_default(),
            time: envelope.time.map(|time| time.to_rfc3339().replace("+00:00", "Z")).unwrap_or_default(),
            region: envelope.region.unwrap_or_default(),
            resources: envelope.resources.unwrap_or_default(),
            detail,
        })
    }

    /// Whether a detail is that of a job which carries no nonce: another program's. Nothing else of it need
    /// be understood to leave it alone.
    pub(super) fn is_a_strangers(detail: &Value) -> bool {
        let nonce = detail.get("parameters").and_then(|parameters| parameters.get(Nonce::PARAMETER));
        detail.get("jobId").is_some_and(Value::is_string) && nonce.is_none_or(|nonce| !nonce.is_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_event_is_refused_by_its_name() {
        for (text, expected) in [
            (
                r#"{"source": "aws.batch", "detail-type": "Batch Job Queue Blocked", "detail": {}}"#,
                "not an event that is read here: source \"aws.batch\" with detail-type \"Batch Job Queue Blocked\"",
            ),
            (
                r#"{"source": "my.app", "detail-type": "Batch Job State Change", "detail": {}}"#,
                "not an event that is read here: source \"my.app\" with detail-type \"Batch Job State Change\"",
            ),
            (
                r#"{"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": {}}"#,
                "malformed Batch Job State Change: missing field `jobName`",
            ),
            ("x", "the event is not JSON: expected value at line 1 column 1"),
        ] {
            assert_eq!(JobStateChange::parse(text).unwrap_err().to_string(), expected);
        }
    }
}
