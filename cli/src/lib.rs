//! The program `batchwright`.

#[macro_use]
mod output;

mod args;
mod commands;
#[cfg(feature = "aws")]
mod configuration;
mod console;
mod environment;
mod exit;
mod report;
mod s3;
mod selection;
#[cfg(feature = "aws")]
mod stack;

use clap::Parser;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Runs the program: reads the command line, does what it says, and tells how it went.
pub fn main() -> std::process::ExitCode {
    // Before anything else: there is one such process for each job that runs.
    if let Some(code) = batchwright::engine::attend_if_asked() {
        return code;
    }
    // Where AWS can't be reached, the SDK prints each way it tried to find a Region and credentials; what matters of
    // it is in the error that follows.
    let levels = Targets::new().with_default(LevelFilter::WARN).with_target("aws_config", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        // Else it panics where stderr was closed.
        .log_internal_errors(false);
    tracing_subscriber::registry().with(lines).with(levels).init();
    exit::code_of(commands::dispatch(&args::Cli::parse()))
}
