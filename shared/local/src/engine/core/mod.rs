//! The job engine's rules as a state machine without I/O, clock or randomness.
//!
//! [`Core`] holds unfinished jobs only. Every call changes them and collects [`Effects`], which the
//! driver takes and carries out.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `submit` | a submission becomes records |
//! | `launch` | how an attempt is to be run |
//! | `lifecycle` | attempts start, end and are retried; jobs end, and what follows from it |
//! | `stop` | cancel, terminate, time out |
//! | `resume` | the books' unfinished jobs after a restart |
//! | `task` | several containers in one task, and nodes |
//! | `waited_for` | the jobs that somebody waits for, and how many of them have not ended |
//! | `image` | what a definition says of its container |
//! | `admission`, `capacity`, `retry`, `vcpus`, `arn`, `ids` | pure rules |
//! | `record`, `effect` | what is remembered, what is asked of the driver |

mod admission;
pub(crate) mod arn;
mod capacity;
mod effect;
mod ids;
pub(crate) mod image;
mod launch;
mod lifecycle;
mod record;
mod resume;
mod retry;
mod stop;
mod submit;
mod task;
#[cfg(test)]
pub(crate) mod tests;
mod vcpus;
mod waited_for;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

pub(crate) use admission::Refusal;
pub use admission::refusal;
pub use capacity::Capacity;
use capacity::Need;
pub(crate) use effect::Effects;
pub use effect::{
    AttemptEnd, ContainerEnd, Ended, Launch, LaunchedContainer, Signal, StartCondition, StartsAfter,
};
pub use ids::JobIds;
pub(crate) use ids::uuid_like;
pub use image::Image;
pub use record::{AttemptId, CurrentAttempt, JobRecord, Stop, StopCause};
pub(crate) use stop::Reach;
pub(crate) use submit::Finished;
pub(crate) use task::said_of_node;
pub use task::{Task, TaskContainer, has_images};
pub use vcpus::MilliVcpus;
pub(crate) use waited_for::WaitedFor;

use crate::domain::{JobDefinition, JobId, JobStatus, Timestamp};

/// A place in the queue: higher priority first, then by submission, then by array index.
type QueuePosition = (Reverse<i32>, u64, u32);

/// Unfinished jobs, the queue, and what is free.
pub(crate) struct Core {
    capacity: Capacity,
    /// What the attempts under way take up.
    running: Need,
    starts_jobs: bool,
    kill_grace_ms: i64,
    /// Whether images are run, which may say what they run.
    runs_images: bool,
    ids: JobIds,
    /// Submissions so far.
    sequence: u64,
    definitions: Vec<JobDefinition>,
    /// Unfinished jobs, and those that ended since the effects were last taken.
    jobs: HashMap<JobId, JobRecord>,
    unfinished: usize,
    /// Of these, submissions: no children, no nodes.
    submissions: usize,
    waited_for: WaitedFor,
    /// The setup of the jobs that are submitted.
    setup: Option<String>,
    /// Who waits on a job.
    dependants: HashMap<JobId, Vec<JobId>>,
    ready: BTreeMap<QueuePosition, JobId>,
    timers: BTreeSet<(Timestamp, JobId)>,
    /// Jobs whose attempt was begun before a restart, until the runner has found it: one that has ended
    /// long since must not be timed out now.
    sought: HashSet<JobId>,
    /// When the latest of the children that have ended did, of arrays that have not.
    latest_ends: HashMap<JobId, Timestamp>,
    /// Ended jobs whose dependants and parents do not know yet.
    ended: VecDeque<JobId>,
    changed: Vec<JobId>,
    is_changed: HashSet<JobId>,
    effects: Effects,
}

impl Core {
    /// An engine without jobs, whose next submission has the number after `sequence`.
    pub(crate) fn new(capacity: impl Into<Capacity>, kill_grace_ms: i64, ids: JobIds, sequence: u64) -> Self {
        Self {
            capacity: capacity.into(),
            running: Need::default(),
            starts_jobs: true,
            kill_grace_ms,
            runs_images: false,
            ids,
            sequence,
            definitions: Vec::new(),
            jobs: HashMap::new(),
            unfinished: 0,
            submissions: 0,
            waited_for: WaitedFor::default(),
            setup: None,
            dependants: HashMap::new(),
            ready: BTreeMap::new(),
            timers: BTreeSet::new(),
            sought: HashSet::new(),
            latest_ends: HashMap::new(),
            ended: VecDeque::new(),
            changed: Vec::new(),
            is_changed: HashSet::new(),
            effects: Effects::default(),
        }
    }

    /// Starts no waiting job from now on.
    pub(crate) fn start_nothing(&mut self) {
        self.starts_jobs = false;
    }

    /// Runs images from now on: a job whose image says what it runs needs no command.
    pub(crate) fn run_images(&mut self) {
        self.runs_images = true;
    }

