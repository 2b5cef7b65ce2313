//! Unknown fields, with the known one that was meant.

use serde_json::Value;

use crate::domain::suggest::nearest;

/// Errs where an object has a field that is not known. `place` begins the field's path.
pub(crate) fn check_fields(value: &Value, place: &str, known: &[&str]) -> Result<(), String> {
    let Value::Object(members) = value else {
        let place = if place.is_empty() { "the call" } else { place.trim_end_matches('.') };
        return Err(format!("{place}: must be an object"));
    };
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => match nearest(key, known.iter().copied()) {
            Some(near) => Err(format!("{place}{key}: unknown field; the nearest known one is {near:?}")),
            None => Err(format!("{place}{key}: unknown field, and no known one is near; remove it")),
        },
    }
}
