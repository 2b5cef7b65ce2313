//! The reconciler: what events, submitters and collectors left behind, found and finished.
//!
//! | what wakes it | what it does | what it answers |
//! | --- | --- | --- |
//! | a schedule, every five minutes; a direct call: `{}` | has unfinished runs gone on with; settles expired claims; asks about silent submissions; follows ends that nobody followed; archives logs that are not whole | what it found and did |
//!
//! Every pass is idempotent and may be cut short anywhere: the next one goes on. An error means that the
//! state could not be read; the schedule is the retry.

mod config;
mod handler;
mod logs;
mod runs;
#[cfg(feature = "schema")]
pub mod schema;
mod start;

pub use config::Config;
pub use handler::{Ports, Response, handle};
pub use start::start;
