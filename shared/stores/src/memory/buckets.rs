//! Many buckets in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::lock;
use crate::domain::{S3Prefix, S3Uri, Timestamp};
use crate::ports::{
    BucketInfo, Buckets, Caller, ConditionalWriter, Copied, CopyOptions, Cursor, Denial, Depth, ListFrom,
    Listing, Look, NewObject, ObjectInfo, ObjectWriter, PortError, WriteCondition, Written,
};

/// Entries of one page, as S3 has it.
const PAGE: usize = 1_000;

/// [`Buckets`] in memory, without versions. Clones share what they hold. Its moments count writes, a second each.
#[derive(Debug, Clone, Default)]
pub struct InMemoryBuckets {
    state: Arc<Mutex<Contents>>,
}

#[derive(Debug, Default)]
struct Contents {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    denied: BTreeSet<String>,
    writes: i64,
    /// Writers that are neither committed nor aborted nor dropped.
    open_writers: usize,
}

#[derive(Debug, Clone)]
struct Object {
    info: ObjectInfo,
    bytes: Arc<[u8]>,
}

impl Contents {
    fn object(&self, uri: &S3Uri) -> Look<&Object> {
        match self.buckets.get(&uri.bucket) {
            _ if self.denied.contains(&uri.bucket) => Look::Denied(denial(&uri.bucket)),
            bucket => bucket.and_then(|bucket| bucket.get(&uri.key)).map_or(Look::Absent, Look::Found),
        }
    }

    fn bucket(&self, name: &str, operation: &'static str) -> Result<&BTreeMap<String, Object>, PortError> {
        if self.denied.contains(name) {
            return Err(PortError::permanent(operation, denied(name)));
        }
        let none = || PortError::permanent(operation, format!("s3://{name}: NoSuchBucket: there is none"));
        self.buckets.get(name).ok_or_else(none)
    }

    fn write(&mut self, uri: &S3Uri, wanted: &NewObject, bytes: &[u8]) -> Result<Written, PortError> {
        let found = self.bucket(&uri.bucket, "PutObject")?.get(&uri.key).and_then(|it| it.info.etag.clone());
        let holds = match &wanted.condition {
            WriteCondition::Always => true,
            WriteCondition::Absent => found.is_none(),
            WriteCondition::Unchanged { etag } => found.as_ref() == Some(etag),
        };
        if !holds {
            return Ok(Written::Refused);
        }
        self.writes += 1;
        let digest = Sha256::digest(bytes);
        let etag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let etag = Some(format!("\"{etag}\""));
        let info = ObjectInfo::default().with(|it| {
            it.key = uri.key.clone();
            it.size_bytes = bytes.len() as u64;
            it.etag = etag.clone();
            it.content_type = Some(wanted.content_type.clone());
            it.content_encoding = wanted.content_encoding.clone();
            it.metadata = wanted.settings.metadata.clone();
            it.server_side_encryption = wanted.settings.server_side_encryption.clone();
            it.storage_class = wanted.settings.storage_class.clone();
            it.last_modified = Some(Timestamp::from_millis(self.writes * 1_000));
        });
        let object = Object { info, bytes: bytes.into() };
        self.buckets.entry(uri.bucket.clone()).or_default().insert(uri.key.clone(), object);
        Ok(Written::Done { etag })
    }
}

fn denial(bucket: &str) -> Denial {
    Denial { message: denied(bucket), answer: None }
}

fn denied(bucket: &str) -> String {
    format!("s3://{bucket}: AccessDenied: Access Denied")
}

impl InMemoryBuckets {
    /// With these buckets, empty.
    pub fn with(buckets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let made = Self::default();
        let named = buckets.into_iter().map(|name| (name.into(), BTreeMap::new()));
        lock(&made.state).buckets.extend(named);
        made
    }

    /// Denies a bucket and all in it from now on.
    pub fn deny(&self, bucket: &str) {
        lock(&self.state).denied.insert(bucket.to_owned());
    }

    /// Puts an object there at once, and its bucket.
    pub fn put(&self, uri: &S3Uri, content_type: &str, bytes: impl AsRef<[u8]>) {
        let mut state = lock(&self.state);
        state.buckets.entry(uri.bucket.clone()).or_default();
        let written = state.write(uri, &NewObject::of_type(content_type), bytes.as_ref());
        drop(written);
    }

    /// The bytes of an object.
    pub fn bytes(&self, uri: &S3Uri) -> Option<Vec<u8>> {
        let state = lock(&self.state);
        state.buckets.get(&uri.bucket)?.get(&uri.key).map(|object| object.bytes.to_vec())
    }

    /// Every object's URI, in order.
    pub fn uris(&self) -> Vec<S3Uri> {
        let state = lock(&self.state);
        let all = state.buckets.iter().flat_map(|(bucket, objects)| {
            objects.keys().map(|key| S3Uri { bucket: bucket.clone(), key: key.clone() })
        });
        all.collect()
    }

    /// Writers that have neither ended nor been dropped: multipart uploads, on S3.
    pub fn open_writers(&self) -> usize {
        lock(&self.state).open_writers
    }
}

