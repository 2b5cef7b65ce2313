//! What is written on this machine: a regular file appears whole, anything else is written in place.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use batchwright::ports::{ConditionalWriter, ObjectWriter, PortError, WriteCondition, Written};
use tempfile::NamedTempFile;

/// Symbolic links that are followed, one to the next. Linux follows as many.
const LINKS_MAX: usize = 40;

/// What a target on this machine is.
pub(crate) enum Target {
    /// A regular file, or none yet: it is replaced as a whole.
    File(FileWriter),
    /// A FIFO, a device, a terminal: it is opened and written to. Replacing it would take it from everybody else.
    InPlace(PathBuf),
    /// Standard output by one of its names.
    StandardOutput,
}

/// Tells what a target is. Errs where it can't be written to, and for a condition that it can't have.
pub(crate) fn target(path: &Path, condition: &WriteCondition) -> Result<Target, PortError> {
    if let WriteCondition::Unchanged { .. } = condition {
        let why = format!("{}: files have no etags; leave the condition out", path.display());
        return Err(PortError::permanent("write a file", why));
    }
    if *condition == WriteCondition::Absent {
        return FileWriter::create(path.to_owned(), None, true).map(Target::File);
    }
    if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name)) {
        return Ok(Target::StandardOutput);
    }
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(refused(path, "it is a folder; name a file in it")),
        Ok(found) if found.file_type().is_socket() => Err(refused(path, "it is a socket; name a file")),
        // Files that are open elsewhere have names under /proc and /dev/fd: they are written where they stand.
        Ok(found) if !found.is_file() || path.starts_with("/proc") || path.starts_with("/dev/fd") => {
            Ok(Target::InPlace(path.to_owned()))
        }
        Ok(found) => {
            writable(path, &found)?;
            FileWriter::create(resolved(path)?, Some(&found), false).map(Target::File)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            FileWriter::create(resolved(path)?, None, false).map(Target::File)
        }
        Err(error) => Err(failed(path, &error)),
    }
}

/// Errs for a file that is read-only, to root too: replacing it needs rights on its folder only, and would pass over
/// what was said of the file.
fn writable(path: &Path, found: &Metadata) -> Result<(), PortError> {
    let remedy = "it is read-only; make it writable (chmod u+w), or name another";
    if found.permissions().readonly() {
        return Err(refused(path, remedy));
    }
    match File::options().append(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(refused(path, remedy)),
        Err(error) => Err(failed(path, &error)),
    }
}

/// The path behind symbolic links, so that the file that they lead to is replaced and not they. It may not be there yet.
fn resolved(path: &Path) -> Result<PathBuf, PortError> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match std::fs::read_link(&path) {
            Ok(next) => path = folder_of(&path).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(refused(&path, "too many symbolic links lead on from it"))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn failed(path: &Path, error: &io::Error) -> PortError {
    refused(path, &error.to_string())
}

fn refused(path: &Path, why: &str) -> PortError {
    PortError::permanent("write a file", format!("{}: {why}", path.display()))
}

/// Writes beside the file, and renames when all is written and on disk. Dropped, it leaves nothing behind.
pub(crate) struct FileWriter {
    path: PathBuf,
    file: NamedTempFile,
    is_new: bool,
}

impl FileWriter {
    /// Errs where the folder can't be written to, and where the new file can't be given to the old one's owner.
    fn create(path: PathBuf, old: Option<&Metadata>, is_new: bool) -> Result<Self, PortError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".batchwright-");
        // As every new file has them: less what the process masks out.
        builder.permissions(Permissions::from_mode(0o666));
        let file = builder.tempfile_in(folder_of(&path)).map_err(|error| failed(&path, &error))?;
        if let Some(old) = old {
            let new = file.as_file().metadata().map_err(|error| failed(&path, &error))?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                fchown(file.as_file(), Some(old.uid()), Some(old.gid())).map_err(|error| {
                    let owner = format!("user {} and group {}", old.uid(), old.gid());
                    refused(
                        &path,
                        &format!("it is of {owner}, to whom a new file can't be given: {error}; remove it"),
                    )
                })?;
            }
            // Behind the owner, because a change of owner takes some of the mode away.
            let kept = file.as_file().set_permissions(old.permissions());
            kept.map_err(|error| failed(&path, &error))?;
        }
        Ok(Self { path, file, is_new })
    }
}

impl ObjectWriter for FileWriter {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.file.write_all(bytes).map_err(|error| failed(&self.path, &error))
    }

    async fn finish(self) -> Result<(), PortError> {
        let path = self.path.clone();
        match self.commit().await? {
            Written::Done { .. } => Ok(()),
            Written::Refused => Err(refused(&path, "it is there already")),
        }
    }
}

