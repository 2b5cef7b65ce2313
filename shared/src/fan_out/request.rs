//! What a fan-out is asked for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::limits::{
    CONCURRENCY_MAX, DEFAULT_CONCURRENCY, DEFAULT_MAX_ATTEMPTS, MAX_ATTEMPTS_MAX, TIMEOUT_MAX_SECONDS,
};
use super::{FunctionName, RetryPolicy, Targets, check_fields, client_context};
use crate::domain::ids::hex_digest;
use crate::domain::{RunId, S3Uri};
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
    /// One payload for each invocation: any JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub payloads: Option<Vec<Value>>,
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
    /// The most invocations under way: 100 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000)))]
    pub concurrency: Option<u32>,
    /// Attempts at one invocation in all: 10 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub max_attempts: Option<u32>,
    /// How long one answer is waited for: 960 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 960)))]
    pub timeout_seconds: Option<u32>,
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
    /// A long list is split among copies of the fan-out.
    #[serde(default)]
    pub tree: bool,
    /// What becomes of a payload that is too large for an invocation.
    #[serde(default)]
    pub large_payloads: LargePayloads,
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
    /// Any JSON; none where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// What the function is told about its caller: an object, or one in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<Value>,
}

/// How many may fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Tolerated {
    /// So many.
    Count(u64),
    /// So many of a hundred, as in "5%".
    Percent(#[cfg_attr(feature = "schema", schemars(extend("pattern" = "^(100|[0-9]{1,2})%$")))] String),
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

/// Where the items come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Payloads in the call.
    Payloads(Vec<Value>),
    /// Invocations in the call.
    Invocations(Vec<Invocation>),
    /// A payload a line.
    PayloadsUri(S3Uri),
    /// An invocation a line.
    InvocationsUri(S3Uri),
}

/// How every item is invoked.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The function of those that name none.
    pub function: Option<FunctionName>,
    /// Its version or alias.
    pub qualifier: Option<String>,
    /// In base64.
    pub client_context: Option<String>,
    /// Which functions may be invoked.
    pub targets: Targets,
    /// How they are invoked.
    pub invocation_type: InvocationType,
    /// Whether the end of the log is wanted.
    pub log_type: LogType,
    /// The most under way.
    pub ceiling: u32,
    /// How long one answer is waited for.
    pub timeout: Duration,
    /// What is tried again.
    pub retry: RetryPolicy,
    /// How many may fail.
    pub tolerated: Option<Tolerated>,
    /// What becomes of a payload that is too large.
    pub large_payloads: LargePayloads,
}

/// A call that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its id, where one was given.
    pub run_id: Option<RunId>,
    /// Where the items come from.
    pub source: Source,
    /// How they are invoked.
    pub terms: Terms,
    /// Where the results go.
    pub results: Option<S3Uri>,
    /// Whether the list is split.
    pub tree: bool,
}

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
    "concurrency",
    "maxAttempts",
    "timeoutSeconds",
    "tolerated",
    "resultsUri",
    "idempotent",
    "retryFunctionErrors",
    "tree",
    "largePayloads",
];

/// The fields of an invocation.
const INVOCATION_FIELDS: &[&str] = &["functionName", "qualifier", "payload", "clientContext"];

/// Reads a call. Errs by the field that is wrong.
pub fn read_call(value: Value) -> Result<FanOutCall, InvalidCall> {
    check_fields(&value, "", CALL_FIELDS).map_err(InvalidCall)?;
    for (n, invocation) in value["invocations"].as_array().into_iter().flatten().enumerate() {
        check_fields(invocation, &format!("invocations[{n}]."), INVOCATION_FIELDS).map_err(InvalidCall)?;
    }
    serde_json::from_value(value)
        .map_err(|error| InvalidCall(format!("malformed call of the fan-out: {error}")))
}

/// Reads the invocation of a line.
pub(crate) fn invocation_of(value: Value) -> Result<Invocation, String> {
    check_fields(&value, "", INVOCATION_FIELDS)?;
    serde_json::from_value(value).map_err(|error| format!("malformed invocation: {error}"))
}

impl FanOutCall {
    /// Tells calls apart, whatever their ids.
    pub fn digest(&self) -> String {
        let call = FanOutCall { run_id: None, ..self.clone() };
        hex_digest(&[&serde_json::to_string(&call).expect("a call has string keys only")])
    }

