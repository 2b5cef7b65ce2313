//! Objects in memory.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::{Arc, Mutex};

use super::lock;
use crate::domain::SourceVersion;
use crate::ports::{CheckpointStore, ObjectStore, ObjectWriter, PortError, Stored, Version};

/// An [`ObjectStore`] in memory. Clones share what they hold.
#[derive(Debug, Clone, Default)]
pub struct InMemoryObjectStore {
    objects: Objects,
    /// Every content of every key, where versions are kept: its place is its version.
    versions: Option<Versions>,
}

type Objects = Arc<Mutex<BTreeMap<String, Object>>>;

type Versions = Arc<Mutex<BTreeMap<String, Vec<Object>>>>;

#[derive(Debug, Clone)]
struct Object {
    content_type: String,
    bytes: Arc<[u8]>,
}

impl InMemoryObjectStore {
    /// One that keeps the versions of its objects, as a bucket does on which versioning is enabled.
    pub fn with_versions() -> Self {
        Self { objects: Objects::default(), versions: Some(Arc::default()) }
    }

    /// Puts an object there at once.
    pub fn put(&self, key: &str, content_type: &str, bytes: impl Into<Vec<u8>>) {
        let object = Object { content_type: content_type.to_owned(), bytes: bytes.into().into() };
        if let Some(versions) = &self.versions {
            lock(versions).entry(key.to_owned()).or_default().push(object.clone());
        }
        lock(&self.objects).insert(key.to_owned(), object);
    }

    /// The bytes under a key.
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        lock(&self.objects).get(key).map(|object| object.bytes.to_vec())
    }

    /// The content type under a key.
    pub fn content_type(&self, key: &str) -> Option<String> {
        lock(&self.objects).get(key).map(|object| object.content_type.clone())
    }

    /// Every key, in order.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }
}

impl ObjectStore for InMemoryObjectStore {
    type Reader = io::Cursor<Arc<[u8]>>;
    type Writer = InMemoryObjectWriter;

    async fn open_object(&self, key: &str) -> Result<Option<Self::Reader>, PortError> {
        Ok(lock(&self.objects).get(key).map(|object| io::Cursor::new(Arc::clone(&object.bytes))))
    }

    async fn open_version(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Option<(Self::Reader, SourceVersion)>, PortError> {
        let kept = self.versions.as_ref().and_then(|versions| lock(versions).get(key).cloned());
        let place = match version_id {
            Some(version_id) => version_id.parse().ok(),
            None => kept.as_ref().map(|kept| kept.len().saturating_sub(1)),
        };
        let found = match (kept, place, version_id) {
            (Some(kept), Some(place), _) => kept.get(place).cloned(),
            (None, _, None) => lock(&self.objects).get(key).cloned(),
            _ => None,
        };
        Ok(found.map(|object| {
            let version_id = place.map(|place| place.to_string());
            let version = SourceVersion::new(version_id, Some(version_of(&object.bytes).0));
            (io::Cursor::new(object.bytes), version)
        }))
    }

    async fn create_object(&self, key: &str, content_type: &str) -> Result<Self::Writer, PortError> {
        Ok(InMemoryObjectWriter {
            store: self.clone(),
            key: key.to_owned(),
            content_type: content_type.to_owned(),
            bytes: Vec::new(),
        })
    }
}

impl CheckpointStore for InMemoryObjectStore {
    async fn load(&self, key: &str) -> Result<Option<Stored>, PortError> {
        Ok(self.bytes(key).map(|bytes| Stored { version: version_of(&bytes), bytes }))
    }

    async fn save(
        &self,
        key: &str,
        bytes: &[u8],
        over: Option<&Version>,
    ) -> Result<Option<Version>, PortError> {
        let mut objects = lock(&self.objects);
        let found = objects.get(key).map(|object| version_of(&object.bytes));
        if found.as_ref() != over {
            return Ok(None);
        }
        let object = Object { content_type: "application/json".to_owned(), bytes: bytes.into() };
        objects.insert(key.to_owned(), object);
        Ok(Some(version_of(bytes)))
    }
}

/// Like an ETag: of the content.
fn version_of(bytes: &[u8]) -> Version {
    let mut hash = DefaultHasher::new();
    bytes.hash(&mut hash);
    Version(format!("\"{:016x}\"", hash.finish()))
}

/// An object that is being written to memory.
#[derive(Debug)]
pub struct InMemoryObjectWriter {
    store: InMemoryObjectStore,
    key: String,
    content_type: String,
    bytes: Vec<u8>,
}

impl ObjectWriter for InMemoryObjectWriter {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Result<(), PortError> {
        self.store.put(&self.key, &self.content_type, self.bytes);
        Ok(())
    }
}
