//! The functions' handlers on the simulated engine and stores in memory, under paused time.

mod log_collector;
mod reconciler;
mod state_handler;
mod submitter;
mod world;
