//! The shapes in which AWS delivers what has happened, and the one call that our functions make to each other.
//! Unknown fields are accepted everywhere.

mod continuation;
mod error;
mod event;
mod job_detail;
mod job_state;
mod job_state_change;
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
pub use queue::{BatchItemFailure, BatchResponse, QueueMessage};
pub use queue_blocked::QueueBlocked;
pub use s3_notification::S3Object;
