//! What each operation does.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use batchwright::domain::s3_uri::Pattern;
use batchwright::domain::{S3Prefix, S3Uri, Timestamp};
use batchwright::function::FunctionError;
use batchwright::objects::{
    self, ANSWER_MAX_BYTES, ConvertRequest, Failure, Filter, LoadRequest, PageBounds, Patience, Target, each,
};
use batchwright::ports::{Buckets, WriteCondition};
use batchwright::serial::{ConvertOptions, Format, Header, Limits, ValidateOptions};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::answer::{Entry, Outcome, Response};
use crate::call::{Call, ConvertItem, CopyItem, DumpItem, List};
use crate::config::Config;
use crate::sink::{Sink, refused};

/// What is held of one object: a function has little memory.
const LIMITS: Limits = Limits { record_max_bytes: 16 * 1024 * 1024, whole_max_bytes: 4 * 1024 * 1024 };

/// What a page of a list leaves of an answer.
const PAGE_MAX_BYTES: usize = ANSWER_MAX_BYTES - 16 * 1024;

/// Does what a call asks for, until the end.
pub(crate) async fn run<B: Buckets>(
    buckets: &B,
    config: &Config,
    call: Call,
    end: Instant,
) -> Result<Response, FunctionError> {
    let (bodies, looks) = (config.body_concurrency, config.look_concurrency);
    let many = Many { buckets, config, end };
    match call {
        Call::Load(call) => {
            let request = LoadRequest { format: format(call.format)?, ..LoadRequest::default() };
            let work = async |uri: &String| {
                let loaded = objects::load(buckets, &object(config, uri)?, None, &request).await?;
                Ok(Outcome::Loaded(loaded))
            };
            many.run(&call.uris, String::as_str, bodies, call.results_uri, work).await
        }
        Call::Validate(call) => {
            let format = format(call.format)?;
            let options =
                ValidateOptions { as_geojson: call.as_geojson, limits: LIMITS, ..ValidateOptions::default() };
            let work = async |uri: &String| {
                let uri = object(config, uri)?;
                Ok(Outcome::Validated(objects::validate(buckets, &uri, None, format, &options).await?))
            };
            many.run(&call.uris, String::as_str, bodies, call.results_uri, work).await
        }
        Call::Dump(call) => {
            let options =
                ConvertOptions { record_separators: call.record_separators, header: None, limits: LIMITS };
            let request = ConvertRequest { from: None, to: format(call.format)?, options, end: Some(end) };
            let work = async |item: &DumpItem| {
                let target =
                    target(config, &item.to, item.if_absent, &item.if_match, call.owner_full_control)?;
                let written = objects::dump(buckets, item.value.get(), &target, &request).await?;
                Ok(Outcome::Converted(written))
            };
            many.settling().run(&call.items, |item| &item.to, bodies, call.results_uri, work).await
        }
        Call::Convert(call) => {
            let options =
                ConvertOptions { record_separators: call.record_separators, header: None, limits: LIMITS };
            let (from, to) = (format(call.from_format)?, format(call.to_format)?);
            let request = ConvertRequest { from, to, options, end: Some(end) };
            let work = async |item: &ConvertItem| {
                let mut request = request.clone();
                let header = item.header.as_ref().map(|header| Header::parse(header.get())).transpose();
                request.options.header = header.map_err(Failure::invalid_request)?;
                let from = object(config, &item.uri)?;
                let target =
                    target(config, &item.to, item.if_absent, &item.if_match, call.owner_full_control)?;
                let version = item.version_id.as_deref();
                Ok(Outcome::Converted(objects::convert(buckets, &from, version, &target, &request).await?))
            };
            many.settling().run(&call.items, |item| &item.uri, bodies, call.results_uri, work).await
        }
        Call::Copy(call) => {
            let work = async |item: &CopyItem| {
                let from = object(config, &item.uri)?;
                let target =
                    target(config, &item.to, item.if_absent, &item.if_match, call.owner_full_control)?;
                let copied = objects::copy(buckets, &from, item.version_id.as_deref(), &target).await?;
                Ok(Outcome::Copied(copied))
            };
            many.run(&call.items, |item| &item.uri, looks.min(16), call.results_uri, work).await
        }
        Call::Access(call) => {
            let work = async |uri: &String| {
                Ok(Outcome::Access(objects::access(buckets, &place(config, uri)?).await?))
            };
            many.run(&call.uris, String::as_str, looks, call.results_uri, work).await
        }
        Call::Info(call) => {
            let work = async |uri: &String| {
                let place = place(config, uri)?;
                let info = match place.clone().object() {
                    Some(object) => objects::info(buckets, &object).await?,
                    None => objects::info_of_bucket(buckets, &place.bucket).await?,
                };
                Ok(Outcome::Info(info))
            };
            many.run(&call.uris, String::as_str, looks, call.results_uri, work).await
        }
        Call::Wait(call) => {
            let until =
                call.timeout_seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.min(900)));
            let patience = Patience::until(until.map_or(end, |until| until.min(end)));
            let work = async |uri: &String| {
                Ok(Outcome::Info(objects::wait(buckets, &object(config, uri)?, patience).await?))
            };
            // All of them at once: one that is not there must not keep the others from being looked for.
            many.settling().run(&call.uris, String::as_str, call.uris.len(), call.results_uri, work).await
        }
        Call::List(call) => list(buckets, config, call, end).await,
    }
}

