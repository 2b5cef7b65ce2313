//! The program `batchwright`.

mod args;
mod commands;
mod exit;
mod output;
#[cfg(feature = "aws")]
mod stack;

use clap::Parser;

fn main() -> std::process::ExitCode {
    exit::code_of(commands::dispatch(&args::Cli::parse()))
}