    /// Says how attempts of jobs that are submitted from now on are started.
    pub(crate) fn start_by(&mut self, setup: Option<String>) {
        self.setup = setup;
    }

    /// Adds a job definition, or replaces the one of that name. Jobs that were submitted keep theirs.
    pub(crate) fn define(&mut self, definition: JobDefinition) {
        let is_other = |known: &JobDefinition| {
            known.job_definition_name != definition.job_definition_name
                || known.revision() != definition.revision()
        };
        self.definitions.retain(is_other);
        self.definitions.push(definition);
    }

    /// Jobs that have not ended, array parents and children included.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Whether anything can still happen by itself. Where nothing can, the unfinished jobs are those that this machine
    /// can't hold, and those that depend on them.
    pub(crate) fn is_moving(&self) -> bool {
        (self.starts_jobs && !self.ready.is_empty()) || self.running != Need::default()
    }

    /// The ids of all unfinished submissions, without children.
    pub(crate) fn unfinished_submissions(&self) -> Vec<JobId> {
        let open = self.jobs.values().filter(|record| !record.status().is_terminal());
        open.filter(|record| record.job_id().parent().is_none())
            .map(|record| record.job_id().clone())
            .collect()
    }

    /// When [`Core::tick`] has something to do next.
    pub(crate) fn next_wakeup(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// What has come up since the last time. Jobs that have ended are forgotten.
    pub(crate) fn take_effects(&mut self) -> Effects {
        let mut effects = std::mem::take(&mut self.effects);
        self.is_changed.clear();
        for job_id in std::mem::take(&mut self.changed) {
            let ended = self.jobs.get(&job_id).is_some_and(|record| record.status().is_terminal());
            let record = if ended { self.jobs.remove(&job_id) } else { self.jobs.get(&job_id).cloned() };
            effects.saves.extend(record);
        }
        effects
    }

    /// Changes a job, notes that it is to be saved, and moves its timer.
    fn change<T>(&mut self, job_id: &JobId, change: impl FnOnce(&mut JobRecord) -> T) -> Option<T> {
        let record = self.jobs.get_mut(job_id)?;
        let before = record.deadline();
        let result = change(record);
        let after = record.deadline();
        if before != after {
            self.timers.extend(after.map(|at| (at, job_id.clone())));
            if let Some(before) = before {
                self.timers.remove(&(before, job_id.clone()));
            }
        }
        if self.is_changed.insert(job_id.clone()) {
            self.changed.push(job_id.clone());
        }
        Some(result)
    }

    /// Moves a job to a status: counted at its parent, reported, and followed up where it is the end.
    fn enter(&mut self, job_id: &JobId, status: JobStatus, now: Timestamp) {
        let from = self.change(job_id, |record| {
            let from = record.detail.status;
            record.detail.status = status;
            if status.is_terminal() {
                record.detail.stopped_at = Some(now.as_millis());
            }
            from
        });
        let Some(from) = from else { return };
        if job_id.array_index().is_some()
            && let Some(parent) = job_id.parent()
        {
            self.recount(&parent, from, status);
        }
        if status.is_terminal() {
            self.count_out(job_id);
            self.ended.push_back(job_id.clone());
        }
        let detail = self.jobs.get(job_id).map(|record| record.detail.clone());
        self.effects.events.extend(detail);
        for node in self.nodes(job_id) {
            self.enter_with(&node, job_id, now);
        }
    }

    /// Moves a node to where its job is.
    fn enter_with(&mut self, node: &JobId, job_id: &JobId, now: Timestamp) {
        let Some(job) = self.jobs.get(job_id) else { return };
        let (status, reason, started_at) =
            (job.status(), job.detail.status_reason.clone(), job.detail.started_at);
        self.change(node, |record| {
            record.detail.status_reason = reason;
            record.detail.started_at = started_at;
        });
        self.enter(node, status, now);
    }

    /// The ids of the nodes of a multi-node job.
    fn nodes(&self, job_id: &JobId) -> Vec<JobId> {
        (0..self.jobs.get(job_id).map_or(0, JobRecord::nodes)).map(|index| job_id.node(index)).collect()
    }

    fn recount(&mut self, parent: &JobId, from: JobStatus, to: JobStatus) {
        self.change(parent, |record| {
            if let Some(array) = &mut record.detail.array_properties {
                *array.status_summary.entry(from.as_str().to_owned()).or_default() -= 1;
                *array.status_summary.entry(to.as_str().to_owned()).or_default() += 1;
            }
        });
    }

    /// The ids of an array's children.
    fn children(&self, parent: &JobId) -> Vec<JobId> {
        let size = self.jobs.get(parent).and_then(JobRecord::array_size).unwrap_or(0);
        (0..size).map(|index| parent.array_child(index)).collect()
    }
}

fn place(record: &JobRecord) -> QueuePosition {
    let priority = record.detail.scheduling_priority.unwrap_or(0);
    (Reverse(priority), record.sequence, record.array_index().unwrap_or(0))
}
