//! Arguments of the commands that start jobs and stop them.

use std::ffi::OsString;
use std::path::PathBuf;

use batchwright::domain::s3_uri::Pattern;
use batchwright::domain::{Cause, RuntimeChoice};
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, ValueEnum};

use super::output::Shown;
use super::place::Deployment;
#[cfg(feature = "aws")]
use super::place::StackArgs;
use crate::selection::check_word;

/// What Ctrl-C does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnInterrupt {
    /// It goes on without the terminal. There a second Ctrl-C within three seconds cancels it
    Detach,
    /// It is cancelled and its jobs are terminated
    Cancel,
}

/// How jobs that are run again run on this machine.
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// vCPUs that jobs may use at once [default: the machine's cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) vcpus: Option<u32>,
    /// More job definitions for the embedded engine: JSON or YAML
    #[arg(long, value_name = "FILE")]
    pub(crate) job_definitions: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) processes: ProcessArgs,
}

impl EngineArgs {
    /// The `run` of a job file, whatever of it SUCCEEDED before.
    pub(crate) fn with_file(&self, place: &Deployment, shown: &Shown, file: PathBuf) -> RunArgs {
        RunArgs {
            file,
            place: place.clone(),
            shown: shown.clone(),
            rerun: true,
            vcpus: self.vcpus,
            job_definitions: self.job_definitions.clone(),
            processes: self.processes.clone(),
            on_interrupt: OnInterrupt::Detach,
            simulate: None,
        }
    }
}

/// The seed of `--simulate`. What follows the option is taken for it, a job file too.
fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        format!(
            "a seed is a whole number from 0 to {}; a job file goes first: batchwright run {text} --simulate",
            u64::MAX
        )
    })
}

fn runtime(text: &str) -> Result<RuntimeChoice, &'static str> {
    RuntimeChoice::parse(text).ok_or("docker, podman and auto are known")
}

/// A variable of `--env`, which has a name.
fn variable(given: OsString) -> Result<OsString, &'static str> {
    match given.as_encoded_bytes().first() {
        None | Some(b'=') => Err("a variable has a name before its `=`"),
        Some(_) => Ok(given),
    }
}

/// What jobs get of this machine, beyond what a container would have.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ProcessArgs {
    /// Run jobs in this folder [default: local.workdir of the job file, else an empty folder for each attempt]
    #[arg(long, value_name = "DIR")]
    pub(crate) workdir: Option<PathBuf>,
    /// Run the images of job definitions that have one in containers of this runtime, and all else as processes
    /// [default: local.containers of the job file, else processes alone]
    #[arg(long, value_name = "RUNTIME", value_parser = runtime)]
    pub(crate) containers: Option<RuntimeChoice>,
    /// Pass an environment variable on to jobs, or set it; may be given more than once. Without it jobs see
    /// PATH, locale and time zone, and containers nothing
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = OsStringValueParser::new().try_map(variable))]
    pub(crate) env: Vec<OsString>,
    /// Keep the folders of attempts that have ended, and tell where they are
    #[arg(long)]
    pub(crate) keep_workdirs: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The job file: JSON, JSON Lines or YAML, also gzipped
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Run again what SUCCEEDED
    #[arg(long)]
    pub(crate) rerun: bool,
    /// vCPUs that jobs may use at once [default: the machine's cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) vcpus: Option<u32>,
    /// More job definitions for the embedded engine: JSON or YAML
    #[arg(long, value_name = "FILE")]
    pub(crate) job_definitions: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) processes: ProcessArgs,
    /// What Ctrl-C does to the run
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnInterrupt::Detach)]
    pub(crate) on_interrupt: OnInterrupt,
    /// Run nothing: let a simulation with this seed decide how each job ends, in virtual time. The
    /// state is thrown away at the end unless --state-dir is given
    #[arg(long, value_name = "SEED", num_args = 0..=1, default_missing_value = "0", value_parser = seed)]
    pub(crate) simulate: Option<u64>,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The job file: JSON, JSON Lines or YAML, also gzipped
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Run again what SUCCEEDED
    #[arg(long)]
    pub(crate) rerun: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The job file
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Run again what SUCCEEDED
    #[arg(long)]
    pub(crate) rerun: bool,
    /// As of `run`: vCPUs that jobs may use at once on this machine [default: its cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) vcpus: Option<u32>,
    /// As of `run`: more job definitions for the embedded engine
    #[arg(long, value_name = "FILE")]
    pub(crate) job_definitions: Vec<PathBuf>,
    /// As of `run`: what runs the images of job definitions that have one, on this machine
    #[arg(long, value_name = "RUNTIME", value_parser = runtime)]
    pub(crate) containers: Option<RuntimeChoice>,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Runs by their ids, jobs by their names or by patterns as in 'tile-*', or the jobs of a job file
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word, required_unless_present = "cause")]
    pub(crate) what: Vec<String>,
    /// Only jobs one of whose tries ended for this cause, as in HOST_LOST; may be given more than once
    #[arg(long, value_name = "CAUSE")]
    pub(crate) cause: Vec<Cause>,
    /// Why: Batch keeps it with each job
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct RerunArgs {
    /// Runs by their ids, jobs by their names or by patterns as in 'tile-*', or the jobs of a job file, as it is now
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word, required = true)]
    pub(crate) what: Vec<String>,
    /// Jobs that FAILED
    #[arg(long)]
    pub(crate) failed: bool,
    /// Of arrays with resubmitChildren only the children that FAILED, each as a job of its own as in tiles-child-7; the
    /// array stays as it ended
    #[arg(long, requires = "failed")]
    pub(crate) children: bool,
    /// Jobs whose latest try FAILED for this cause, as in HOST_LOST; may be given more than once. With --failed, jobs that
    /// FAILED for another cause are left out
    #[arg(long, value_name = "CAUSE")]
    pub(crate) cause: Vec<Cause>,
    /// Jobs that were never submitted; beside --failed or --cause, these too
    #[arg(long)]
    pub(crate) missing: bool,
    /// Of these, only jobs whose names match
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::parse)]
    pub(crate) name: Option<Pattern>,
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
    #[command(flatten)]
    pub(crate) run: EngineArgs,
}
