//! The functions' handlers on the simulated engine and stores in memory, under paused time.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod fan_out;
mod log_collector;
mod reconciler;
mod run_ends;
mod s3_serializer;
mod state_handler;
mod submitter;
mod world;
