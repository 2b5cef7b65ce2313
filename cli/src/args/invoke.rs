//! Arguments of `invoke`.

use clap::{Args, ValueEnum};

/// In which order results are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ordered {
    /// That of the list
    List,
    /// As they come
    Completion,
}

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
    #[arg(long = "type", value_name = "TYPE", default_value = "RequestResponse", hide_possible_values = true,
          value_parser = ["RequestResponse", "Event", "DryRun"])]
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