impl Buckets for InMemoryBuckets {
    type Reader = io::Cursor<Arc<[u8]>>;
    type Writer = InMemoryBucketWriter;

    fn called_by(&self, _: Caller) -> Self {
        self.clone()
    }

    async fn open(&self, object: &S3Uri, _version_id: Option<&str>) -> Result<Look<Self::Reader>, PortError> {
        Ok(lock(&self.state).object(object).map(|object| io::Cursor::new(Arc::clone(&object.bytes))))
    }

    async fn create(&self, object: &S3Uri, wanted: NewObject) -> Result<Self::Writer, PortError> {
        lock(&self.state).open_writers += 1;
        Ok(InMemoryBucketWriter { buckets: self.clone(), uri: object.clone(), wanted, bytes: Vec::new() })
    }

    async fn look_at_object(&self, object: &S3Uri, _: Option<&str>) -> Result<Look<ObjectInfo>, PortError> {
        Ok(lock(&self.state).object(object).map(|object| object.info.clone()))
    }

    async fn look_at_bucket(&self, bucket: &str) -> Result<Look<BucketInfo>, PortError> {
        let state = lock(&self.state);
        Ok(match state.buckets.contains_key(bucket) {
            _ if state.denied.contains(bucket) => Look::Denied(denial(bucket)),
            true => Look::Found(BucketInfo::default()),
            false => Look::Absent,
        })
    }

    async fn list(&self, place: &S3Prefix, depth: Depth, from: &ListFrom) -> Result<Listing, PortError> {
        let state = lock(&self.state);
        let bucket = state.bucket(&place.bucket, "ListObjectsV2")?;
        let after = match from {
            ListFrom::Start => None,
            ListFrom::After(key) => Some(key.clone()),
            ListFrom::Page(cursor) => Some(cursor.0.clone()),
        };
        let is_later = |key: &str| after.as_deref().is_none_or(|after| key > after);
        let mut listing = Listing::default();
        let mut last = None;
        for (key, object) in bucket {
            let Some(rest) = key.strip_prefix(&place.prefix) else { continue };
            let folder = match rest.split_once('/') {
                Some((name, _)) if depth == Depth::Folder => Some(format!("{}{name}/", place.prefix)),
                _ => None,
            };
            let entry = folder.clone().unwrap_or_else(|| key.clone());
            if !is_later(&entry) || last.as_ref() == Some(&entry) {
                continue;
            }
            if listing.objects.len() + listing.folders.len() == PAGE {
                listing.next = last.map(Cursor);
                return Ok(listing);
            }
            last = Some(entry);
            match folder {
                Some(folder) => listing.folders.push(folder),
                None => listing.objects.push(listed(&object.info)),
            }
        }
        Ok(listing)
    }

    async fn copy(
        &self,
        from: &S3Uri,
        _version_id: Option<&str>,
        to: &S3Uri,
        wanted: &CopyOptions,
    ) -> Result<Look<Copied>, PortError> {
        let mut state = lock(&self.state);
        let source = match state.object(from) {
            Look::Found(object) => object.clone(),
            Look::Absent => return Ok(Look::Absent),
            Look::Denied(why) => return Ok(Look::Denied(why)),
        };
        let new = NewObject::of_type(source.info.content_type.unwrap_or_default()).with(|it| {
            it.content_encoding = source.info.content_encoding;
            it.condition = wanted.condition.clone();
            it.settings = wanted.settings.clone();
        });
        let written = state.write(to, &new, &source.bytes)?;
        let size_bytes = source.bytes.len() as u64;
        Ok(Look::Found(Copied { written, size_bytes, source_version_id: None }))
    }
}

/// Lists tell these alone.
fn listed(info: &ObjectInfo) -> ObjectInfo {
    ObjectInfo::default().with(|it| {
        it.key = info.key.clone();
        it.size_bytes = info.size_bytes;
        it.etag = info.etag.clone();
        it.storage_class = info.storage_class.clone();
        it.last_modified = info.last_modified;
    })
}

/// An object that is being written to memory.
#[derive(Debug)]
pub struct InMemoryBucketWriter {
    buckets: InMemoryBuckets,
    uri: S3Uri,
    wanted: NewObject,
    bytes: Vec<u8>,
}

impl ObjectWriter for InMemoryBucketWriter {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Result<(), PortError> {
        let refused = format!("{}: its condition does not hold", self.uri);
        match self.commit().await? {
            Written::Done { .. } => Ok(()),
            Written::Refused => Err(PortError::permanent("write an object", refused)),
        }
    }
}

impl ConditionalWriter for InMemoryBucketWriter {
    async fn commit(self) -> Result<Written, PortError> {
        lock(&self.buckets.state).write(&self.uri, &self.wanted, &self.bytes)
    }

    async fn abort(self) {}
}

impl Drop for InMemoryBucketWriter {
    fn drop(&mut self) {
        lock(&self.buckets.state).open_writers -= 1;
    }
}
