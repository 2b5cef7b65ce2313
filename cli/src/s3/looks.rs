//! `info`, `access`, `wait`, `copy`.

use std::time::Duration;

use anyhow::Context;
use batchwright::aws::S3Buckets;
use batchwright::domain::{S3Prefix, S3Uri};
use batchwright::objects::{self, Info, Patience, Target, each};
use futures_util::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::Instant;

use super::args::{CopyArgs, LookArgs, WaitArgs};
use super::documents::condition;
use super::results::Results;
use crate::exit::{Exit, Failure};

pub(crate) async fn info(buckets: &S3Buckets, args: &LookArgs) -> Result<Exit, Failure> {
    let uris = uris(&args.uris).await?;
    let work = async |uri: &String| {
        let place = S3Prefix::parse(uri).map_err(objects::Failure::invalid_request)?;
        match place.clone().object() {
            Some(object) => objects::info(buckets, &object, args.version.version_id.as_deref()).await,
            None => objects::info_of_bucket(buckets, &place.bucket).await,
        }
    };
    let mut results = Results::new(args.shown.output);
    let mut found = std::pin::pin!(each(&uris, args.concurrency.into(), None, work));
    for uri in &uris {
        let Some(became) = found.next().await else { break };
        results.push(uri, became, |info| (true, vec![said(info)]))?;
    }
    results.finish()
}

pub(crate) async fn access(buckets: &S3Buckets, args: &LookArgs) -> Result<Exit, Failure> {
    let uris = uris(&args.uris).await?;
    let work = async |uri: &String| {
        let place = S3Prefix::parse(uri).map_err(objects::Failure::invalid_request)?;
        objects::access(buckets, &place).await
    };
    let mut results = Results::new(args.shown.output);
    let mut found = std::pin::pin!(each(&uris, args.concurrency.into(), None, work));
    for uri in &uris {
        let Some(became) = found.next().await else { break };
        results.push(uri, became, |found| {
            (found.access, vec![if found.access { "yes" } else { "no" }.to_owned()])
        })?;
    }
    results.finish()
}

pub(crate) async fn wait(buckets: &S3Buckets, args: &WaitArgs) -> Result<Exit, Failure> {
    let patience = Patience::until(Instant::now() + Duration::from_secs(args.timeout));
    let work = async |uri: &String| {
        let object = S3Uri::parse(uri).map_err(objects::Failure::invalid_request)?;
        objects::wait(buckets, &object, patience).await
    };
    let mut results = Results::new(args.shown.output);
    let mut found = std::pin::pin!(each(&args.uris, args.uris.len(), None, work));
    for uri in &args.uris {
        let Some(became) = found.next().await else { break };
        results.push(uri, became, |info| (true, vec![said(info)]))?;
    }
    results.finish()
}

pub(crate) async fn copy(buckets: &S3Buckets, args: &CopyArgs) -> Result<Exit, Failure> {
    let copying = async {
        let from = S3Uri::parse(&args.source).map_err(objects::Failure::invalid_request)?;
        let target = Target {
            uri: S3Uri::parse(&args.target).map_err(objects::Failure::invalid_request)?,
            condition: condition(args.if_absent, &args.if_match),
            settings: match args.settings.settings()? {
                settings if args.owner_full_control => settings.for_bucket_owner(),
                settings => settings,
            },
        };
        objects::copy(buckets, &from, args.version.version_id.as_deref(), &target).await
    };
    let mut results = Results::new(args.shown.output);
    results.push(&args.source, copying.await, |copied| {
        (true, vec![format!("{} bytes at {}", copied.size_bytes, copied.to)])
    })?;
    results.finish()
}

fn said(info: &Info) -> String {
    let size = info.size_bytes.map(|bytes| format!("{bytes} bytes"));
    let parts = [size, info.last_modified.clone(), info.content_type.clone(), info.region.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Those that were given, and where `-` stands those of standard input.
async fn uris(given: &[String]) -> Result<Vec<String>, Failure> {
    let mut uris = Vec::new();
    for uri in given {
        if uri != "-" {
            uris.push(uri.clone());
            continue;
        }
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await.context("standard input")? {
            uris.extend(Some(line).filter(|line| !line.is_empty()));
        }
    }
    Ok(uris)
}
