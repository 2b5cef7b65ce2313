//! JSON Schemas of its direct calls and of its answers.

use std::borrow::Cow;

use batchwright::schema::{of_answer, of_call};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::handler::{Response, SCHEDULES};

/// A schedule's event, or an object that is no one else's event.
struct Call;

impl JsonSchema for Call {
    fn schema_name() -> Cow<'static, str> {
        "Call".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {"source": {"enum": SCHEDULES}},
            "anyOf": [{"required": ["source"]}, {"properties": {"Records": false}}],
        })
    }
}

/// What a direct call may hold.
pub fn call() -> Value {
    of_call::<Call>("A direct call of the reconciler")
}

/// What it answers.
pub fn answer() -> Value {
    of_answer::<Response>("What the reconciler answers")
}
