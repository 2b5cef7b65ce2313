//! The command line of `batchwright s3`.

#[cfg(feature = "aws")]
use std::time::Duration;

use batchwright::serial::{Format, Limits};
use clap::{Args, Subcommand};

use super::settings::SettingsArgs;
#[cfg(feature = "aws")]
use super::uploads::duration;
use crate::args::Shown;

#[derive(Debug, Args)]
pub(crate) struct S3Args {
    #[command(subcommand)]
    pub(crate) command: S3Command,
    /// The profile of the AWS configuration
    #[cfg(feature = "aws")]
    #[arg(long, global = true)]
    pub(crate) profile: Option<String>,
    /// The AWS Region
    #[cfg(feature = "aws")]
    #[arg(long, global = true)]
    pub(crate) region: Option<String>,
    /// Another endpoint than AWS's
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) endpoint_url: Option<String>,
    /// Send requests unsigned, for public data; no credentials are looked for
    #[cfg(feature = "aws")]
    #[arg(long, global = true)]
    pub(crate) no_sign_request: bool,
    /// Say that you pay for requests and transfers, as buckets with "requester pays" ask for
    #[cfg(feature = "aws")]
    #[arg(long, global = true, value_name = "requester", num_args = 0..=1, default_missing_value = "requester",
          value_parser = ["requester"])]
    pub(crate) request_payer: Option<String>,
    /// Reach buckets by S3 Transfer Acceleration
    #[cfg(feature = "aws")]
    #[arg(long, global = true)]
    pub(crate) use_accelerate_endpoint: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum S3Command {
    /// Print documents and sequences as JSON
    Load(LoadArgs),
    /// Write JSON in another format
    Dump(DumpArgs),
    /// Convert as a stream, of any length
    Convert(ConvertArgs),
    /// Tell all that is wrong
    Validate(ValidateArgs),
    /// Tell size, time, etag and type of objects; buckets too
    #[cfg(feature = "aws")]
    Info(LookArgs),
    /// Tell whether objects and buckets can be looked at; exit code 1 where one can't
    #[cfg(feature = "aws")]
    Access(LookArgs),
    /// List objects
    #[cfg(feature = "aws")]
    List(ListArgs),
    /// Have S3 copy an object
    #[cfg(feature = "aws")]
    Copy(CopyArgs),
    /// Wait until objects are there
    #[cfg(feature = "aws")]
    Wait(WaitArgs),
    /// List multipart uploads that have begun, and abort those that nobody will end
    #[cfg(feature = "aws")]
    Uploads(UploadsArgs),
    /// Take a URI apart
    Uri(UriArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Files, S3 URIs, or - for standard input
    #[arg(required = true)]
    pub(crate) sources: Vec<String>,
    #[command(flatten)]
    pub(crate) version: VersionArgs,
    /// What they are, as in geojsonl [default: by suffix]
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// Bytes of a value, as JSON
    #[arg(long, value_name = "N", default_value_t = batchwright::objects::LoadRequest::default().max_bytes)]
    pub(crate) max_bytes: usize,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// A file of JSON, or - for standard input
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// A file, an S3 URI, or - for standard input
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) version: VersionArgs,
    /// What is read [default: by suffix]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) from: Option<Format>,
    /// A FeatureCollection without features, as JSON: its members go into the one that is made of records
    #[arg(long, value_name = "JSON")]
    pub(crate) header: Option<String>,
    /// Convert everything under a prefix or in a folder to under another, with the suffix of --to; a result a line
    #[arg(long)]
    pub(crate) recursive: bool,
    /// With --recursive: only names below the source that match, as in **/*.geojson
    #[arg(long, value_name = "PATTERN", requires = "recursive")]
    pub(crate) glob: Option<String>,
    /// With --recursive: how many are converted at once
    #[arg(long, value_name = "N", default_value_t = 8, requires = "recursive", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) concurrency: u16,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// What is written, and when.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// A file, an S3 URI, or - for standard output; a FIFO or device is written in place
    pub(crate) target: String,
    /// What is written [default: by suffix]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) to: Option<Format>,
    /// Write only where nothing is there
    #[arg(long)]
    pub(crate) if_absent: bool,
    /// Write only in place of the object with this etag
    #[arg(long, value_name = "ETAG", conflicts_with = "if_absent")]
    pub(crate) if_match: Option<String>,
    /// A record separator before each record of a GeoJSON text sequence, as RFC 8142 has it
    #[arg(long)]
    pub(crate) record_separators: bool,
    /// How hard gzip (0 to 9, 7 by default) or zstd (1 to 22, 3 by default) tries
    #[arg(long, value_name = "N")]
    pub(crate) compression_level: Option<i32>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// What is held in memory.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Bytes of one record, and of what a FeatureCollection has beside its features
    #[arg(long, value_name = "N", default_value_t = Limits::default().record_max_bytes)]
    max_record_bytes: usize,
    /// Bytes of a YAML document, and of the JSON that becomes one; each is held as a whole
    #[arg(long, value_name = "N", default_value_t = Limits::default().whole_max_bytes)]
    max_yaml_bytes: usize,
}

