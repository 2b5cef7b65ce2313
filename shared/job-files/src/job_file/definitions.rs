//! Job definitions for the embedded engine: in a job file under `local`, or in a file of their own.

use std::collections::HashMap;

use serde_json::Value;

use super::format::Format;
use super::job_schema::DEFINITION;
use super::lined_value::{Data, LinedValue};
use super::nothing::{prune, strip_unknown};
use super::problem::{JobFileError, Problem};
use super::rules::SHORT_FORM;
use super::schema::Check;
use super::{json, text, yaml};
use crate::domain::JobDefinition;

/// Reads a file of job definitions: JSON or YAML; one definition, a list of them, or
/// `{jobDefinitions: […]}`.
///
/// Errs with all that is wrong, each with its line.
pub fn read_definitions(content: &[u8], name: &str) -> Result<Vec<JobDefinition>, JobFileError> {
    let refuse = |problems| JobFileError::new(name, problems);
    let text = text::decode(content).map_err(|problem| refuse(vec![problem]))?;
    let root = match Format::of(text, name, true) {
        Format::Yaml => yaml::parse(text),
        Format::Json | Format::JsonLines => json::parse(text, 1),
    };
    let root = root.map_err(|problem| refuse(vec![problem]))?;
    let (nodes, path) = match (&root.data, root.get("jobDefinitions")) {
        (Data::List(items), _) => (items.iter().collect(), ""),
        (_, Some(LinedValue { data: Data::List(items), .. }))
            if root
                .members()
                .iter()
                .all(|(key, _)| ["jobDefinitions", "nextToken"].contains(&key.as_str())) =>
        {
            (items.iter().collect(), "jobDefinitions")
        }
        _ => return read_all(&[&root], |_| String::new()).map_err(refuse),
    };
    let nodes: Vec<&LinedValue> = nodes;
    if nodes.is_empty() {
        return Err(refuse(vec![Problem::of_file("the file has no job definitions")]));
    }
    read_all(&nodes, |index| format!("{path}[{index}]")).map_err(refuse)
}

/// Checks one job definition, in the form of `RegisterJobDefinition`.
///
/// Errs with everything that is wrong with it.
pub fn check_definition(definition: Value) -> Result<JobDefinition, Vec<Problem>> {
    let mut definitions = read_all(&[&definition.into()], |_| String::new())?;
    definitions.pop().ok_or_else(Vec::new)
}

/// Checks a `RegisterJobDefinition` request as AWS Batch does: members that it does not know are left alone.
///
/// Errs with everything that is wrong with it.
pub fn check_registration(request: Value) -> Result<JobDefinition, Vec<Problem>> {
    let mut request = request.into();
    strip_unknown(&mut request, &DEFINITION);
    let mut definitions = read_all(&[&request], |_| String::new())?;
    definitions.pop().ok_or_else(Vec::new)
}

/// Reads definitions, each with the path by which its problems are told.
pub(super) fn read_all(
    nodes: &[&LinedValue],
    path: impl Fn(usize) -> String,
) -> Result<Vec<JobDefinition>, Vec<Problem>> {
    let mut definitions = Vec::new();
    let mut problems = Vec::new();
    let mut names: HashMap<(String, Option<String>), Option<u64>> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let node = &saying(node);
        let mut check = Check::at(&path(index));
        check.object(node, &DEFINITION);
        if let Some(name) = node.text_of("jobDefinitionName") {
            // describe-job-definitions prints every revision.
            let revision = node.get("revision").map(|revision| revision.to_json().to_string());
            let named = (name.to_owned(), revision);
            if let Some(earlier) = names.get(&named) {
                let place = earlier.map(|line| format!(" on line {line}")).unwrap_or_default();
                let message = format!("{name:?} is defined{place} already; give it another name");
                let at = node.get("jobDefinitionName").unwrap_or(node);
                check.member("jobDefinitionName", |check| check.problem(at, message));
            }
            names.entry(named).or_insert(node.line);
        }
        if check.problems.is_empty() {
            match serde_json::from_value(flat(node).to_json()) {
                Ok(definition) => definitions.push(definition),
                Err(error) => check.problem(node, error.to_string()),
            }
        }
        problems.append(&mut check.problems);
    }
    if problems.is_empty() { Ok(definitions) } else { Err(problems) }
}

/// The definition without what says nothing.
fn saying(node: &LinedValue) -> LinedValue {
    let mut saying = node.clone();
    prune(&mut saying, &DEFINITION);
    saying
}

