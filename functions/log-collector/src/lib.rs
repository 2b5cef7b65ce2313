//! The log collector: the logs of jobs that have ended, archived whole.
//!
//! | what wakes it | what it does | what it answers |
//! | --- | --- | --- |
//! | `Batch Job State Change` with a terminal status, from EventBridge through a delayed queue, or directly | archives every stream of the submission, child or node | partial batch response, or what was archived |
//! | a direct call: `{"jobId": "…"}`, with `"again": true` to read all of it again | the same | what was archived |
//!
//! What may still grow is archived as it is, and the message handed back, so that it is looked at again.
//! Events of jobs that are not in the store are dropped: where the state handler is merely late, the
//! reconciler finds the logs missing.

mod config;
mod handler;
#[cfg(feature = "schema")]
pub mod schema;
mod start;

pub use config::Config;
pub use handler::{LogsOutcome, Ports, Response, handle};
pub use start::start;
