//! `access`, `info`, `wait`, `copy`.

use std::time::Duration;

use batchwright::function::FunctionError;
use batchwright::objects::{self, Patience};
use batchwright::ports::Buckets;
use tokio::time::Instant;

use super::many::Many;
use super::places::{Condition, object, place, settings};
use crate::answer::{OperationResult, Response};
use crate::call::{Copy, CopyItem, Info, Look, Source, Wait};

/// Copies that S3 makes at once.
const COPIES_MAX: usize = 16;

/// The longest that a function can live.
const TIMEOUT_MAX_SECONDS: u64 = 900;

/// Answers whether objects and buckets can be looked at.
pub(super) async fn access<B: Buckets>(many: Many<'_, B>, call: Look) -> Result<Response, FunctionError> {
    let work = async |uri: &String| {
        Ok(OperationResult::Access(objects::access(many.buckets, &place(many.config, uri)?).await?))
    };
    many.run(&call.uris, String::as_str, many.config.look_concurrency, call.results_uri, work).await
}

/// Answers with what is said of objects and buckets.
pub(super) async fn info<B: Buckets>(many: Many<'_, B>, call: Info) -> Result<Response, FunctionError> {
    let work = async |source: &Source| {
        let place = place(many.config, source.uri())?;
        let info = match place.clone().object() {
            Some(object) => objects::info(many.buckets, &object, source.version_id()).await?,
            None => objects::info_of_bucket(many.buckets, &place.bucket).await?,
        };
        Ok(OperationResult::Info(info))
    };
    many.run(&call.uris, Source::uri, many.config.look_concurrency, call.results_uri, work).await
}

/// Answers when objects are there.
pub(super) async fn wait<B: Buckets>(many: Many<'_, B>, call: Wait) -> Result<Response, FunctionError> {
    let until = call
        .timeout_seconds
        .map(|seconds| Instant::now() + Duration::from_secs(seconds.min(TIMEOUT_MAX_SECONDS)));
    let patience = Patience::until(until.map_or(many.end, |until| until.min(many.end)));
    let work = async |uri: &String| {
        Ok(OperationResult::Info(objects::wait(many.buckets, &object(many.config, uri)?, patience).await?))
    };
    // All of them at once: one that is not there must not keep the others from being looked for.
    many.settling().run(&call.uris, String::as_str, call.uris.len(), call.results_uri, work).await
}

/// Has S3 copy objects.
pub(super) async fn copy<B: Buckets>(many: Many<'_, B>, call: Copy) -> Result<Response, FunctionError> {
    let settings = settings(call.settings, call.owner_full_control)?;
    let work = async |item: &CopyItem| {
        let from = object(many.config, &item.uri)?;
        let condition = Condition { if_absent: item.if_absent, if_match: &item.if_match };
        let target = condition.target(many.config, &item.to, &settings)?;
        let copied = objects::copy(many.buckets, &from, item.version_id.as_deref(), &target).await?;
        Ok(OperationResult::Copied(copied))
    };
    let concurrency = many.config.look_concurrency.min(COPIES_MAX);
    many.run(&call.items, |item| &item.uri, concurrency, call.results_uri, work).await
}
