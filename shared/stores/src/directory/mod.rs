//! A directory that stands for a bucket: what one machine uses instead of S3.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `path` | from a key to a path within the directory |
//! | `writer` | an object that is being written |

mod path;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, BufReader};

pub use writer::DirectoryObjectWriter;

use self::path::path_of;
use crate::domain::SourceVersion;
use crate::ports::{CheckpointStore, ObjectStore, ObjectWriter as _, PortError, Stored, Version};

const READ_BUFFER_BYTES: usize = 64 * 1024;

/// An [`ObjectStore`] over a directory. A key's segments are directories, its last one a file; content
/// types are not kept. A key that is another one's directory (`a` beside `a/b`) is refused.
#[derive(Debug, Clone)]
pub struct DirectoryObjectStore {
    root: PathBuf,
}

impl DirectoryObjectStore {
    /// Over `root`, which is made when the first object is written.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The file that holds, or would hold, the object under a key.
    ///
    /// # Errors
    ///
    /// Permanent where the key is empty, too long, absolute, or has an empty, `.` or `..` segment.
    pub fn path(&self, key: &str) -> Result<PathBuf, PortError> {
        let relative = path_of(key).map_err(|error| PortError::permanent("find an object", error))?;
        Ok(self.root.join(relative))
    }
}

impl ObjectStore for DirectoryObjectStore {
    type Reader = BufReader<File>;
    type Writer = DirectoryObjectWriter;

    async fn open_object(&self, key: &str) -> Result<Option<Self::Reader>, PortError> {
        let path = self.path(key)?;
        let failed = |error: io::Error| port_error("open an object", &path, &error);
        let file = match File::open(&path).await {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if file.metadata().await.map_err(failed)?.is_dir() {
            return Ok(None);
        }
        Ok(Some(BufReader::with_capacity(READ_BUFFER_BYTES, file)))
    }

    /// A directory keeps no versions: a file's size and time of change stand for its ETag.
    async fn open_version(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Option<(Self::Reader, SourceVersion)>, PortError> {
        if version_id.is_some() {
            return Ok(None);
        }
        let Some(reader) = self.open_object(key).await? else { return Ok(None) };
        let path = self.path(key)?;
        let metadata = reader.get_ref().metadata().await;
        let metadata = metadata.map_err(|error| port_error("open an object", &path, &error))?;
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let e_tag = format!("{}-{}", metadata.len(), changed.unwrap_or_default().as_nanos());
        Ok(Some((reader, SourceVersion::new(None, Some(e_tag)))))
    }

    async fn create_object(&self, key: &str, _content_type: &str) -> Result<Self::Writer, PortError> {
        DirectoryObjectWriter::start(self.path(key)?).await
    }
}

/// One process writes a folder at a time, because the state's folder is locked: what was compared still stands
/// when it is written.
impl CheckpointStore for DirectoryObjectStore {
    async fn load(&self, key: &str) -> Result<Option<Stored>, PortError> {
        let Some(mut object) = self.open_object(key).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = object.read_to_end(&mut bytes).await;
        read.map_err(|error| PortError::retryable("read an object", format!("{key}: {error}")))?;
        Ok(Some(Stored { version: version_of(&bytes), bytes }))
    }

    async fn save(
        &self,
        key: &str,
        bytes: &[u8],
        over: Option<&Version>,
    ) -> Result<Option<Version>, PortError> {
        let found = self.load(key).await?;
        if found.map(|found| found.version).as_ref() != over {
            return Ok(None);
        }
        let mut writer = self.create_object(key, "application/json").await?;
        writer.write(bytes).await?;
        writer.finish().await?;
        Ok(Some(version_of(bytes)))
    }
}

/// Like an ETag: of the content.
fn version_of(bytes: &[u8]) -> Version {
    Version(STANDARD.encode(Sha256::digest(bytes)))
}

/// There is no such file, also where a part of the path is a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Names the file; tells what may pass from what won't.
fn port_error(operation: &'static str, path: &Path, error: &io::Error) -> PortError {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            PortError::retryable(operation, format!("{message}; free some space and try again"))
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            PortError::permanent(operation, format!("{message}; check the permissions of its directory"))
        }
        io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::DirectoryNotEmpty => PortError::permanent(
            operation,
            format!("{message}; a directory can't hold a key that is a part of another key"),
        ),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {
            PortError::permanent(operation, message)
        }
        _ => PortError::retryable(operation, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ErrorKind;

    async fn put(store: &DirectoryObjectStore, key: &str, text: &str) -> Result<(), PortError> {
        let mut writer = store.create_object(key, "text/plain").await?;
        writer.write(text.as_bytes()).await?;
        writer.finish().await
    }

    #[tokio::test]
    async fn a_key_stays_within_the_directory_whatever_it_holds() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("bucket");
        let store = DirectoryObjectStore::new(&root);
        put(&store, "logs/c:\\..\\x/%2E%2E/ä #1", "text").await.unwrap();
        let mut text = String::new();
        let found = store.open_object("logs/c:\\..\\x/%2E%2E/ä #1").await.unwrap();
        found.unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "text");
        let beside: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
        assert_eq!(beside.len(), 1, "{beside:?}");
        for outside in ["../x", "a/../../x", "/etc/passwd", ""] {
            let error = store.open_object(outside).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Permanent, "{outside:?}");
            assert!(put(&store, outside, "").await.is_err());
        }
    }

    #[tokio::test]
    async fn nothing_is_left_of_an_object_that_was_not_finished() {
        let root = tempfile::tempdir().unwrap();
        let store = DirectoryObjectStore::new(root.path());
        let mut writer = store.create_object("a", "text/plain").await.unwrap();
        writer.write(b"half").await.unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_checkpoint_is_saved_over_what_was_read_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let store = DirectoryObjectStore::new(root.path());
        let first = store.save("a", b"1", None).await.unwrap().unwrap();
        assert_eq!(store.save("a", b"2", None).await.unwrap(), None);
        let second = store.save("a", b"2", Some(&first)).await.unwrap().unwrap();
        assert_eq!(store.save("a", b"3", Some(&first)).await.unwrap(), None);
        assert_eq!(store.load("a").await.unwrap(), Some(Stored { bytes: b"2".to_vec(), version: second }));
    }

    #[tokio::test]
    async fn a_key_beside_its_own_prefix_is_refused_and_absent() {
        let root = tempfile::tempdir().unwrap();
        let store = DirectoryObjectStore::new(root.path());
        put(&store, "a/b", "").await.unwrap();
        assert!(store.open_object("a").await.unwrap().is_none());
        assert!(store.open_object("a/b/c").await.unwrap().is_none());
        for key in ["a", "a/b/c"] {
            let error = put(&store, key, "").await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
        }
    }
}
