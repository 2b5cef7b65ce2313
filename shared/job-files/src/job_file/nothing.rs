//! Members that say nothing: Batch takes `null`, `{}` and `[]` wherever a member is optional, and clients send them
//! (`arrayProperties: {}` of Airflow's operator). They are taken out before a job is checked.

use super::lined_value::{Data, LinedValue};
use super::schema::{Kind, Object};
use crate::domain::spec::JobField;

/// Takes optional members out that say nothing, at any depth.
pub(super) fn prune(node: &mut LinedValue, object: &Object) {
    each_known(node, object, is_ours, &|value, is_ours| {
        let is_empty = match &value.data {
            Data::Null => true,
            // An empty field of ours is a slip rather than a client's habit.
            Data::List(items) => items.is_empty() && !is_ours,
            Data::Object(members) => members.is_empty() && !is_ours,
            _ => false,
        };
        !is_empty
    });
}

/// Whether a field of a job is one that `SubmitJob` does not know.
pub(super) fn is_ours(name: &str) -> bool {
    JobField::ALL.iter().any(|field| field.name() == name && !field.is_of_submit_job())
}

/// Takes members out that the schema does not know, at any depth, and our own fields: AWS leaves unknown members of a
/// request alone, because newer clients send newer ones.
pub(super) fn strip_unknown(node: &mut LinedValue, object: &Object) {
    let Data::Object(members) = &mut node.data else { return };
    members.retain(|(key, _)| !is_ours(key) && object.fields.iter().any(|field| field.name == key));
    strip_parts(members, object);
}

fn strip_parts(members: &mut [(String, LinedValue)], object: &Object) {
    for (key, value) in members {
        if let Some(field) = object.fields.iter().find(|field| field.name == key) {
            each_object(value, &field.kind, &mut |part, object| {
                let Data::Object(members) = &mut part.data else { return };
                members.retain(|(key, _)| object.fields.iter().any(|field| field.name == key));
                strip_parts(members, object);
            });
        }
    }
}

/// Goes through the known members of an object, innermost first, and keeps the optional ones that `keep` says.
fn each_known(
    node: &mut LinedValue,
    object: &Object,
    is_ours: fn(&str) -> bool,
    keep: &impl Fn(&LinedValue, bool) -> bool,
) {
    let Data::Object(members) = &mut node.data else { return };
    members.retain_mut(|(key, value)| {
        let Some(field) = object.fields.iter().find(|field| field.name == key) else { return true };
        each_object(value, &field.kind, &mut |part, object| each_known(part, object, |_| false, keep));
        field.required || keep(value, is_ours(field.name))
    });
}

/// The objects that a value is or holds as a list.
fn each_object(node: &mut LinedValue, kind: &Kind, look: &mut impl FnMut(&mut LinedValue, &Object)) {
    match kind {
        Kind::Object(object) | Kind::TextOrObject(_, object) if node.is_object() => look(node, object),
        Kind::List(item, ..) => {
            if let Data::List(items) = &mut node.data {
                items.iter_mut().for_each(|entry| each_object(entry, item, look));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::job_schema::JOB;
    use super::*;

    fn after(change: impl Fn(&mut LinedValue, &Object), job: Value) -> Value {
        let mut node = LinedValue::from(job);
        change(&mut node, &JOB);
        node.to_json()
    }

    #[test]
    fn optional_members_that_say_nothing_are_left_out() {
        let job = json!({
            "jobName": null, "arrayProperties": {}, "timeout": null, "tags": {}, "dependsOn": [],
            "retryStrategy": {"attempts": null, "evaluateOnExit": []}, "maxTries": null, "fallbackQueue": {},
            "containerOverrides": {"command": ["a", null], "environment": [{"name": "N", "value": null}, null]},
            "parameters": {"p": null}, "unknown": null
        });
        let expected = json!({
            "jobName": null, "fallbackQueue": {},
            "containerOverrides": {"command": ["a", null], "environment": [{"name": "N"}, null]},
            "parameters": {"p": null}, "unknown": null
        });
        assert_eq!(after(prune, job), expected);
    }

    #[test]
    fn members_that_submit_job_does_not_know_are_left_alone() {
        let job = json!({
            "jobName": "a", "command": ["x"], "maxTries": 2, "retryOn": ["TIMEOUT"], "newer": 1,
            "containerOverrides": {"command": ["x"], "newer": 1, "environment": [{"name": "N", "newer": 1}]},
            "parameters": {"p": "v"}, "dependsOn": [{"jobId": "x", "newer": 1}]
        });
        let expected = json!({
            "jobName": "a", "containerOverrides": {"command": ["x"], "environment": [{"name": "N"}]},
            "parameters": {"p": "v"}, "dependsOn": [{"jobId": "x"}]
        });
        assert_eq!(after(strip_unknown, job), expected);
    }
}
