//! Which crate may depend on which: an arrow that is not in the table does not pass.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context as _, ensure};
use batchwright_tests::crash::sources::root;
use serde_json::Value;

/// Each crate of `shared/`, and the crates of the workspace that it may build on. Tests of a crate may use more.
const ARROWS: [(&str, &[&str]); 13] = [
    ("core", &[]),
    ("lines", &[]),
    ("yaml", &[]),
    ("stores", &["core"]),
    ("function", &["core"]),
    ("aws", &["core"]),
    ("job-files", &["core", "lines", "yaml"]),
    ("invocations", &["core", "lines"]),
    ("serial", &["core", "yaml"]),
    ("control", &["core", "job-files"]),
    ("local", &["control", "core", "job-files", "stores"]),
    ("client", &["aws", "control", "core", "invocations", "job-files", "local", "serial", "stores"]),
    (
        "",
        &[
            "aws",
            "client",
            "control",
            "core",
            "function",
            "invocations",
            "job-files",
            "local",
            "serial",
            "stores",
        ],
    ),
];

/// Each function, and the features of the facade that it is built with: the services it touches, and the crates.
const FUNCTIONS: [(&str, &[&str]); 6] = [
    ("fan-out", &["aws-lambda", "aws-s3", "fan-out", "function"]),
    ("log-collector", &["aws-dynamodb", "aws-logs", "aws-s3", "function", "jobs"]),
    (
        "reconciler",
        &["aws-batch", "aws-dynamodb", "aws-events", "aws-lambda", "aws-logs", "aws-s3", "function", "jobs"],
    ),
    ("s3-serializer", &["aws-s3", "function", "serializer"]),
    ("state-handler", &["aws-batch", "aws-dynamodb", "aws-events", "function", "jobs"]),
    ("submitter", &["aws-batch", "aws-dynamodb", "aws-lambda", "aws-s3", "function", "jobs"]),
];

#[test]
fn every_arrow_between_crates_stands_in_the_table() -> anyhow::Result<()> {
    let expected: BTreeMap<String, BTreeSet<String>> = ARROWS
        .iter()
        .map(|(of, on)| (package_of(of), on.iter().map(|name| package_of(name)).collect()))
        .collect();
    let mut found = BTreeMap::new();
    for package in packages()? {
        let manifest = text(&package["manifest_path"])?;
        if manifest.contains("/shared/") {
            let on = arrows(&package)?.into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>();
            found.insert(text(&package["name"])?, on);
        }
    }
    assert_eq!(found, expected);
    Ok(())
}

#[test]
fn functions_and_program_go_through_the_facade_with_the_features_they_need() -> anyhow::Result<()> {
    let packages = packages()?;
    for (name, features) in FUNCTIONS {
        let package = find(&packages, &package_of(name))?;
        let expected = ("batchwright".to_owned(), features.iter().map(ToString::to_string).collect());
        assert_eq!(arrows(package)?, [expected], "{name}");
    }
    let functions = arrows(find(&packages, "batchwright-bootstrap")?)?;
    let all = FUNCTIONS.iter().map(|(name, _)| package_of(name)).chain(["batchwright".to_owned()]);
    let found: BTreeSet<String> = functions.into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, all.collect(), "the program of all functions");
    let program = arrows(find(&packages, "batchwright-cli")?)?;
    assert_eq!(program.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["batchwright"]);
    Ok(())
}

fn package_of(name: &str) -> String {
    if name.is_empty() { "batchwright".to_owned() } else { format!("batchwright-{name}") }
}

/// The crates of the workspace that a package builds on, each with the features asked for.
fn arrows(package: &Value) -> anyhow::Result<Vec<(String, BTreeSet<String>)>> {
    let dependencies = package["dependencies"].as_array().context("a package without dependencies")?;
    let builds_on = |on: &&Value| on["kind"].is_null() && on["path"].is_string();
    dependencies
        .iter()
        .filter(builds_on)
        .map(|on| {
            let features = on["features"].as_array().context("a dependency without features")?;
            Ok((text(&on["name"])?, features.iter().map(text).collect::<anyhow::Result<_>>()?))
        })
        .collect()
}

fn find<'a>(packages: &'a [Value], name: &str) -> anyhow::Result<&'a Value> {
    packages.iter().find(|package| package["name"] == name).with_context(|| format!("no package {name}"))
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(ToOwned::to_owned).with_context(|| format!("no text: {value}"))
}

fn packages() -> anyhow::Result<Vec<Value>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--locked", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        other => anyhow::bail!("no packages: {other}"),
    }
}
