//! An engine that shows arrays of a certain name as multi-node jobs, which the embedded one does not run.

use batchwright::domain::JobId;
use batchwright::engine::{FaultyEngine, LocalEngine};
use batchwright::events::{JobDetail, NodeDetails, NodePropertiesDetail};
use batchwright::ports::{JobEngine, PortError};

/// What the names of multi-node jobs begin with.
pub(crate) const MULTI_NODE: &str = "nodes";

pub(crate) struct WithNodes(pub(crate) FaultyEngine<LocalEngine>);

/// A job as Batch would describe it.
pub(crate) fn with_nodes(mut detail: JobDetail) -> JobDetail {
    let array = detail.array_properties.take_if(|_| detail.job_name.as_str().starts_with(MULTI_NODE));
    let Some(array) = array else { return detail };
    let index = array.index.map(|index| i32::try_from(index).expect("small"));
    match array.size {
        Some(size) => {
            let num_nodes = i32::try_from(size).ok();
            detail.node_properties = Some(NodePropertiesDetail::default().with(|it| {
                it.num_nodes = num_nodes;
                it.main_node = Some(0);
            }));
        }
        None => {
            detail.job_id = JobId::parse(&detail.job_id.as_str().replace(':', "#")).expect("a node's id");
            detail.node_details = Some(NodeDetails::default().with(|it| {
                it.node_index = index;
                it.is_main_node = Some(index == Some(0));
            }));
        }
    }
    detail
}

impl WithNodes {
    pub(crate) fn local(&self) -> &LocalEngine {
        self.0.inner()
    }
}

impl JobEngine for WithNodes {
    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        let in_array = |id: &JobId| JobId::parse(&id.as_str().replace('#', ":")).expect("a child's id");
        let ids: Vec<JobId> = job_ids.iter().map(in_array).collect();
        Ok(self.0.describe_jobs(&ids).await?.into_iter().map(with_nodes).collect())
    }

    batchwright_tests::hand_on! { 0: submit_job, list_jobs, list_jobs_since, cancel_job, terminate_job }
}
