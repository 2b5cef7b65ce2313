//! Where events go, and the requests that are made of them.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};

use super::delivery::{Rejected, Sink};
use crate::events::JobStateChange;

/// One request, answer and all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of an answer that are read.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// Where job state changes are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTarget {
    uri: Uri,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// `PutEvents`, in a Region.
    EventBridge(String),
    /// Each event as the body of a POST.
    Post,
}

/// A target that can't be sent to.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address that events can be sent to; give one as in http://127.0.0.1:4566")]
pub struct InvalidTarget(String);

impl EventTarget {
    /// EventBridge at an `http` endpoint, as emulators offer it. The Region is the one whose rules see
    /// the events. AWS itself takes in no events whose source is `aws.batch` from others.
    pub fn event_bridge(endpoint: &str, region: &str) -> Result<Self, InvalidTarget> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if region.is_empty() || !region.chars().all(is_name) {
            return Err(InvalidTarget(region.to_owned()));
        }
        Ok(Self { uri: http(endpoint)?, form: Form::EventBridge(region.to_owned()) })
    }

    /// Each event as the body of a POST to an `http` address, as EventBridge would hand it to a function.
    pub fn post(address: &str) -> Result<Self, InvalidTarget> {
        Ok(Self { uri: http(address)?, form: Form::Post })
    }

    /// What sends to it.
    pub(in crate::wire) fn sender(self) -> Sender {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Sender { target: self, client }
    }
}

fn http(address: &str) -> Result<Uri, InvalidTarget> {
    let invalid = || InvalidTarget(address.to_owned());
    let uri: Uri = address.parse().map_err(|_| invalid())?;
    let is_http = uri.scheme_str() == Some("http") && uri.host().is_some();
    if is_http { Ok(uri) } else { Err(invalid()) }
}

/// Sends to one target.
pub(in crate::wire) struct Sender {
    target: EventTarget,
    client: Client<HttpConnector, Body>,
}

impl Sink for Sender {
    async fn send(&self, batch: &[JobStateChange]) -> Result<(), Rejected> {
        match &self.target.form {
            Form::EventBridge(region) => self.put_events(batch, region).await,
            Form::Post => self.post_each(batch).await,
        }
    }
}

impl Sender {
    async fn put_events(&self, batch: &[JobStateChange], region: &str) -> Result<(), Rejected> {
        let answer = self.post(put_events(batch), Some(region)).await;
        let answer = answer.map_err(|failure| failure.of(0..batch.len()))?;
        failed_entries(&answer, batch.len())
    }

    async fn post_each(&self, batch: &[JobStateChange]) -> Result<(), Rejected> {
        for (index, event) in batch.iter().enumerate() {
            let body = serde_json::to_vec(event).map_err(|error| {
                PutFailure { may_pass: false, why: error.to_string() }.of(index..index + 1)
            })?;
            self.post(body, None).await.map_err(|failure| failure.of(index..batch.len()))?;
        }
        Ok(())
    }

    async fn post(&self, body: Vec<u8>, event_bridge: Option<&str>) -> Result<Vec<u8>, PutFailure> {
        let mut request = Request::post(&self.target.uri);
        request = match event_bridge {
            None => request.header(header::CONTENT_TYPE, "application/json"),
            Some(region) => request
                .header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"))
                .header("x-amz-target", "AWSEvents.PutEvents")
                .header(header::AUTHORIZATION, scope(region)),
        };
        let request = request.body(Body::from(body));
        let request = request.map_err(|error| PutFailure { may_pass: false, why: error.to_string() })?;
        let passing = |why: String| PutFailure { may_pass: true, why };
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| passing(chain(&error)))?;
            let status = answer.status();
            let body = to_bytes(Body::new(answer.into_body()), ANSWER_MAX_BYTES).await;
            let body = body.map_err(|error| passing(chain(&error)))?;
            if status.is_success() {
                return Ok(body.to_vec());
            }
            let text = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            Err(PutFailure { may_pass: may_pass(status), why: format!("{status}: {text}") })
        };
        let answered = tokio::time::timeout(TIMEOUT, exchange).await;
        answered.unwrap_or_else(|_| Err(passing(format!("no answer within {} s", TIMEOUT.as_secs()))))
    }
}

/// A request that was not taken in.
struct PutFailure {
    may_pass: bool,
    why: String,
}

impl PutFailure {
    fn of(self, left: std::ops::Range<usize>) -> Rejected {
        Rejected { left: left.collect(), may_pass: self.may_pass, why: self.why }
    }
}

