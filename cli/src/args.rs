//! The command line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use batchwright::domain::s3_uri::Pattern;
use batchwright::domain::{Cause, JobStatus, RuntimeChoice};
use batchwright::local::StateDir;
use clap::{Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "aws")]
use crate::environment;
use crate::exit::Failure;
use crate::selection::check_word;

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
    Plan(PlanArgs),
    /// List the runs: each is one job file that was run
    Runs(RunsArgs),
    /// Run chosen jobs again: those that failed, failed for a cause, or were never submitted
    ///
    /// The earlier tries stay on record. Jobs under way are left alone. Without a condition all jobs that were
    /// named are run again, also those that SUCCEEDED.
    Rerun(RerunArgs),
    /// Say why a job failed, or waits: one cause, its evidence, and what to do
    Explain(ExplainArgs),
    /// Follow runs or jobs from another terminal until all have ended: counts, rate, failures, who waits longest
    Watch(WatchArgs),
    /// Write a page about runs or jobs: one HTML file that needs no network
    Report(ReportArgs),
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
    /// Take jobs out of the state, or write them down elsewhere
    #[command(subcommand)]
    Store(StoreCommand),
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
    /// Load, convert, check, list and copy objects of S3, and files
    S3(crate::s3::args::S3Args),
}

/// Where the jobs run and their state lies.
#[derive(Debug, Clone, Args)]
pub(crate) struct Deployment {
    /// Run on this machine, with the embedded engine
    #[cfg_attr(not(feature = "aws"), arg(long, required = true))]
    #[cfg_attr(feature = "aws", arg(long, conflicts_with = "stack"))]
    local: bool,
    /// The folder of the embedded engine's state [default: .batchwright]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    stack: StackArgs,
}

/// A stack on AWS, and how AWS is reached.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Args)]
pub(crate) struct StackArgs {
    /// The Name of a deployed stack [default: the variable BATCHWRIGHT_STACK]
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// The profile of the AWS configuration
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// The AWS Region
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Another endpoint than AWS's
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
}

/// Where a command looks.
#[derive(Debug)]
pub(crate) enum Target {
    /// A state folder of this machine.
    Local(StateDir),
    /// A stack on AWS.
    #[cfg(feature = "aws")]
    Stack(StackArgs),
}

#[cfg(feature = "aws")]
impl StackArgs {
    /// With the stack's name: the option's, else the environment's. Errs where neither names one.
    pub(crate) fn named(&self) -> Result<StackArgs, Failure> {
        let stack = self.stack.clone().or_else(environment::stack);
        let none = || {
            let why = "no stack is named: give --stack NAME, or set BATCHWRIGHT_STACK; on this machine jobs run by --local";
            Failure::Usage(why.to_owned())
        };
        Ok(StackArgs { stack: Some(stack.ok_or_else(none)?), ..self.clone() })
    }
}

impl Deployment {
    /// Where the command looks: on this machine where `--local` says so, whatever the environment names. Errs where
    /// nothing says where, and where options of AWS stand beside `--local`.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        #[cfg(feature = "aws")]
        if !self.local {
            return Ok(Target::Stack(self.stack.named()?));
        }
        #[cfg(feature = "aws")]
        if self.stack.profile.is_some() || self.stack.region.is_some() || self.stack.endpoint_url.is_some() {
            let why =
                "--profile, --region and --endpoint-url are for a stack: give --stack in place of --local";
            return Err(Failure::Usage(why.to_owned()));
        }
        Ok(Target::Local(self.state_dir()))
    }

    /// The options that say so, for commands that are shown.
    pub(crate) fn as_options(&self) -> String {
        #[cfg(feature = "aws")]
        if let Some(stack) = self.stack.named().ok().filter(|_| !self.local).and_then(|named| named.stack) {
            return format!("--stack {stack}");
        }
        match &self.state_dir {
            Some(dir) => format!("--local --state-dir {}", dir.display()),
            None => "--local".to_owned(),
        }
    }

    /// The state folder.
    pub(crate) fn state_dir(&self) -> StateDir {
        StateDir::new(self.given_state_dir().unwrap_or(Path::new(".batchwright")))
    }

    /// The state folder, where one was named.
    pub(crate) fn given_state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Table,
    /// One JSON object
    Json,
    /// One JSON object a line
    Ndjson,
}

