//! The shapes in which AWS delivers what has happened. Unknown fields are accepted everywhere.

mod job_detail;
mod job_state_change;

pub use job_detail::{
    ArrayPropertiesDetail, AttemptContainerDetail, AttemptDetail, AttemptEcsTaskDetails,
    AttemptTaskContainerDetails, ContainerDetail, EcsPropertiesDetail, EcsTaskDetails,
    EksAttemptContainerDetail, EksAttemptDetail, EksContainerDetail, EksPodPropertiesDetail,
    EksPropertiesDetail, JobDetail, LogConfiguration, NodeDetails, NodePropertiesDetail,
    TaskContainerDetails,
};
pub use job_state_change::JobStateChange;
