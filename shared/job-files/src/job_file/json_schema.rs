//! The schema of job files as a JSON Schema, for editors and for callers.
//!
//! It holds the fields, their types, bounds and patterns. What must hold between fields or between jobs
//! it leaves to the check itself.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::job_schema::{DEFINITION, JOB};
use super::nothing::is_ours;
use super::schema::{Field, Kind, Object};

/// The one field of a job that has no default.
const NAME: &str = "jobName";

/// A job file in JSON or YAML, or a line of JSON Lines.
#[derive(Debug)]
pub struct JobDocument;

/// A job whose other required fields may come from defaults.
#[derive(Debug)]
pub struct Job;

/// What is filled in where a job leaves it out.
#[derive(Debug)]
pub struct Defaults;

/// The fields of a job, none required.
struct JobFields;

struct Definition;

impl JsonSchema for JobDocument {
    fn schema_name() -> Cow<'static, str> {
        "JobDocument".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (job, defaults) = (generator.subschema_for::<Job>(), generator.subschema_for::<Defaults>());
        let definition = generator.subschema_for::<Definition>();
        let whole_job = json!({"allOf": [job], "required": required(&JOB)});
        let mut parts = json_schema!({
            "description": "jobs, and what stands beside them",
            "type": "object",
            "required": ["jobs"],
            "properties": {
                "defaults": defaults,
                "dependsOnKnown": {
                    "description": "jobs may depend by jobName on jobs of earlier files, too",
                    "type": "boolean",
                },
                "jobs": {"type": "array", "items": job, "minItems": 1},
                "local": {
                    "description": "for the embedded engine only",
                    "type": "object",
                    "properties": {
                        "jobDefinitions": {"type": "array", "items": definition},
                        "containers": {
                            "description": "what runs the images of jobs; without it jobs are processes",
                            "enum": ["docker", "podman", "auto"],
                        },
                        "workdir": {
                            "description": "the folder in which jobs run; without it each attempt has an empty one",
                            "type": "string",
                            "minLength": 1,
                        },
                    },
                    "additionalProperties": false,
                },
            },
            "additionalProperties": false,
        });
        required_after_defaults(&mut parts);
        json_schema!({
            "anyOf": [
                parts,
                {"description": "a list of jobs", "type": "array", "items": whole_job, "minItems": 1},
                whole_job,
            ],
        })
    }
}

impl JsonSchema for Job {
    fn schema_name() -> Cow<'static, str> {
        "Job".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"allOf": [generator.subschema_for::<JobFields>()], "required": [NAME]})
    }
}

impl JsonSchema for Defaults {
    fn schema_name() -> Cow<'static, str> {
        "Defaults".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"allOf": [generator.subschema_for::<JobFields>()], "properties": {NAME: false}})
    }
}

impl JsonSchema for JobFields {
    fn schema_name() -> Cow<'static, str> {
        "JobFields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = of_object(&JOB);
        schema.remove("required");
        schema.into()
    }
}

impl JsonSchema for Definition {
    fn schema_name() -> Cow<'static, str> {
        "JobDefinition".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        of_object(&DEFINITION).into()
    }
}

/// Adds to the schema of an object with `jobs` and `defaults` that each required field stands in the
/// defaults or in every job.
pub fn required_after_defaults(schema: &mut Schema) {
    let rule = |field: &str| {
        json!({"anyOf": [
            {"required": ["defaults"], "properties": {"defaults": {"required": [field]}}},
            {"properties": {"jobs": {"items": {"required": [field]}}}},
        ]})
    };
    let rules: Vec<Value> = required(&JOB).into_iter().filter(|field| *field != NAME).map(rule).collect();
    schema.insert("allOf".to_owned(), rules.into());
}

fn required(object: &Object) -> Vec<&'static str> {
    object.fields.iter().filter(|field| field.required).map(|field| field.name).collect()
}

fn of_object(object: &Object) -> Map<String, Value> {
    let properties = object.fields.iter().map(|field| (field.name.to_owned(), of_field(field)));
    let mut schema = Map::from_iter([
        ("type".to_owned(), "object".into()),
        ("properties".to_owned(), Value::Object(properties.collect())),
        ("additionalProperties".to_owned(), false.into()),
    ]);
    let required = required(object);
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

/// A member that is optional may also say nothing: `null` and, where the field is AWS's, `{}`.
fn of_field(field: &Field) -> Value {
    let mut schema = of_kind(&field.kind);
    let Some(members) = schema.as_object_mut().filter(|_| !field.required) else { return schema };
    if let Some(kind) = members.get_mut("type") {
        *kind = json!([kind, "null"]);
    }
    if let Some(Value::Array(words)) = members.get_mut("enum") {
        words.push(Value::Null);
    }
    if !is_ours(field.name)
        && let Some(required) = members.remove("required")
    {
        members.insert("anyOf".to_owned(), json!([{"maxProperties": 0}, {"required": required}]));
    }
    schema
}

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Text(rule) => match rule.pattern {
            Some(pattern) => json!({"type": "string", "minLength": 1, "pattern": pattern}),
            None => json!({"type": "string", "minLength": 1}),
        },
        Kind::AnyText => json!({"type": "string"}),
        Kind::Anything => json!({}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Whole(least, i64::MAX) => json!({"type": "integer", "minimum": least}),
        Kind::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::OneOf(words) => json!({"enum": words}),
        Kind::List(item, usize::MAX, _) => json!({"type": "array", "items": of_kind(item)}),
        Kind::List(item, most, _) => json!({"type": "array", "items": of_kind(item), "maxItems": most}),
        Kind::Map(_) => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Kind::Object(object) => of_object(object).into(),
        Kind::TextOrObject(rule, object) => {
            let pattern = rule.pattern.unwrap_or_default();
            let text = json!({"type": "string", "minLength": 1, "pattern": pattern});
            json!({"anyOf": [text, of_object(object)]})
        }
    }
}