/// What Ctrl-C does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnInterrupt {
    /// It goes on without the terminal. There a second Ctrl-C within three seconds cancels it
    Detach,
    /// It is cancelled and its jobs are terminated
    Cancel,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Shown {
    /// The form of what is printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
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

fn runtime(text: &str) -> Result<RuntimeChoice, &'static str> {
    RuntimeChoice::parse(text).ok_or("docker, podman and auto are known")
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
    #[arg(long, value_name = "NAME[=VALUE]")]
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
    #[arg(long, value_name = "SEED", num_args = 0..=1, default_missing_value = "0")]
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
    /// As of `run`: what runs the images of job definitions that have one, on this machine
    #[arg(long, value_name = "RUNTIME", value_parser = runtime)]
    pub(crate) containers: Option<RuntimeChoice>,
}

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
    /// Jobs whose latest try FAILED for this cause, as in HOST_LOST; may be given more than once
    #[arg(long, value_name = "CAUSE")]
    pub(crate) cause: Vec<Cause>,
    /// Jobs that were never submitted
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

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A job; or a run, a pattern of names or a job file: then its jobs by situation
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
    /// Also every try, array child and node
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
pub(crate) struct ForgetArgs {
    /// The jobs' names
    #[arg(required = true, value_parser = batchwright::domain::JobName::parse)]
    pub(crate) names: Vec<batchwright::domain::JobName>,
    #[command(flatten)]
    pub(crate) place: Deployment,
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
    /// Only the child of an array with this index
    #[arg(long, value_name = "INDEX")]
    pub(crate) child: Option<u32>,
    /// Only Batch's n-th attempt of each submission
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempt: Option<u32>,
    /// Only what was written in the last so many seconds, minutes, hours or days, as in 90s, 10m, 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) since: Option<u32>,
    /// Only lines that hold this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// Write each submission's log into a file of this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
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

/// Reads `90s`, `10m`, `2h` or `1d`.
fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no time; write a whole number with s, m, h or d, as in 10m");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit: u32 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    number.parse().ok().and_then(|number: u32| number.checked_mul(unit)).ok_or_else(wrong)
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Runs, jobs, patterns of names or job files [default: all jobs]
    #[arg(value_name = "RUN|JOB|PATTERN|FILE", value_parser = check_word)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Deployment,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) place: Deployment,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// The interface to listen on. Another than the loopback one needs --allow-host or --token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// The port; 0: a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) port: u16,
    /// A name by which clients may call this machine, beside 127.0.0.1 and localhost: as in docker-compose, the
    /// name of the service
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// What clients must give as their access key id; requests without it are refused
    #[arg(long, value_name = "TOKEN", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) token: Option<String>,
    /// vCPUs that jobs may use at once [default: the machine's cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) vcpus: Option<u32>,
    /// Job definitions to register at the start: JSON or YAML. A job that names one that was never registered
    /// runs its own command as it is
    #[arg(long, value_name = "FILE")]
    pub(crate) job_definitions: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) processes: ProcessArgs,
    /// Job queues to make at the start; jobs for others are then refused. Without any, every name is accepted
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Vec<String>,
    /// Send job state changes to EventBridge's PutEvents at this http endpoint, as emulators have it. It must
    /// be told to take in events whose source is aws.batch
    #[arg(long, value_name = "URL", conflicts_with = "events_post")]
    pub(crate) events_to: Option<String>,
    /// The Region whose rules see the events of --events-to
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub(crate) events_region: String,
    /// Send each job state change as the body of a POST to this http address
    #[arg(long, value_name = "URL")]
    pub(crate) events_post: Option<String>,
}

/// In which order results are wanted.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ordered {
    /// That of the list
    List,
    /// As they come
    Completion,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct InvokeArgs {
    /// The function: a name, an ARN or a partial ARN
    pub(crate) function: String,
    /// Its version or alias
    #[arg(long)]
    pub(crate) qualifier: Option<String>,
    /// Payloads as JSON Lines, also gzipped: a file, - for standard input, or an s3:// URI
    #[arg(long, value_name = "FILE", required_unless_present = "payload")]
    pub(crate) payloads: Option<String>,
    /// One payload; may be given more than once
    #[arg(long, value_name = "JSON", conflicts_with = "payloads")]
    pub(crate) payload: Vec<String>,
    /// How each is invoked: RequestResponse, Event or DryRun
    #[arg(long = "type", value_name = "TYPE", default_value = "RequestResponse")]
    pub(crate) invocation_type: String,
    /// What the function is told about its caller: a JSON object, or one in base64
    #[arg(long, value_name = "JSON")]
    pub(crate) client_context: Option<String>,
    /// The most invocations under way
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) concurrency: u32,
    /// Attempts at one invocation in all; a throttle is none
    #[arg(long, value_name = "N")]
    pub(crate) max_attempts: Option<u32>,
    /// Seconds to go on while Lambda refuses every call for want of room [default: 21600]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) throttle_timeout: Option<u32>,
    /// Seconds that one answer is waited for
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u32>,
    /// How many may fail, as in 5 or 5%; past it nothing more is started [default: any number]
    #[arg(long, value_name = "N")]
    pub(crate) tolerated: Option<String>,
    /// Invoking the function twice does no harm: try again what may have run
    #[arg(long)]
    pub(crate) idempotent: bool,
    /// Invoke again a function that ran and failed
    #[arg(long)]
    pub(crate) retry_function_errors: bool,
    /// Show the end of each log
    #[arg(long)]
    pub(crate) log_tail: bool,
    /// Read each answer as a stream, which may have 200 MB where a plain one has 6
    #[arg(long)]
    pub(crate) response_stream: bool,
    /// The tenant on whose behalf a function with tenant isolation runs
    #[arg(long, value_name = "ID")]
    pub(crate) tenant_id: Option<String>,
    /// Where the results go: a file or an s3:// URI [default: standard output]. A run that was stopped goes on
    /// with its file
    #[arg(long, value_name = "FILE")]
    pub(crate) results: Option<String>,
    /// The order of the results: that of the list, as far as memory allows, or as they come
    #[arg(long, value_enum, default_value = "list")]
    pub(crate) order: Ordered,
    /// Go on with the results of a run, and err where there are none
    #[arg(long, requires = "results")]
    pub(crate) resume: bool,
    /// Replace results that are there already
    #[arg(long, requires = "results", conflicts_with = "resume")]
    pub(crate) overwrite: bool,
    /// The profile of the AWS configuration
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// The AWS Region
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Another endpoint than AWS's
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in [("90s", 90), ("10m", 600), ("2h", 7_200), ("1d", 86_400), ("0s", 0)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for wrong in ["", "10", "m", "-1m", "1w", "99999999d", "ä", "1 m"] {
            assert!(seconds(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
    }
}
