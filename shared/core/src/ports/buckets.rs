//! Many buckets, and what lies in them.

use std::collections::BTreeMap;
use std::future::Future;

use tokio::io::AsyncBufRead;

use super::{Cursor, ObjectWriter, PortError, ServiceAnswer};
use crate::domain::{ObjectSettings, S3Prefix, S3Uri, Timestamp};
use crate::with::with;

/// How a caller appears before the buckets' owners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caller {
    /// Whether the caller pays for requests and transfers, as buckets with "requester pays" ask for.
    pub requester_pays: bool,
    /// Whether requests go unsigned, for public data: no credentials are looked for.
    pub is_anonymous: bool,
}

/// Objects of any bucket that the caller may reach.
pub trait Buckets: Send + Sync {
    /// Reads one object from its start.
    type Reader: AsyncBufRead + Send + Unpin;
    /// Writes one object.
    type Writer: ConditionalWriter;

    /// Returns the same buckets, reached as another caller.
    #[must_use]
    fn called_by(&self, caller: Caller) -> Self;

    /// Opens an object, or one version of it.
    fn open(
        &self,
        object: &S3Uri,
        version_id: Option<&str>,
    ) -> impl Future<Output = Result<Look<Self::Reader>, PortError>> + Send;

    /// Starts an object. It appears when the writer is committed.
    fn create(
        &self,
        object: &S3Uri,
        wanted: NewObject,
    ) -> impl Future<Output = Result<Self::Writer, PortError>> + Send;

    /// Returns what is said of an object, or of one version of it, beside its bytes.
    fn look_at_object(
        &self,
        object: &S3Uri,
        version_id: Option<&str>,
    ) -> impl Future<Output = Result<Look<ObjectInfo>, PortError>> + Send;

    /// What is said of a bucket.
    fn look_at_bucket(
        &self,
        bucket: &str,
    ) -> impl Future<Output = Result<Look<BucketInfo>, PortError>> + Send;

    /// A page of a list, by key, of at most 1,000 objects and folders.
    fn list(
        &self,
        place: &S3Prefix,
        depth: Depth,
        from: &ListFrom,
    ) -> impl Future<Output = Result<Listing, PortError>> + Send;

    /// Copies an object, or one version of it, with its content type and metadata.
    fn copy(
        &self,
        from: &S3Uri,
        version_id: Option<&str>,
        to: &S3Uri,
        wanted: &CopyOptions,
    ) -> impl Future<Output = Result<Look<Copied>, PortError>> + Send;
}

/// An object that is being written, and appears under a condition.
pub trait ConditionalWriter: ObjectWriter {
    /// Makes the object appear where its condition holds.
    fn commit(self) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Leaves nothing behind; done when it returns.
    fn abort(self) -> impl Future<Output = ()> + Send;
}

/// What was found where one thing was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look<T> {
    /// It is there.
    Found(T),
    /// There is no such thing: 404. S3 says so of objects only to whom may list the bucket.
    Absent,
    /// The caller may not know: 401 or 403.
    Denied(Denial),
}

/// What was said to a caller who may not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Of what, and why.
    pub message: String,
    /// Status, code and request id, where a service answered.
    pub answer: Option<Box<ServiceAnswer>>,
}

impl From<PortError> for Denial {
    fn from(error: PortError) -> Self {
        Self { answer: error.service_answer().cloned().map(Box::new), message: error.message }
    }
}

impl<T> Look<T> {
    /// What is there, turned into something else.
    pub fn map<U>(self, turned: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Self::Found(found) => Look::Found(turned(found)),
            Self::Absent => Look::Absent,
            Self::Denied(why) => Look::Denied(why),
        }
    }
}

/// What is said of an object beside its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its length.
    pub size_bytes: u64,
    /// Tells its versions apart, quotes and all.
    pub etag: Option<String>,
    /// As it was given by the writer; lists do not tell.
    pub content_type: Option<String>,
    /// As it was given by the writer; lists do not tell.
    pub content_encoding: Option<String>,
    /// In a bucket with versions; lists do not tell.
    pub version_id: Option<String>,
    /// User metadata, `x-amz-meta-…` without that; lists do not tell.
    pub metadata: BTreeMap<String, String>,
    /// How it is encrypted, as in `AES256` and `aws:kms`; lists do not tell.
    pub server_side_encryption: Option<String>,
    /// Where it is not the standard one, and in lists.
    pub storage_class: Option<String>,
    /// When it was written.
    pub last_modified: Option<Timestamp>,
}

with!(ObjectInfo);

/// What is said of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketInfo {
    /// Where it lies.
    pub region: Option<String>,
}

with!(BucketInfo);

/// How far a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every object whose key starts with the prefix.
    All,
    /// Objects up to the next slash; what lies behind one is told as a folder.
    Folder,
}

/// Where a page of a list starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListFrom {
    /// At the first key.
    Start,
    /// Behind this key.
    After(String),
    /// At a page's `next`.
    Page(Cursor),
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// By key.
    pub objects: Vec<ObjectInfo>,
    /// What the keys of folders begin with, slash and all; by name.
    pub folders: Vec<String>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Cursor>,
}

/// An object that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewObject {
    /// `Content-Type`.
    pub content_type: String,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// When it may appear.
    pub condition: WriteCondition,
    /// How it is kept.
    pub settings: ObjectSettings,
}

with!(NewObject);

impl NewObject {
    /// With a content type, and nothing else.
    pub fn of_type(content_type: impl Into<String>) -> Self {
        Self {
            content_type: content_type.into(),
            content_encoding: None,
            condition: WriteCondition::Always,
            settings: ObjectSettings::default(),
        }
    }
}

/// How an object is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// When the copy may appear.
    pub condition: WriteCondition,
    /// How the copy is kept, where not as its source.
    pub settings: ObjectSettings,
}

with!(CopyOptions);

impl Default for CopyOptions {
    /// In place of what is there, as the source is kept.
    fn default() -> Self {
        Self { condition: WriteCondition::Always, settings: ObjectSettings::default() }
    }
}

/// What became of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Of the copy, or that the condition did not hold.
    pub written: Written,
    /// Bytes copied.
    pub size_bytes: u64,
    /// The version that was copied, in a bucket with versions.
    pub source_version_id: Option<String>,
}

/// When an object may appear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteCondition {
    /// In any case, in place of the one before.
    Always,
    /// Where there is none under its key.
    Absent,
    /// Where the one under its key is still the one with this etag.
    Unchanged {
        /// As [`ObjectInfo::etag`] gives it.
        etag: String,
    },
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The object is there.
    Done {
        /// Of what was written.
        etag: Option<String>,
    },
    /// The condition did not hold: nothing was written.
    Refused,
}
