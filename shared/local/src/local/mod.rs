//! The controller on one machine: the use cases over SQLite, a directory and the embedded engine.
//!
//! It needs no account, no network and no service. Killed at any point and started again, it settles
//! what was running, runs what is left, and nothing that SUCCEEDED a second time.

mod controller;
mod error;
mod observer;
mod of_their_runs;
mod pump;
mod run;
mod state_dir;
mod stop_requests;
mod take_up;

pub use controller::{Controller, Mode, Options, cores};
pub use error::LocalError;
pub use observer::{Observer, Silent};
pub use run::{End, Others, source_of};
pub use state_dir::{StateDir, StateDirError, StateDirLock};
pub use stop_requests::RunningProcess;
pub(crate) use stop_requests::answer_stop_requests;
