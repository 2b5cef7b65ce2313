//! What a file's `defaults` fill in.

use std::collections::HashSet;

use super::job_schema::JOB;
use super::lined_value::{Data, LinedValue};
use super::nothing::prune;
use super::problem::Problem;
use super::rules;
use super::schema::Check;
use crate::domain::limits::SUBMIT_PAYLOAD_MAX_BYTES;

/// The objects that are filled in field by field; the rest a job gives as a whole.
const MERGED: [&str; 3] = ["containerOverrides", "parameters", "tags"];

/// Checks a file's `defaults`: any field of a job but its name.
pub(super) fn check(defaults: &LinedValue) -> Vec<Problem> {
    let mut check = Check::at("defaults");
    let mut saying = defaults.clone();
    prune(&mut saying, &JOB);
    check.fields(&saying, JOB.fields, false);
    rules::overrides(&saying, &mut check);
    if let Some(name) = defaults.get("jobName") {
        let message = "can't have a default: every job has a name of its own";
        check.member("jobName", |check| check.problem(name, message));
    }
    let bytes = defaults.to_json().to_string().len();
    if bytes > SUBMIT_PAYLOAD_MAX_BYTES {
        let most = SUBMIT_PAYLOAD_MAX_BYTES;
        let message = format!("take {bytes} bytes as JSON, and a job may have {most} in all; shorten them");
        check.problem(defaults, message);
    }
    check.problems
}

/// Fills in what a job leaves out.
pub(super) fn fill_in(job: &mut LinedValue, defaults: &LinedValue) {
    let own_command = job.get("command").is_some();
    let own_override = job.get("containerOverrides").is_some_and(|own| own.get("command").is_some());
    for (key, value) in defaults.members() {
        match job.get(key) {
            _ if key == "command" && own_override => {}
            None => {
                let mut value = value.clone();
                if key == "containerOverrides" && own_command {
                    value.take("command");
                }
                job.put(key, value);
            }
            Some(own) if MERGED.contains(&key.as_str()) && own.is_object() => {
                let mut own = own.clone();
                merge(&mut own, value, own_command);
                job.put(key, own);
            }
            Some(_) => {}
        }
    }
}

fn merge(own: &mut LinedValue, defaults: &LinedValue, own_command: bool) {
    for (key, value) in defaults.members() {
        match own.get(key) {
            None if key == "command" && own_command => {}
            None => own.put(key, value.clone()),
            Some(variables) if key == "environment" => {
                let variables = by_name(variables, value);
                own.put(key, variables);
            }
            Some(_) => {}
        }
    }
}

/// The defaults' variables that the job does not set, and then the job's own.
fn by_name(own: &LinedValue, defaults: &LinedValue) -> LinedValue {
    let Data::List(variables) = &own.data else { return own.clone() };
    let set: HashSet<_> = variables.iter().filter_map(|variable| variable.text_of("name")).collect();
    let unset = |variable: &&LinedValue| !variable.text_of("name").is_some_and(|name| set.contains(name));
    let merged = defaults.items().iter().filter(unset).chain(variables).cloned().collect();
    LinedValue::new(own.line, Data::List(merged))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn filled(job: Value, defaults: Value) -> Value {
        let mut job = LinedValue::from(job);
        fill_in(&mut job, &defaults.into());
        job.to_json()
    }

    #[test]
    fn a_jobs_own_fields_win() {
        for (job, defaults, expected) in [
            (json!({"a": 1}), json!({"a": 2, "b": 3}), json!({"a": 1, "b": 3})),
            (
                json!({"tags": {"k": "own"}, "timeout": {}}),
                json!({"tags": {"k": "x", "l": "y"}, "timeout": {"attemptDurationSeconds": 60}}),
                json!({"tags": {"k": "own", "l": "y"}, "timeout": {}}),
            ),
            (
                json!({"containerOverrides": {"environment": [{"name": "A", "value": "own"}]}}),
                json!({"containerOverrides": {
                    "vcpus": 2, "environment": [{"name": "B", "value": "b"}, {"name": "A", "value": "a"}]
                }}),
                json!({"containerOverrides": {
                    "vcpus": 2, "environment": [{"name": "B", "value": "b"}, {"name": "A", "value": "own"}]
                }}),
            ),
        ] {
            assert_eq!(filled(job, defaults), expected);
        }
    }

    #[test]
    fn a_command_replaces_the_default_in_either_spelling() {
        let overrides = json!({"containerOverrides": {"command": ["x"], "vcpus": 1}});
        assert_eq!(
            filled(json!({"command": ["y"]}), overrides.clone()),
            json!({"command": ["y"], "containerOverrides": {"vcpus": 1}})
        );
        assert_eq!(
            filled(json!({"command": ["y"], "containerOverrides": {"memory": 9}}), overrides.clone()),
            json!({"command": ["y"], "containerOverrides": {"vcpus": 1, "memory": 9}})
        );
        assert_eq!(filled(overrides.clone(), json!({"command": ["y"]})), overrides);
    }
}
