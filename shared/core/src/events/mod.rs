//! The shapes in which AWS delivers what has happened, what batchwright itself puts on an event bus, and the one call
//! that our functions make to each other.
//! Unknown fields are accepted everywhere.
//!
//! The envelopes are those of `aws_lambda_events`. Batch's `detail` is ours: the crate's type for it refuses an
//! event for fields that are not read here.

mod announcement;
mod continuation;
#[cfg(feature = "envelopes")]
mod envelope;
#[cfg(feature = "envelopes")]
mod error;
#[cfg(feature = "envelopes")]
mod event;
mod job_detail;
mod job_state;
mod job_state_change;
mod lenient;
#[cfg(feature = "envelopes")]
mod notification;
#[cfg(feature = "envelopes")]
mod queue;
#[cfg(feature = "envelopes")]
mod queue_blocked;
#[cfg(feature = "envelopes")]
mod s3_notification;
#[cfg(feature = "envelopes")]
#[cfg(test)]
mod tests;

pub use announcement::{Announcement, JobEnded, RunEnded, SOURCE, Told};
pub use continuation::Continuation;
#[cfg(feature = "envelopes")]
pub use error::EventError;
#[cfg(feature = "envelopes")]
pub use event::Event;
pub use job_detail::{
    ArrayPropertiesDetail, AttemptContainerDetail, AttemptDetail, AttemptEcsTaskDetails,
    AttemptTaskContainerDetails, ContainerDetail, EcsPropertiesDetail, EcsTaskDetails,
    EksAttemptContainerDetail, EksAttemptDetail, EksContainerDetail, EksPodPropertiesDetail,
    EksPropertiesDetail, JobDetail, LogConfiguration, NodeDetails, NodePropertiesDetail,
    TaskContainerDetails,
};
pub use job_state_change::JobStateChange;
#[cfg(feature = "envelopes")]
pub use queue::{BatchResponse, QueueMessage};
#[cfg(feature = "envelopes")]
pub use queue_blocked::QueueBlocked;
#[cfg(feature = "envelopes")]
pub use s3_notification::S3Object;