/// The same with many objects.
struct Many<'a, B> {
    buckets: &'a B,
    config: &'a Config,
    end: Instant,
}

impl<B: Buckets> Many<'_, B> {
    /// For work that ends by itself in time, and tidies up: it is not dropped.
    fn settling(self) -> Self {
        Self { end: self.end + Duration::from_secs(3_600), ..self }
    }

    async fn run<'i, T, F: Future<Output = Result<Outcome, Failure>>>(
        &self,
        items: &'i [T],
        name: impl Fn(&'i T) -> &'i str,
        concurrency: usize,
        results_uri: Option<String>,
        work: impl Fn(&'i T) -> F,
    ) -> Result<Response, FunctionError> {
        let names = items.iter().map(&name);
        let mut sink = Sink::open(self.buckets, self.config, results_uri.as_deref(), names).await?;
        let mut results = pin!(each(items, concurrency, Some(self.end), work));
        let mut names = items.iter().map(&name);
        while let (Some(became), Some(uri)) = (results.next().await, names.next()) {
            if let Err(error) = sink.push(Entry::of(uri.to_owned(), became)).await {
                sink.abort().await;
                return Err(error);
            }
        }
        sink.finish().await
    }
}

async fn list<B: Buckets>(
    buckets: &B,
    config: &Config,
    call: List,
    end: Instant,
) -> Result<Response, FunctionError> {
    let filter = filter(&call).map_err(refused)?;
    let place = place(config, &call.uri).map_err(refused)?;
    if call.results_uri.is_none() {
        let bounds = PageBounds {
            max_objects: call.max_items.unwrap_or(usize::MAX),
            max_bytes: PAGE_MAX_BYTES,
            end: Some(end),
        };
        let page =
            objects::list_page(buckets, &place, &filter, call.start_after, bounds).await.map_err(refused)?;
        return Ok(Response { succeeded: 1, page: Some(page), ..Response::default() });
    }
    if call.start_after.is_some() || call.max_items.is_some() {
        let why = "startAfter and maxItems go with a page in the answer; leave out them or resultsUri";
        return Err(FunctionError::Refused(why.to_owned()));
    }
    let mut sink = Sink::open(buckets, config, call.results_uri.as_deref(), std::iter::empty()).await?;
    let telling = objects::list_all(buckets, &place, &filter, config.look_concurrency, async |info| {
        sink.push_line(&info).await
    });
    let listed = match tokio::time::timeout_at(end, telling).await {
        Ok(listed) => listed,
        Err(_) => Err(Failure::time_over()),
    };
    match listed {
        Ok(listed) => {
            let written = sink.finish().await?;
            Ok(Response { succeeded: 1, listed: Some(listed), ..written })
        }
        Err(failure) => {
            sink.abort().await;
            Err(refused(failure))
        }
    }
}

fn filter(call: &List) -> Result<Filter, Failure> {
    let moment = |field: &str, text: &Option<String>| {
        let parsed = text.as_ref().map(|text| {
            Timestamp::parse_rfc3339(text).ok_or_else(|| {
                Failure::invalid_request(format!(
                    "{field}: {text:?} is no moment; write it as 2026-11-23T02:24:51Z"
                ))
            })
        });
        parsed.transpose()
    };
    Ok(Filter {
        pattern: call.glob.as_deref().map(Pattern::parse).transpose().map_err(Failure::invalid_request)?,
        min_bytes: call.min_bytes,
        max_bytes: call.max_bytes,
        modified_since: moment("modifiedSince", &call.modified_since)?,
        modified_before: moment("modifiedBefore", &call.modified_before)?,
    })
}

/// The format that a call names, for all of its objects.
fn format(name: Option<String>) -> Result<Option<Format>, FunctionError> {
    let parsed = name.map(|name| name.parse()).transpose();
    parsed.map_err(|unknown: batchwright::serial::UnknownFormat| FunctionError::Refused(unknown.to_string()))
}

fn place(config: &Config, uri: &str) -> Result<S3Prefix, Failure> {
    let place = S3Prefix::parse(uri).map_err(Failure::invalid_request)?;
    config.allow(&place.bucket)?;
    Ok(place)
}

fn object(config: &Config, uri: &str) -> Result<S3Uri, Failure> {
    let uri = S3Uri::parse(uri).map_err(Failure::invalid_request)?;
    config.allow(&uri.bucket)?;
    Ok(uri)
}

fn target(
    config: &Config,
    to: &str,
    if_absent: bool,
    if_match: &Option<String>,
    owner_full_control: bool,
) -> Result<Target, Failure> {
    let condition = match (if_absent, if_match) {
        (true, Some(_)) => {
            return Err(Failure::invalid_request("ifAbsent and ifMatch exclude each other; leave one out"));
        }
        (true, None) => WriteCondition::Absent,
        (false, Some(etag)) => WriteCondition::Unchanged { etag: etag.clone() },
        (false, None) => WriteCondition::Always,
    };
    Ok(Target { uri: object(config, to)?, condition, owner_full_control })
}
