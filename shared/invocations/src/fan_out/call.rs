//! What a fan-out is asked for, as it is written.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::members;
use super::json::given;
use super::{Json, Tolerated};
use crate::domain::RunId;
use crate::domain::ids::hex_digest;
use crate::ports::{InvocationType, LogType};

/// A call of the fan-out. Exactly one of `payloads`, `payloadsUri`, `invocations` and `invocationsUri`
/// is given.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FanOutCall {
    /// Two calls with one id are one fan-out: the second goes on with it, or is told how it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The function: a name, an ARN or a partial ARN, each perhaps with a version or alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_name: Option<String>,
    /// Its version or alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// One payload for each invocation: any JSON, passed on as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<Value>>", length(min = 1)))]
    pub payloads: Option<Vec<Json>>,
    /// The same as JSON Lines on S3, perhaps gzipped; blank lines are passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payloads_uri: Option<String>,
    /// Invocations that differ in more than their payloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub invocations: Option<Vec<Invocation>>,
    /// The same as JSON Lines on S3, perhaps gzipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocations_uri: Option<String>,
    /// How each is invoked.
    #[serde(default)]
    pub invocation_type: InvocationType,
    /// Whether the end of each log is wanted; without `RequestResponse` none comes.
    #[serde(default)]
    pub log_type: LogType,
    /// What each function is told about its caller, where its invocation says nothing: an object, or one in
    /// base64; at most 3,583 bytes in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<Value>,
    /// The tenant on whose behalf a function with tenant isolation runs, where its invocation says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The most invocations under way: 100 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
    pub concurrency: Option<u32>,
    /// Attempts at one invocation in all: 10 where it is not given. A throttle is no attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub max_attempts: Option<u32>,
    /// How long one answer is waited for: 960 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 960)))]
    pub timeout_seconds: Option<u32>,
    /// How long to go on while Lambda refuses every call for want of room: 21,600 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 86_400)))]
    pub throttle_timeout_seconds: Option<u32>,
    /// How many may fail, as a number or as a part of all as in "5%"; past it nothing more is started.
    /// Where it is not given, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerated: Option<Tolerated>,
    /// Where the results go as JSON Lines, under fan-out/ of the function's bucket. Where it is not given they
    /// stand in the answer while they fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results_uri: Option<String>,
    /// Invoking a function twice with one payload does no harm: what may have run is tried again.
    #[serde(default)]
    pub idempotent: bool,
    /// A function that ran and failed is invoked again.
    #[serde(default)]
    pub retry_function_errors: bool,
    /// The answer is read as a stream, by `InvokeWithResponseStream`, which gives functions that stream up to
    /// 200 MB where `Invoke` gives 6 MB.
    #[serde(default)]
    pub response_stream: bool,
    /// Checkpoints name calls before there is room for them, so that calls of less than a second do not wait for
    /// checkpoints. If an invocation of the fan-out is killed, more is UNKNOWN than could be in flight: at most three times
    /// `concurrency`. It is so anyway where the call is idempotent, because nothing stays UNKNOWN then.
    #[serde(default)]
    pub checkpoints_ahead: bool,
    /// A long list is split among copies of the fan-out.
    #[serde(default)]
    pub tree: bool,
    /// What becomes of a payload that is too large for an invocation.
    #[serde(default)]
    pub large_payloads: LargePayloads,
}

impl FanOutCall {
    /// One function with a payload for each invocation. Errs where a payload can't be JSON.
    pub fn new(
        function_name: impl Into<String>,
        payloads: impl IntoIterator<Item = impl Serialize>,
    ) -> Result<Self, InvalidCall> {
        let made = |(index, payload)| {
            Json::of(&payload).map_err(|error| InvalidCall(format!("payloads[{index}]: {error}")))
        };
        let payloads: Vec<Json> = payloads.into_iter().enumerate().map(made).collect::<Result<_, _>>()?;
        Ok(Self { function_name: Some(function_name.into()), payloads: Some(payloads), ..Self::default() })
    }
}

/// One invocation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Invocation {
    /// The function, where it is not the call's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_name: Option<String>,
    /// Its version or alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// Any JSON, passed on as it came; none where it is not given.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Value>"))]
    pub payload: Option<Json>,
    /// What the function is told about its caller: an object, or one in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<Value>,
    /// The tenant on whose behalf it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The name of the durable execution that it starts: a second one of that name is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable_execution_name: Option<String>,
}