/// The definition with those `containerProperties` among its own fields that the engine reads, and `vcpus` and
/// `memory` as the requirements that took their place.
fn flat(node: &LinedValue) -> LinedValue {
    let mut flat = node.clone();
    if flat.text_of("type") == Some("container") {
        flat.take("type");
    }
    let Some(LinedValue { line, data: Data::Object(members) }) = flat.take("containerProperties") else {
        return flat;
    };
    let (own, mut rest): (Vec<_>, Vec<_>) =
        members.into_iter().partition(|(key, _)| SHORT_FORM.contains(&key.as_str()));
    for (key, value) in own {
        flat.put(&key, value);
    }
    for (field, kind) in [("vcpus", "VCPU"), ("memory", "MEMORY")] {
        let Some(at) = rest.iter().position(|(key, _)| key == field) else { continue };
        let amount = rest.remove(at).1.to_json().to_string();
        let mut required = flat
            .take("resourceRequirements")
            .unwrap_or_else(|| LinedValue::new(line, Data::List(Vec::new())));
        if let Data::List(entries) = &mut required.data {
            entries.push(serde_json::json!({"type": kind, "value": amount}).into());
        }
        flat.put("resourceRequirements", required);
    }
    flat.put("containerProperties", LinedValue::new(line, Data::Object(rest)));
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_read_in_every_form() {
        let one = r#"{"jobDefinitionName": "hello", "type": "container",
            "containerProperties": {"image": "busybox", "command": ["echo", "Ref::word"],
                "environment": [{"name": "A", "value": "b"}],
                "resourceRequirements": [{"type": "VCPU", "value": "1"}]},
            "parameters": {"word": "hi"}, "timeout": {"attemptDurationSeconds": 60},
            "retryStrategy": {"attempts": 2}}"#;
        let yaml = "jobDefinitions:\n- jobDefinitionName: hello\n  command: [echo]\n- jobDefinitionName: b\n";
        let expected = read_definitions(one.as_bytes(), "d.json").unwrap();
        assert_eq!(expected[0].command, ["echo", "Ref::word"]);
        assert_eq!(expected[0].image.as_deref(), Some("busybox"));
        assert_eq!(expected[0].resource_requirements.len(), 1);
        for text in [format!("[{one}]"), format!("{{\"jobDefinitions\": [{one}]}}")] {
            assert_eq!(read_definitions(text.as_bytes(), "d.json").unwrap(), expected);
            assert_eq!(read_definitions(text.as_bytes(), "d.yaml").unwrap(), expected);
        }
        assert_eq!(read_definitions(yaml.as_bytes(), "d.yml").unwrap().len(), 2);
        let again = serde_json::to_string(&expected).unwrap();
        assert_eq!(
            read_definitions(again.as_bytes(), "d.json").unwrap(),
            expected,
            "the flat form is read too"
        );
    }

    #[test]
    fn what_aws_prints_is_taken_and_kept() {
        let printed = br#"{"jobDefinitions": [
            {"jobDefinitionName": "encode", "jobDefinitionArn": "arn:aws:batch:us-east-1:1:job-definition/encode:2",
             "revision": 2, "status": "ACTIVE", "type": "container", "parameters": {"codec": "mp4"}, "tags": {},
             "containerProperties": {"image": "my_repo/encode", "vcpus": 2, "memory": 2000, "user": "nobody",
                "command": ["echo", "Ref::codec"], "jobRoleArn": "arn:aws:iam::123456789012:role/r", "volumes": [],
                "environment": [], "resourceRequirements": [], "secrets": null,
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/my/group"}}},
             "platformCapabilities": ["EC2"], "containerOrchestrationType": "ECS", "propagateTags": false},
            {"jobDefinitionName": "encode", "revision": 1, "status": "INACTIVE", "type": "container",
             "containerProperties": {"image": "old", "command": ["old"]}},
            {"jobDefinitionName": "nodes", "revision": 1, "type": "multinode", "nodeProperties": {"numNodes": 2}}
        ], "nextToken": null}"#;
        let read = read_definitions(printed, "d.json").unwrap();
        let values: Vec<&str> =
            read[0].resource_requirements.iter().map(|entry| entry.value.as_str()).collect();
        assert_eq!((values, read[0].revision()), (vec!["2", "2000"], Some(2)));
        assert_eq!(read[0].container_properties["user"], "nobody");
        assert_eq!(read[0].more["platformCapabilities"][0], "EC2");
        assert_eq!(read[0].log_configuration().unwrap()["options"]["awslogs-group"], "/my/group");
        assert_eq!((read[1].is_active(), read[2].kind.as_deref()), (false, Some("multinode")));
        let again = serde_json::to_string(&read).unwrap();
        assert_eq!(read_definitions(again.as_bytes(), "d.json").unwrap(), read);
    }

    #[test]
    fn one_definition_is_checked_by_itself() {
        let definition = serde_json::json!({
            "jobDefinitionName": "a", "type": "container", "containerProperties": {"command": ["x"]}
        });
        assert_eq!(check_definition(definition).unwrap().command, ["x"]);
        let problems = check_definition(serde_json::json!({"jobDefinitionName": 7})).unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "jobDefinitionName: must be a string, not a number; put it in quotes"
        );
    }

    #[test]
    fn bad_definitions_are_refused_by_line_and_field() {
        for (text, expected) in [
            ("[]", "d.json: the file has no job definitions"),
            ("{", "d.json: line 1: invalid JSON at column 1: EOF while parsing an object"),
            (
                "[{\"jobDefinitionName\": \"a\"},\n {\"jobDefinitionName\": \"a\"}]",
                "d.json: line 2: [1].jobDefinitionName: \"a\" is defined on line 1 already; give it another name",
            ),
            (
                "{\"jobDefinitionName\": \"a\", \"command\": [\"x\"], \"containerProperties\": {\"command\": [\"y\"]}}",
                "d.json: line 1: containerProperties.command: is given beside containerProperties too; remove one of the two",
            ),
        ] {
            assert_eq!(read_definitions(text.as_bytes(), "d.json").unwrap_err().to_string(), expected);
        }
    }
}