    /// Checks the call as a whole: what it invokes, how often, and what of the two is missing. Errs by field.
    pub fn check(self, targets: &Targets) -> Result<Order, InvalidCall> {
        let terms = self.terms(targets)?;
        let source = self.source().map_err(InvalidCall)?;
        let per_item = matches!(source, Source::Invocations(_) | Source::InvocationsUri(_));
        if terms.function.is_none() && !per_item {
            return Err(InvalidCall("functionName: is missing; name the function to invoke".to_owned()));
        }
        if let Source::Invocations(invocations) = &source {
            for (n, invocation) in invocations.iter().enumerate() {
                let checked = terms.resolve(invocation);
                checked.map_err(|why| InvalidCall(format!("invocations[{n}].{why}")))?;
            }
        }
        let results = self.results_uri.as_deref().map(|uri| uri_of("resultsUri", uri)).transpose();
        let results = results.map_err(InvalidCall)?;
        if self.tree && matches!(self.tolerated, Some(Tolerated::Count(_))) {
            let why =
                "tolerated: copies of the fan-out can't count together; with tree, give a part as in \"5%\"";
            return Err(InvalidCall(why.to_owned()));
        }
        Ok(Order { run_id: self.run_id, source, terms, results, tree: self.tree })
    }

    /// How every item is to be invoked, wherever the items come from. Errs by field.
    pub fn terms(&self, targets: &Targets) -> Result<Terms, InvalidCall> {
        self.checked_terms(targets).map_err(InvalidCall)
    }

    fn checked_terms(&self, targets: &Targets) -> Result<Terms, String> {
        let function = self.function_name.as_deref().map(|text| function_of(text, targets)).transpose()?;
        let qualifier = match &function {
            Some(function) => function.with_qualifier(self.qualifier.as_deref())?,
            None if self.qualifier.is_some() => {
                return Err(
                    "qualifier: is of no use without functionName; give it with each invocation".to_owned()
                );
            }
            None => None,
        };
        let sync = self.invocation_type == InvocationType::RequestResponse;
        let ceiling = within("concurrency", self.concurrency, DEFAULT_CONCURRENCY, CONCURRENCY_MAX)?;
        let timeout =
            within("timeoutSeconds", self.timeout_seconds, TIMEOUT_MAX_SECONDS, TIMEOUT_MAX_SECONDS)?;
        Ok(Terms {
            function,
            qualifier,
            client_context: self.client_context.as_ref().map(client_context).transpose()?,
            targets: targets.clone(),
            invocation_type: self.invocation_type,
            log_type: if sync { self.log_type } else { LogType::None },
            ceiling,
            timeout: Duration::from_secs(timeout.into()),
            retry: RetryPolicy {
                max_attempts: within(
                    "maxAttempts",
                    self.max_attempts,
                    DEFAULT_MAX_ATTEMPTS,
                    MAX_ATTEMPTS_MAX,
                )?,
                idempotent: self.idempotent,
                retry_function_errors: self.retry_function_errors,
            },
            tolerated: self.tolerated.as_ref().map(Tolerated::checked).transpose()?,
            large_payloads: self.large_payloads,
        })
    }

    fn source(&self) -> Result<Source, String> {
        let empty = |name: &str| Err(format!("{name}: is empty; give one entry at least"));
        match (&self.payloads, &self.payloads_uri, &self.invocations, &self.invocations_uri) {
            (Some(payloads), None, None, None) if payloads.is_empty() => empty("payloads"),
            (Some(payloads), None, None, None) => Ok(Source::Payloads(payloads.clone())),
            (None, Some(uri), None, None) => Ok(Source::PayloadsUri(uri_of("payloadsUri", uri)?)),
            (None, None, Some(invocations), None) if invocations.is_empty() => empty("invocations"),
            (None, None, Some(invocations), None) => Ok(Source::Invocations(invocations.clone())),
            (None, None, None, Some(uri)) => Ok(Source::InvocationsUri(uri_of("invocationsUri", uri)?)),
            (None, None, None, None) => {
                Err("no payloads; give payloads, payloadsUri, invocations or invocationsUri".to_owned())
            }
            _ => Err("a call has one of payloads, payloadsUri, invocations and invocationsUri".to_owned()),
        }
    }
}

