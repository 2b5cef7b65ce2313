//! Arguments of the commands that look after a place and what is kept there.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::Shown;
use super::place::Deployment;
use crate::selection::check_word;

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The jobs' names
    #[arg(required = true, value_parser = batchwright::domain::JobName::parse)]
    pub(crate) names: Vec<batchwright::domain::JobName>,
    #[command(flatten)]
    pub(crate) place: Deployment,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Write jobs as JSON Lines: the head of each, and all of its submissions and children
    Export(ExportArgs),
    /// Forget jobs: their heads, submissions and children. Archived logs stay
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Runs, jobs, patterns of names or job files [default: all jobs]
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Deployment,
    /// Where they go [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Runs, jobs, patterns of names or job files. Jobs under way are left alone
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word, required = true)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Deployment,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}
