//! Tasks and nodes in described jobs.

use super::{Task, TaskContainer};
use crate::events::{
    AttemptEcsTaskDetails, AttemptTaskContainerDetails, ContainerDetail, EcsPropertiesDetail, EcsTaskDetails,
    NodePropertiesDetail, TaskContainerDetails,
};

/// What a node runs: one container, or an ECS task.
pub(crate) struct DescribedNode {
    /// Its one container.
    pub(crate) container: Option<ContainerDetail>,
    /// Its task.
    pub(crate) ecs_properties: Option<EcsPropertiesDetail>,
    /// Its task in an attempt that has ended.
    pub(crate) ended_task: Vec<AttemptEcsTaskDetails>,
}

impl Task {
    /// The node in a described job.
    pub(crate) fn node_properties(&self) -> Option<NodePropertiesDetail> {
        let number = |number: u32| i32::try_from(number).ok();
        let main_node = self.main_node?;
        Some(NodePropertiesDetail::default().with(|it| {
            it.main_node = number(main_node);
            it.num_nodes = number(self.num_nodes());
        }))
    }

    /// What each node of a multi-node job runs, and how it ended where it has; none where there are no nodes.
    pub(crate) fn described_nodes(&self) -> Vec<DescribedNode> {
        if !self.has_nodes() {
            return Vec::new();
        }
        let nodes = self.containers.chunk_by(|one, next| one.node == next.node).map(|node| match node {
            [only] if !only.in_ecs_task => DescribedNode {
                container: Some(only.container.clone()),
                ecs_properties: None,
                ended_task: Vec::new(),
            },
            several => DescribedNode {
                container: None,
                ecs_properties: Some(running(several)),
                ended_task: vec![ended(several)],
            },
        });
        nodes.collect()
    }

    /// The containers in a described job, and how each ended that has.
    pub(crate) fn ecs_properties(&self) -> Option<EcsPropertiesDetail> {
        (!self.has_nodes()).then(|| running(&self.containers))
    }

    /// The same of an attempt that has ended.
    pub(crate) fn ended_containers(&self) -> Vec<AttemptEcsTaskDetails> {
        if self.has_nodes() { Vec::new() } else { vec![ended(&self.containers)] }
    }
}

fn running(task: &[TaskContainer]) -> EcsPropertiesDetail {
    let containers = task.iter().map(|one| {
        TaskContainerDetails::default().with(|it| {
            it.name = Some(one.name.clone());
            it.essential = Some(one.essential);
            it.exit_code = one.container.exit_code;
            it.reason = one.container.reason.clone();
            it.log_stream_name = one.container.log_stream_name.clone();
            it.log_configuration = one.container.log_configuration.clone();
        })
    });
    EcsPropertiesDetail::default().with(|it| {
        it.task_properties = vec![EcsTaskDetails::default().with(|it| it.containers = containers.collect())];
    })
}

fn ended(task: &[TaskContainer]) -> AttemptEcsTaskDetails {
    let containers = task.iter().map(|one| {
        AttemptTaskContainerDetails::default().with(|it| {
            it.name = Some(one.name.clone());
            it.exit_code = one.container.exit_code;
            it.reason = one.container.reason.clone();
            it.log_stream_name = one.container.log_stream_name.clone();
        })
    });
    AttemptEcsTaskDetails::default().with(|it| it.containers = containers.collect())
}
