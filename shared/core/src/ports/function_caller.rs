//! How a function is called for its answer.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ErrorKind, ServiceAnswer};
use crate::with::with;

/// How a function is invoked. By Lambda's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum InvocationType {
    /// The answer is waited for.
    #[default]
    RequestResponse,
    /// The event is queued; nothing is answered.
    Event,
    /// Only the permission is checked; nothing runs.
    DryRun,
}

impl InvocationType {
    /// Lambda's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequestResponse => "RequestResponse",
            Self::Event => "Event",
            Self::DryRun => "DryRun",
        }
    }
}

/// Whether the end of the function's log comes with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum LogType {
    /// It does not.
    #[default]
    None,
    /// The last 4 KB come. For `RequestResponse` alone.
    Tail,
}

impl LogType {
    /// Lambda's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Tail => "Tail",
        }
    }
}

/// One request to one function.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FunctionCall<'a> {
    /// A name, an ARN or a partial ARN.
    pub function: &'a str,
    /// A version or an alias.
    pub qualifier: Option<&'a str>,
    /// How it is invoked.
    pub invocation_type: InvocationType,
    /// Whether the end of its log is wanted.
    pub log_type: LogType,
    /// In base64, as it is sent.
    pub client_context: Option<&'a str>,
    /// The tenant on whose behalf it runs.
    pub tenant_id: Option<&'a str>,
    /// The name of the durable execution that it starts.
    pub durable_execution_name: Option<&'a str>,
    /// Whether the answer is read as a stream.
    pub response_stream: bool,
    /// JSON.
    pub payload: &'a [u8],
    /// How long the answer is waited for.
    pub timeout: Duration,
}

impl<'a> FunctionCall<'a> {
    /// How long Lambda lets a function run at most. Source: Lambda developer guide, "Lambda quotas".
    pub const TIMEOUT_MAX: Duration = Duration::from_mins(15);

    /// A call whose answer is waited for as long as a function may run.
    ///
    /// ```
    /// # use batchwright_core as batchwright;
    /// use batchwright::ports::{FunctionCall, LogType};
    ///
    /// let call = FunctionCall::new("resize", b"{}").with(|call| call.log_type = LogType::Tail);
    /// ```
    pub fn new(function: &'a str, payload: &'a [u8]) -> Self {
        Self {
            function,
            qualifier: None,
            invocation_type: InvocationType::RequestResponse,
            log_type: LogType::None,
            client_context: None,
            tenant_id: None,
            durable_execution_name: None,
            response_stream: false,
            payload,
            timeout: Self::TIMEOUT_MAX,
        }
    }

    /// The same, changed.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What came back. That the function ran and failed is an answer too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CallAnswer {
    /// 200, 202 for an event, 204 for a dry run.
    pub status: u16,
    /// Its result, or what Lambda says of its failure.
    pub payload: Vec<u8>,
    /// `FunctionError`: the function ran and failed.
    pub function_error: Option<String>,
    /// The version that ran.
    pub executed_version: Option<String>,
    /// The end of its log, decoded.
    pub log_tail: Option<String>,
    /// The headers of the HTTP answer, in its order: names in lower case, those that are no text left out.
    pub headers: Vec<(String, String)>,
}

with!(CallAnswer);

/// What a function said of its own failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionFailure {
    /// `errorType` of its answer, as the runtimes write it; else `FunctionError`.
    pub error_type: String,
    /// `errorMessage` of its answer.
    pub error_message: Option<String>,
}

impl CallAnswer {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().find(named).map(|(_, value)| value.as_str())
    }

    /// The id by which AWS Support finds the call.
    pub fn request_id(&self) -> Option<&str> {
        self.header("x-amzn-requestid")
    }

    /// `Content-Type`.
    pub fn content_type(&self) -> Option<&str> {
        self.header("content-type")
    }

    /// The answer as text.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub fn text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(&self.payload)
    }

    /// The answer as a value.
    ///
    /// # Errors
    ///
    /// Where it is no JSON, or does not fit the type.
    pub fn json<'de, T: Deserialize<'de>>(&'de self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.payload)
    }

    /// What the function said of its failure; `None` where it ran well.
    pub fn failure(&self) -> Option<FunctionFailure> {
        let kind = self.function_error.as_ref()?;
        let said: serde_json::Value = self.json().unwrap_or_default();
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        Some(FunctionFailure {
            error_type: text("errorType").unwrap_or_else(|| kind.clone()),
            error_message: text("errorMessage"),
        })
    }
}

/// The `error_type` of a call that found no connection: it was not sent.
pub const CONNECTION_FAILED: &str = "ConnectionFailed";

/// The `error_type` of a call for which no credentials were found: it was not sent.
pub const NO_CREDENTIALS: &str = "NoCredentials";

/// Why no answer came. `Throttled` and `Retryable`: the function did not run. `Ambiguous`: it may have run.
/// `Permanent`: it did not run, and will not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct CallError {
    /// What may be done about it.
    pub kind: ErrorKind,
    /// Lambda's name of the error, or `Timeout`, [`CONNECTION_FAILED`], [`NO_CREDENTIALS`], `AnswerLost`,
    /// `InvalidRequest`.
    pub error_type: String,
    /// What Lambda or the connection said.
    pub message: String,
    /// What Lambda told: status, code, request id. `None` where no answer came, or half of one.
    pub answer: Option<Box<ServiceAnswer>>,
}

impl CallError {
    /// Of a kind, where no answer came.
    pub fn new(kind: ErrorKind, error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, error_type: error_type.into(), message: message.into(), answer: None }
    }

    /// The HTTP status, where an answer came.
    pub fn status(&self) -> Option<u16> {
        self.answer.as_ref()?.status
    }
}

/// Calls functions.
pub trait FunctionCaller: Send + Sync {
    /// Sends one request and waits for its answer. Never repeats it: the function may run twice otherwise.
    fn call(&self, call: &FunctionCall<'_>) -> impl Future<Output = Result<CallAnswer, CallError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_its_headers_and_its_failure() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut answer = CallAnswer {
            payload: br#"{"errorType": "KeyError", "errorMessage": "'x'"}"#.to_vec(),
            headers: vec![header("content-type", "application/json"), header("x-amzn-requestid", "1-2")],
            ..CallAnswer::default()
        };
        assert_eq!((answer.content_type(), answer.request_id()), (Some("application/json"), Some("1-2")));
        assert_eq!((answer.header("X-Amzn-RequestId"), answer.header("etag")), (Some("1-2"), None));
        assert_eq!(answer.failure(), None, "it ran well, and answered this");
        answer.function_error = Some("Unhandled".to_owned());
        let failure = |error_type: &str, error_message: Option<&str>| {
            let error_message = error_message.map(str::to_owned);
            Some(FunctionFailure { error_type: error_type.to_owned(), error_message })
        };
        assert_eq!(answer.failure(), failure("KeyError", Some("'x'")));
        answer.payload = br#"{"errorMessage": "Task timed out after 3.00 seconds"}"#.to_vec();
        assert_eq!(answer.failure(), failure("Unhandled", Some("Task timed out after 3.00 seconds")));
        answer.payload = b"killed".to_vec();
        assert_eq!(answer.failure(), failure("Unhandled", None));
        assert_eq!((answer.text(), answer.json::<u32>().is_err()), (Ok("killed"), true));
    }
}
