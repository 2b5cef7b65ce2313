//! `batchwright schema`.

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::exit::{Exit, Failure};

/// What each command prints with `--output json`.
const OUTPUT: &str = include_str!("../../schemas/output.json");

/// What a job file may hold.
const JOB_FILE: &str = include_str!("../../../shared/schemas/job-file.json");

/// Prints the schema of a job file, or of what a command prints; without a name, the names that there are.
pub(crate) fn schema(words: &[String]) -> Result<Exit, Failure> {
    let all: Value = serde_json::from_str(OUTPUT).context("the schemas")?;
    let name = words.join(" ");
    let commands = all["commands"].as_object().cloned().unwrap_or_default();
    match name.as_str() {
        "" => {
            println!("job-file");
            commands.keys().for_each(|name| println!("{name}"));
        }
        "job-file" => print!("{JOB_FILE}"),
        _ => {
            let schema = of_command(&all, &commands, &name).ok_or_else(|| {
                let names: Vec<&str> = commands.keys().map(String::as_str).collect();
                Failure::Usage(format!("there is no schema {name:?}: give job-file, {}", names.join(", ")))
            })?;
            println!("{schema:#}");
        }
    }
    Ok(Exit::Well)
}

/// A schema of its own for one command: its answer, and what that stands on.
fn of_command(all: &Value, commands: &Map<String, Value>, name: &str) -> Option<Value> {
    let answer = commands.get(name)?.as_str()?;
    let mut definitions = Map::new();
    take(all, answer, &mut definitions);
    let line = all["lines"].get(name).and_then(Value::as_str);
    if let Some(line) = line {
        take(all, line, &mut definitions);
    }
    let mut schema = json!({
        "$schema": all["$schema"],
        "$id": format!("{}:{}", all["$id"].as_str()?, name.replace(' ', "-")),
        "title": format!("batchwright {name} --output json"),
        "$ref": answer,
        "$defs": definitions,
    });
    if let Some(line) = line {
        schema["$comment"] = json!(format!("with --output ndjson each line is {line}"));
    }
    Some(schema)
}

/// Takes a definition with all that it refers to.
fn take(all: &Value, reference: &str, taken: &mut Map<String, Value>) {
    // A worklist, because definitions may refer to one another in any depth.
    let mut wanted = vec![reference.to_owned()];
    while let Some(reference) = wanted.pop() {
        let name = reference.trim_start_matches("#/$defs/");
        if taken.contains_key(name) {
            continue;
        }
        let definition = &all["$defs"][name];
        taken.insert(name.to_owned(), definition.clone());
        let mut values = vec![definition];
        while let Some(value) = values.pop() {
            match value {
                Value::Object(fields) => {
                    wanted.extend(fields.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
                    values.extend(fields.values());
                }
                Value::Array(entries) => values.extend(entries),
                _ => {}
            }
        }
    }
}
