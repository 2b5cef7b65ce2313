//! What the fan-out is asked for.

use std::collections::BTreeMap;

use batchwright::domain::RunId;
use batchwright::events::EventError;
use batchwright::fan_out::{Continuation, FanOutCall, InvalidCall, Order, Source, read_call};
use batchwright::function::{FunctionError, Invocation};
use batchwright::use_cases::fan_out::{RunPlace, StoredOrder, readable, writable};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::config::Config;

/// One call.
#[derive(Debug)]
pub(crate) enum Request {
    /// A list to invoke.
    Call(Box<Job>),
    /// The rest of one.
    Continue(Continuation),
}

/// A fan-out, or a branch of one.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) call: FanOutCall,
    pub(crate) order: Order,
    pub(crate) digest: String,
    pub(crate) place: RunPlace,
    pub(crate) first: u64,
    pub(crate) end: Option<u64>,
    /// Whether the call is kept already for those who go on with it.
    pub(crate) is_stored: bool,
}

/// What an event may be, of which a call is read as it came.
#[derive(Deserialize)]
struct Rest {
    r#continue: Option<Continuation>,
}

/// Reads an event. Errs by the field that is wrong.
pub(crate) fn read(
    event: &RawValue,
    config: &Config,
    invocation: &Invocation,
) -> Result<Request, FunctionError> {
    let members: BTreeMap<String, IgnoredAny> = serde_json::from_str(event.get()).unwrap_or_default();
    if members.contains_key("continue") {
        let rest: Rest = serde_json::from_str(event.get()).map_err(|error| EventError::Malformed {
            kind: "continuation of a fan-out",
            reason: error.to_string(),
        })?;
        if let Some(continuation) = rest.r#continue {
            return Ok(Request::Continue(continuation));
        }
    }
    let call = read_call(event.get()).map_err(refused)?;
    let run_id = match &call.run_id {
        Some(run_id) => run_id.clone(),
        None => RunId::derive("fan-out", "direct call", &invocation.request_id),
    };
    let digest = call.digest();
    Job::of(call, digest, run_id, config, invocation).map(|job| Request::Call(Box::new(job)))
}

impl Job {
    fn of(
        call: FanOutCall,
        digest: String,
        run_id: RunId,
        config: &Config,
        invocation: &Invocation,
    ) -> Result<Self, FunctionError> {
        let targets = config.targets.but_itself(&invocation.function_name);
        let order = call.clone().check(&targets).map_err(refused)?;
        let refuse = |why: String| refused(InvalidCall(why));
        match &order.source {
            Source::PayloadsUri(uri) => readable("payloadsUri", uri, &config.bucket).map_err(refuse)?,
            Source::InvocationsUri(uri) => readable("invocationsUri", uri, &config.bucket).map_err(refuse)?,
            Source::Payloads(_) | Source::Invocations(_) => {}
        }
        if let Some(uri) = &order.results {
            writable("resultsUri", uri, &config.bucket).map_err(refuse)?;
        }
        let place = RunPlace { bucket: config.bucket.clone(), run_id, branch: None };
        Ok(Self { call, order, digest, place, first: 0, end: None, is_stored: false })
    }

    /// A call that was kept.
    pub(crate) fn stored(
        stored: StoredOrder,
        run_id: RunId,
        config: &Config,
        invocation: &Invocation,
    ) -> Result<Self, FunctionError> {
        let job = Self::of(stored.call, stored.digest, run_id, config, invocation)?;
        Ok(Self { is_stored: true, ..job })
    }
}

/// The call that has the fan-out go on.
pub(crate) fn continuation(place: &RunPlace) -> Value {
    json!({"continue": Continuation { run_id: place.run_id.clone(), branch: place.branch }})
}

fn refused(error: InvalidCall) -> FunctionError {
    FunctionError::Refused(error.to_string())
}
