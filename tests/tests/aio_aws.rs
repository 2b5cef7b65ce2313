//! The page for those who come from aio-aws: a row for each of its public items. That its paths lead somewhere is for
//! rustdoc to say, which resolves the list beside `batchwright_tests::aio_aws`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use batchwright_tests::crash::sources::root;
use serde_json::Value;

const PAGE: &str = "docs/aio-aws.md";

/// `module.item`, one a line, as aio-aws 0.22.1 documents them.
const ITEMS: &str = include_str!("../data/aio-aws-items.txt");

struct Row {
    item: String,
    verdict: String,
    path: Option<String>,
}

/// The rows of the tables under `### module`.
fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let mut module = String::new();
    let mut rows = Vec::new();
    for line in page.lines() {
        // The table of sums stands before the first module, under a heading of its own.
        if line.starts_with("## ") {
            module.clear();
        }
        if let Some(name) = line.strip_prefix("### ") {
            module = name.to_owned();
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, item, verdict, path, ..] = cells[..] else { continue };
        let Some(item) = item.strip_prefix('`').and_then(|item| item.strip_suffix('`')) else { continue };
        if module.is_empty() {
            continue;
        }
        let path = path.strip_prefix('`').and_then(|path| path.strip_suffix('`')).map(str::to_owned);
        rows.push(Row { item: format!("{module}.{item}"), verdict: verdict.to_owned(), path });
    }
    rows
}

#[test]
fn each_item_of_aio_aws_has_one_row() {
    let mut seen: BTreeMap<String, usize> = ITEMS.lines().map(|item| (item.to_owned(), 0)).collect();
    assert_eq!(seen.len(), 322);
    for row in rows() {
        let count = seen.get_mut(&row.item).unwrap_or_else(|| panic!("{} is no item of aio-aws", row.item));
        *count += 1;
    }
    let wrong: Vec<_> = seen.iter().filter(|(_, count)| **count != 1).collect();
    assert!(wrong.is_empty(), "these have no row, or several: {wrong:?}");
}

#[test]
fn each_verdict_is_counted_and_each_path_is_resolved() {
    let mut paths = BTreeSet::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for Row { item, verdict, path } in rows() {
        assert!(["whole", "partly", "different", "missing"].contains(&verdict.as_str()), "{item}: {verdict}");
        assert!(verdict != "whole" || path.is_some(), "{item} is whole, and no path serves it");
        assert!(verdict != "missing" || path.is_none(), "{item} is missing, and a path serves it");
        paths.extend(path.map(|path| format!("[`{path}`]")));
        *counts.entry(verdict).or_default() += 1;
    }
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let count = |verdict: &str| counts.get(verdict).copied().unwrap_or(0);
    let total = format!(
        "| all | 322 | {} | {} | {} | {} |",
        count("whole"),
        count("partly"),
        count("different"),
        count("missing")
    );
    assert!(page.contains(&total), "the page's sums are not {total}");
    let paths = Vec::from_iter(paths).join("\n") + "\n";
    let listed = root().join("tests/src/aio_aws_paths.md");
    if std::env::var_os("UPDATE_PATHS").is_some() {
        fs::write(&listed, &paths).unwrap();
    }
    assert_eq!(fs::read_to_string(&listed).unwrap(), paths, "write the list anew with UPDATE_PATHS=1");
}

/// The features that the page tells its readers to add, and what they switch on.
fn features_named() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let sentence = page.split("with the features that you use: ").nth(1).unwrap().split(". ").next().unwrap();
    let named = sentence.split(" for what lies in ").next().unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--locked", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let declared = &packages.iter().find(|package| package["name"] == "batchwright").unwrap()["features"];
    let mut open: Vec<&str> = named.split('`').skip(1).step_by(2).chain(["default"]).collect();
    let mut on = BTreeSet::new();
    while let Some(name) = open.pop() {
        // `batchwright-client?/s3` is a feature of the crate below, by which its items are told.
        let own = name.rsplit('/').next().unwrap();
        if on.insert(own.to_owned()) && own == name {
            let switched = declared[name].as_array().into_iter().flatten();
            open.extend(switched.filter_map(Value::as_str).filter(|name| !name.starts_with("dep:")));
        }
    }
    assert!(on.contains("aws") && on.contains("sqlite") && !on.contains("testing"), "{on:?}");
    on
}

/// Whether a condition of the list of public items holds: `feature = "a"`, `all(…)`, `any(…)`, several after commas.
fn holds(condition: &str, on: &BTreeSet<String>) -> bool {
    parts(condition).iter().all(|part| {
        let within = |kind: &str| part.strip_prefix(kind)?.strip_suffix(')');
        if let Some(all) = within("all(") {
            return holds(all, on);
        }
        if let Some(any) = within("any(") {
            return parts(any).iter().any(|part| holds(part, on));
        }
        let name = part.strip_prefix("feature = \"").and_then(|name| name.strip_suffix('"'));
        on.contains(name.unwrap_or_else(|| panic!("{part} is no condition that is known here")))
    })
}

/// What stands between the commas outside of brackets.
fn parts(condition: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, character) in condition.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(condition[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(condition[from..].trim());
    parts
}

#[test]
fn the_paths_are_there_with_the_features_that_the_page_names() {
    let on = features_named();
    let listing = fs::read_to_string(root().join("tests/data/public-api.txt")).unwrap();
    // Its conditions of each item; one that is public in two ways has both.
    let mut conditions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in listing.lines().filter_map(|line| line.strip_prefix("batchwright::")) {
        let Some((path, rest)) = line.split_once(": ") else { continue };
        let condition =
            rest.strip_suffix(']').and_then(|rest| rest.rsplit_once(" [feature").or(rest.rsplit_once(" [a")));
        let condition = condition.map_or("", |(before, _)| &rest[before.len() + 2..rest.len() - 1]);
        conditions.entry(path).or_default().push(condition);
    }
    let mut absent = Vec::new();
    for path in rows().into_iter().filter_map(|row| row.path) {
        // A field is listed with a dot, and a trait's method not at all.
        let (parent, name) = path.rsplit_once("::").unwrap_or(("", &path));
        let field = format!("{parent}.{name}");
        let listed =
            [path.as_str(), field.as_str(), parent].into_iter().find_map(|path| conditions.get(path));
        let listed = listed.unwrap_or_else(|| panic!("{path} is not in the list of public items"));
        if !listed.iter().any(|condition| condition.is_empty() || holds(condition, &on)) {
            absent.push(format!("{path}: {listed:?}"));
        }
    }
    assert!(absent.is_empty(), "with the features that {PAGE} names, these are not there: {absent:#?}");
}

#[test]
fn a_condition_of_features_is_read_as_the_compiler_reads_it() {
    let on = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    for (condition, expected) in [
        (r#"feature = "a""#, true),
        (r#"feature = "c""#, false),
        (r#"feature = "a", feature = "c""#, false),
        (r#"any(feature = "c", all(feature = "a", feature = "b"))"#, true),
        (r#"all(feature = "a", any(feature = "c", feature = "d")), feature = "b""#, false),
    ] {
        assert_eq!(holds(condition, &on), expected, "{condition}");
    }
}
