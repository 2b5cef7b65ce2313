//! The event around a job's description, as EventBridge sends it.

use super::core::{arn, uuid_like};
use crate::domain::Timestamp;
use crate::events::{JobDetail, JobStateChange};

/// Wraps a description. The same state of the same job gives the same id.
pub(crate) fn state_change(detail: JobDetail, now: Timestamp) -> JobStateChange {
    let attempts = detail.attempts.len().to_string();
    JobStateChange {
        version: "0".to_owned(),
        id: uuid_like(&["event", detail.job_id.as_str(), &attempts, detail.status.as_str()]),
        detail_type: JobStateChange::DETAIL_TYPE.to_owned(),
        source: JobStateChange::SOURCE.to_owned(),
        account: arn::ACCOUNT.to_owned(),
        time: now.to_rfc3339_seconds(),
        region: arn::REGION.to_owned(),
        resources: detail.job_arn.iter().cloned().collect(),
        detail,
    }
}
