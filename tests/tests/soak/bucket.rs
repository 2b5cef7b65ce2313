//! The bucket: a folder, each of whose calls works at once, so that no real thread decides what comes first.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use batchwright::domain::SourceVersion;
use batchwright::ports::{CheckpointStore, ObjectStore, ObjectWriter, PortError, Stored, Version};

#[derive(Debug, Clone)]
pub(crate) struct Bucket(PathBuf);

pub(crate) struct Writer {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Bucket {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.0.join(key)
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(key);
        fs::create_dir_all(path.parent().unwrap_or(&self.0))?;
        fs::write(path, bytes)
    }

    fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        match fs::read(self.path(key)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PortError::permanent("GetObject", format!("{key}: {error}"))),
        }
    }
}

fn version(bytes: &[u8]) -> Version {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Version(format!("{:x}-{}", hasher.finish(), bytes.len()))
}

fn failed(error: io::Error) -> PortError {
    PortError::permanent("PutObject", error)
}

impl ObjectStore for Bucket {
    type Reader = Cursor<Vec<u8>>;
    type Writer = Writer;

    async fn open_object(&self, key: &str) -> Result<Option<Self::Reader>, PortError> {
        Ok(self.bytes(key)?.map(Cursor::new))
    }

    async fn open_version(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Option<(Self::Reader, SourceVersion)>, PortError> {
        let found = if version_id.is_none() { self.bytes(key)? } else { None };
        Ok(found.map(|bytes| {
            let e_tag = version(&bytes).0;
            (Cursor::new(bytes), SourceVersion::new(None, Some(e_tag)))
        }))
    }

    async fn create_object(&self, key: &str, _: &str) -> Result<Self::Writer, PortError> {
        let path = self.path(key);
        fs::create_dir_all(path.parent().unwrap_or(&self.0)).map_err(failed)?;
        Ok(Writer { path, bytes: Vec::new() })
    }
}

impl ObjectWriter for Writer {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Result<(), PortError> {
        fs::write(&self.path, &self.bytes).map_err(failed)
    }
}

impl CheckpointStore for Bucket {
    async fn load(&self, key: &str) -> Result<Option<Stored>, PortError> {
        Ok(self.bytes(key)?.map(|bytes| Stored { version: version(&bytes), bytes }))
    }

    async fn save(
        &self,
        key: &str,
        bytes: &[u8],
        over: Option<&Version>,
    ) -> Result<Option<Version>, PortError> {
        if self.bytes(key)?.map(|found| version(&found)).as_ref() != over {
            return Ok(None);
        }
        self.put(key, bytes).map_err(failed)?;
        Ok(Some(version(bytes)))
    }
}
