//! A call that was checked: what is invoked, and on which terms.

use std::time::Duration;

use super::call::{FanOutCall, InvalidCall, Invocation, LargePayloads};
use super::limits::{
    CONCURRENCY_MAX, DEFAULT_CONCURRENCY, DEFAULT_MAX_ATTEMPTS, DEFAULT_THROTTLE_TIMEOUT_SECONDS,
    MAX_ATTEMPTS_MAX, THROTTLE_TIMEOUT_MAX_SECONDS, TIMEOUT_MAX_SECONDS,
};
use super::{FunctionName, Json, RetryPolicy, Targets, Tolerated, client_context};
use crate::domain::{RunId, S3Uri};
use crate::ports::{InvocationType, LogType};

/// Where the items come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Payloads in the call.
    Payloads(Vec<Json>),
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
    /// On whose behalf.
    pub tenant_id: Option<String>,
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
    /// How long it goes on while every call is refused for want of room.
    pub throttle_timeout: Duration,
    /// Whether answers are read as streams.
    pub response_stream: bool,
    /// Whether checkpoints name calls before there is room for them.
    pub checkpoints_ahead: bool,
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

impl FanOutCall {
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
        if let (Source::PayloadsUri(list) | Source::InvocationsUri(list), Some(results)) = (&source, &results)
            && list == results
        {
            let why = "resultsUri: is the list itself, which the results would replace; choose another key";
            return Err(InvalidCall(why.to_owned()));
        }
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
        if self.response_stream && self.invocation_type == InvocationType::Event {
            return Err("responseStream: an event has no answer; leave one of the two out".to_owned());
        }
        let throttle_timeout = within(
            "throttleTimeoutSeconds",
            self.throttle_timeout_seconds,
            DEFAULT_THROTTLE_TIMEOUT_SECONDS,
            THROTTLE_TIMEOUT_MAX_SECONDS,
        )?;
        let ceiling = within("concurrency", self.concurrency, DEFAULT_CONCURRENCY, CONCURRENCY_MAX)?;
        let timeout =
            within("timeoutSeconds", self.timeout_seconds, TIMEOUT_MAX_SECONDS, TIMEOUT_MAX_SECONDS)?;
        Ok(Terms {
            function,
            qualifier,
            client_context: self.client_context.as_ref().map(client_context).transpose()?,
            tenant_id: self.tenant_id.clone().map(tenant).transpose()?,
            targets: targets.clone(),
            invocation_type: self.invocation_type,
            log_type: if sync { self.log_type } else { LogType::None },
            ceiling,
            timeout: Duration::from_secs(timeout.into()),
            throttle_timeout: Duration::from_secs(throttle_timeout.into()),
            response_stream: self.response_stream,
            checkpoints_ahead: self.checkpoints_ahead || self.idempotent,
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

/// An invocation with what it takes from the call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resolved {
    pub(crate) function: FunctionName,
    pub(crate) qualifier: Option<String>,
    pub(crate) client_context: Option<String>,
    pub(crate) tenant_id: Option<String>,
    pub(crate) durable_execution_name: Option<String>,
}

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
        let client_context = match &invocation.client_context {
            Some(own) => Some(client_context(own)?),
            None => self.client_context.clone(),
        };
        let tenant_id = match &invocation.tenant_id {
            Some(own) => Some(tenant(own.clone())?),
            None => self.tenant_id.clone(),
        };
        let durable = invocation.durable_execution_name.clone().map(execution).transpose()?;
        Ok(Resolved { function, qualifier, client_context, tenant_id, durable_execution_name: durable })
    }
}

/// Source of both patterns: `Invoke` API reference.
fn tenant(text: String) -> Result<String, String> {
    let is_char = |c: char| c.is_ascii_alphanumeric() || "_.:/=+-@ ".contains(c);
    if (1..=256).contains(&text.len()) && text.chars().all(is_char) {
        return Ok(text);
    }
    Err(format!("tenantId: {text:?} must have 1 to 256 letters, digits, spaces and _.:/=+-@"))
}

fn execution(text: String) -> Result<String, String> {
    let is_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if (1..=64).contains(&text.len()) && text.chars().all(is_char) {
        return Ok(text);
    }
    Err(format!("durableExecutionName: {text:?} must have 1 to 64 letters, digits, '-' and '_'"))
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
    use serde_json::{Value, json};

    use super::*;
    use crate::fan_out::read_call;

    fn checked(value: Value) -> Result<Order, InvalidCall> {
        read_call(&value.to_string())?.check(&Targets::matching("task*").but_itself("fan-out"))
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
            .map(|of| (of.function.to_string(), of.qualifier, of.client_context.unwrap()))
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
                with("tenantId", json!("")),
                "tenantId: \"\" must have 1 to 256 letters, digits, spaces and _.:/=+-@",
            ),
            (
                json!({"functionName": "task", "payloads": [1], "invocationType": "Event", "responseStream": true}),
                "responseStream: an event has no answer; leave one of the two out",
            ),
            (
                json!({"invocations": [{"functionName": "task", "durableExecutionName": "a b"}]}),
                "invocations[0].durableExecutionName: \"a b\" must have 1 to 64 letters, digits, '-' and '_'",
            ),
            (
                json!({"functionName": "task", "payloadsUri": "s3://b/k", "resultsUri": "s3://b/k"}),
                "resultsUri: is the list itself, which the results would replace; choose another key",
            ),
            (
                json!({"functionName": "task", "payloads": [1], "tree": true, "tolerated": 3}),
                "tolerated: copies of the fan-out can't count together; with tree, give a part as in \"5%\"",
            ),
        ] {
            assert_eq!(checked(call).unwrap_err().to_string(), expected);
        }
    }
}
