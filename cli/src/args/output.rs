//! In which form a command prints.

use clap::{Args, ValueEnum};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Table,
    /// One JSON object
    Json,
    /// One JSON object a line
    Ndjson,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Shown {
    /// The form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}