/// An invocation with what it takes from the call: the function, its qualifier, the client context.
pub(crate) type Resolved = (FunctionName, Option<String>, Option<String>);

impl Terms {
    /// Whom an invocation calls, and how it introduces itself.
    pub(crate) fn resolve(&self, invocation: &Invocation) -> Result<Resolved, String> {
        let (function, qualifier) = match (&invocation.function_name, &self.function) {
            (Some(text), _) => {
                let function = function_of(text, &self.targets)?;
                let qualifier = function.with_qualifier(invocation.qualifier.as_deref())?;
                (function, qualifier)
            }
            (None, Some(function)) => {
                let qualifier = match &invocation.qualifier {
                    Some(own) => function.with_qualifier(Some(own))?,
                    None => self.qualifier.clone(),
                };
                (function.clone(), qualifier)
            }
            (None, None) => return Err("functionName: is missing; name the function to invoke".to_owned()),
        };
        let context = match &invocation.client_context {
            Some(own) => Some(client_context(own)?),
            None => self.client_context.clone(),
        };
        Ok((function, qualifier, context))
    }
}

impl Tolerated {
    fn checked(&self) -> Result<Tolerated, String> {
        match self {
            Tolerated::Percent(text) if percent(text).is_none() => {
                Err(format!("tolerated: {text:?} is no number and no part of all; write it as 5 or \"5%\""))
            }
            other => Ok(other.clone()),
        }
    }

    /// Whether the number of items must be known before the first is invoked.
    pub fn needs_total(&self) -> bool {
        matches!(self, Tolerated::Percent(_))
    }

    /// The most that may fail of so many.
    pub fn of(&self, total: u64) -> u64 {
        match self {
            Tolerated::Count(count) => *count,
            Tolerated::Percent(text) => total.saturating_mul(percent(text).unwrap_or(0)) / 100,
        }
    }
}

fn percent(text: &str) -> Option<u64> {
    text.strip_suffix('%')?.parse().ok().filter(|percent| *percent <= 100)
}

fn function_of(text: &str, targets: &Targets) -> Result<FunctionName, String> {
    let function = FunctionName::parse(text).map_err(|why| format!("functionName: {why}"))?;
    targets.check(&function).map_err(|why| format!("functionName: {why}"))?;
    Ok(function)
}

fn uri_of(field: &str, text: &str) -> Result<S3Uri, String> {
    S3Uri::parse(text).map_err(|error| format!("{field}: {error}"))
}