/// What becomes of a payload that is too large for an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum LargePayloads {
    /// It is not invoked.
    #[default]
    Reject,
    /// It is put on S3, and the function gets `{"payloadUri": "s3://…"}` in its place.
    Reference,
}

/// The rest of a fan-out, as it asks itself for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Continuation {
    /// The fan-out.
    pub run_id: RunId,
    /// Which branch of its tree, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<u64>,
}

/// What is wrong with a call, by field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCall(pub String);

/// The fields of a call.
const CALL_FIELDS: &[&str] = &[
    "runId",
    "functionName",
    "qualifier",
    "payloads",
    "payloadsUri",
    "invocations",
    "invocationsUri",
    "invocationType",
    "logType",
    "clientContext",
    "tenantId",
    "concurrency",
    "maxAttempts",
    "timeoutSeconds",
    "throttleTimeoutSeconds",
    "tolerated",
    "resultsUri",
    "idempotent",
    "retryFunctionErrors",
    "responseStream",
    "checkpointsAhead",
    "tree",
    "largePayloads",
];

/// The fields of an invocation.
const INVOCATION_FIELDS: &[&str] =
    &["functionName", "qualifier", "payload", "clientContext", "tenantId", "durableExecutionName"];

/// Reads a call. Errs by the field that is wrong.
pub fn read_call(text: &str) -> Result<FanOutCall, InvalidCall> {
    let members = members(text, "", CALL_FIELDS).map_err(InvalidCall)?;
    if let Some(invocations) = members.get("invocations") {
        let each: Vec<&RawValue> = serde_json::from_str(invocations.get()).unwrap_or_default();
        for (n, invocation) in each.into_iter().enumerate() {
            check_invocation(invocation.get(), &format!("invocations[{n}].")).map_err(InvalidCall)?;
        }
    }
    serde_json::from_str(text).map_err(|error| {
        // The position in the text is of no use to a caller who gave an event.
        let error = error.to_string();
        let why = error.rsplit_once(" at line ").map_or(error.as_str(), |(why, _)| why);
        InvalidCall(format!("malformed call of the fan-out: {why}"))
    })
}

fn check_invocation(text: &str, place: &str) -> Result<(), String> {
    members(text, place, INVOCATION_FIELDS).map(|_| ())
}

/// Reads the invocation of a line.
pub(crate) fn invocation_of(text: &str) -> Result<Invocation, String> {
    check_invocation(text, "")?;
    serde_json::from_str(text).map_err(|error| format!("malformed invocation: {error}"))
}

impl FanOutCall {
    /// What results depend on, beside a list that is not in the call: whom it invokes, how, with what, and
    /// where results go.
    pub(crate) fn identity(&self) -> String {
        let call = FanOutCall {
            function_name: self.function_name.clone(),
            qualifier: self.qualifier.clone(),
            payloads: self.payloads.clone(),
            invocations: self.invocations.clone(),
            invocation_type: self.invocation_type,
            client_context: self.client_context.clone(),
            tenant_id: self.tenant_id.clone(),
            results_uri: self.results_uri.clone(),
            ..FanOutCall::default()
        };
        serde_json::to_string(&call).expect("a call has string keys only")
    }

    /// Tells calls apart, whatever their ids.
    pub fn digest(&self) -> String {
        let call = FanOutCall { run_id: None, ..self.clone() };
        hex_digest(&[&serde_json::to_string(&call).expect("a call has string keys only")])
    }
}

#[cfg(all(test, feature = "schema"))]
mod tests {
    use super::*;

    #[test]
    fn the_known_fields_are_those_of_the_types() {
        let fields = |schema: Value| -> Vec<String> {
            let mut names: Vec<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
            names.sort_unstable();
            names
        };
        let sorted = |names: &[&str]| {
            let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(fields(crate::schema::of_call::<FanOutCall>("call")), sorted(CALL_FIELDS));
        assert_eq!(fields(crate::schema::of_call::<Invocation>("invocation")), sorted(INVOCATION_FIELDS));
    }
}
