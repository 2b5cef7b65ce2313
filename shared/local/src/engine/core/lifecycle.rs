//! Attempts start, end and are retried; jobs end, and what follows from it for others.

use super::launch::launch;
use super::record::StopCause;
use super::retry::{AttemptFailure, is_retried};
use super::{AttemptEnd, AttemptId, Core, CurrentAttempt, Ended, JobRecord, Launch, arn, ids, place};
use crate::domain::ids::hex_digest;
use crate::domain::reasons::{
    CHILD_FAILED, CONTAINER_EXITED, DEPENDENCY_FAILED, NOT_STARTED, TIMED_OUT, host_lost,
};
use crate::domain::{JobId, JobStatus, Timestamp};
use crate::events::{AttemptContainerDetail, AttemptDetail};

impl Core {
    /// An attempt's command runs. Told twice, or too late, it changes nothing.
    pub(crate) fn attempt_started(&mut self, attempt: &AttemptId, now: Timestamp) {
        if !self.is_current(attempt) {
            return;
        }
        if self.sought.remove(&attempt.job_id) {
            let deadline = self.jobs.get(&attempt.job_id).and_then(JobRecord::deadline);
            self.timers.extend(deadline.map(|at| (at, attempt.job_id.clone())));
        }
        if self.status(&attempt.job_id) != Some(JobStatus::Starting) {
            return;
        }
        self.change(&attempt.job_id, |record| {
            record.detail.started_at = Some(now.as_millis());
            if let Some(current) = &mut record.attempt {
                current.started_at = Some(now);
            }
        });
        self.enter(&attempt.job_id, JobStatus::Running, now);
    }

    /// An attempt has ended. Told twice, it changes nothing.
    pub(crate) fn attempt_ended(&mut self, attempt: &AttemptId, ended: impl Into<Ended>, now: Timestamp) {
        let Ended { end, at, timed_out } = ended.into();
        let at = at.map_or(now, |at| at.min(now));
        if end.has_run() {
            self.attempt_started(attempt, at);
        }
        if !self.is_current(attempt) {
            return;
        }
        let current = self.jobs.get(&attempt.job_id).and_then(|record| record.attempt.as_ref());
        // A clock that was set back must not end it before it began.
        let at = current.and_then(|current| current.started_at).map_or(at, |started| at.max(started));
        self.sought.remove(&attempt.job_id);
        self.effects.settled.push(attempt.clone());
        let job_id = &attempt.job_id;
        let next = self.change(job_id, |record| conclude(record, end, timed_out, at));
        let ended = self.jobs.get(job_id).and_then(|record| record.detail.attempts.last().cloned());
        self.tell_nodes(job_id, ended);
        let freed = self.jobs.get(job_id).map(JobRecord::whole_need).unwrap_or_default();
        self.running.remove(freed);
        match next {
            Some(JobStatus::Runnable) => self.make_runnable(job_id, now),
            Some(status) => self.enter(job_id, status, at),
            None => {}
        }
        self.settle(now);
    }

    /// Queues a job. One that the machine can't hold waits beside the queue with the reason: on Batch it would wait
    /// for ever too, and here it must not hold up what can run.
    pub(super) fn make_runnable(&mut self, job_id: &JobId, now: Timestamp) {
        let Some(record) = self.jobs.get(job_id) else { return };
        let too_large = self.capacity.refuse(record.whole_need());
        let verdict = record.verdict.clone();
        if let Some(reason) = &too_large {
            self.change(job_id, |record| record.detail.status_reason = Some(reason.clone()));
        }
        self.enter(job_id, JobStatus::Runnable, now);
        if let Some(reason) = verdict {
            self.fail(job_id, &reason, now);
        } else if too_large.is_none() {
            self.queue(job_id);
        }
    }

    pub(super) fn queue(&mut self, job_id: &JobId) {
        let place = self.jobs.get(job_id).map(place);
        self.ready.extend(place.map(|place| (place, job_id.clone())));
    }

    /// Ends a job that no attempt runs for.
    pub(super) fn fail(&mut self, job_id: &JobId, reason: &str, now: Timestamp) {
        if self.status(job_id).is_none_or(JobStatus::is_terminal) {
            return;
        }
        if let Some(place) = self.jobs.get(job_id).map(place) {
            self.ready.remove(&place);
        }
        self.change(job_id, |record| {
            record.detail.status_reason = Some(reason.to_owned());
            record.waiting_on.clear();
        });
        self.enter(job_id, JobStatus::Failed, now);
    }

    /// Tells dependants and parents of every end, and theirs, then starts what fits.
    pub(super) fn settle(&mut self, now: Timestamp) {
        while let Some(ended) = self.ended.pop_front() {
            let succeeded = self.status(&ended) == Some(JobStatus::Succeeded);
            for dependant in self.dependants.remove(&ended).unwrap_or_default() {
                self.dependency_ended(&dependant, &ended, succeeded, now);
            }
            if ended.array_index().is_some()
                && let Some(parent) = ended.parent()
            {
                let record = self.jobs.get(&ended);
                let at = record.and_then(|child| Timestamp::reported(child.detail.stopped_at)).unwrap_or(now);
                let latest = self.latest_ends.entry(parent.clone()).or_insert(at);
                *latest = at.max(*latest);
                let at = *latest;
                self.child_ended(&parent, at);
            }
        }
        self.start_what_fits(now);
    }