fn within(field: &str, given: Option<u32>, default: u32, most: u32) -> Result<u32, String> {
    match given.unwrap_or(default) {
        value if (1..=most).contains(&value) => Ok(value),
        value => Err(format!("{field}: must be a whole number from 1 to {most}, not {value}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(value: Value) -> Result<Order, InvalidCall> {
        read_call(value)?.check(&Targets::matching("task*").but_itself("fan-out"))
    }

    #[test]
    fn a_call_is_filled_in() {
        let order = checked(json!({"functionName": "task:live", "payloads": [1, null]})).unwrap();
        let Terms { ceiling, timeout, retry, log_type, .. } = &order.terms;
        assert_eq!(
            (*ceiling, timeout.as_secs(), retry.max_attempts, *log_type),
            (100, 960, 10, LogType::None)
        );
        assert_eq!((order.results, order.tree), (None, false));
        let order = checked(
            json!({"functionName": "task", "payloads": [1], "invocationType": "Event", "logType": "Tail"}),
        );
        assert_eq!(order.unwrap().terms.log_type, LogType::None, "an event has no log to wait for");
    }

    #[test]
    fn an_invocation_takes_from_the_call_what_it_does_not_say() {
        let order = checked(json!({
            "functionName": "task", "qualifier": "live", "clientContext": {"a": 1},
            "invocations": [{"payload": 1}, {"functionName": "task2", "clientContext": {"b": 2}}, {"qualifier": "7"}],
        }))
        .unwrap();
        let Source::Invocations(invocations) = &order.source else { panic!("{order:?}") };
        let resolved: Vec<_> = invocations
            .iter()
            .map(|invocation| order.terms.resolve(invocation).unwrap())
            .map(|(function, qualifier, context)| (function.to_string(), qualifier, context.unwrap()))
            .collect();
        let live = Some("live".to_owned());
        assert_eq!(
            resolved,
            [
                ("task".to_owned(), live, "eyJhIjoxfQ==".to_owned()),
                ("task2".to_owned(), None, "eyJiIjoyfQ==".to_owned()),
                ("task".to_owned(), Some("7".to_owned()), "eyJhIjoxfQ==".to_owned()),
            ]
        );
    }

    #[test]
    fn nonsense_is_refused_by_field() {
        let with = |field: &str, value: Value| {
            let mut call = json!({"functionName": "task", "payloads": [1]});
            call[field] = value;
            call
        };
        for (call, expected) in [
            (json!(7), "the call: must be an object"),
            (
                json!({"functionName": "task"}),
                "no payloads; give payloads, payloadsUri, invocations or invocationsUri",
            ),
            (json!({"payloads": [1]}), "functionName: is missing; name the function to invoke"),
            (with("payloads", json!([])), "payloads: is empty; give one entry at least"),
            (
                with("payloadUri", json!("s3://b/k")),
                "payloadUri: unknown field; the nearest known one is \"payloadsUri\"",
            ),
            (with("colour", json!(1)), "colour: unknown field, and no known one is near; remove it"),
            (
                with("payloadsUri", json!("s3://b/k")),
                "a call has one of payloads, payloadsUri, invocations and invocationsUri",
            ),
            (with("concurrency", json!(0)), "concurrency: must be a whole number from 1 to 10000, not 0"),
            (
                with("concurrency", json!(10_001)),
                "concurrency: must be a whole number from 1 to 10000, not 10001",
            ),
            (
                with("timeoutSeconds", json!(961)),
                "timeoutSeconds: must be a whole number from 1 to 960, not 961",
            ),
            (with("maxAttempts", json!(101)), "maxAttempts: must be a whole number from 1 to 100, not 101"),
            (
                with("tolerated", json!("half")),
                "tolerated: \"half\" is no number and no part of all; write it as 5 or \"5%\"",
            ),
            (
                with("tolerated", json!("101%")),
                "tolerated: \"101%\" is no number and no part of all; write it as 5 or \"5%\"",
            ),
            (
                with("resultsUri", json!("k")),
                "resultsUri: \"k\" is not an S3 URI; write it as s3://bucket/key",
            ),
            (
                with("clientContext", json!("%")),
                "clientContext: not base64: Invalid symbol 37, offset 0.; give the object itself, or encode it with padding",
            ),
            (
                with("invocationType", json!("Sync")),
                "malformed call of the fan-out: unknown variant `Sync`, expected one of `RequestResponse`, `Event`, `DryRun`",
            ),
            (
                with("logType", json!("tail")),
                "malformed call of the fan-out: unknown variant `tail`, expected `None` or `Tail`",
            ),
            (
                with("runId", json!("a/b")),
                "malformed call of the fan-out: run id \"a/b\" may hold only letters, digits, '_', '-' and '.'",
            ),
            (
                with("functionName", json!("other")),
                "functionName: other is not among the functions that may be invoked (task*); add it to the stack's FanOutTargets",
            ),
            (
                with("functionName", json!("fan-out")),
                "functionName: fan-out is the fan-out itself, and would call itself without end; name another",
            ),
            (
                json!({"invocations": [{"functionName": "task"}, {"functionNam": "task"}]}),
                "invocations[1].functionNam: unknown field; the nearest known one is \"functionName\"",
            ),
            (json!({"invocations": [1]}), "invocations[0]: must be an object"),
            (
                json!({"invocations": [{}]}),
                "invocations[0].functionName: is missing; name the function to invoke",
            ),
            (
                json!({"functionName": "task", "payloads": [1], "tree": true, "tolerated": 3}),
                "tolerated: copies of the fan-out can't count together; with tree, give a part as in \"5%\"",
            ),
        ] {
            assert_eq!(checked(call).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_part_of_all_is_rounded_down() {
        for (tolerated, total, expected) in [
            (Tolerated::Count(7), 3, 7),
            (Tolerated::Percent("5%".to_owned()), 199, 9),
            (Tolerated::Percent("0%".to_owned()), 1_000, 0),
            (Tolerated::Percent("100%".to_owned()), 1_000, 1_000),
        ] {
            assert_eq!(tolerated.of(total), expected, "{tolerated:?} of {total}");
        }
    }

    #[cfg(feature = "schema")]
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
