//! JSON Schemas of its direct calls and of its answers.

use batchwright::events::JobStateChange;
use batchwright::schema::{of_answer, of_call};
use schemars::JsonSchema;
use serde_json::Value;

use crate::handler::{Call, Response};

/// The forms of a direct call.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "stands for its schema alone: a call is told from an event by its jobId")]
enum AnyCall {
    Call(Call),
    StateChange(Box<JobStateChange>),
}

/// What a direct call may hold.
pub fn call() -> Value {
    of_call::<AnyCall>("A direct call of the log collector")
}

/// What it answers.
pub fn answer() -> Value {
    of_answer::<Response>("What the log collector answers")
}