    fn dependency_ended(&mut self, job_id: &JobId, dependency: &JobId, succeeded: bool, now: Timestamp) {
        let Some(record) = self.jobs.get(job_id).filter(|record| !record.status().is_terminal()) else {
            return;
        };
        let is_parent = record.array_size().is_some();
        if !succeeded && is_parent {
            // Its children depend on the same job and fail one by one; the last ends the parent.
            self.change(job_id, |record| record.verdict = Some(DEPENDENCY_FAILED.to_owned()));
        } else if !succeeded {
            self.fail(job_id, DEPENDENCY_FAILED, now);
        } else {
            let free = self.change(job_id, |record| {
                record.waiting_on.retain(|other| other != dependency);
                record.waiting_on.is_empty()
            });
            if free == Some(true) && !is_parent {
                self.make_runnable(job_id, now);
            }
        }
    }

    /// `now`: when the latest of them did.
    fn child_ended(&mut self, parent: &JobId, now: Timestamp) {
        let Some(record) = self.jobs.get(parent).filter(|record| !record.status().is_terminal()) else {
            return;
        };
        let Some(array) = &record.detail.array_properties else { return };
        let count = |status: JobStatus| array.status_summary.get(status.as_str()).copied().unwrap_or(0);
        let (succeeded, failed) = (count(JobStatus::Succeeded), count(JobStatus::Failed));
        if succeeded + failed < i64::from(array.size.unwrap_or(0)) {
            return;
        }
        self.latest_ends.remove(parent);
        if failed == 0 {
            self.enter(parent, JobStatus::Succeeded, now);
        } else {
            let reason = record.verdict.clone().unwrap_or_else(|| CHILD_FAILED.to_owned());
            self.fail(parent, &reason, now);
        }
    }

    /// Starts jobs in the order of the queue. One that does not fit holds up all behind it: to let
    /// smaller ones pass could starve it.
    fn start_what_fits(&mut self, now: Timestamp) {
        while self.starts_jobs
            && let Some(entry) = self.ready.first_entry()
        {
            let Some(record) = self.jobs.get(entry.get()) else {
                entry.remove();
                continue;
            };
            let need = record.whole_need();
            if !self.capacity.has_room(self.running, need) {
                return;
            }
            self.running.add(need);
            let job_id = entry.remove();
            self.start(&job_id, now);
        }
    }

    fn start(&mut self, job_id: &JobId, now: Timestamp) {
        let array_size = self.parents_size(job_id);
        let launch = self.change(job_id, |record| {
            let number = u32::try_from(record.detail.attempts.len()).unwrap_or(u32::MAX - 1) + 1;
            record.attempt = Some(CurrentAttempt { number, started_at: None, stop: None, clock_jumps_ms: 0 });
            record.detail.status_reason = None;
            if let Some(container) = &mut record.detail.container {
                let definition = &record.detail.job_definition;
                container.log_stream_name = Some(log_stream(definition, ONLY_CONTAINER, job_id, number));
                container.exit_code = None;
                container.reason = None;
            }
            if let Some(task) = &mut record.task {
                task.begin(&record.detail.job_definition, job_id, number);
                record.detail.ecs_properties = task.ecs_properties();
            }
            launch(record, array_size)
        });
        self.tell_nodes(job_id, None);
        self.enter(job_id, JobStatus::Starting, now);
        self.effects.starts.extend(launch.flatten());
    }

    /// Writes down what each node of a job runs or how it ended, in an attempt that has.
    fn tell_nodes(&mut self, job_id: &JobId, ended: Option<AttemptDetail>) {
        let task = self.jobs.get(job_id).and_then(|record| record.task.clone());
        let Some(task) = task.filter(|task| task.has_nodes()) else { return };
        for (node, index) in task.described_nodes().into_iter().zip(0_u32..) {
            self.change(&job_id.node(index), |record| {
                record.detail.attempts.extend(ended.clone().map(|ended| {
                    ended.with(|it| {
                        it.container = node.container.as_ref().map(|container| {
                            AttemptContainerDetail::default().with(|it| {
                                it.exit_code = container.exit_code;
                                it.reason = container.reason.clone();
                                it.log_stream_name = container.log_stream_name.clone();
                            })
                        });
                        it.task_properties = node.ended_task;
                    })
                }));
                record.detail.container = node.container;
                record.detail.ecs_properties = node.ecs_properties;
            });
        }
    }

    /// How the current attempt of a job is to be run, or was begun.
    pub(super) fn current_launch(&self, job_id: &JobId) -> Option<Launch> {
        launch(self.jobs.get(job_id)?, self.parents_size(job_id))
    }