impl LimitArgs {
    pub(crate) fn limits(&self) -> Limits {
        Limits { record_max_bytes: self.max_record_bytes, whole_max_bytes: self.max_yaml_bytes }
    }
}

/// Which version of what is read.
#[derive(Debug, Default, Args)]
pub(crate) struct VersionArgs {
    /// This version of the object
    #[arg(long, value_name = "ID")]
    pub(crate) version_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Files, S3 URIs, or - for standard input
    #[arg(required = true)]
    pub(crate) sources: Vec<String>,
    #[command(flatten)]
    pub(crate) version: VersionArgs,
    /// What they are [default: by suffix]
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// Hold JSON, JSON Lines and YAML against RFC 7946 too
    #[arg(long)]
    pub(crate) as_geojson: bool,
    /// Do not tell what is only advised against
    #[arg(long)]
    pub(crate) no_warnings: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct LookArgs {
    /// S3 URIs, buckets as s3://bucket; - reads them from standard input, one a line
    #[arg(required = true)]
    pub(crate) uris: Vec<String>,
    #[command(flatten)]
    pub(crate) version: VersionArgs,
    /// How many are asked for at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) concurrency: u16,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The bucket, with or without a prefix
    pub(crate) uri: String,
    /// Only keys that match, as in scenes/**/*.json
    #[arg(long)]
    pub(crate) glob: Option<String>,
    /// Only objects of no fewer bytes
    #[arg(long, value_name = "N")]
    pub(crate) min_bytes: Option<u64>,
    /// Only objects of no more bytes
    #[arg(long, value_name = "N")]
    pub(crate) max_bytes: Option<u64>,
    /// Only objects written then or later; RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) modified_since: Option<String>,
    /// Only objects written before; RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) modified_before: Option<String>,
    /// How many folders are listed at once; the objects come in no order
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) concurrency: u16,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The S3 URI of the object
    pub(crate) source: String,
    /// The S3 URI of its copy
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) version: VersionArgs,
    /// Copy only where nothing is there
    #[arg(long)]
    pub(crate) if_absent: bool,
    /// Copy only in place of the object with this etag
    #[arg(long, value_name = "ETAG", conflicts_with = "if_absent")]
    pub(crate) if_match: Option<String>,
    /// Give the bucket's owner full control by an ACL
    #[arg(long, conflicts_with = "acl")]
    pub(crate) owner_full_control: bool,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// S3 URIs of objects
    #[arg(required = true)]
    pub(crate) uris: Vec<String>,
    /// Seconds until it is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[cfg(feature = "aws")]
#[derive(Debug, Args)]
pub(crate) struct UploadsArgs {
    /// The bucket, with or without a prefix
    pub(crate) uri: String,
    /// Abort those that began longer ago, as in 7d, 12h or 30m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) abort_older: Option<Duration>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

#[derive(Debug, Args)]
pub(crate) struct UriArgs {
    /// An S3 URI, s3a:// and https:// too
    pub(crate) uri: String,
    /// The Region of the web address [default: the one that the URI tells, else us-east-1]
    #[arg(long, value_name = "REGION")]
    pub(crate) bucket_region: Option<String>,
    #[command(flatten)]
    pub(crate) shown: Shown,
}
