//! How an engine is set up.

use std::time::Duration;

use super::core::{Capacity, JobIds, MilliVcpus};
use crate::domain::JobDefinition;
use crate::domain::limits::KILL_GRACE_SECONDS;

/// Unfinished jobs from which on [`admit`](crate::ports::SubmissionPace::admit) waits.
const DEFAULT_WINDOW: usize = 1_000;

/// The engine's settings.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// How much may run at once.
    pub capacity: Capacity,
    /// How many unfinished jobs, array children among them, it holds before submissions have to wait.
    /// An array is taken as a whole, and may pass it.
    pub window: usize,
    /// From SIGTERM to SIGKILL.
    pub kill_grace: Duration,
    /// Whether waiting jobs are started. An engine that is there to stop jobs starts none.
    pub starts_jobs: bool,
    /// How job ids are made.
    pub ids: JobIds,
    /// Known from the start.
    pub definitions: Vec<JobDefinition>,
}

impl EngineConfig {
    /// AWS's rules on so many vCPUs, and on the memory and GPUs of this machine.
    pub fn on_this_machine(vcpus: u32) -> Self {
        Self { capacity: Capacity::of_this_machine(vcpus), ..Self::with_vcpus(vcpus) }
    }

    /// AWS's rules on so many vCPUs, and memory and GPUs without bound.
    pub fn with_vcpus(vcpus: u32) -> Self {
        Self {
            capacity: MilliVcpus::whole(vcpus).into(),
            window: DEFAULT_WINDOW,
            kill_grace: Duration::from_secs(KILL_GRACE_SECONDS),
            starts_jobs: true,
            ids: JobIds::random(),
            definitions: Vec::new(),
        }
    }
}
