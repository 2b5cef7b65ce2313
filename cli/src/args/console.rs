//! Arguments of `console`.

use clap::Args;

use super::place::Deployment;
use crate::selection::check_word;

#[derive(Debug, Args)]
pub(crate) struct ConsoleArgs {
    /// Runs, jobs, patterns of names or job files [default: all jobs]
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Deployment,
    /// The port of the loopback interface; 0: a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) port: u16,
    /// Show jobs, and let nobody stop them or run them again
    #[arg(long)]
    pub(crate) read_only: bool,
}
