//! Amazon S3.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `checkpoint` | small objects that are saved on condition |
//! | `reader` | an object that is being read, and read on where a connection was lost |
//! | `writer` | an object that is being written, in one piece or in parts |
//! | `upload` | a multipart upload, which ends with its object or leaves nothing |

mod checkpoint;
mod reader;
mod upload;
mod writer;

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::DateTime;

pub use reader::S3ObjectReader;
pub use writer::{S3ObjectWriter, WriteCondition, Written};

use super::error::{Effect, port_error};
use crate::domain::Timestamp;
use crate::ports::{Cursor, ErrorKind, ObjectStore, Page, PortError};

/// An [`ObjectStore`] that is an S3 bucket.
///
/// Reading needs `s3:GetObject` and `s3:ListBucket`: without the second S3 answers 403 for a key that
/// does not exist, and that is an error here, not `None`.
#[derive(Debug, Clone)]
pub struct S3ObjectStore {
    client: Client,
    bucket: String,
}

/// What S3 says of an object beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its length.
    pub size_bytes: u64,
    /// Tells its versions apart, quotes and all.
    pub etag: Option<String>,
    /// As it was given by the writer; lists do not tell.
    pub content_type: Option<String>,
    /// When it was written.
    pub last_modified: Option<Timestamp>,
}

impl S3ObjectStore {
    /// Over a bucket, which exists.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }

    /// Starts an object that appears only where `condition` holds when the writer is finished: see
    /// [`S3ObjectWriter::commit`].
    pub fn create_object_where(
        &self,
        key: &str,
        content_type: &str,
        condition: WriteCondition,
    ) -> S3ObjectWriter {
        S3ObjectWriter::new(self.object(key), content_type.to_owned(), condition)
    }

    /// `HeadObject`; `None` where there is no such object.
    pub async fn object_info(&self, key: &str) -> Result<Option<ObjectInfo>, PortError> {
        let object = self.object(key);
        let head = match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(head) => head,
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => {
                return Ok(None);
            }
            Err(error) => return Err(object.failed("HeadObject", &error)),
        };
        Ok(Some(ObjectInfo {
            key: key.to_owned(),
            size_bytes: size(head.content_length),
            etag: head.e_tag,
            content_type: head.content_type,
            last_modified: head.last_modified.and_then(moment),
        }))
    }

    /// `ListObjectsV2`: the objects whose key starts with `prefix`, by key, a page of at most 1,000 at a
    /// time.
    pub async fn list_objects(
        &self,
        prefix: &str,
        page: Option<&Cursor>,
    ) -> Result<Page<ObjectInfo>, PortError> {
        let call = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_continuation_token(page.map(|cursor| cursor.0.clone()));
        let listed =
            call.send().await.map_err(|error| self.object(prefix).failed("ListObjectsV2", &error))?;
        let items = listed.contents.into_iter().flatten().map(|object| ObjectInfo {
            key: object.key.unwrap_or_default(),
            size_bytes: size(object.size),
            etag: object.e_tag,
            content_type: None,
            last_modified: object.last_modified.and_then(moment),
        });
        Ok(Page { items: items.collect(), next: listed.next_continuation_token.map(Cursor) })
    }

    fn object(&self, key: &str) -> Object {
        Object { client: self.client.clone(), bucket: self.bucket.clone(), key: key.to_owned() }
    }
}

impl ObjectStore for S3ObjectStore {
    type Reader = S3ObjectReader;
    type Writer = S3ObjectWriter;

    async fn open_object(&self, key: &str) -> Result<Option<Self::Reader>, PortError> {
        reader::open(self.object(key)).await
    }

    async fn create_object(&self, key: &str, content_type: &str) -> Result<Self::Writer, PortError> {
        Ok(self.create_object_where(key, content_type, WriteCondition::Always))
    }
}

/// One object, and the way to it.
#[derive(Debug, Clone)]
struct Object {
    client: Client,
    bucket: String,
    key: String,
}

impl Object {
    /// Translates an error, and names the object.
    fn failed<E>(&self, operation: &'static str, error: &SdkError<E>) -> PortError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut failed = port_error(operation, Effect::Idempotent, error);
        failed.message = format!("s3://{}/{}: {}", self.bucket, self.key, failed.message);
        if error.code().is_some_and(|code| CONFLICTS.contains(&code)) {
            failed.kind = ErrorKind::Retryable;
        }
        failed
    }
}

/// Another write of the same key was under way. Source: S3 API reference, "List of error codes".
const CONFLICTS: &[&str] = &["ConditionalRequestConflict", "OperationAborted"];

fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or(0)
}

fn moment(moment: DateTime) -> Option<Timestamp> {
    moment.to_millis().ok().map(Timestamp::from_millis)
}
