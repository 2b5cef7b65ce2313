//! The page for those who come from aio-aws: a row for each of its public items. That its paths lead somewhere is for
//! rustdoc to say, which resolves the list beside `batchwright_tests::aio_aws`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use batchwright_tests::crash::sources::root;

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
