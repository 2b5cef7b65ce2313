//! The program `batchwright`.

#[macro_use]
mod output;

mod args;
mod commands;
mod environment;
mod exit;
mod report;
mod s3;
mod selection;
#[cfg(feature = "aws")]
mod stack;

use clap::Parser;

/// Runs the program: reads the command line, does what it says, and tells how it went.
pub fn main() -> std::process::ExitCode {
    // Before anything else: there is one such process for each job that runs.
    if let Some(code) = batchwright::engine::attend_if_asked() {
        return code;
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        // Else it panics where stderr was closed.
        .log_internal_errors(false)
        .init();
    exit::code_of(commands::dispatch(&args::Cli::parse()))
}
