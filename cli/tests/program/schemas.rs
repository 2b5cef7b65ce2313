//! The schemas of `--output json`: every answer that a test of this program gets conforms to that of its command.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::Folder;

static ALL: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/output.json");
    let mut all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    close(&mut all);
    all
});

/// A field that a schema does not name is let pass by its readers, and is a fault here.
fn close(value: &mut Value) {
    if value.get("properties").is_some() && value.get("additionalProperties").is_none() {
        value["additionalProperties"] = json!(false);
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(close),
        Value::Array(entries) => entries.iter_mut().for_each(close),
        _ => {}
    }
}

/// Checks what was printed, where the command line asked for JSON.
///
/// # Panics
///
/// Where it does not conform, or where the command has no schema.
pub(crate) fn check(args: &[&str], stdout: &str) {
    let asked = args.windows(2).find(|pair| pair[0] == "--output").map(|pair| pair[1]);
    let Some(form) = asked.filter(|form| matches!(*form, "json" | "ndjson")) else { return };
    let name = match args {
        ["dlq", command, ..] => format!("dlq {command}"),
        ["s3", command @ ("list" | "uri"), ..] => format!("s3 {command}"),
        [] => return,
        [command, ..] => (*command).to_owned(),
    };
    let line = ALL["lines"].get(&name).filter(|_| form == "ndjson");
    let reference = line.or_else(|| ALL["commands"].get(&name));
    let reference = reference.unwrap_or_else(|| panic!("cli/schemas/output.json has no command {name:?}"));
    let schema = json!({"$schema": ALL["$schema"], "$ref": reference, "$defs": ALL["$defs"]});
    let schema = jsonschema::validator_for(&schema).unwrap();
    let answers: Vec<Value> = match line {
        Some(_) => stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        None if stdout.trim().is_empty() => Vec::new(),
        None => vec![serde_json::from_str(stdout).unwrap()],
    };
    for answer in answers {
        let errors: Vec<String> =
            schema.iter_errors(&answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{args:?}: {}\n{answer:#}", errors.join("\n"));
    }
}

#[test]
fn a_command_prints_its_own_schema_and_names_those_that_there_are() {
    let folder = Folder::new();
    let names = folder.run(&["schema"]);
    assert_eq!(names.code, Some(0), "{names:?}");
    let names: Vec<&str> = names.stdout.lines().collect();
    assert_eq!(names[0], "job-file");
    assert_eq!(names.len(), 1 + ALL["commands"].as_object().unwrap().len());
    for name in &names {
        let args: Vec<&str> = std::iter::once("schema").chain(name.split(' ')).collect();
        let schema = folder.run(&args).json();
        jsonschema::validator_for(&schema).unwrap();
    }
    let jobs = folder.run(&["schema", "jobs"]).json();
    assert_eq!(jobs["$id"], "urn:batchwright:output:1:jobs");
    let schema = jsonschema::validator_for(&jobs).unwrap();
    assert!(schema.is_valid(&json!({"jobs": [], "total": 0})));
    assert!(!schema.is_valid(&json!({"jobs": [{"jobName": 7}], "total": 1})));
    let refused = folder.run(&["schema", "nothing"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("there is no schema \"nothing\": give job-file, "), "{refused:?}");
}

#[test]
fn an_answer_that_does_not_conform_is_noticed() {
    let noticed = |stdout: &'static str| {
        std::panic::catch_unwind(|| check(&["submit", "f", "--output", "json"], stdout)).is_err()
    };
    assert!(!noticed(r#"{"runId": "run-1", "jobs": 2}"#));
    for wrong in [r#"{"runId": "run-1"}"#, r#"{"runId": "run-1", "jobs": 2, "more": 1}"#, "{}"] {
        assert!(noticed(wrong), "{wrong}");
    }
}
