//! JSON Schemas of its direct calls and of its answers.

use batchwright::schema::{of_answer, of_call};
use serde_json::Value;

use crate::answer::Response;
use crate::call::Call;

/// What a direct call may hold.
pub fn call() -> Value {
    of_call::<Call>("A direct call of the S3 serializer")
}

/// What it answers.
pub fn answer() -> Value {
    of_answer::<Response>("What the S3 serializer answers")
}
