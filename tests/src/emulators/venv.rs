//! Python environments, one for each group of requirements, in the workspace's `.venv`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Holds what was installed: the environment is whole where it equals the requirements.
const INSTALLED: &str = "installed.txt";

/// An environment in which a group's packages are installed.
#[derive(Debug, Clone)]
pub struct Venv {
    root: PathBuf,
}

impl Venv {
    /// The environment of `requirements/<group>.txt`, made where it is missing or out of date; `None`
    /// where this machine has no `python3`. Test programs that ask at once wait for the first of them.
    pub fn of_group(group: &str) -> anyhow::Result<Option<Self>> {
        if !has_python(group) {
            return Ok(None);
        }
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("requirements/{group}.txt"));
        let wanted = fs::read_to_string(&requirements)
            .with_context(|| format!("reading the requirements {}", requirements.display()))?;
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv");
        fs::create_dir_all(&all).with_context(|| format!("making {}", all.display()))?;
        let lock = File::create(all.join(format!("{group}.lock")))?;
        lock.lock().context("waiting for another test program that installs the packages")?;
        let root = all.canonicalize()?.join(group);
        if fs::read_to_string(root.join(INSTALLED)).is_ok_and(|installed| installed == wanted) {
            return Ok(Some(Self { root }));
        }
        install(&root, &requirements)?;
        fs::write(root.join(INSTALLED), wanted)?;
        Ok(Some(Self { root }))
    }

    /// A program of the environment.
    pub fn program(&self, name: &str) -> PathBuf {
        self.root.join("bin").join(name)
    }
}

/// Whether this machine has a `python3`. Says on standard error what is skipped where it has none.
pub(super) fn has_python(emulator: &str) -> bool {
    let mut version = Command::new("python3");
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    let found = version.status().is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: there is no python3 on this machine, and the emulator {emulator:?} needs it");
    }
    found
}

fn install(root: &Path, requirements: &Path) -> anyhow::Result<()> {
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(root))?;
    let mut pip = Command::new(root.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    // Packages that are built where they are installed are built with these alone.
    let constraints = requirements.with_extension("constraints");
    if constraints.exists() {
        pip.env("PIP_CONSTRAINT", constraints);
    }
    run(pip.arg(requirements))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed with {}: {said}", output.status);
    Ok(())
}
