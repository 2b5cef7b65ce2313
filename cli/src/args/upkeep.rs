//! Arguments of the commands that look after a place and what is kept there.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::Shown;
use super::place::Deployment;
#[cfg(feature = "aws")]
use super::place::StackArgs;
#[cfg(feature = "aws")]
use super::time::moment;
use super::time::seconds;
use crate::selection::check_word;
#[cfg(feature = "aws")]
use crate::stack::dead_letters::DeadLetters;

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The jobs' names
    #[arg(required = true, value_parser = batchwright::domain::JobName::parse)]
    pub(crate) names: Vec<batchwright::domain::JobName>,
    #[command(flatten)]
    pub(crate) place: Deployment,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// How long ago they ended at least, as in 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = seconds)]
    pub(crate) older_than: u32,
    #[command(flatten)]
    pub(crate) place: Deployment,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
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
    /// Take jobs in: an export, or what aio-aws has kept in a file of TinyDB or in Redis. Can be repeated
    Import(ImportArgs),
    /// Forget jobs: their heads, submissions and children. Archived logs stay
    Remove(RemoveArgs),
    /// After the table of a stack was restored: learn from AWS Batch what was submitted since that moment
    ///
    /// The stack's functions have to stand still meanwhile: docs/runbook.md. Can be repeated.
    #[cfg(feature = "aws")]
    Relearn(RelearnArgs),
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct RelearnArgs {
    /// A queue that jobs of the stack went to, by name or ARN. Can be repeated
    #[arg(long = "queue", value_name = "QUEUE", required = true)]
    pub(crate) queues: Vec<String>,
    /// The moment to which the table was restored, as in 2026-05-07T12:00:00Z; an hour before it is looked at, too
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: batchwright::domain::Timestamp,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
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
pub(crate) struct ImportArgs {
    /// An export, aio-aws's jobs_db_file, or the URL of its Redis with the number of its jobs_db_n
    #[arg(value_name = "FILE|redis://HOST:PORT/NUMBER")]
    pub(crate) from: String,
    #[command(flatten)]
    pub(crate) place: Deployment,
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

#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Count the messages of each dead-letter queue: exit code 1 where one waits
    List(DlqListArgs),
    /// Show some messages of a queue, which stay where they are
    Show(DlqShowArgs),
    /// Deliver messages once more to the function or queue that was to have them, once their cause is mended
    ///
    /// One that can't be delivered stays in the queue, is named on stderr, and holds up no other: exit code 1.
    Redrive(DlqRedriveArgs),
    /// Delete messages that can never be delivered: exit code 1 where one is not found
    Remove(DlqRemoveArgs),
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct DlqListArgs {
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct DlqShowArgs {
    /// The queue
    #[arg(value_enum)]
    pub(crate) queue: DeadLetters,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// The most messages
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    pub(crate) most: usize,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct DlqRedriveArgs {
    /// The queue
    #[arg(value_enum)]
    pub(crate) queue: DeadLetters,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// The most messages [default: all]
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) most: Option<u64>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct DlqRemoveArgs {
    /// The queue
    #[arg(value_enum)]
    pub(crate) queue: DeadLetters,
    /// The messages' ids, as `dlq show` and `dlq redrive` tell them
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}
