//! Unknown fields, with the known one that was meant.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::domain::suggest::nearest;

/// The members of an object, each as it came.
pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Returns the members of an object. Errs where it is none, or has one that is not known. `place` begins the
/// field's path.
pub(super) fn members<'a>(text: &'a str, place: &str, known: &[&str]) -> Result<Members<'a>, String> {
    let Ok(members) = serde_json::from_str::<Members<'a>>(text) else {
        let place = if place.is_empty() { "the call" } else { place.trim_end_matches('.') };
        return Err(format!("{place}: must be an object"));
    };
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(members),
        Some(key) => match nearest(key, known.iter().copied()) {
            Some(near) => Err(format!("{place}{key}: unknown field; the nearest known one is {near:?}")),
            None => Err(format!("{place}{key}: unknown field, and no known one is near; remove it")),
        },
    }
}
