//! Where the payloads come from.

use std::os::fd::AsFd;

use anyhow::Context;
use aws_config::SdkConfig;
use batchwright::aws::{S3ObjectReader, S3ObjectStore, s3_client};
use batchwright::domain::S3Uri;
use batchwright::fan_out::{FanOutCall, Source, Terms};
use batchwright::ports::ObjectStore;
use batchwright::use_cases::fan_out::{Items, Kind, count_lines, digest_list, inline, lines};
use tokio::fs::File;
use tokio::io::{AsyncBufRead, BufReader};

use super::{unread, usage};
use crate::args::InvokeArgs;
use crate::exit::Failure;

/// Bytes that are read at once.
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// The payloads.
pub(super) enum List {
    /// On the command line.
    Here(Source),
    /// A pipe, or a terminal.
    StandardInput,
    /// JSON Lines.
    File(String),
    /// The same on S3.
    Object(S3ObjectStore, S3Uri),
}

impl List {
    pub(super) fn of(args: &InvokeArgs, call: &FanOutCall, aws: &SdkConfig) -> Result<Self, Failure> {
        match args.payloads.as_deref() {
            None => Ok(Self::Here(Source::Payloads(call.payloads.clone().unwrap_or_default()))),
            Some("-") => Ok(Self::StandardInput),
            Some(name) if name.starts_with("s3://") => {
                let uri = S3Uri::parse(name).map_err(usage)?;
                Ok(Self::Object(S3ObjectStore::new(s3_client(aws), uri.bucket.clone()), uri))
            }
            Some(path) => Ok(Self::File(path.to_owned())),
        }
    }

    /// Whether its rest can be counted: what is typed may never end.
    pub(super) fn is_bounded(&self) -> bool {
        !self.is_standard_input()
    }

    pub(super) fn is_standard_input(&self) -> bool {
        matches!(self, Self::StandardInput)
    }

    /// Errs where it is not there, before a place for results is made.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Here(_) | Self::StandardInput => Ok(()),
            Self::File(path) => file(path).await.map(|_| ()),
            Self::Object(bucket, uri) => object(bucket, uri).await.map(|_| ()),
        }
    }

    pub(super) async fn items<'a>(&'a self, terms: &'a Terms) -> Result<Items<'a>, Failure> {
        match self {
            Self::Here(source) => {
                inline(source, terms, 0, None).ok_or_else(|| Failure::Usage("no payloads".to_owned()))
            }
            Self::StandardInput => opened(BufReader::new(standard_input()?), "standard input", terms).await,
            Self::File(path) => opened(file(path).await?, path, terms).await,
            Self::Object(bucket, uri) => opened(object(bucket, uri).await?, &uri.to_string(), terms).await,
        }
    }

    /// How many there are.
    pub(super) async fn count(&self) -> Result<u64, Failure> {
        let counted = match self {
            Self::Here(Source::Payloads(payloads)) => return Ok(payloads.len() as u64),
            Self::Here(_) | Self::StandardInput => {
                let why = "--tolerated: a part of all needs the list's length; give a number, or the list as a file";
                return Err(Failure::Usage(why.to_owned()));
            }
            Self::File(path) => count_lines(file(path).await?, path).await,
            Self::Object(bucket, uri) => count_lines(object(bucket, uri).await?, &uri.to_string()).await,
        };
        counted.map_err(unread)
    }

    /// What tells it, and what is done with it, from another: the call, its content, and where results go.
    pub(super) async fn digest(&self, call: &FanOutCall, results: Option<&S3Uri>) -> Result<String, Failure> {
        let call = FanOutCall { results_uri: results.map(ToString::to_string), ..call.clone() };
        let digest = match self {
            Self::Here(_) | Self::StandardInput => digest_list::<File>(&call, None).await,
            Self::File(path) => digest_list(&call, Some((file(path).await?, path.as_str()))).await,
            Self::Object(bucket, uri) => {
                digest_list(&call, Some((object(bucket, uri).await?, uri.to_string().as_str()))).await
            }
        };
        digest.map_err(unread)
    }
}

async fn opened<'a, R: AsyncBufRead + Send + Unpin + 'a>(
    reader: R,
    name: &str,
    terms: &'a Terms,
) -> Result<Items<'a>, Failure> {
    lines(reader, name, Kind::Payloads, terms, 0, None).await.map_err(unread)
}

/// Standard input as a file, which tokio reads on a thread of its own.
fn standard_input() -> Result<File, Failure> {
    let own = std::io::stdin().as_fd().try_clone_to_owned().context("standard input can't be used")?;
    Ok(File::from_std(own.into()))
}

async fn file(path: &str) -> Result<BufReader<File>, Failure> {
    let opened = File::open(path).await;
    let refused = |why: &dyn std::fmt::Display| Failure::Rejected(format!("{path}: {why}"));
    let file = opened.map_err(|error| refused(&error))?;
    // A folder can be opened, and errs when it is read.
    if file.metadata().await.is_ok_and(|found| found.is_dir()) {
        return Err(refused(&"is a folder; name a file of JSON Lines"));
    }
    Ok(BufReader::with_capacity(READ_BUFFER_BYTES, file))
}

async fn object(bucket: &S3ObjectStore, uri: &S3Uri) -> Result<S3ObjectReader, Failure> {
    let opened = bucket.open_object(&uri.key).await.context("the payloads can't be read")?;
    opened.ok_or_else(|| Failure::Rejected(format!("{uri}: there is no such object")))
}