    /// The size of the array of which a job is a child. A parent is held as long as its children.
    fn parents_size(&self, job_id: &JobId) -> Option<u32> {
        job_id.array_index()?;
        self.jobs.get(&job_id.parent()?)?.array_size()
    }

    fn is_current(&self, attempt: &AttemptId) -> bool {
        let current = self.jobs.get(&attempt.job_id).and_then(|record| record.attempt.as_ref());
        current.is_some_and(|current| current.number == attempt.number)
    }

    pub(super) fn status(&self, job_id: &JobId) -> Option<JobStatus> {
        self.jobs.get(job_id).map(JobRecord::status)
    }
}

/// What Batch calls the container of a job that has but one.
pub(super) const ONLY_CONTAINER: &str = "default";

/// The longest name of a job definition in AWS Batch.
const DEFINITION_NAME_MAX: usize = 128;

/// `<definition>/<container>/<task id>`, as Batch names it. A definition's name that is too long for Batch may be too
/// long for a file too: its end is left out, and a digest tells it from others.
pub(super) fn log_stream(job_definition: &str, container: &str, job_id: &JobId, attempt: u32) -> String {
    let definition = arn::definition_name(job_definition);
    let mut name: String = definition
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' })
        .collect();
    if name.len() > DEFINITION_NAME_MAX {
        let digest = &hex_digest(&[definition])[..16];
        name.truncate(DEFINITION_NAME_MAX - 1 - digest.len());
        name = format!("{name}-{digest}");
    }
    format!("{name}/{container}/{}", ids::task_id(job_id, attempt))
}

/// Writes an attempt's end down and tells the status that follows.
fn conclude(record: &mut JobRecord, end: AttemptEnd, timed_out: bool, at: Timestamp) -> JobStatus {
    let Some(current) = record.attempt.take() else { return record.detail.status };
    let end = match (&record.task, end) {
        // A script tells of the whole task.
        (Some(task), AttemptEnd::Exit(code)) => AttemptEnd::Task(task.all_ended(code)),
        (_, end) => end,
    };
    // It goes to people only: rules such as `evaluateOnExit` see what Batch would tell them.
    let mut hint = None;
    let (exit_code, reason, status_reason) = match end {
        AttemptEnd::Exit(code) => (Some(code), None, CONTAINER_EXITED.to_owned()),
        AttemptEnd::FileMisplaced { exit_code, reason } => {
            hint = Some(reason);
            (Some(exit_code), None, CONTAINER_EXITED.to_owned())
        }
        AttemptEnd::Explained { exit_code, reason } => {
            (Some(exit_code), Some(reason), CONTAINER_EXITED.to_owned())
        }
        AttemptEnd::Task(ends) => {
            let has_run = ends.iter().any(|end| end.exit_code.is_some());
            let decisive = record.task.as_mut().map(|task| task.conclude(ends)).unwrap_or_default();
            let status_reason = if has_run { CONTAINER_EXITED } else { NOT_STARTED };
            (decisive.exit_code, decisive.reason, status_reason.to_owned())
        }
        AttemptEnd::StartFailure(reason) => (None, Some(reason), NOT_STARTED.to_owned()),
        AttemptEnd::HostLost => {
            let instance = ids::instance_id(&record.detail.job_id, current.number);
            (None, None, host_lost(&instance))
        }
    };
    let stopped = current.stop.map(|stop| stop.cause).or(timed_out.then_some(StopCause::Timeout));
    let status_reason = match &stopped {
        Some(StopCause::Timeout) => TIMED_OUT.to_owned(),
        Some(StopCause::Terminated(why)) => why.clone(),
        None => status_reason,
    };
    let told = reason.clone().or(hint);
    let mut ended = AttemptContainerDetail::default().with(|it| {
        it.exit_code = exit_code;
        it.reason = told;
    });
    if let Some(container) = &mut record.detail.container {
        container.exit_code = exit_code;
        container.reason.clone_from(&ended.reason);
        ended.log_stream_name.clone_from(&container.log_stream_name);
    }
    let tasks = record.task.as_ref().map(|task| task.ended_containers()).unwrap_or_default();
    if let Some(task) = &record.task {
        record.detail.ecs_properties = task.ecs_properties();
    }
    record.detail.status_reason = Some(status_reason.clone());
    record.detail.attempts.push(AttemptDetail::default().with(|it| {
        // The containers of a task stand there alone.
        it.container = Some(ended).filter(|_| tasks.is_empty());
        it.started_at = current.started_at.map(Timestamp::as_millis);
        it.stopped_at = Some(at.as_millis());
        it.status_reason = Some(status_reason.clone());
        it.task_properties = tasks;
    }));
    if stopped.is_some() {
        return JobStatus::Failed;
    }
    if exit_code == Some(0) {
        return JobStatus::Succeeded;
    }
    let failure = AttemptFailure {
        status_reason: &status_reason,
        reason: reason.as_deref().unwrap_or_default(),
        exit_code,
    };
    let retried = is_retried(record.detail.retry_strategy.as_ref(), record.detail.attempts.len(), failure);
    if retried { JobStatus::Runnable } else { JobStatus::Failed }
}
