//! What the core asks of its driver.

use serde::{Deserialize, Serialize};

use super::image::Image;
use super::record::{AttemptId, JobRecord};
use super::vcpus::MilliVcpus;
use crate::domain::{JobName, Timestamp};
use crate::events::JobDetail;

/// A command that is to be run, or was before the engine began.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// Which attempt of which job.
    pub attempt: AttemptId,
    /// The job's name.
    pub job_name: JobName,
    /// The index of an array child.
    pub array_index: Option<u32>,
    /// What it runs: one container of most jobs, never none.
    pub containers: Vec<LaunchedContainer>,
    /// Its end is told container by container.
    pub is_task: bool,
    /// As of [`JobRecord`].
    pub setup: Option<String>,
    /// How long it may run.
    pub timeout_seconds: Option<u32>,
}

/// One container of an attempt, or the process in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchedContainer {
    /// Its name within the task.
    pub name: String,
    /// The others of its node end when it ends.
    pub essential: bool,
    /// The index of its node; 0 where the job has none.
    pub node: u32,
    /// All others end when it ends: it is essential, and of the main node where there are nodes.
    pub decides: bool,
    /// What must hold of other containers of its node before it starts.
    pub depends_on: Vec<StartsAfter>,
    /// The program and its arguments. Empty where the image says what it runs.
    pub command: Vec<String>,
    /// The job's own variables and Batch's; the last of equal names wins.
    pub environment: Vec<(String, String)>,
    /// Where its output goes.
    pub log_stream: String,
    /// The image, where the definition has one.
    pub image: Option<Box<Image>>,
    /// What it may use.
    pub vcpus: MilliVcpus,
    /// MiB; 0 where nothing is said.
    pub memory_mib: i64,
    /// Devices.
    pub gpus: i64,
}

/// What a container waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartsAfter {
    /// The name of another container of the task.
    pub container_name: String,
    /// What must hold of it.
    pub condition: StartCondition,
}

/// `dependsOn[].condition` of a task's container.
///
/// Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_TaskContainerDependency.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StartCondition {
    /// It has started.
    Start,
    /// It has ended.
    Complete,
    /// It has ended with exit code 0.
    Success,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The command ended: with its exit code, or 128 + the signal that ended it.
    Exit(i32),
    /// The command failed, and it names a file that lies elsewhere on this machine.
    FileMisplaced {
        /// As of [`AttemptEnd::Exit`].
        exit_code: i32,
        /// Which file, and what helps.
        reason: String,
    },
    /// The command ended, and the container runtime says why.
    Explained {
        /// As of [`AttemptEnd::Exit`].
        exit_code: i32,
        /// In the words of ECS.
        reason: String,
    },
    /// How each container of a task ended, in the task's order.
    Task(Vec<ContainerEnd>),
    /// Nobody knows how it ended, only that it runs no longer.
    HostLost,
    /// The command could not be started, and why.
    StartFailure(String),
}

/// An attempt's end, as a runner tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub end: AttemptEnd,
    /// When, where that is known: it may be long past.
    pub at: Option<Timestamp>,
    /// It was ended because it had run too long, and not by this engine.
    pub timed_out: bool,
}

impl From<AttemptEnd> for Ended {
    /// It ended now, and nobody but the engine has ended it.
    fn from(end: AttemptEnd) -> Self {
        Self { end, at: None, timed_out: false }
    }
}

impl AttemptEnd {
    /// Whether the command ran.
    pub(crate) fn has_run(&self) -> bool {
        match self {
            Self::Exit(_) | Self::FileMisplaced { .. } | Self::Explained { .. } => true,
            Self::Task(ends) => ends.iter().any(|end| end.exit_code.is_some()),
            Self::HostLost | Self::StartFailure(_) => false,
        }
    }
}

/// How one container of a task ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerEnd {
    /// As of [`AttemptEnd::Exit`]; `None` where it did not run.
    pub exit_code: Option<i32>,
    /// In the words of ECS.
    pub reason: Option<String>,
    /// It was ended because an essential container of the task had ended.
    pub was_stopped: bool,
}

/// A signal to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: asks the command to end.
    Terminate,
    /// SIGKILL: ends the command and everything that it started.
    Kill,
}

/// What is to be done, in this order: a list is begun when the one before it is done.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Each changed job once, as one transaction.
    pub(crate) saves: Vec<JobRecord>,
    /// Each change of status, in order.
    pub(crate) events: Vec<JobDetail>,
    /// Attempts whose end is in the books: nothing of them is needed any more.
    pub(crate) settled: Vec<AttemptId>,
    /// Attempts to start.
    pub(crate) starts: Vec<Launch>,
    /// Attempts to signal.
    pub(crate) signals: Vec<(AttemptId, Signal)>,
}
