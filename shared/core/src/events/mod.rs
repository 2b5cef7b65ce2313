//! The shapes in which AWS delivers what has happened, and the one call that our functions make to each other.
//! Unknown fields are accepted everywhere.
//!
//! The envelopes are those of `aws_lambda_events`. Batch's `detail` is ours: the crate's type for it refuses an
//! event for fields that are not read here.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::Deserialize as _;
use serde_json::Value;

mod continuation;
mod error;
mod event;
mod job_detail;
mod job_state;
mod job_state_change;
mod lenient;
mod notification;
mod queue;
mod queue_blocked;
mod s3_notification;
#[cfg(test)]
mod tests;

pub use continuation::Continuation;
pub use error::EventError;
pub use event::Event;
pub use job_detail::{
    ArrayPropertiesDetail, AttemptContainerDetail, AttemptDetail, AttemptEcsTaskDetails,
    AttemptTaskContainerDetails, ContainerDetail, EcsPropertiesDetail, EcsTaskDetails,
    EksAttemptContainerDetail, EksAttemptDetail, EksContainerDetail, EksPodPropertiesDetail,
    EksPropertiesDetail, JobDetail, LogConfiguration, NodeDetails, NodePropertiesDetail,
    TaskContainerDetails,
};
pub use job_state_change::JobStateChange;
pub use queue::{BatchResponse, QueueMessage};
pub use queue_blocked::QueueBlocked;
pub use s3_notification::S3Object;

/// The envelope of an event of EventBridge.
fn envelope(event: Value) -> Result<EventBridgeEvent, EventError> {
    EventBridgeEvent::deserialize(event).map_err(|error| EventError::malformed("EventBridge event", &error))
}
