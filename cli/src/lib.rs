//! The program `batchwright`.

mod args;
mod commands;
mod environment;
mod exit;
mod output;
mod s3;
mod selection;
#[cfg(feature = "aws")]
mod stack;

use clap::Parser;

/// Runs the program: reads the command line, does what it says, and tells how it went.
pub fn main() -> std::process::ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        .init();
    exit::code_of(commands::dispatch(&args::Cli::parse()))
}
