//! The files of one attempt.
//!
//! | name | what it holds | who writes it |
//! | --- | --- | --- |
//! | `order` | what to run, in its first line | the engine, before it asks for the attendant |
//! | | who the attendant is, and how each unit ended: a line each | the attendant, before the command and at the end |
//! | `pid` | the same file: the attendant has said who it is | the attendant, before the command |
//! | `begun` | the same file: a container may have been started | the attendant, before the container |
//! | `started` | the same file: it has been, and its image is there | the attendant |
//! | `timed-out` | the same file: it ran too long, and the attendant has ended it for that | the attendant |
//! | `exit` | the same file: nothing of the command is left | the attendant, at the end |
//! | `output`, `output.1` … | what each unit of the task has written | the command |
//! | `reasons` | why a unit could not be started or was ended | the attendant |
//! | `work`, `home`, `tmp` | the command's own folders | the command |
//!
//! One file has many names, because a file system takes longer over a new file than over anything else that an attempt
//! needs.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::attendant::Order;
use super::identity::{IDENTITY_LINES, Identity};
use crate::domain::Timestamp;
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

    /// Whether its attendant has ended well, so that nobody writes here any more, and the command's own folders are as they
    /// were when they were made.
    pub(super) fn is_as_found(&self) -> bool {
        let mode = |path: &Path| fs::symlink_metadata(path).map(|found| found.permissions().mode()).ok();
        let own = mode(&self.path);
        let is_plain = |folder: &PathBuf| {
            mode(folder) == own && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
        };
        self.is_over() && [self.work(), self.home(), self.tmp()].iter().all(is_plain)
    }

    /// Removes everything but the command's own folders and the order's file, which it empties.
    ///
    /// # Errors
    ///
    /// Also where there is a folder more.
    pub(super) fn clean(&self) -> io::Result<()> {
        let own = [self.work(), self.home(), self.tmp()];
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_file() && path == self.order() {
                OpenOptions::new().write(true).open(path)?.set_len(0)?;
            } else if !own.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Moves it to where a person can look at it.
    pub(super) fn keep(&self, kept: &Path) -> io::Result<()> {
        let name = self.path.file_name().ok_or(ErrorKind::InvalidInput)?;
        fs::create_dir_all(kept)?;
        absent_is_fine(fs::rename(&self.path, kept.join(name)))
    }

    /// Says who the attendant is, behind the order, and then links the whole file. Takes up the room for the exit codes
    /// of so many units too, because the disk may be full when the command ends. Errs where the name is taken: an engine
    /// has declared the attempt lost, and the command must not run.
    pub(super) fn announce(&self, units: usize) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(self.order())?;
        let order = BufReader::new(&file).skip_until(b'\n')?;
        // An attendant before this one may have written here.
        file.set_len(order as u64)?;
        file.seek(SeekFrom::Start(order as u64))?;
        let room = format!("{:CODE_WIDTH$}\n", "").repeat(units);
        file.write_all(format!("{}{room}", Identity::of_this_process()?).as_bytes())?;
        fs::hard_link(self.order(), self.path.join("pid"))
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
                Ok(Identity::parse(attended(&text).0).map_or(Claim::Never, Claim::Attendant))
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

    /// Makes a name that says something by being there.
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
        let codes: String = codes.collect();
        let mut file = OpenOptions::new().write(true).open(self.path.join("pid"))?;
        file.seek(SeekFrom::End(-i64::try_from(codes.len()).map_err(io::Error::other)?))?;
        file.write_all(codes.as_bytes())
    }

    pub(super) fn confirm_ends(&self) -> io::Result<()> {
        self.mark("exit")
    }

    pub(super) fn note_timeout(&self) -> io::Result<()> {
        self.mark("timed-out")
    }

    pub(super) fn has_timed_out(&self) -> bool {
        self.path.join("timed-out").exists()
    }

    /// When the exit codes were written.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        let written = |name: &str| fs::metadata(self.path.join(name)).and_then(|file| file.modified()).ok();
        let written = written("exit").or_else(|| written("pid"))?;
        let since = written.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok().map(Timestamp::from_millis)
    }

    /// Whether an attendant has ended everything, and then itself.
    pub(super) fn is_over(&self) -> bool {
        self.path.join("exit").exists()
    }

    /// How the units ended, once nothing of them is left.
    pub(super) fn ends(&self) -> Option<Vec<UnitEnd>> {
        self.read_ends("exit")
    }

    /// How the units of an attendant ended that was killed before it ended what was left.
    pub(super) fn unconfirmed_ends(&self) -> Option<Vec<UnitEnd>> {
        self.read_ends("pid").filter(|ends| ends.iter().any(|end| end.code.is_some()))
    }

    fn read_ends(&self, name: &str) -> Option<Vec<UnitEnd>> {
        let text = fs::read_to_string(self.path.join(name)).ok()?;
        let (attended, before_codes) = attended(&text);
        let codes = attended.split_inclusive('\n').skip(before_codes);
        let reasons = fs::read(self.path.join("reasons")).unwrap_or_default();
        let reasons: Vec<(Option<String>, bool)> = serde_json::from_slice(&reasons).unwrap_or_default();
        let mut reasons = reasons.into_iter();
        let ends = codes.map(|line| {
            let (reason, was_stopped) = reasons.next().unwrap_or_default();
            let code = Some(line.strip_suffix('\n')?.trim_start()).filter(|code| !code.is_empty());
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

/// What an attendant wrote behind its order, and how many lines of it stand before the exit codes. An attempt that another
/// version began has files of their own for both, without the order.
fn attended(text: &str) -> (&str, usize) {
    match text.split_once('\n') {
        Some((order, attended)) if order.starts_with('{') => (attended, IDENTITY_LINES),
        _ => (text, 0),
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
    use crate::engine::process::attendant::{Run, Unit};

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

    /// A folder with an order, as the engine leaves it.
    fn ordered(root: &Path, units: usize) -> Folder {
        let folder = Folder::at(root);
        folder.create().unwrap();
        let run = Run::Process {
            directory: "/".into(),
            program: "/bin/true".into(),
            command: vec!["true\n".into()],
            environment: Vec::new(),
        };
        let order = Order { runtime: None, timeout_seconds: None, units: vec![Unit::only(run); units] };
        order.write(&folder.order()).unwrap();
        folder
    }

    #[test]
    fn whoever_comes_first_decides_whether_the_command_runs() {
        let root = tempfile::tempdir().unwrap();
        let first = ordered(&root.path().join("a"), 1);
        assert_eq!(first.claim().unwrap(), Claim::Never);
        assert_eq!(first.announce(1).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(first.claim().unwrap(), Claim::Never, "once and for all");
        let second = ordered(&root.path().join("b"), 1);
        second.announce(1).unwrap();
        assert!(matches!(second.claim().unwrap(), Claim::Attendant(identity) if identity.is_alive()));
    }

    #[test]
    fn an_attempt_that_another_version_began_is_known() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path());
        fs::write(root.path().join("pid"), Identity::of_this_process().unwrap()).unwrap();
        fs::write(root.path().join("exit.new"), "   \n").unwrap();
        assert!(matches!(folder.claim().unwrap(), Claim::Attendant(identity) if identity.is_alive()));
        assert_eq!((folder.ends(), folder.unconfirmed_ends()), (None, None));
        fs::write(root.path().join("exit"), "  7\n").unwrap();
        assert_eq!(folder.ends(), Some(vec![UnitEnd { code: Some(7), ..UnitEnd::default() }]));
    }

    #[test]
    fn an_exit_code_counts_when_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let folder = ordered(root.path(), 3);
        let order = Order::read(&folder.order()).unwrap();
        let ends = vec![
            UnitEnd { code: Some(7), ..UnitEnd::default() },
            UnitEnd::refused("CannotStartContainerError: a\nb".into()),
            UnitEnd { code: Some(143), was_stopped: true, ..UnitEnd::default() },
        ];
        assert_eq!(folder.unconfirmed_ends(), None);
        // One of containers may be attended again.
        for _ in 0..2 {
            folder.announce(3).unwrap();
            assert_eq!((folder.ends(), folder.unconfirmed_ends()), (None, None));
            folder.note_ends(&ends).unwrap();
            assert_eq!((folder.ends(), folder.unconfirmed_ends()), (None, Some(ends.clone())));
            assert!(matches!(folder.claim().unwrap(), Claim::Attendant(identity) if identity.is_alive()));
            assert_eq!(Order::read(&folder.order()).unwrap(), order);
            folder.release().unwrap();
        }
        folder.announce(3).unwrap();
        folder.note_ends(&ends).unwrap();
        folder.confirm_ends().unwrap();
        assert_eq!((folder.ends(), folder.unconfirmed_ends()), (Some(ends.clone()), Some(ends)));
    }
}
