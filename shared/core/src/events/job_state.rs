//! `JobDetail` → `JobState`: what is kept of a job as Batch describes it.

use super::job_detail::{AttemptDetail, EksAttemptDetail, JobDetail, LogConfiguration, TaskContainerDetails};
use crate::domain::Nonce;
use crate::domain::job::{Attempt, JobState, LogStream};
use crate::domain::times::{JobTimes, Timestamp};

/// The one log driver that writes to CloudWatch Logs; Batch's own where a definition names none.
const CLOUDWATCH: &str = "awslogs";

impl LogConfiguration {
    fn option(&self, name: &str) -> Option<String> {
        self.options.get(name).cloned()
    }

    /// The driver, where it is one that writes elsewhere.
    fn other_driver(&self) -> Option<&str> {
        Some(self.log_driver.as_str()).filter(|driver| !matches!(*driver, "" | CLOUDWATCH))
    }
}

/// Where a container with this configuration writes a stream; `None` where that is not CloudWatch Logs.
fn stream(
    configuration: Option<&LogConfiguration>,
    name: &str,
    container: Option<&String>,
) -> Option<LogStream> {
    if configuration.is_some_and(|configuration| configuration.other_driver().is_some()) {
        return None;
    }
    let option = |name| configuration.and_then(|configuration| configuration.option(name));
    Some(LogStream {
        group: option("awslogs-group"),
        region: option("awslogs-region"),
        name: name.to_owned(),
        container: container.cloned(),
    })
}

impl JobDetail {
    /// What is kept of it: everything small.
    pub fn state(&self) -> JobState {
        let (mut exit_code, mut reason) = self.outcome();
        if self.node_properties.is_some() && exit_code.is_none() {
            // A multi-node job has no container of its own: its attempts tell of the main node's.
            let last = self.attempts.last().map(|attempt| self.attempt(attempt));
            let (code, why) = last.map(|attempt| (attempt.exit_code, attempt.reason)).unwrap_or_default();
            (exit_code, reason) = (code, reason.or(why));
        }
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
            logs_elsewhere: self.logs_elsewhere(),
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
            let configuration = container.name.as_deref().and_then(|name| self.configuration_of(name));
            stream(configuration, container.log_stream_name.as_ref()?, container.name.as_ref())
        });
        Attempt {
            started_at: Timestamp::reported(detail.started_at),
            stopped_at: Timestamp::reported(detail.stopped_at),
            exit_code,
            reason,
            status_reason: detail.status_reason.clone(),
            log_streams: single
                .and_then(|name| self.container_stream(name))
                .into_iter()
                .chain(several)
                .collect(),
        }
    }

    fn log_streams(&self) -> Vec<LogStream> {
        let single = self.container.as_ref().and_then(|container| container.log_stream_name.as_ref());
        let several = self.task_containers().filter_map(|container| {
            let configuration = container.log_configuration.as_ref();
            stream(configuration, container.log_stream_name.as_ref()?, container.name.as_ref())
        });
        single.and_then(|name| self.container_stream(name)).into_iter().chain(several).collect()
    }

    fn container_stream(&self, name: &str) -> Option<LogStream> {
        let configuration =
            self.container.as_ref().and_then(|container| container.log_configuration.as_ref());
        stream(configuration, name, None)
    }

    /// Why logs of the job are not in CloudWatch Logs, where some are not: another driver, or a pod, whose logs
    /// go where its cluster sends them.
    fn logs_elsewhere(&self) -> Option<String> {
        let single = self.container.iter().filter_map(|container| container.log_configuration.as_ref());
        let several = self.task_containers().filter_map(|container| container.log_configuration.as_ref());
        let driver = single.chain(several).find_map(LogConfiguration::other_driver);
        let pod = self.eks_properties.as_ref().map(|_| "the logs of a pod are where its cluster sends them");
        driver.map(|driver| format!("the log driver is {driver:?}")).or(pod.map(str::to_owned))
    }

    fn task_containers(&self) -> impl Iterator<Item = &TaskContainerDetails> {
        self.ecs_properties.iter().flat_map(|ecs| &ecs.task_properties).flat_map(|task| &task.containers)
    }

    /// An attempt does not repeat its container's log configuration.
    fn configuration_of(&self, container: &str) -> Option<&LogConfiguration> {
        let named = self.task_containers().find(|candidate| candidate.name.as_deref() == Some(container));
        named.and_then(|found| found.log_configuration.as_ref())
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
    use crate::domain::{Cause, JobId, JobName, JobStatus};
    use crate::events::AttemptContainerDetail;

    #[test]
    fn a_multi_node_job_has_the_exit_code_of_its_last_attempt() {
        let attempt = |code: i32| {
            let container = AttemptContainerDetail::default().with(|it| it.exit_code = Some(code));
            AttemptDetail::default().with(|it| it.container = Some(container))
        };
        let job = |is_multi_node: bool, codes: &[i32]| {
            let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap();
            let detail = JobDetail::new(JobName::parse("job").unwrap(), id, JobStatus::Failed);
            detail.with(|it| {
                it.node_properties = is_multi_node.then(Default::default);
                it.attempts = codes.iter().copied().map(attempt).collect();
            })
        };
        for (is_multi_node, codes, exit_code, cause) in [
            (true, &[3, 4][..], Some(4), Cause::ExitCode),
            (true, &[137], Some(137), Cause::OutOfMemory),
            (true, &[], None, Cause::Unknown),
            (false, &[4], None, Cause::Unknown),
        ] {
            let state = job(is_multi_node, codes).state();
            assert_eq!((state.exit_code, state.cause()), (exit_code, Some(cause)), "{codes:?}");
        }
    }

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
