//! How resources are named and switched on, as Batch checks it.

use serde_json::{Map, Value};

use crate::domain::JobName;
use crate::engine::arn::resource_name;
use crate::wire::fault::Fault;

/// The name under a member: 1 to 128 letters, digits, `_` and `-`, the first a letter or digit.
pub(super) fn name_of(members: &Map<String, Value>, member: &str) -> Result<String, Fault> {
    let text = members.get(member).and_then(Value::as_str).unwrap_or_default();
    // The rule is that of a job's name.
    match JobName::parse(text) {
        Ok(name) => Ok(name.to_string()),
        Err(_) if text.is_empty() => Err(Fault::client(format!("{member}: is missing; it is required"))),
        Err(_) => Err(Fault::client(format!(
            "{member}: {text:?} is no name: 1 to 128 letters, digits, '_' and '-', the first a letter or digit"
        ))),
    }
}

/// The name in a text that is a name or the ARN of such a resource.
pub(super) fn named<'a>(text: &'a str, kind: &str) -> Result<&'a str, Fault> {
    let is_other = text.starts_with("arn:") && !text.contains(&format!(":{kind}/"));
    if is_other {
        return Err(Fault::client(format!("{text} is not the ARN of a {}", kind.replace('-', " "))));
    }
    Ok(resource_name(text))
}

/// Whether `state` says ENABLED.
pub(super) fn state(members: &Map<String, Value>) -> Result<Option<bool>, Fault> {
    match members.get("state").map(|state| state.as_str().unwrap_or_default()) {
        None => Ok(None),
        Some("ENABLED") => Ok(Some(true)),
        Some("DISABLED") => Ok(Some(false)),
        Some(other) => Err(Fault::client(format!("state: {other:?} is neither ENABLED nor DISABLED"))),
    }
}

/// As it is described.
pub(super) const fn state_text(enabled: bool) -> &'static str {
    if enabled { "ENABLED" } else { "DISABLED" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn names_are_checked_as_aws_does() {
        for (name, good) in
            [("q", true), ("Q_1-b", true), ("a b!", false), ("-q", false), ("a/b", false), ("", false)]
        {
            assert_eq!(name_of(&members(json!({"n": name})), "n").is_ok(), good, "{name}");
        }
        assert!(name_of(&Map::new(), "n").unwrap_err().message().contains("is missing"));
    }

    #[test]
    fn arns_are_of_their_kind() {
        assert_eq!(named("arn:aws:batch:local:0:job-queue/q", "job-queue").unwrap(), "q");
        assert_eq!(named("q", "job-queue").unwrap(), "q");
        let other = named("arn:aws:batch:local:0:compute-environment/q", "job-queue").unwrap_err();
        assert!(other.message().contains("is not the ARN of a job queue"), "{other:?}");
    }

    #[test]
    fn a_state_is_one_of_two() {
        assert_eq!(state(&Map::new()).unwrap(), None);
        assert_eq!(state(&members(json!({"state": "DISABLED"}))).unwrap(), Some(false));
        assert!(state(&members(json!({"state": "OFF"}))).is_err());
        assert!(state(&members(json!({"state": 1}))).is_err());
    }
}
