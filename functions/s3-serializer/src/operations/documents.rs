//! `load`, `validate`, `dump`, `convert`.

use std::ops::RangeInclusive;

use batchwright::function::FunctionError;
use batchwright::objects::{self, ANSWER_MAX_BYTES, ConvertRequest, Failure, LoadRequest};
use batchwright::ports::Buckets;
use batchwright::serial::{ConvertOptions, Header, ValidateOptions};

use super::bounds::{LIMITS, found_in_a_call};
use super::many::Many;
use super::places::{Condition, format, object, settings};
use crate::answer::{OperationResult, Response};
use crate::call::{Convert, ConvertItem, Dump, DumpItem, Load, Source, Validate};

/// Levels that gzip or zstd has: which of them packs is told by each object's name.
const LEVELS: RangeInclusive<i32> = 0..=22;

/// Answers with the values of objects.
pub(super) async fn load<B: Buckets>(many: Many<'_, B>, call: Load) -> Result<Response, FunctionError> {
    let request = LoadRequest { format: format(call.format)?, max_bytes: ANSWER_MAX_BYTES };
    let work = async |source: &Source| {
        let uri = object(many.config, source.uri())?;
        Ok(OperationResult::Loaded(objects::load(many.buckets, &uri, source.version_id(), &request).await?))
    };
    many.run(&call.uris, Source::uri, many.config.body_concurrency, call.results_uri, work).await
}

/// Answers with what is wrong with objects.
pub(super) async fn validate<B: Buckets>(
    many: Many<'_, B>,
    call: Validate,
) -> Result<Response, FunctionError> {
    let format = format(call.format)?;
    let options =
        ValidateOptions { as_geojson: call.as_geojson, limits: LIMITS, ..ValidateOptions::default() };
    let work = async |source: &Source| {
        let (uri, version) = (object(many.config, source.uri())?, source.version_id());
        let seen = objects::validate(many.buckets, &uri, version, format, &options).await?;
        Ok(OperationResult::Validated(found_in_a_call(seen)))
    };
    many.run(&call.uris, Source::uri, many.config.body_concurrency, call.results_uri, work).await
}

/// Writes values.
pub(super) async fn dump<B: Buckets>(many: Many<'_, B>, call: Dump) -> Result<Response, FunctionError> {
    let settings = settings(call.settings, call.owner_full_control)?;
    let options = options(call.record_separators, call.compression_level)?;
    let request = ConvertRequest { from: None, to: format(call.format)?, options, end: Some(many.end) };
    let work = async |item: &DumpItem| {
        let condition = Condition { if_absent: item.if_absent, if_match: &item.if_match };
        let target = condition.target(many.config, &item.to, &settings)?;
        let written = objects::dump(many.buckets, item.value.get(), &target, &request).await?;
        Ok(OperationResult::Converted(written))
    };
    let concurrency = many.config.body_concurrency;
    many.settling().run(&call.items, |item| &item.to, concurrency, call.results_uri, work).await
}

/// Converts objects as streams.
pub(super) async fn convert<B: Buckets>(many: Many<'_, B>, call: Convert) -> Result<Response, FunctionError> {
    let settings = settings(call.settings, call.owner_full_control)?;
    let (from, to) = (format(call.from_format)?, format(call.to_format)?);
    let options = options(call.record_separators, call.compression_level)?;
    let request = ConvertRequest { from, to, options, end: Some(many.end) };
    let work = async |item: &ConvertItem| {
        let mut request = request.clone();
        let header = item.header.as_ref().map(|header| Header::parse(header.get())).transpose();
        request.options.header = header.map_err(Failure::invalid_request)?;
        let from = object(many.config, &item.uri)?;
        let condition = Condition { if_absent: item.if_absent, if_match: &item.if_match };
        let target = condition.target(many.config, &item.to, &settings)?;
        let version = item.version_id.as_deref();
        let converted = objects::convert(many.buckets, &from, version, &target, &request).await?;
        Ok(OperationResult::Converted(converted))
    };
    let concurrency = many.config.body_concurrency;
    many.settling().run(&call.items, |item| &item.uri, concurrency, call.results_uri, work).await
}

/// Errs for a level that no packer has, because then the call is wrong, and not the objects.
fn options(record_separators: bool, compression_level: Option<i32>) -> Result<ConvertOptions, FunctionError> {
    if let Some(level) = compression_level.filter(|level| !LEVELS.contains(level)) {
        let (least, most) = (LEVELS.start(), LEVELS.end());
        let why =
            format!("compressionLevel is {level}; give {least} to {most} (gzip has 0 to 9, zstd 1 to 22)");
        return Err(FunctionError::Refused(why));
    }
    Ok(ConvertOptions { record_separators, compression_level, header: None, limits: LIMITS })
}
