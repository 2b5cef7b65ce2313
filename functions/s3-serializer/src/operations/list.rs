//! `list`.

use batchwright::domain::Timestamp;
use batchwright::domain::s3_uri::Pattern;
use batchwright::function::FunctionError;
use batchwright::objects::{self, ANSWER_MAX_BYTES, Failure, Filter, PageBounds};
use batchwright::ports::Buckets;

use super::many::Many;
use super::places::place;
use crate::answer::Response;
use crate::call::List;
use crate::sink::{Sink, refused};

/// What a page of a list leaves of an answer.
const PAGE_MAX_BYTES: usize = ANSWER_MAX_BYTES - 16 * 1024;

/// Lists objects: a page into the answer, or all of them into an object.
pub(super) async fn list<B: Buckets>(many: Many<'_, B>, call: List) -> Result<Response, FunctionError> {
    let Many { buckets, config, end } = many;
    let filter = filter(&call).map_err(refused)?;
    let place = place(config, &call.uri).map_err(refused)?;
    config.allow_all_of(&place).map_err(refused)?;
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
