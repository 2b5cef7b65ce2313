//! The files of one attempt.
//!
//! | name | what it holds | who writes it |
//! | --- | --- | --- |
//! | `order` | what to run | the engine, before it starts the attendant |
//! | `pid` | who the attendant is | the attendant, before the command |
//! | `begun` | that the command may have been started | the attendant, before the command |
//! | `started` | that it has been, and its image is there | the attendant |
//! | `output`, `output.1` … | what each unit of the task has written | the command |
//! | `reasons` | why a unit could not be started or was ended | the attendant |
//! | `exit.new` | how each unit ended, a line each | the attendant, at the end |
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

/// How a unit ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UnitEnd {
    /// Its exit code, or 128 + the signal that ended it; `None` where it did not run.
    pub(super) code: Option<i32>,
    /// Why it did not run, or was ended.
    pub(super) reason: Option<String>,
    /// It was ended because another unit had ended.
    pub(super) was_stopped: bool,
}

impl UnitEnd {
    /// It could not be started.
    pub(super) fn refused(why: String) -> Self {
        Self { reason: Some(why), ..Self::default() }
    }
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

    /// The output of a unit, by its place in the task.
    pub(super) fn output(&self, unit: usize) -> PathBuf {
        self.path.join(if unit == 0 { "output".to_owned() } else { format!("output.{unit}") })
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

    pub(super) fn open_output(&self, unit: usize) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.output(unit))
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

    /// Whether an attendant has said who it is, or nobody may any more.
    pub(super) fn is_announced(&self) -> bool {
        self.path.join("pid").exists()
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

    /// Frees the name of an attendant that has ended, for another.
    pub(super) fn release(&self) -> io::Result<()> {
        fs::remove_file(self.path.join("pid"))
    }

    pub(super) fn begin(&self) -> io::Result<()> {
        self.mark("begun")
    }

    /// Makes a name that says something by being there: another of the attendant's own file, because a file system takes
    /// longer over a new file than over anything else that an attempt needs.
    fn mark(&self, name: &str) -> io::Result<()> {
        match fs::hard_link(self.path.join("pid"), self.path.join(name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.path.join("begun").exists()
    }

    pub(super) fn note_start(&self) -> io::Result<()> {
        self.mark("started")
    }

    pub(super) fn has_started(&self) -> bool {
        self.path.join("started").exists()
    }

    /// Takes up the room for the exit codes, because the disk may be full when the command ends.
    pub(super) fn reserve_ends(&self, units: usize) -> io::Result<()> {
        fs::write(self.path.join("exit.new"), format!("{:CODE_WIDTH$}\n", "").repeat(units))
    }

    /// Writes the exit codes into the room that was taken up for them.
    pub(super) fn note_ends(&self, ends: &[UnitEnd]) -> io::Result<()> {
        let reasons: Vec<(&Option<String>, bool)> =
            ends.iter().map(|end| (&end.reason, end.was_stopped)).collect();
        if reasons.iter().any(|(reason, was_stopped)| reason.is_some() || *was_stopped) {
            // Where the disk is full, the exit code is told without its reason.
            let _ = fs::write(self.path.join("reasons"), serde_json::to_vec(&reasons)?);
        }
        let codes = ends.iter().map(|end| match end.code {
            Some(code) => format!("{code:CODE_WIDTH$}\n"),
            None => format!("{:CODE_WIDTH$}\n", ""),
        });
        let mut file = OpenOptions::new().write(true).open(self.path.join("exit.new"))?;
        file.write_all(codes.collect::<String>().as_bytes())
    }

    pub(super) fn confirm_ends(&self) -> io::Result<()> {
        fs::rename(self.path.join("exit.new"), self.path.join("exit"))
    }

    /// How the units ended, once nothing of them is left.
    pub(super) fn ends(&self) -> Option<Vec<UnitEnd>> {
        self.read_ends("exit")
    }

    /// How the units of an attendant ended that was killed before it ended what was left.
    pub(super) fn unconfirmed_ends(&self) -> Option<Vec<UnitEnd>> {
        self.read_ends("exit.new").filter(|ends| ends.iter().any(|end| end.code.is_some()))
    }

    fn read_ends(&self, name: &str) -> Option<Vec<UnitEnd>> {
        let codes = fs::read_to_string(self.path.join(name)).ok()?;
        let reasons = fs::read(self.path.join("reasons")).unwrap_or_default();
        let reasons: Vec<(Option<String>, bool)> = serde_json::from_slice(&reasons).unwrap_or_default();
        let mut reasons = reasons.into_iter();
        let ends = codes.strip_suffix('\n')?.split('\n').map(|line| {
            let (reason, was_stopped) = reasons.next().unwrap_or_default();
            let code = Some(line.trim_start()).filter(|code| !code.is_empty());
            Some(UnitEnd { code: code.map(str::parse).transpose().ok()?, reason, was_stopped })
        });
        ends.collect()
    }

    /// Takes what an earlier engine did not into the log.
    fn finish_log(&self, logs: &LogDirectory, clock: &impl Clock) -> io::Result<()> {
        let is_empty = |unit: usize| fs::metadata(self.output(unit)).map_or(0, |output| output.len()) == 0;
        if !self.order().exists() && is_empty(0) {
            return Ok(());
        }
        for (index, unit) in Order::read(&self.order())?.units.iter().enumerate() {
            if !is_empty(index) {
                let stream = logs.path(&unit.log_stream).ok_or(ErrorKind::InvalidData)?;
                Follower::open(&self.output(index), &stream)?.finish(clock.now())?;
            }
        }
        Ok(())
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
            let output = folder.output(0);
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
        let ends = vec![
            UnitEnd { code: Some(7), ..UnitEnd::default() },
            UnitEnd::refused("CannotStartContainerError: a\nb".into()),
            UnitEnd { code: Some(143), was_stopped: true, ..UnitEnd::default() },
        ];
        folder.reserve_ends(3).unwrap();
        assert_eq!(folder.unconfirmed_ends(), None);
        folder.note_ends(&ends).unwrap();
        assert_eq!((folder.ends(), folder.unconfirmed_ends()), (None, Some(ends.clone())));
        folder.confirm_ends().unwrap();
        assert_eq!((folder.ends(), folder.unconfirmed_ends()), (Some(ends), None));
    }
}
