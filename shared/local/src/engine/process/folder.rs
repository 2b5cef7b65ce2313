//! The files of one attempt.
//!
//! | name | what it holds | who writes it |
//! | --- | --- | --- |
//! | `order` | what to run | the engine, before it starts the attendant |
//! | `pid` | who the attendant is | the attendant, before the command |
//! | `output` | what the command has written | the command |
//! | `refusal` | why the command could not be started | the attendant |
//! | `exit.new` | how the command ended | the attendant, at the command's end |
//! | `exit` | the same | the attendant, when nothing of the command is left |
//! | `work`, `home`, `tmp` | the command's own folders | the command |

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::attendant::Order;
use super::identity::Identity;
use crate::engine::core::AttemptId;
use crate::engine::logs::{Follower, LogDirectory};
use crate::ports::Clock;

/// The most digits that an exit code has.
const CODE_WIDTH: usize = 3;

#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
}

/// What the `pid` file tells a later engine.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The attendant came first: the command has run, or runs.
    Attendant(Identity),
    /// This engine came first: the command never ran and never will.
    Never,
}

impl Folder {
    /// The folder's name. It holds no colon, because programs put their folder into lists such as `PYTHONPATH`.
    pub(super) fn name(attempt: &AttemptId) -> String {
        format!("{}.{}", attempt.job_id, attempt.number).replace(':', "_")
    }

    pub(super) fn of(attempts: &Path, attempt: &AttemptId) -> Self {
        Self::at(attempts.join(Self::name(attempt)))
    }

    pub(super) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn order(&self) -> PathBuf {
        self.path.join("order")
    }

    pub(super) fn output(&self) -> PathBuf {
        self.path.join("output")
    }

    /// Where the command runs.
    pub(super) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.path.join("tmp")
    }

    /// Makes it, with the command's own folders.
    pub(super) fn create(&self) -> io::Result<()> {
        [self.work(), self.home(), self.tmp()].iter().try_for_each(fs::create_dir_all)
    }

    pub(super) fn open_output(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.output())
    }

    /// Removes it, also where the command has made folders of it read-only, as Go does with its modules.
    pub(super) fn remove(&self) -> io::Result<()> {
        match absent_is_fine(fs::remove_dir_all(&self.path)) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                make_folders_writable(&self.path)?;
                absent_is_fine(fs::remove_dir_all(&self.path))
            }
            removed => removed,
        }
    }

    /// Moves it to where a person can look at it.
    pub(super) fn keep(&self, kept: &Path) -> io::Result<()> {
        let name = self.path.file_name().ok_or(ErrorKind::InvalidInput)?;
        fs::create_dir_all(kept)?;
        absent_is_fine(fs::rename(&self.path, kept.join(name)))
    }

    /// Says who the attendant is, by linking a whole file. Errs where the name is taken: an engine has declared
    /// the attempt lost, and the command must not run.
    pub(super) fn announce(&self) -> io::Result<()> {
        let draft = self.path.join("pid.new");
        fs::write(&draft, Identity::of_this_process()?)?;
        fs::hard_link(draft, self.path.join("pid"))
    }

    /// Takes the attendant's name where the attendant has not: whoever comes first decides whether the command
    /// ever runs.
    pub(super) fn claim(&self) -> io::Result<Claim> {
        fs::create_dir_all(&self.path)?;
        match OpenOptions::new().write(true).create_new(true).open(self.path.join("pid")) {
            Ok(_) => Ok(Claim::Never),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let text = fs::read_to_string(self.path.join("pid"))?;
                Ok(Identity::parse(&text).map_or(Claim::Never, Claim::Attendant))
            }
            Err(error) => Err(error),
        }
    }

    /// Says why the command could not be started.
    pub(super) fn refuse(&self, why: &str) -> io::Result<()> {
        fs::write(self.path.join("refusal"), why)
    }

    pub(super) fn refusal(&self) -> Option<String> {
        fs::read_to_string(self.path.join("refusal")).ok()
    }

    /// Takes up the room for the exit code, because the disk may be full when the command ends.
    pub(super) fn reserve_exit(&self) -> io::Result<()> {
        fs::write(self.path.join("exit.new"), format!("{:CODE_WIDTH$}\n", ""))
    }

    /// Writes the exit code into the room that was taken up for it.
    pub(super) fn note_exit(&self, code: i32) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(self.path.join("exit.new"))?;
        file.write_all(format!("{code:CODE_WIDTH$}\n").as_bytes())
    }

    pub(super) fn confirm_exit(&self) -> io::Result<()> {
        fs::rename(self.path.join("exit.new"), self.path.join("exit"))
    }

    /// The exit code, once nothing of the command is left.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.read_code("exit")
    }

    /// The exit code of a command whose attendant was killed before it ended what was left.
    pub(super) fn unconfirmed_exit_code(&self) -> Option<i32> {
        self.read_code("exit.new")
    }

    fn read_code(&self, name: &str) -> Option<i32> {
        fs::read_to_string(self.path.join(name)).ok()?.strip_suffix('\n')?.trim_start().parse().ok()
    }

    /// Takes what an earlier engine did not into the log.
    fn finish_log(&self, logs: &LogDirectory, clock: &impl Clock) -> io::Result<()> {
        let output = self.output();
        if fs::metadata(&output).map_or(0, |output| output.len()) == 0 {
            return Ok(());
        }
        let order = Order::read(&self.order())?;
        let stream = order.log_stream.to_str().and_then(|name| logs.path(name));
        let stream = stream.ok_or(ErrorKind::InvalidData)?;
        Follower::open(&output, &stream)?.finish(clock.now())
    }
}

