//! JSON Schemas of what is taken and answered, made from the types that read and write it.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The schema of what is read as a `T`.
pub fn of_call<T: JsonSchema>(title: &str) -> Value {
    made::<T>(SchemaSettings::draft2020_12().for_deserialize(), title)
}

/// The schema of what a `T` is written as.
pub fn of_answer<T: JsonSchema>(title: &str) -> Value {
    made::<T>(SchemaSettings::draft2020_12().for_serialize(), title)
}

fn made<T: JsonSchema>(settings: SchemaSettings, title: &str) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}
