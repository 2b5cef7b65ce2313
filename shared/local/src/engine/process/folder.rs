//! The files of one attempt: `pid` (who the shim is), `exit` (how the command ended), `killed` (that
//! the engine sent SIGKILL), `output`.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::identity::Identity;
use crate::engine::core::AttemptId;

#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
}

/// What the `pid` file tells a later engine.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The shim came first: the command has run, or runs.
    Shim(Identity),
    /// This engine came first: the command never ran and never will.
    Never,
}

impl Folder {
    pub(super) fn name(attempt: &AttemptId) -> String {
        format!("{}.{}", attempt.job_id, attempt.number)
    }

    pub(super) fn of(attempts: &Path, attempt: &AttemptId) -> Self {
        Self { path: attempts.join(Self::name(attempt)) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn output(&self) -> PathBuf {
        self.path.join("output")
    }

    pub(super) fn create(&self) -> io::Result<()> {
        fs::create_dir_all(&self.path)
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        absent_is_fine(fs::remove_dir_all(&self.path))
    }

    /// Takes the shim's name where the shim has not: whoever comes first decides whether the command
    /// ever runs.
    pub(super) fn claim(&self) -> io::Result<Claim> {
        self.create()?;
        match OpenOptions::new().write(true).create_new(true).open(self.path.join("pid")) {
            Ok(_) => Ok(Claim::Never),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let text = fs::read_to_string(self.path.join("pid"))?;
                Ok(Identity::parse(&text).map_or(Claim::Never, Claim::Shim))
            }
            Err(error) => Err(error),
        }
    }

    /// The exit code, once the command has ended and its shim has said so.
    pub(super) fn exit_code(&self) -> Option<i32> {
        fs::read_to_string(self.path.join("exit")).ok()?.strip_suffix('\n')?.parse().ok()
    }

    /// Notes that SIGKILL is about to be sent: no exit code will be written.
    pub(super) fn note_kill(&self) -> io::Result<()> {
        fs::write(self.path.join("killed"), "")
    }

    pub(super) fn was_killed(&self) -> bool {
        self.path.join("killed").exists()
    }
}

/// Removes the folders of attempts that are not in use any more.
pub(super) fn sweep(attempts: &Path, in_use: &HashSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(attempts)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(|name| in_use.contains(name)) {
            absent_is_fine(fs::remove_dir_all(entry.path()))?;
        }
    }
    Ok(())
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}
