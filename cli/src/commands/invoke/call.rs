//! The command line as a call of the fan-out.

use batchwright::fan_out::limits::HELD_RESULTS_MAX_BYTES;
use batchwright::fan_out::{FanOutCall, InvalidCall, Json, ResultOrder, read_call};
use serde_json::{Value, json};

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
    let mut call = read_call(&call.to_string()).map_err(|error| by_option(&error))?;
    if args.payloads.is_none() {
        let payloads: Result<Vec<Json>, Failure> = args.payload.iter().map(payload).collect();
        call.payloads = Some(payloads?);
    }
    Ok(call)
}

/// Fields of a call, and the options that fill them.
const OPTIONS: [(&str, &str); 11] = [
    ("clientContext", "--client-context"),
    ("concurrency", "--concurrency"),
    ("functionName", "FUNCTION"),
    ("maxAttempts", "--max-attempts"),
    ("payloads", "--payload"),
    ("qualifier", "--qualifier"),
    ("responseStream", "--response-stream"),
    ("tenantId", "--tenant-id"),
    ("throttleTimeoutSeconds", "--throttle-timeout"),
    ("timeoutSeconds", "--timeout"),
    ("tolerated", "--tolerated"),
];

/// What is wrong with a call, told by the option in place of the field.
pub(super) fn by_option(error: &InvalidCall) -> Failure {
    let text = error.to_string();
    let by_option = text.split_once(':').and_then(|(field, why)| {
        let (_, option) = OPTIONS.iter().find(|(known, _)| *known == field)?;
        Some(format!("{option}:{why}"))
    });
    Failure::Usage(by_option.unwrap_or(text))
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

#[cfg(test)]
mod tests {
    use batchwright::fan_out::Targets;
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: InvokeArgs,
    }

    #[test]
    fn what_is_wrong_is_told_by_the_option() {
        for (args, expected) in [
            (
                &["f", "--concurrency", "0"][..],
                "--concurrency: must be a whole number from 1 to 10000, not 0",
            ),
            (&["f", "--timeout", "961"], "--timeout: must be a whole number from 1 to 960, not 961"),
            (&["f", "--max-attempts", "0"], "--max-attempts: must be"),
            (&["f", "--throttle-timeout", "0"], "--throttle-timeout: must be"),
            (&["f", "--tenant-id", "a\u{e9}"], "--tenant-id: "),
            (&["f", "--tolerated", "half"], "--tolerated: \"half\" is no number"),
            (&["f", "--client-context", "x"], "--client-context: not base64"),
            (&["f", "--qualifier", "a b"], "--qualifier: "),
            (&["f", "--type", "Event", "--response-stream"], "--response-stream: an event has no answer"),
            (&["a b"], "FUNCTION: \"a b\" is no function"),
        ] {
            let all = [&["invoke"], args, &["--payload", "1"]].concat();
            let args = Program::try_parse_from(all).unwrap_or_else(|error| panic!("{error}")).args;
            let terms =
                of(&args).and_then(|call| call.terms(&Targets::any()).map_err(|error| by_option(&error)));
            let Err(Failure::Usage(told)) = terms else { panic!("{expected}") };
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
