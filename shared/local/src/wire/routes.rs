//! Which request is which operation.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use super::access::Access;
use super::batch::Batch;
use super::fault::{Fault, JSON_1_1};
use super::logs::Logs;
use super::request_ids::RequestIds;

/// Before the operation's name in `X-Amz-Target`. Source: the service model of CloudWatch Logs.
const LOGS_TARGET: &str = "Logs_20140328.";

/// The header that tells one answer from another.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Bytes of a body: more than any request of either service may have.
const BODY_MAX: usize = 1024 * 1024;

/// How long a body may take to come. A client that stops half-way would hold its connection for ever.
const BODY_LIMIT: Duration = Duration::from_secs(20);

/// All that is served.
pub(super) fn router(batch: Arc<Batch>, logs: Logs, access: Access) -> Router {
    let batch_routes = Router::new()
        .route("/v1/tags/{*arn}", get(tags_of).post(tag).delete(untag))
        .route("/v1/{operation}", post(batch_call))
        .with_state(batch);
    let logs_routes = Router::new().route("/", post(logs_call)).with_state(logs);
    batch_routes
        .merge(logs_routes)
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(from_fn_with_state(Arc::new(access), refuse_strangers))
        .layer(from_fn_with_state(Arc::new(RequestIds::new()), with_request_id))
}

async fn batch_call(State(batch): State<Arc<Batch>>, Path(operation): Path<String>, body: Body) -> Response {
    rest(async { batch.call(&operation, members_of(body, Fault::client).await?).await }.await)
}

async fn tags_of(State(batch): State<Arc<Batch>>, Path(arn): Path<String>) -> Response {
    rest(batch.tags_of(&arn).await)
}

async fn tag(State(batch): State<Arc<Batch>>, Path(arn): Path<String>, body: Body) -> Response {
    rest(async { batch.tag(&arn, members_of(body, Fault::client).await?).await }.await)
}

async fn untag(
    State(batch): State<Arc<Batch>>,
    Path(arn): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let keys = query.into_iter().filter(|(name, _)| name == "tagKeys").map(|(_, key)| key).collect();
    rest(batch.untag(&arn, keys).await)
}

async fn logs_call(State(logs): State<Logs>, headers: HeaderMap, body: Body) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let Some(operation) = target.strip_prefix(LOGS_TARGET) else {
        return Fault::unknown_operation(&format!("the operation {target:?}")).into_json_1_1();
    };
    let wrong = |message| Fault::bad_request("SerializationException", message);
    let answered = async { logs.call(operation, members_of(body, wrong).await?).await }.await;
    match answered {
        Ok(answer) => ([(header::CONTENT_TYPE, JSON_1_1)], answer.to_string()).into_response(),
        Err(fault) => fault.into_json_1_1(),
    }
}

async fn unknown(method: Method, uri: Uri) -> Response {
    Fault::unknown_operation(&format!("{method} {}", uri.path())).into_rest()
}

async fn refuse_strangers(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match access.refuse(request.headers()) {
        Some(why) => Fault::forbidden(why).into_rest(),
        None => next.run(request).await,
    }
}

/// Every answer has an id, refusals too: clients put it into their errors.
async fn with_request_id(State(ids): State<Arc<RequestIds>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&ids.next()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The body's JSON object. One without content is a request without members.
async fn members_of(body: Body, wrong: impl Fn(String) -> Fault) -> Result<Value, Fault> {
    let read = tokio::time::timeout(BODY_LIMIT, to_bytes(body, BODY_MAX)).await;
    let read = read.map_err(|_| {
        Fault::stalled(format!("the request's body did not come within {} s", BODY_LIMIT.as_secs()))
    })?;
    let bytes = read.map_err(|error| {
        let is_long =
            std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("limit"));
        if is_long {
            Fault::too_large(BODY_MAX)
        } else {
            wrong(format!("the request's body breaks off: {error}"))
        }
    })?;
    parse(&bytes).map_err(wrong)
}

fn parse(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("the request's body must be a JSON object".to_owned()),
        Err(error) => Err(format!("the request's body is not JSON: {error}")),
    }
}

fn rest(answered: Result<Value, Fault>) -> Response {
    match answered {
        Ok(answer) => ([(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response(),
        Err(fault) => fault.into_rest(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_an_object_or_nothing() {
        assert_eq!(parse(b"").unwrap(), serde_json::json!({}));
        assert!(parse(b"[]").unwrap_err().contains("must be a JSON object"));
        assert!(parse(b"{").unwrap_err().contains("is not JSON"));
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_told_from_one_that_breaks_off() {
        let long = Body::from(vec![b' '; BODY_MAX + 1]);
        assert_eq!(members_of(long, Fault::client).await.unwrap_err(), Fault::too_large(BODY_MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up() {
        let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let fault = members_of(Body::from_stream(never), Fault::client).await.unwrap_err();
        assert_eq!(fault.message(), "the request's body did not come within 20 s");
    }
}
