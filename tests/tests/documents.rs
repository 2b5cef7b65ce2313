//! What the documents point at exists: links lead somewhere, and files that are named are there.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use batchwright_tests::crash::sources::root;

/// Folders at the top of the tree: a text in backticks that begins with one of them names a path.
const TOP: [&str; 10] =
    ["benches/", "cli/", "docs/", "examples/", "functions/", "fuzz/", "infra/", "shared/", "tests/", ".ci/"];

/// Every document that git knows, by its path.
fn documents() -> Vec<(PathBuf, String)> {
    let listed = Command::new("git").args(["ls-files", "*.md"]).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().map(|path| (PathBuf::from(path), fs::read_to_string(root().join(path)).unwrap())).collect()
}

/// The targets of Markdown's links that lead into this tree, without their fragments.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets = targets.filter_map(|target| target.split('#').next());
    targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

/// Texts in backticks, outside of blocks of code.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

/// Whether a path, in which `*` stands for one name, leads to something.
fn exists(base: &Path, path: &str) -> bool {
    match path.split_once('*') {
        None => base.join(path).exists(),
        Some((before, after)) => {
            let folder = base.join(before);
            let Ok(entries) = fs::read_dir(folder) else { return false };
            let after = after.trim_start_matches('/');
            entries.flatten().any(|entry| exists(&entry.path(), after))
        }
    }
}

#[test]
fn every_link_of_a_document_leads_to_a_file() {
    let mut dead = Vec::new();
    for (path, text) in documents() {
        let folder = root().join(path.parent().unwrap());
        dead.extend(
            links(&text).filter(|link| !exists(&folder, link)).map(|link| format!("{path:?}: {link}")),
        );
    }
    assert!(dead.is_empty(), "these links lead nowhere:\n{}", dead.join("\n"));
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for (path, text) in documents() {
        for name in quoted(&text).filter(|name| TOP.iter().any(|top| name.starts_with(top))) {
            // A command or a pattern of names is no path: paths here have no blanks and no placeholders.
            if name.contains([' ', '<', '{', '$', '"']) {
                continue;
            }
            seen += 1;
            if !exists(&root(), name) {
                missing.push(format!("{path:?}: {name}"));
            }
        }
    }
    assert!(seen > 30, "only {seen} names were found: are they still in backticks?");
    assert!(missing.is_empty(), "these are named, and are not there:\n{}", missing.join("\n"));
}
