//! The embedded job engine: AWS Batch's behaviour and events on one machine, real and simulated.
//!
//! [`LocalEngine`] is the handle. Behind it one task, the driver, owns the core (the rules, without
//! I/O), the [`Books`] (what outlives a restart) and a [`Runner`]. Everything that a turn changed is in
//! the books before it is answered, told or done.
//!
//! | part | what it holds |
//! | --- | --- |
//! | `core` | the rules as a state machine: queue, dependencies, arrays, retries, time-outs |
//! | `driver`, `local_engine`, `config`, `jumps` | the task, its handle, its settings, a clock that is set |
//! | `books` | [`MemoryBooks`] and [`SqliteBooks`] |
//! | `process` | [`ProcessRunner`]: a process an attempt, which outlives the engine |
//! | `logs` | [`LogDirectory`]: log streams as files |
//! | `simulated` | [`SimulatedRunner`]: a script instead of processes, on tokio's clock |
//! | `faults` | [`FaultyEngine`] and [`FaultyEvents`]: what a network does to calls and events |

mod books;
mod config;
mod core;
mod driver;
mod envelope;
mod faults;
mod jumps;
mod local_engine;
mod logs;
mod process;
mod runner;
mod seed;
mod simulated;
#[cfg(test)]
mod tests;
mod virtual_clock;

pub(crate) use self::core::{arn, said_of_node};

pub use self::core::{
    AttemptEnd, AttemptId, Capacity, ContainerEnd, CurrentAttempt, Ended, Image, JobIds, JobRecord, Launch,
    LaunchedContainer, MilliVcpus, Signal, StartCondition, StartsAfter, Stop, StopCause, Task, TaskContainer,
    has_images, refusal,
};
pub use books::{Books, BooksError, MemoryBooks};
pub use books::{Durability, SqliteBooks};
pub use config::EngineConfig;
pub use faults::{EventCounts, EventFaults, FaultPlan, FaultyEngine, FaultyEvents};
pub use local_engine::LocalEngine;
pub use logs::LogDirectory;
pub use process::{
    AttendantProgram, ContainerRuntime, NoRuntime, ProcessRunner, ProcessRunnerError, ProcessSettings,
    Variable, attend_if_asked, job_environment, passed_environment,
};
pub(crate) use process::{KeptSetups, Setup, kept_folders, kept_workdir};
pub use runner::{Report, Reports, Runner};
pub use simulated::{AttemptOutcome, Ending, Scene, Script, SeededScript, SimulatedRunner};
pub use virtual_clock::VirtualClock;
