//! JSON Schemas of the events it can be called with and of its answers.

use batchwright::events::{JobStateChange, QueueBlocked};
use batchwright::schema::{of_answer, of_call};
use schemars::JsonSchema;
use serde_json::Value;

use crate::handler::Response;

/// The forms of a direct call.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "stands for its schema alone: the events are told apart by their source")]
enum Call {
    StateChange(Box<JobStateChange>),
    QueueBlocked(QueueBlocked),
}

/// What a direct call may hold.
pub fn call() -> Value {
    of_call::<Call>("A direct call of the state handler")
}

/// What it answers.
pub fn answer() -> Value {
    of_answer::<Response>("What the state handler answers")
}
