//! Whether a value conforms to a JSON Schema.

use jsonschema::Validator;
use serde_json::Value;

/// A schema that has been read once.
#[derive(Debug)]
pub struct Checker(Validator);

impl Checker {
    /// Of a schema.
    ///
    /// # Panics
    ///
    /// Where it is no schema.
    pub fn of(schema: &Value) -> Self {
        Self(jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Whether the value conforms to it.
    pub fn passes(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }
}

/// Whether the value conforms to the schema.
///
/// # Panics
///
/// Where it is no schema.
pub fn conforms(schema: &Value, value: &Value) -> bool {
    Checker::of(schema).passes(value)
}
