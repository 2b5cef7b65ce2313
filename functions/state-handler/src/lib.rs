//! The state handler: what AWS Batch says of jobs, recorded, and what follows from their ends.
//!
//! | what wakes it | what it does | what it answers |
//! | --- | --- | --- |
//! | `Batch Job State Change`, from EventBridge through a queue, or directly | records the state; submits again where the host was lost and tries are left; adopts submissions whose answer was lost; ends surplus ones | partial batch response, or what the state led to |
//! | `Batch Job Queue Blocked`, likewise | keeps why with the job it names, logs and counts it | the same |
//!
//! Every event may come twice and in any order. A message that can't be read goes to the dead-letter
//! queue, its cause in the log; one that a port failed for is delivered again.

mod config;
mod handler;
#[cfg(feature = "schema")]
pub mod schema;
mod start;

pub use config::Config;
pub use handler::{EventOutcome, Response, handle};
pub use start::start;
