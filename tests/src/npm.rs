//! Packages of npm that hold data, or that make it of others', one folder for each group of requirements, in the
//! workspace's `.tools`. None of their install scripts is run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Holds what was installed: the folder is whole where it equals the requirements.
const INSTALLED: &str = "installed.txt";

/// A folder in which a group's packages are installed.
#[derive(Debug, Clone)]
pub struct Packages {
    root: PathBuf,
}

impl Packages {
    /// The packages of `requirements/<group>.npm`, installed where they are missing or out of date; `None`,
    /// and said on standard error, where this machine has no `npm`. Test programs that ask at once wait
    /// for the first of them.
    pub fn of_group(group: &str) -> anyhow::Result<Option<Self>> {
        let mut version = Command::new("npm");
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        if !version.status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: there is no npm on this machine, and the packages of {group:?} come from it");
            return Ok(None);
        }
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("requirements/{group}.npm"));
        let wanted = fs::read_to_string(&requirements)
            .with_context(|| format!("reading the requirements {}", requirements.display()))?;
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
        fs::create_dir_all(&all).with_context(|| format!("making {}", all.display()))?;
        let lock = File::create(all.join(format!("npm-{group}.lock")))?;
        lock.lock().context("waiting for another test program that installs the packages")?;
        let root = all.canonicalize()?.join(format!("npm-{group}"));
        if fs::read_to_string(root.join(INSTALLED)).is_ok_and(|installed| installed == wanted) {
            return Ok(Some(Self { root }));
        }
        install(&root, wanted.split_whitespace())?;
        fs::write(root.join(INSTALLED), wanted)?;
        Ok(Some(Self { root }))
    }

    /// A package's folder.
    pub fn folder(&self, package: &str) -> PathBuf {
        self.root.join("node_modules").join(package)
    }

    /// The folder of the packages.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What a script prints that `node` runs in the folder of these packages, and that unpacks files there.
    pub fn printed_beside(&self, script: &str) -> anyhow::Result<Vec<u8>> {
        let lock = File::create(self.root.join("unpacking.lock"))?;
        lock.lock().context("waiting for another test program that unpacks")?;
        let mut node = Command::new("node");
        let output = node.current_dir(&self.root).env("TMPDIR", &self.root).args(["-e", script]).output()?;
        ensure!(output.status.success(), "node: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    /// What a script prints that `node` runs in the folder of these packages.
    pub fn printed(&self, script: &str, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let mut node = Command::new("node");
        let output = node.current_dir(&self.root).args(["-e", script]).args(arguments).output()?;
        ensure!(output.status.success(), "node: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    /// The value that a generated module of a package exports, where that is JSON behind a comment.
    pub fn exported(&self, package: &str, path: &str) -> anyhow::Result<serde_json::Value> {
        let path = self.folder(package).join(path);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let (_, json) = text.split_once("export default").context("the module exports no value")?;
        serde_json::from_str(json.trim().trim_end_matches(';'))
            .with_context(|| format!("in {}", path.display()))
    }
}

fn install<'a>(root: &Path, packages: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("removing {}", root.display()))?;
    }
    fs::create_dir_all(root)?;
    fs::write(root.join("package.json"), "{\"private\": true}\n")?;
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--silent",
        "--prefix",
    ]);
    let output = npm.arg(root).args(packages).current_dir(root).output().context("starting npm")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "npm install failed with {}: {said}", output.status);
    Ok(())
}
