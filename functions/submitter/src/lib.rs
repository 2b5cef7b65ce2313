//! The submitter: every job of a job file, submitted once.
//!
//! | what wakes it | what it does | what it answers |
//! | --- | --- | --- |
//! | an upload under `jobs/` of its bucket: from S3, EventBridge, or either through a queue | runs the file | a summary of the run, or a partial batch response |
//! | a direct call: `{"jobs": […]}`, `{"uri": "s3://…"}` | keeps the jobs as a file, runs the file | a summary of the run |
//! | itself, the reconciler: `{"continue": {"runId", "source"}}` | goes on with a run | a summary of the run |
//!
//! A file that is wrong is no error: what is wrong stands in the run's report and in the summary. A
//! message that can't be read is refused, and ends in the dead-letter queue. What Lambda delivers twice
//! is one run.

mod config;
mod handler;
mod interruption;
mod request;
mod run;
#[cfg(feature = "schema")]
pub mod schema;
mod start;

pub use config::Config;
pub use handler::{Ports, Response, handle};
pub use run::RunSummary;
pub use start::start;
