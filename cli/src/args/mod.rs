//! The command line: its commands here, their arguments by what they are for.

mod console;
#[cfg(feature = "aws")]
mod invoke;
mod look;
mod output;
mod place;
mod run;
mod serve;
mod time;
mod upkeep;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use self::console::ConsoleArgs;
#[cfg(feature = "aws")]
pub(crate) use self::invoke::{InvokeArgs, Ordered};
pub(crate) use self::look::{ExplainArgs, JobsArgs, LogsArgs, ReportArgs, RunsArgs, StatusArgs, WatchArgs};
pub(crate) use self::output::{Output, Shown};
#[cfg(feature = "aws")]
pub(crate) use self::place::StackArgs;
pub(crate) use self::place::Target;
#[cfg(feature = "aws")]
pub(crate) use self::run::SubmitArgs;
pub(crate) use self::run::{OnInterrupt, PlanArgs, ProcessArgs, RerunArgs, RunArgs, StopArgs};
pub(crate) use self::serve::ServeArgs;
#[cfg(feature = "aws")]
pub(crate) use self::upkeep::{DlqCommand, DlqRedriveArgs, DlqRemoveArgs, RelearnArgs};
pub(crate) use self::upkeep::{
    DoctorArgs, ExportArgs, ForgetArgs, ImportArgs, PruneArgs, RemoveArgs, StoreCommand,
};

/// Runs the jobs of a file, each once, and keeps their states and logs.
#[derive(Debug, Parser)]
#[command(name = "batchwright", version = VERSION, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(feature = "aws")]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (with commands for AWS)");
#[cfg(not(feature = "aws"))]
const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (this machine only: built without the feature aws)");

const EXIT_CODES: &str = "\
Exit codes: 0 all well, 1 some jobs, invocations or objects failed, 2 usage,
3 rejected before anything was submitted, 4 the state, the engine or AWS failed, 5 unknown: some jobs wait for
what does not come, 130 interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the jobs of a file: submit what has not SUCCEEDED, wait for all to end
    Run(RunArgs),
    /// Hand a job file to a stack and return: `watch RUN` follows it
    #[cfg(feature = "aws")]
    Submit(SubmitArgs),
    /// Show what `run` would do; submit nothing
    ///
    /// Of each job: SUBMIT, SKIP or REJECT, and why. Nobody is asked whether a job's queue and job definition are there on
    /// AWS, whether the stack allows them and seals each job, or whether a jobId that a job depends on is known: what is
    /// wrong with these is told by `run`.
    Plan(PlanArgs),
    /// List the runs: each is one job file that was run
    Runs(RunsArgs),
    /// Run chosen jobs again: those that failed, failed for a cause, or were never submitted
    ///
    /// The earlier tries stay on record. Jobs under way are left alone. Without a condition all jobs that were
    /// named are run again, also those that SUCCEEDED.
    ///
    /// A job that a run, a name or a pattern names runs as it was submitted last; one that a job file names, as the
    /// file says now. On one machine the job files that the jobs first came from say, as they are now, in which
    /// workdir, by which containers and with which job definitions they run, however often they run again.
    Rerun(RerunArgs),
    /// Say why a job failed, or waits: one cause, its evidence, and what to do
    Explain(ExplainArgs),
    /// Follow runs or jobs from another terminal until all have ended: counts, rate, failures, who waits longest
    Watch(WatchArgs),
    /// Write a page about runs or jobs: one HTML file that needs no network
    Report(ReportArgs),
    /// Serve that page live on this machine, and stop jobs or run them again from it
    ///
    /// Prints the page's address. It is answered on the loopback interface alone, and to whoever has the token
    /// behind the `#`: to see it from elsewhere, forward the port by ssh.
    Console(ConsoleArgs),
    /// Show the jobs, with the state of their latest submission
    Jobs(JobsArgs),
    /// Count the jobs by status, or show one job with each of its tries
    Status(StatusArgs),
    /// Cancel jobs that have not started, and runs: those that run go on to their end
    ///
    /// A cancelled run submits nothing more: neither what is left of its file, nor another try.
    Cancel(StopArgs),
    /// Stop jobs, whether they wait or run, and runs
    ///
    /// A terminated run submits nothing more: neither what is left of its file, nor another try.
    Terminate(StopArgs),
    /// Print all of a job's log: every try, attempt and array child
    Logs(LogsArgs),
    /// Remove what is known of jobs, also of those whose record can't be read
    ///
    /// A forgotten job is a new one: it is submitted when its file is run again. What runs goes on.
    Forget(ForgetArgs),
    /// Let any client of AWS Batch run jobs on this machine, by an endpoint
    ///
    /// Answers the wire protocols of AWS Batch and CloudWatch Logs: give the printed address to the client as its
    /// endpoint URL, with any Region and any credentials. Signatures are not checked: every program on this
    /// machine that can reach the port can run commands as you.
    Serve(ServeArgs),
    /// Invoke a Lambda function once for each payload of a list, and print what each answers
    ///
    /// Results come in the order of the list, one JSON object a line; what they come to is told on stderr.
    /// Ctrl-C starts nothing more and waits for what is under way; a second one does not wait.
    #[cfg(feature = "aws")]
    Invoke(Box<InvokeArgs>),
    /// Look now for what events, submitters and collectors left behind, and finish it
    Reconcile(DoctorArgs),
    /// Look at everything that has to be there, and say what is missing and how to mend it
    Doctor(DoctorArgs),
    /// Look at what the stack's functions could not handle, deliver it again, or remove it
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Export, import or remove jobs, or bring a restored table up to date
    #[command(subcommand)]
    Store(StoreCommand),
    /// Forget jobs and runs that ended long ago, with all that is known of them
    ///
    /// What is under way stays, and so do claims, ends about which something is undecided, jobs of runs that have
    /// not ended, archived logs and reports. A forgotten job is a new one: it is submitted when its file is run again.
    Prune(PruneArgs),
    /// Print a script that completes the command line, for bash, zsh, fish, elvish or PowerShell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a man page for each command into a folder
    Man {
        /// The folder
        dir: PathBuf,
    },
    /// Print the JSON Schema of job files, or of what a command prints with `--output json`
    Schema {
        /// `job-file` or a command, as in `schema dlq list` [default: the names that there are]
        name: Vec<String>,
    },
    /// Load, convert, check, list and copy objects of S3, and files
    S3(crate::s3::args::S3Args),
}
