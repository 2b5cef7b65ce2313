//! How a function is called for its answer.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ErrorKind;

/// How a function is invoked. By Lambda's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum InvocationType {
    /// The answer is waited for.
    #[default]
    RequestResponse,
    /// The event is queued; nothing is answered.
    Event,
    /// Only the permission is checked; nothing runs.
    DryRun,
}

/// Whether the end of the function's log comes with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LogType {
    /// It does not.
    #[default]
    None,
    /// The last 4 KB come. For `RequestResponse` alone.
    Tail,
}

/// One request to one function.
#[derive(Debug, Clone, Copy)]
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

/// What came back. That the function ran and failed is an answer too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// The HTTP status, where one came.
    pub status: Option<u16>,
    /// Lambda's name of the error, or `Timeout`, [`CONNECTION_FAILED`], [`NO_CREDENTIALS`], `AnswerLost`,
    /// `InvalidRequest`.
    pub error_type: String,
    /// What Lambda or the connection said.
    pub message: String,
}

/// Calls functions.
pub trait FunctionCaller: Send + Sync {
    /// Sends one request and waits for its answer. Never repeats it: the function may run twice otherwise.
    fn call(&self, call: &FunctionCall<'_>) -> impl Future<Output = Result<CallAnswer, CallError>> + Send;
}
