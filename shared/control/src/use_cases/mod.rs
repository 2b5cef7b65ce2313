//! What batchwright does, as free functions over ports. Each may be stopped at any await and called
//! again: what was done is found done.
//!
//! - [`submit`]: one job, once.
//! - [`record_state`]: one state of a submission, and what follows from its end.
//! - [`collect_logs`]: the archive of one submission's logs.
//! - [`reconcile`]: what events, submitters and collectors left behind.
//! - [`run_file`]: all jobs of a file.
//! - [`end_runs`]: what follows from the ends of jobs for their runs, and who is told.
//! - [`stop`]: jobs stopped on request, and runs cancelled.
//! - [`prune`]: what ended long ago is forgotten.
//! - [`queries`], [`array_counts`], [`failed_children`]: what the job database answers.
//! - [`select`]: runs and jobs, by the words with which people name them.
//! - [`explain`], [`read_logs`], [`follow_logs`], [`read_report`], [`plan_file`]: what people ask for.

mod array_children;
pub mod array_counts;
mod claim_sheets;
pub mod collect_logs;
mod dependencies;
pub mod end_runs;
pub mod explain;
pub mod failed_children;
mod follow;
pub mod follow_logs;
pub mod log_tail;
pub mod plan_file;
pub mod prune;
pub mod queries;
pub mod read_logs;
pub mod read_report;
pub mod reconcile;
pub mod record_state;
pub mod relearn;
pub mod run_file;
pub mod select;
pub mod stop;
pub mod submit;
mod take_over;
pub mod waits;