/// Removes the folders of attempts that have ended, except those whose output can't be taken into the log.
pub(super) fn sweep(attempts: &Path, in_use: &HashSet<String>, logs: &LogDirectory, clock: &impl Clock) {
    let entries = match fs::read_dir(attempts) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, folder = %attempts.display(), "attempts that have ended are not removed");
            return;
        }
    };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| in_use.contains(name)) {
            continue;
        }
        let folder = Folder::at(entry.path());
        if let Err(error) = folder.finish_log(logs, clock) {
            let output = folder.output();
            tracing::warn!(%error, output = %output.display(), "output is not in the log; its file is kept");
        } else if let Err(error) = folder.remove() {
            tracing::warn!(%error, folder = %folder.path().display(), "an attempt's folder can't be removed");
        }
    }
}

fn make_folders_writable(folder: &Path) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            // A link is none: what it leads to is not the attempt's.
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_its_command_made_read_only_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path().join("a"));
        folder.create().unwrap();
        let module = folder.home().join("go/pkg/mod");
        fs::create_dir_all(&module).unwrap();
        fs::write(module.join("go.mod"), "").unwrap();
        std::os::unix::fs::symlink(root.path(), folder.work().join("link")).unwrap();
        fs::set_permissions(&module, fs::Permissions::from_mode(0o555)).unwrap();
        // Root may remove what is read-only, so the repair is walked by itself too.
        make_folders_writable(folder.path()).unwrap();
        assert_eq!(fs::metadata(&module).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&module, fs::Permissions::from_mode(0o555)).unwrap();
        folder.remove().unwrap();
        assert!(!folder.path().exists() && root.path().exists());
    }

    #[test]
    fn whoever_comes_first_decides_whether_the_command_runs() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (Folder::at(root.path().join("a")), Folder::at(root.path().join("b")));
        assert_eq!(first.claim().unwrap(), Claim::Never);
        assert_eq!(first.announce().unwrap_err().kind(), ErrorKind::AlreadyExists);
        second.create().unwrap();
        second.announce().unwrap();
        assert!(matches!(second.claim().unwrap(), Claim::Attendant(identity) if identity.is_alive()));
    }

    #[test]
    fn an_exit_code_counts_when_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path());
        folder.reserve_exit().unwrap();
        assert_eq!(folder.unconfirmed_exit_code(), None);
        folder.note_exit(7).unwrap();
        assert_eq!((folder.exit_code(), folder.unconfirmed_exit_code()), (None, Some(7)));
        folder.confirm_exit().unwrap();
        assert_eq!((folder.exit_code(), folder.unconfirmed_exit_code()), (Some(7), None));
    }
}
