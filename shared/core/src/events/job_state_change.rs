//! `Batch Job State Change` from EventBridge.

use serde::{Deserialize, Serialize};

use super::JobDetail;

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
}
