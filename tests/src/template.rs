//! The templates of `infra/`, read as they stand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A template, with CloudFormation's short functions (`!Sub "…"`) reduced to their arguments.
///
/// # Panics
///
/// Where it can't be read.
pub fn read(name: &str) -> Value {
    let path = format!("{}/../infra/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    for function in ["Sub", "Ref", "GetAtt", "If", "Not", "And", "Equals", "Join", "Split", "Condition"] {
        text = text.replace(&format!("!{function} "), "").replace(&format!("!{function}\n"), "\n");
    }
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The resources of one type, by their names.
pub fn of_type<'a>(template: &'a Value, wanted: &str) -> BTreeMap<&'a str, &'a Value> {
    let all = template["Resources"].as_object().into_iter().flatten();
    all.filter(|(_, resource)| resource["Type"] == wanted).map(|(name, it)| (name.as_str(), it)).collect()
}

/// The roles.
pub fn roles(template: &Value) -> BTreeMap<&str, &Value> {
    of_type(template, "AWS::IAM::Role")
}

/// The statements of a role's own policies.
pub fn statements(role: &Value) -> impl Iterator<Item = &Value> {
    let policies = role["Properties"]["Policies"].as_array().into_iter().flatten();
    let all =
        policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().into_iter().flatten());
    // One that stands under a condition is the second of its three parts.
    all.map(|statement| statement.get(1).unwrap_or(statement))
}

/// What a role allows; actions on a table with the part of it that they are allowed on.
pub fn actions(role: &Value) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    for statement in statements(role) {
        let resource = statement["Resource"].as_str().unwrap_or_default();
        let part =
            resource.split_once("table/${Name}-").map(|(_, part)| format!(" {part}")).unwrap_or_default();
        let actions = statement["Action"].as_array().into_iter().flatten().filter_map(Value::as_str);
        allowed.extend(actions.map(|action| format!("{action}{part}")));
    }
    allowed
}
