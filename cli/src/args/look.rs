//! Arguments of the commands that show runs, jobs and logs.

use std::path::PathBuf;

use batchwright::domain::JobStatus;
use clap::Args;

use super::output::Shown;
use super::place::Deployment;
use super::time::seconds;
use crate::selection::check_word;

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// At most so many, the latest
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A job; or a run, a pattern of names or a job file: then its jobs by situation, and lines that were rejected
    #[arg(value_name = "JOB|RUN|PATTERN|FILE", value_parser = check_word)]
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Runs, jobs, patterns of names or job files [default: all jobs]
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Deployment,
    /// Where the page goes; - is standard output
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    /// Only the jobs of these runs, names, patterns of names or job files
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Only jobs whose latest submission has this status
    #[arg(long)]
    pub(crate) status: Option<JobStatus>,
    /// Also every try, array child and node, with their ids; TRIES tells of which try each is, as in #2
    #[arg(long)]
    pub(crate) submissions: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// A job: show its tries, where each was submitted and how it ended. A run, a pattern of names or a job
    /// file: count its jobs alone
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word)]
    pub(crate) what: Option<String>,
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Jobs by their names or by patterns, runs, or job files. Of several jobs each line begins with its job
    #[arg(value_name = "JOB|RUN|PATTERN|FILE", value_parser = check_word, required = true)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Go on with what is still written, until all of the jobs have ended
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only the log of this submission or array child
    #[arg(long, value_name = "JOB_ID")]
    pub(crate) job_id: Option<String>,
    /// Only the child of an array with this index; exit code 4 where there is none
    #[arg(long, value_name = "INDEX")]
    pub(crate) child: Option<u32>,
    /// Only Batch's n-th attempt of each submission; exit code 4 where none has so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempt: Option<u32>,
    /// Only what was written in the last so many seconds, minutes, hours or days, as in 90s, 10m, 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) since: Option<u32>,
    /// Only lines that hold this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// Write each submission's log into a file of this folder, in place of one that is there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Runs, jobs, patterns of names or job files [default: all jobs]
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Deployment,
}
