//! `Batch Job State Change` from EventBridge.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EventError, JobDetail};

/// The envelope and the job.
///
/// Source: <https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html>
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the fields are EventBridge's own")]
pub struct JobStateChange {
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub id: String,
    #[serde(rename = "detail-type")]
    #[cfg_attr(feature = "schema", schemars(extend("const" = JobStateChange::DETAIL_TYPE)))]
    pub detail_type: String,
    #[cfg_attr(feature = "schema", schemars(extend("const" = JobStateChange::SOURCE)))]
    pub source: String,
    #[serde(default)]
    pub account: String,
    #[serde(default)]
    pub time: String,
    #[serde(default)]
    pub region: String,
    #[serde(default)]
    pub resources: Vec<String>,
    pub detail: JobDetail,
}

impl JobStateChange {
    /// Its `detail-type`.
    pub const DETAIL_TYPE: &'static str = "Batch Job State Change";

    /// Its `source`.
    pub const SOURCE: &'static str = "aws.batch";

    /// Reads an event.
    ///
    /// Errs where it is another one, naming its `source` and `detail-type`, and where it is malformed.
    pub fn parse(text: &str) -> Result<Self, EventError> {
        Self::from_value(serde_json::from_str(text).map_err(EventError::NotJson)?)
    }

    /// Reads an event that has been parsed already. Errs as [`JobStateChange::parse`] does.
    pub fn from_value(event: Value) -> Result<Self, EventError> {
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        if (text("source"), text("detail-type")) != (Self::SOURCE, Self::DETAIL_TYPE) {
            return Err(EventError::unknown(text("source"), text("detail-type")));
        }
        serde_json::from_value(event).map_err(|error| EventError::malformed(Self::DETAIL_TYPE, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_event_is_refused_by_its_name() {
        for (text, expected) in [
            (
                r#"{"source": "aws.batch", "detail-type": "Batch Job Queue Blocked"}"#,
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
