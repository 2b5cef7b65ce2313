//! The command line as a call of the fan-out.

use batchwright::fan_out::limits::HELD_RESULTS_MAX_BYTES;
use batchwright::fan_out::{FanOutCall, Json, ResultOrder, read_call};
use serde_json::{Value, json};

use super::usage;
use crate::args::{InvokeArgs, Ordered};
use crate::exit::Failure;

/// The call, with the payloads that stand on the command line.
pub(super) fn of(args: &InvokeArgs) -> Result<FanOutCall, Failure> {
    let mut call = json!({
        "functionName": args.function,
        "invocationType": args.invocation_type,
        "logType": if args.log_tail { "Tail" } else { "None" },
        "concurrency": args.concurrency,
        "idempotent": args.idempotent,
        "retryFunctionErrors": args.retry_function_errors,
        "responseStream": args.response_stream,
    });
    let context = args.client_context.as_deref();
    for (name, value) in [
        ("qualifier", args.qualifier.as_deref().map(Value::from)),
        (
            "clientContext",
            context.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))),
        ),
        ("tenantId", args.tenant_id.as_deref().map(Value::from)),
        ("maxAttempts", args.max_attempts.map(Value::from)),
        ("timeoutSeconds", args.timeout.map(Value::from)),
        ("throttleTimeoutSeconds", args.throttle_timeout.map(Value::from)),
        (
            "tolerated",
            args.tolerated.as_deref().map(|text| text.parse::<u64>().map_or(text.into(), Value::from)),
        ),
    ] {
        if let Some(value) = value {
            call[name] = value;
        }
    }
    let mut call = read_call(&call.to_string()).map_err(usage)?;
    if args.payloads.is_none() {
        let payloads: Result<Vec<Json>, Failure> = args.payload.iter().map(payload).collect();
        call.payloads = Some(payloads?);
    }
    Ok(call)
}

/// As it was written: the text of a payload, not its value, is what a function gets.
fn payload(text: &String) -> Result<Json, Failure> {
    Json::parse(text).map_err(|error| {
        Failure::Usage(format!("--payload {text}: not JSON: {error}; put text in \"quotes\""))
    })
}

/// In which order results are wanted.
pub(super) fn order(args: &InvokeArgs) -> ResultOrder {
    match args.order {
        Ordered::List => ResultOrder::List { held_max_bytes: HELD_RESULTS_MAX_BYTES },
        Ordered::Completion => ResultOrder::Completion,
    }
}
