//! Arguments of `serve`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::output::Shown;
use super::place::Deployment;
use super::run::ProcessArgs;

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
