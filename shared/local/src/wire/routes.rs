//! Which request is which operation, and who may ask.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use super::batch::Batch;
use super::fault::{Fault, JSON_1_1};
use super::logs::Logs;

/// Before the operation's name in `X-Amz-Target`. Source: the service model of CloudWatch Logs.
const LOGS_TARGET: &str = "Logs_20140328.";

/// All that is served.
pub(super) fn router(batch: Arc<Batch>, logs: Logs) -> Router {
    let batch_routes = Router::new()
        .route("/v1/tags/{*arn}", get(tags_of).post(tag))
        .route("/v1/{operation}", post(batch_call))
        .with_state(batch);
    let logs_routes = Router::new().route("/", post(logs_call)).with_state(logs);
    batch_routes
        .merge(logs_routes)
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(from_fn(refuse_web_pages))
}

async fn batch_call(State(batch): State<Arc<Batch>>, Path(operation): Path<String>, body: Bytes) -> Response {
    let answered = match parse(&body) {
        Ok(body) => batch.call(&operation, body).await,
        Err(message) => Err(Fault::client(message)),
    };
    rest(answered)
}

async fn tags_of(State(batch): State<Arc<Batch>>, Path(arn): Path<String>) -> Response {
    rest(batch.tags_of(&arn).await)
}

async fn tag(State(batch): State<Arc<Batch>>, Path(arn): Path<String>, body: Bytes) -> Response {
    let answered = match parse(&body) {
        Ok(body) => batch.tag(&arn, body).await,
        Err(message) => Err(Fault::client(message)),
    };
    rest(answered)
}

async fn logs_call(State(logs): State<Logs>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let Some(operation) = target.strip_prefix(LOGS_TARGET) else {
        return Fault::unknown_operation(&format!("the operation {target:?}")).into_json_1_1();
    };
    let answered = match parse(&body) {
        Ok(body) => logs.call(operation, body).await,
        Err(message) => Err(Fault::bad_request("SerializationException", message)),
    };
    match answered {
        Ok(answer) => ([(header::CONTENT_TYPE, JSON_1_1)], answer.to_string()).into_response(),
        Err(fault) => fault.into_json_1_1(),
    }
}

async fn unknown(method: Method, uri: Uri) -> Response {
    Fault::unknown_operation(&format!("{method} {}", uri.path())).into_rest()
}

/// A page in a browser can POST to this machine too, and so run commands: under a foreign name that it
/// made point here, or as itself, which the browser then says.
async fn refuse_web_pages(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if headers.contains_key(header::ORIGIN) || !host.is_some_and(is_loopback) {
        return Fault::forbidden("only programs on this machine are served, by 127.0.0.1 or localhost")
            .into_rest();
    }
    next.run(request).await
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].contains(&name)
}

/// A body without content is a request without members.
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
    fn only_names_of_this_machine_are_hosts() {
        for host in ["127.0.0.1", "127.0.0.1:80", "localhost:4566", "[::1]:80"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "127.0.0.1.example.com:80", "localhost.example.com", "10.0.0.1:80", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_body_is_an_object_or_nothing() {
        assert_eq!(parse(b"").unwrap(), serde_json::json!({}));
        assert!(parse(b"[]").unwrap_err().contains("must be a JSON object"));
        assert!(parse(b"{").unwrap_err().contains("is not JSON"));
    }
}
