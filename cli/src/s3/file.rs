//! A file that appears whole.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use batchwright::ports::{ConditionalWriter, ObjectWriter, PortError, WriteCondition, Written};
use tempfile::NamedTempFile;

/// Writes beside the file, and renames when all is written and on disk. Dropped, it leaves nothing behind.
pub(crate) struct FileWriter {
    path: PathBuf,
    file: NamedTempFile,
    is_new: bool,
}

impl FileWriter {
    /// Errs where the folder can't be written to, and for a condition that files do not have.
    pub(crate) fn create(path: &Path, condition: &WriteCondition) -> Result<Self, PortError> {
        let is_new = match condition {
            WriteCondition::Always => false,
            WriteCondition::Absent => true,
            WriteCondition::Unchanged { .. } => {
                let why = format!("{}: files have no etags; leave the condition out", path.display());
                return Err(PortError::permanent("write a file", why));
            }
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // As every new file has them: less what the process masks out.
        let file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder);
        let file = file.map_err(|error| failed(path, &error))?;
        Ok(Self { path: path.to_owned(), file, is_new })
    }
}

fn failed(path: &Path, error: &io::Error) -> PortError {
    PortError::permanent("write a file", format!("{}: {error}", path.display()))
}

impl ObjectWriter for FileWriter {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.file.write_all(bytes).map_err(|error| failed(&self.path, &error))
    }

    async fn finish(self) -> Result<(), PortError> {
        let path = self.path.clone();
        match self.commit().await? {
            Written::Done { .. } => Ok(()),
            Written::Refused => {
                Err(PortError::permanent("write a file", format!("{}: it is there already", path.display())))
            }
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
    use super::*;

    async fn written(path: &Path, condition: WriteCondition, text: &str) -> Result<Written, PortError> {
        let mut writer = FileWriter::create(path, &condition)?;
        writer.write(text.as_bytes()).await?;
        writer.commit().await
    }

    #[tokio::test]
    async fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let done = Written::Done { etag: None };
        let mut dropped = FileWriter::create(&path, &WriteCondition::Always).unwrap();
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
}
