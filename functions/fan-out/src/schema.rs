//! JSON Schemas of its calls and of its answers.

use batchwright::fan_out::{Continuation, FanOutCall};
use batchwright::schema::{of_answer, of_call};
use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::response::Response;

/// A call, or the rest of one.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "for its schema alone")]
enum Call {
    List(#[schemars(transform = one_list)] Box<FanOutCall>),
    Rest { r#continue: Continuation },
}

/// Exactly one of the four ways to give a list; a list of payloads has one function.
fn one_list(schema: &mut schemars::Schema) {
    let one = json!([
        {"required": ["payloads", "functionName"]},
        {"required": ["payloadsUri", "functionName"]},
        {"required": ["invocations"]},
        {"required": ["invocationsUri"]},
    ]);
    schema.insert("oneOf".to_owned(), one);
}

/// What a call may hold.
pub fn call() -> Value {
    of_call::<Call>("A call of the fan-out")
}

/// What it answers.
pub fn answer() -> Value {
    of_answer::<Response>("What the fan-out answers")
}
