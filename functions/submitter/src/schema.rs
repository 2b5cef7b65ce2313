//! JSON Schemas of its direct calls and of its answers.

use batchwright::job_file::required_after_defaults;
use batchwright::schema::{of_answer, of_call};
use schemars::Schema;
use serde_json::{Value, json};

use crate::handler::Response;
use crate::request::Direct;

/// What a direct call may hold.
pub fn call() -> Value {
    of_call::<Direct>("A direct call of the submitter")
}

/// What it answers.
pub fn answer() -> Value {
    of_answer::<Response>("What the submitter answers")
}

/// Each field is one form of the call; the defaults go with the jobs alone.
pub(crate) fn one_form(schema: &mut Schema) {
    schema.remove("required");
    schema.insert(
        "oneOf".to_owned(),
        json!([{"required": ["jobs"]}, {"required": ["uri"]}, {"required": ["continue"]}]),
    );
    schema.insert("dependentRequired".to_owned(), json!({"defaults": ["jobs"]}));
    schema.insert("not".to_owned(), json!({"required": ["continue", "rerun"]}));
    required_after_defaults(schema);
}
