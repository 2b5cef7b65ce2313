//! Whether a value conforms to a JSON Schema: the keywords that the schemas of this workspace use.

use serde_json::{Map, Value};

/// Keywords that are passed over: they say nothing of a value, or, as a pattern, describe a rule that the reader of
/// job files checks in code of its own.
const SILENT: [&str; 8] = ["$schema", "$defs", "title", "description", "default", "format", "pattern", "$id"];

/// Whether the value conforms to the schema.
///
/// # Panics
///
/// Where the schema has a keyword that is not known here.
pub fn conforms(schema: &Value, value: &Value) -> bool {
    fits(schema, schema, value)
}

fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    match schema {
        Value::Bool(any) => *any,
        Value::Object(keywords) => keywords.iter().all(|(keyword, rule)| {
            SILENT.contains(&keyword.as_str()) || keeps(root, keywords, keyword, rule, value)
        }),
        other => panic!("{other} is no schema"),
    }
}

/// Whether the value keeps to one keyword. A keyword about another type asks for nothing.
fn keeps(root: &Value, schema: &Map<String, Value>, keyword: &str, rule: &Value, value: &Value) -> bool {
    let fits_one = |schema: &Value| fits(root, schema, value);
    match keyword {
        "$ref" => {
            let name = rule.as_str().and_then(|text| text.strip_prefix('#')).unwrap_or_default();
            fits_one(root.pointer(name).unwrap_or_else(|| panic!("{rule} leads nowhere")))
        }
        "allOf" => list(rule).iter().all(fits_one),
        "anyOf" => list(rule).iter().any(fits_one),
        "oneOf" => list(rule).iter().filter(|schema| fits_one(schema)).count() == 1,
        "const" => value == rule,
        "enum" => list(rule).contains(value),
        "type" => match rule {
            Value::Array(kinds) => kinds.iter().any(|kind| is_of(kind, value)),
            kind => is_of(kind, value),
        },
        "minimum" => value.as_f64().is_none_or(|number| number >= bound(rule)),
        "maximum" => value.as_f64().is_none_or(|number| number <= bound(rule)),
        "minLength" => value.as_str().is_none_or(|text| text.chars().count() as f64 >= bound(rule)),
        "minItems" => value.as_array().is_none_or(|items| items.len() as f64 >= bound(rule)),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as f64 <= bound(rule)),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits(root, rule, item))),
        "required" => value.as_object().is_none_or(|members| has_all(members, rule)),
        "dependentRequired" => value.as_object().is_none_or(|members| {
            object(rule).iter().all(|(key, needed)| !members.contains_key(key) || has_all(members, needed))
        }),
        "properties" => value.as_object().is_none_or(|members| {
            object(rule).iter().all(|(key, schema)| members.get(key).is_none_or(|it| fits(root, schema, it)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|members| {
            let named = |key: &str| schema.get("properties").is_some_and(|known| known.get(key).is_some());
            members.iter().filter(|(key, _)| !named(key)).all(|(_, member)| fits(root, rule, member))
        }),
        unknown => panic!("the keyword {unknown:?} is not known here; add it"),
    }
}

fn has_all(members: &Map<String, Value>, keys: &Value) -> bool {
    list(keys).iter().filter_map(Value::as_str).all(|key| members.contains_key(key))
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => panic!("{kind} is no type"),
    }
}

fn bound(rule: &Value) -> f64 {
    rule.as_f64().unwrap_or_else(|| panic!("{rule} is no bound"))
}

fn list(rule: &Value) -> &[Value] {
    rule.as_array().unwrap_or_else(|| panic!("{rule} is no list"))
}

fn object(rule: &Value) -> &Map<String, Value> {
    rule.as_object().unwrap_or_else(|| panic!("{rule} is no object"))
}