/// The request's errors, from the outermost to the cause.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status)
}

/// Emulators tell services and Regions apart by the scope of the credentials; nobody checks the rest.
fn scope(region: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=local/19700101/{region}/events/aws4_request, SignedHeaders=host, Signature=0"
    )
}

/// The body of `PutEvents`.
fn put_events(batch: &[JobStateChange]) -> Vec<u8> {
    let entry = |event: &JobStateChange| {
        let detail = serde_json::to_string(&event.detail).unwrap_or_default();
        json!({
            "Source": event.source,
            "DetailType": event.detail_type,
            "Detail": detail,
            "Resources": event.resources,
        })
    };
    let entries: Vec<Value> = batch.iter().map(entry).collect();
    json!({"Entries": entries}).to_string().into_bytes()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct PutEventsAnswer {
    failed_entry_count: usize,
    entries: Vec<AnsweredEntry>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct AnsweredEntry {
    error_code: Option<String>,
    error_message: Option<String>,
}

/// Looks inside an answer with status 200: which entries failed, and whether they may yet pass.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
fn failed_entries(answer: &[u8], sent: usize) -> Result<(), Rejected> {
    let answer: PutEventsAnswer = serde_json::from_slice(answer).map_err(|error| {
        PutFailure { may_pass: true, why: format!("the answer is not PutEvents': {error}") }.of(0..sent)
    })?;
    let failed = |entry: &AnsweredEntry| entry.error_code.is_some();
    let left: Vec<usize> = (0..sent).filter(|&index| answer.entries.get(index).is_some_and(failed)).collect();
    if left.is_empty() && answer.failed_entry_count == 0 {
        return Ok(());
    }
    let first = answer.entries.iter().find(|entry| failed(entry));
    let code = first.and_then(|entry| entry.error_code.clone()).unwrap_or_default();
    let message = first.and_then(|entry| entry.error_message.clone()).unwrap_or_default();
    let passing = ["ThrottlingException", "InternalFailure", "InternalException"];
    let may_pass = answer
        .entries
        .iter()
        .filter_map(|entry| entry.error_code.as_deref())
        .all(|code| passing.contains(&code));
    Err(Rejected { left, may_pass, why: format!("{code}: {message}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> JobStateChange {
        serde_json::from_value(json!({
            "id": "1", "detail-type": "Batch Job State Change", "source": "aws.batch", "resources": ["arn"],
            "detail": {"jobName": "a", "jobId": "x", "status": "RUNNING"}
        }))
        .unwrap()
    }

    #[test]
    fn an_entry_carries_the_detail_as_text() {
        let body: Value = serde_json::from_slice(&put_events(&[event()])).unwrap();
        let entry = &body["Entries"][0];
        assert_eq!(
            (&entry["Source"], &entry["DetailType"]),
            (&json!("aws.batch"), &json!("Batch Job State Change"))
        );
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!((&detail["jobId"], &entry["Resources"]), (&json!("x"), &json!(["arn"])));
    }

    #[test]
    fn an_answer_with_status_200_is_looked_into() {
        let answer = |entries: Value| json!({"FailedEntryCount": 1, "Entries": entries}).to_string();
        assert_eq!(failed_entries(br#"{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}"#, 1), Ok(()));
        let throttled = answer(json!([{"EventId": "1"}, {"ErrorCode": "ThrottlingException"}]));
        let rejected = failed_entries(throttled.as_bytes(), 2).unwrap_err();
        assert_eq!((rejected.left, rejected.may_pass), (vec![1], true));
        let refused = answer(json!([{"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "no"}]));
        let rejected = failed_entries(refused.as_bytes(), 1).unwrap_err();
        assert!(!rejected.may_pass);
        assert_eq!(rejected.why, "NotAuthorizedForSourceException: no");
        assert!(failed_entries(b"<html>", 1).unwrap_err().may_pass);
    }

    #[test]
    fn a_target_is_an_http_address() {
        for address in ["http://127.0.0.1:4566", "http://localhost:9000/events?x=1"] {
            assert!(EventTarget::post(address).is_ok(), "{address}");
        }
        for address in ["https://events.us-east-1.amazonaws.com", "127.0.0.1:1", "", "http://"] {
            assert!(EventTarget::event_bridge(address, "us-east-1").is_err(), "{address}");
        }
        assert!(EventTarget::event_bridge("http://127.0.0.1:1", "us east").is_err());
    }
}
