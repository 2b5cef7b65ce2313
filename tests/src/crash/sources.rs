//! Where the sources call ports, found in their text.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A call of a port's method in a source, by the place of the method's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CallSite {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub method: String,
    /// The line of the source.
    pub text: String,
}

/// The workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The async methods of all ports, by their declarations.
///
/// # Errors
///
/// Where the sources can't be read.
pub fn methods() -> anyhow::Result<BTreeSet<String>> {
    let mut methods = BTreeSet::new();
    for file in files(&root().join("shared/core/src/ports"))? {
        let text = without_tests(&fs::read_to_string(&file)?);
        for declaration in text.split("\n    fn ").skip(1) {
            let end = declaration.find([';', '{']).unwrap_or(declaration.len());
            if declaration[..end].contains("impl Future") {
                let name = declaration.find('(').context("a method without arguments")?;
                methods.insert(declaration[..name].to_owned());
            }
        }
    }
    Ok(methods)
}

/// Every call of one of the methods below a folder, or in a file.
///
/// # Errors
///
/// Where the sources can't be read.
pub fn calls(of: &BTreeSet<String>, under: &str) -> anyhow::Result<BTreeSet<CallSite>> {
    let mut found = BTreeSet::new();
    for path in files(&root().join(under))? {
        let text = without_tests(&fs::read_to_string(&path)?);
        let file = path.strip_prefix(root())?.to_string_lossy().into_owned();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (at, _) in code.match_indices('.') {
                let method: String =
                    code[at + 1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let called = code[at + 1 + method.len()..].starts_with('(');
                if called && of.contains(&method) && !is_of_self(&code[..at]) {
                    found.insert(CallSite {
                        file: file.clone(),
                        line: u32::try_from(number + 1)?,
                        column: u32::try_from(at + 2)?,
                        method,
                        text: line.trim().to_owned(),
                    });
                }
            }
        }
    }
    Ok(found)
}

/// `self.write(..)` is a method of the source's own type, which is no port.
fn is_of_self(before: &str) -> bool {
    before.strip_suffix("self").is_some_and(|rest| {
        !rest.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '_' || last == '.')
    })
}

fn without_tests(text: &str) -> String {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

fn files(under: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if under.is_file() {
        return Ok(vec![under.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(under).with_context(|| format!("reading {}", under.display()))? {
        let path = entry?.path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(if path.is_dir() { files(&path)? } else { vec![path] });
        }
    }
    found.sort();
    Ok(found)
}