impl ConditionalWriter for FileWriter {
    async fn commit(self) -> Result<Written, PortError> {
        let Self { path, file, is_new } = self;
        file.as_file().sync_all().map_err(|error| failed(&path, &error))?;
        let renamed = if is_new { file.persist_noclobber(&path) } else { file.persist(&path) };
        match renamed {
            Ok(_) => Ok(Written::Done { etag: None }),
            Err(error) if is_new && error.error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Written::Refused)
            }
            Err(error) => Err(failed(&path, &error.error)),
        }
    }

    async fn abort(self) {}
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    async fn written(path: &Path, condition: WriteCondition, text: &str) -> Result<Written, PortError> {
        let Target::File(mut writer) = target(path, &condition)? else { panic!("no file") };
        writer.write(text.as_bytes()).await?;
        writer.commit().await
    }

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[tokio::test]
    async fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let done = Written::Done { etag: None };
        let Target::File(mut dropped) = target(&path, &WriteCondition::Always).unwrap() else { panic!() };
        dropped.write(b"half").await.unwrap();
        drop(dropped);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(written(&path, WriteCondition::Absent, "1").await.unwrap(), done);
        assert_eq!(written(&path, WriteCondition::Absent, "2").await.unwrap(), Written::Refused);
        assert_eq!(std::fs::read(&path).unwrap(), b"1");
        assert_eq!(written(&path, WriteCondition::Always, "3").await.unwrap(), done);
        assert_eq!(std::fs::read(&path).unwrap(), b"3");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(written(&path, WriteCondition::Unchanged { etag: "e".to_owned() }, "4").await.is_err());
        assert!(written(&folder.path().join("no/folder"), WriteCondition::Always, "5").await.is_err());
    }

    #[tokio::test]
    async fn a_replaced_file_keeps_its_mode_and_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private.json");
        for kept in [0o600, 0o640, 0o4755] {
            std::fs::write(&path, "old").unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(kept)).unwrap();
            let owner = if std::fs::metadata("/root").is_ok_and(|it| it.uid() == 0) && is_root() {
                12_345
            } else {
                uid()
            };
            fchown(File::open(&path).unwrap(), Some(owner), None).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(kept)).unwrap();
            written(&path, WriteCondition::Always, "new").await.unwrap();
            let found = std::fs::metadata(&path).unwrap();
            assert_eq!((mode(&path), found.uid()), (kept, owner));
            assert_eq!(std::fs::read(&path).unwrap(), b"new");
        }
    }

    fn uid() -> u32 {
        tempfile::tempfile().unwrap().metadata().unwrap().uid()
    }

    fn is_root() -> bool {
        uid() == 0
    }

    #[tokio::test]
    async fn a_link_stays_and_what_it_leads_to_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("data")).unwrap();
        std::fs::write(at("data/real.json"), "old").unwrap();
        symlink("data/real.json", at("one.json")).unwrap();
        symlink("one.json", at("two.json")).unwrap();
        symlink("data/new.json", at("dangling.json")).unwrap();
        symlink("loop.json", at("loop.json")).unwrap();
        written(&at("two.json"), WriteCondition::Always, "new").await.unwrap();
        written(&at("dangling.json"), WriteCondition::Always, "made").await.unwrap();
        for link in ["one.json", "two.json", "dangling.json"] {
            assert!(std::fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
        }
        assert_eq!(std::fs::read(at("data/real.json")).unwrap(), b"new");
        assert_eq!(std::fs::read(at("data/new.json")).unwrap(), b"made");
        assert!(written(&at("loop.json"), WriteCondition::Always, "x").await.is_err());
        let refused = written(&at("one.json"), WriteCondition::Absent, "x").await.unwrap();
        assert_eq!(refused, Written::Refused, "a link is there");
    }

    #[test]
    fn what_is_no_regular_file_is_written_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        symlink(&fifo, folder.path().join("link")).unwrap();
        for path in [&fifo, &folder.path().join("link"), Path::new("/dev/null"), Path::new("/dev/fd/2")] {
            let found = target(path, &WriteCondition::Always).unwrap();
            assert!(matches!(found, Target::InPlace(_)), "{}", path.display());
        }
        let stdout = target(Path::new("/dev/stdout"), &WriteCondition::Always).unwrap();
        assert!(matches!(stdout, Target::StandardOutput));
        let folder = target(folder.path(), &WriteCondition::Always).map(drop).unwrap_err();
        assert!(folder.message.ends_with("it is a folder; name a file in it"), "{folder}");
    }

    #[tokio::test]
    async fn a_read_only_file_is_refused_to_root_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.json");
        std::fs::write(&path, "kept").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        let error = written(&path, WriteCondition::Always, "new").await.unwrap_err();
        assert!(error.message.contains("it is read-only; make it writable"), "{error}");
        assert_eq!((std::fs::read(&path).unwrap(), mode(&path)), (b"kept".to_vec(), 0o444));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
