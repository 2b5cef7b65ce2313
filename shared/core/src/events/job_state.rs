//! `JobDetail` → `JobState`: what is kept of a job as Batch describes it.

use super::job_detail::{AttemptDetail, EksAttemptDetail, JobDetail, LogConfiguration, TaskContainerDetails};
use crate::domain::Nonce;
use crate::domain::job::{Attempt, JobState, LogStream};
use crate::domain::times::{JobTimes, Timestamp};

impl LogConfiguration {
    fn group(&self) -> Option<String> {
        self.options.get("awslogs-group").cloned()
    }
}

impl JobDetail {
    /// What is kept of it: everything small.
    pub fn state(&self) -> JobState {
        let (exit_code, reason) = self.outcome();
        JobState {
            job_name: self.job_name.clone(),
            job_id: self.job_id.clone(),
            nonce: self.parameters.get(Nonce::PARAMETER).and_then(|text| Nonce::parse(text).ok()),
            status: self.status,
            status_reason: self.status_reason.clone(),
            job_queue: self.job_queue.clone(),
            job_definition: self.job_definition.clone(),
            times: JobTimes {
                created_at: Timestamp::reported(self.created_at),
                started_at: Timestamp::reported(self.started_at),
                stopped_at: Timestamp::reported(self.stopped_at),
            },
            exit_code,
            reason,
            is_cancelled: self.is_cancelled.unwrap_or(false),
            is_terminated: self.is_terminated.unwrap_or(false),
            attempts: self.attempts(),
            log_streams: self.log_streams(),
            array_size: self.array_properties.as_ref().and_then(|array| array.size),
            num_nodes: self.node_properties.as_ref().and_then(|nodes| nodes.num_nodes?.try_into().ok()),
        }
    }

    /// The exit code and reason of the container, or of the one of several that tells most.
    fn outcome(&self) -> (Option<i32>, Option<String>) {
        let single = self.container.iter().map(|container| (container.exit_code, container.reason.clone()));
        let ecs = self.task_containers().map(|container| (container.exit_code, container.reason.clone()));
        let pods = self.eks_properties.iter().map(|eks| &eks.pod_properties);
        let eks = pods
            .flat_map(|pod| pod.init_containers.iter().chain(&pod.containers))
            .map(|container| (container.exit_code, container.reason.clone()));
        worst(single.chain(ecs).chain(eks))
    }

    fn attempts(&self) -> Vec<Attempt> {
        let ecs = self.attempts.iter().map(|attempt| self.attempt(attempt));
        ecs.chain(self.eks_attempts.iter().map(eks_attempt)).collect()
    }

    fn attempt(&self, detail: &AttemptDetail) -> Attempt {
        let containers = || detail.task_properties.iter().flat_map(|task| &task.containers);
        let (exit_code, reason) = match &detail.container {
            Some(container) => (container.exit_code, container.reason.clone()),
            None => worst(containers().map(|container| (container.exit_code, container.reason.clone()))),
        };
        let single = detail.container.as_ref().and_then(|container| container.log_stream_name.as_ref());
        let several = containers().filter_map(|container| {
            let name = container.log_stream_name.clone()?;
            let group = container.name.as_deref().and_then(|name| self.group_of(name));
            Some(LogStream { group, name, container: container.name.clone() })
        });
        Attempt {
            started_at: Timestamp::reported(detail.started_at),
            stopped_at: Timestamp::reported(detail.stopped_at),
            exit_code,
            reason,
            status_reason: detail.status_reason.clone(),
            log_streams: single.map(|name| self.container_stream(name)).into_iter().chain(several).collect(),
        }
    }

    fn log_streams(&self) -> Vec<LogStream> {
        let single = self.container.as_ref().and_then(|container| container.log_stream_name.as_ref());
        let several = self.task_containers().filter_map(|container| {
            let name = container.log_stream_name.clone()?;
            let group = container.log_configuration.as_ref().and_then(LogConfiguration::group);
            Some(LogStream { group, name, container: container.name.clone() })
        });
        single.map(|name| self.container_stream(name)).into_iter().chain(several).collect()
    }

    fn container_stream(&self, name: &str) -> LogStream {
        let container = self.container.as_ref();
        let group = container
            .and_then(|container| container.log_configuration.as_ref())
            .and_then(LogConfiguration::group);
        LogStream { group, name: name.to_owned(), container: None }
    }

    fn task_containers(&self) -> impl Iterator<Item = &TaskContainerDetails> {
        self.ecs_properties.iter().flat_map(|ecs| &ecs.task_properties).flat_map(|task| &task.containers)
    }

    /// An attempt does not repeat its container's log configuration.
    fn group_of(&self, container: &str) -> Option<String> {
        let named = self.task_containers().find(|candidate| candidate.name.as_deref() == Some(container));
        named.and_then(|found| found.log_configuration.as_ref()).and_then(LogConfiguration::group)
    }
}

fn eks_attempt(detail: &EksAttemptDetail) -> Attempt {
    let containers = detail.init_containers.iter().chain(&detail.containers);
    let (exit_code, reason) =
        worst(containers.map(|container| (container.exit_code, container.reason.clone())));
    Attempt {
        started_at: Timestamp::reported(detail.started_at),
        stopped_at: Timestamp::reported(detail.stopped_at),
        exit_code,
        reason,
        status_reason: detail.status_reason.clone(),
        log_streams: Vec::new(),
    }
}

/// The first container that failed, or else the first that never ran for a reason, or else the first
/// that ended.
fn worst(outcomes: impl Iterator<Item = (Option<i32>, Option<String>)>) -> (Option<i32>, Option<String>) {
    let outcomes: Vec<_> = outcomes.collect();
    let failed = outcomes.iter().find(|(exit_code, _)| exit_code.is_some_and(|code| code != 0));
    let never_ran = || outcomes.iter().find(|(exit_code, reason)| exit_code.is_none() && reason.is_some());
    let ended = || outcomes.iter().find(|(exit_code, _)| exit_code.is_some());
    failed.or_else(never_ran).or_else(ended).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_that_tells_most_stands_for_all() {
        let reason = |text: &str| Some(text.to_owned());
        for (outcomes, expected) in [
            (vec![], (None, None)),
            (vec![(None, None), (Some(0), None)], (Some(0), None)),
            (vec![(Some(0), None), (Some(3), reason("x"))], (Some(3), reason("x"))),
            (
                vec![(Some(0), None), (None, reason("CannotPullContainerError"))],
                (None, reason("CannotPullContainerError")),
            ),
        ] {
            assert_eq!(worst(outcomes.clone().into_iter()), expected, "{outcomes:?}");
        }
    }
}
