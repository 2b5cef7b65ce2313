//! Amazon S3.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `checkpoint` | small objects that are saved on condition |
//! | `buckets` | [`S3Buckets`]: any bucket, by URIs |
//! | `copy` | copies, in one piece or in parts |
//! | `reader` | an object that is being read, and read on where a connection was lost |
//! | `writer` | an object that is being written, in one piece or in parts |
//! | `upload` | a multipart upload, which ends with its object or leaves nothing |
//! | `uploads` | uploads that have begun: of this process, and of others |
//! | `lost` | whether what a repeated call ran into is what its first attempt has written |
//! | `settings` | what a request says of how an object is kept |
//! | `caller` | who calls: signed or not, at whose cost, in which Region |
//! | `progress` | attempts that are given up where nothing moves |

mod buckets;
mod caller;
mod checkpoint;
mod copy;
mod lost;
mod progress;
mod reader;
mod settings;
mod upload;
mod uploads;
mod writer;

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::EncodingType;

pub use buckets::S3Buckets;
pub use copy::CopyLimits;
pub use reader::S3ObjectReader;
pub use uploads::{OpenUpload, UploadJournal};
pub use writer::S3ObjectWriter;

pub(super) use caller::{BlankKeys, Elsewhere, FollowRegion};
pub(super) use progress::WithProgress;

use caller::REGION_HEADER;
use uploads::Uploads;

use super::error::{Effect, port_error};
use crate::domain::{SourceVersion, Timestamp, s3_uri};
use crate::ports::{
    Cursor, ErrorKind, Look, NewObject, ObjectInfo, ObjectStore, Page, PortError, WriteCondition,
};

/// An [`ObjectStore`] that is an S3 bucket.
///
/// Reading needs `s3:GetObject` and `s3:ListBucket`: without the second S3 answers 403 for a key that
/// does not exist, and that is an error here, not `None`.
#[derive(Debug, Clone)]
pub struct S3ObjectStore {
    client: Client,
    bucket: String,
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
        S3ObjectWriter::new(
            self.object(key),
            NewObject::of_type(content_type).with(|it| it.condition = condition),
        )
    }

    /// Tries whether an object may be written, before there is anything to write: begins an upload and aborts it.
    pub async fn try_object(&self, key: &str) -> Result<(), PortError> {
        let wanted = NewObject::of_type("application/octet-stream");
        upload::Upload::start(&self.object(key), &wanted).await?.abort().await;
        Ok(())
    }

    /// `HeadObject`; `None` where there is no such object.
    pub async fn object_info(&self, key: &str) -> Result<Option<ObjectInfo>, PortError> {
        match head(&self.object(key), None).await? {
            Seen::Found(info) => Ok(Some(info)),
            Seen::Absent => Ok(None),
            Seen::Denied(error) => Err(error),
        }
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
            .encoding_type(EncodingType::Url)
            .set_continuation_token(page.map(|cursor| cursor.0.clone()));
        let listed = Box::pin(call.send())
            .await
            .map_err(|error| self.object(prefix).failed("ListObjectsV2", error))?;
        let encoding = listed.encoding_type;
        let items = listed.contents.into_iter().flatten();
        let items = items.map(|object| listed_object(object, encoding.as_ref()));
        Ok(Page::new(items.collect(), listed.next_continuation_token.map(Cursor)))
    }

    fn object(&self, key: &str) -> Object {
        let (client, bucket, uploads) = (self.client.clone(), self.bucket.clone(), Uploads::default());
        Object { client, bucket, key: key.to_owned(), uploads }
    }
}

impl ObjectStore for S3ObjectStore {
    type Reader = S3ObjectReader;
    type Writer = S3ObjectWriter;

    async fn open_object(&self, key: &str) -> Result<Option<Self::Reader>, PortError> {
        match reader::open(self.object(key), None).await? {
            Seen::Found((reader, _)) => Ok(Some(reader)),
            Seen::Absent => Ok(None),
            Seen::Denied(error) => Err(error),
        }
    }

    async fn open_range(
        &self,
        key: &str,
        first: u64,
        length: u64,
    ) -> Result<Option<Self::Reader>, PortError> {
        match reader::open_range(self.object(key), first, length).await? {
            Seen::Found(reader) => Ok(Some(reader)),
            Seen::Absent => Ok(None),
            Seen::Denied(error) => Err(error),
        }
    }

    async fn open_version(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Option<(Self::Reader, SourceVersion)>, PortError> {
        match reader::open(self.object(key), version_id).await? {
            Seen::Found(found) => Ok(Some(found)),
            Seen::Absent => Ok(None),
            Seen::Denied(error) => Err(error),
        }
    }

    async fn create_object(&self, key: &str, content_type: &str) -> Result<Self::Writer, PortError> {
        Ok(self.create_object_where(key, content_type, WriteCondition::Always))
    }
}

/// How the ARN of an access point of several Regions ends.
const MULTI_REGION: &str = ".mrap";

/// The SDK's `sigv4a` would bring 20 more crates, elliptic curves of their own among them, and half as much again to what
/// compiling the signatures takes, for all programs and functions. The SDK's own message names none of this.
const UNSIGNED: &str = "a Multi-Region access point takes signatures of SigV4A alone, and these are not built in; name \
                        the bucket or the access point of one Region";

/// One object, and the way to it.
#[derive(Debug, Clone)]
struct Object {
    client: Client,
    bucket: String,
    key: String,
    uploads: Uploads,
}

impl Object {
    /// The key as the SDK is given it: see [`BlankKeys`].
    fn sent_key(&self) -> String {
        caller::sent_key(&self.key)
    }

    /// Translates an error, and names the object.
    fn failed<E>(&self, operation: &'static str, error: SdkError<E>) -> PortError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if self.bucket.ends_with(MULTI_REGION) {
            let message = format!("s3://{}/{}: {UNSIGNED}", self.bucket, self.key);
            return PortError::permanent(operation, message);
        }
        let region = redirected(&error).map(str::to_owned);
        let is_conflict = error.code().is_some_and(|code| CONFLICTS.contains(&code));
        let mut failed = port_error(operation, Effect::Idempotent, error);
        failed.message = format!("s3://{}/{}: {}", self.bucket, self.key, failed.message);
        if let Some(region) = region {
            failed.message += &format!("; the bucket lies in the Region {region}, call it there");
        }
        if is_conflict {
            failed.kind = ErrorKind::Retryable;
        }
        failed
    }
}

/// What was found where one thing was looked for: a [`Look`] that still has the error.
enum Seen<T> {
    Found(T),
    Absent,
    Denied(PortError),
}

impl<T> From<Seen<T>> for Look<T> {
    fn from(seen: Seen<T>) -> Self {
        match seen {
            Seen::Found(found) => Look::Found(found),
            Seen::Absent => Look::Absent,
            Seen::Denied(error) => Look::Denied(error.into()),
        }
    }
}

/// Tells "there is none" and "not for you" from failures. `HEAD` has no body, and so the status alone.
/// `NoSuchBucket` is a failure where an object was asked for by `GET`: the name is wrong.
fn seen<T, E>(
    object: &Object,
    operation: &'static str,
    answer: Result<T, SdkError<E>>,
) -> Result<Seen<T>, PortError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let error = match answer {
        Ok(found) => return Ok(Seen::Found(found)),
        Err(error) => error,
    };
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (status, error.code()) {
        (Some(404), None | Some("NoSuchKey" | "NoSuchVersion" | "NotFound")) => Ok(Seen::Absent),
        (Some(404), Some("NoSuchBucket")) if operation.starts_with("Head") => Ok(Seen::Absent),
        (Some(401 | 403), _) => Ok(Seen::Denied(object.failed(operation, error))),
        _ => Err(object.failed(operation, error)),
    }
}

/// `HeadObject`.
async fn head(object: &Object, version_id: Option<&str>) -> Result<Seen<ObjectInfo>, PortError> {
    let answer = head_version(object, version_id).await?;
    Ok(match answer {
        Seen::Found(head) => Seen::Found(ObjectInfo::default().with(|it| {
            it.key = object.key.clone();
            it.size_bytes = size(head.content_length);
            it.etag = head.e_tag;
            it.content_type = head.content_type;
            it.content_encoding = head.content_encoding;
            it.version_id = head.version_id;
            it.metadata = head.metadata.unwrap_or_default().into_iter().collect();
            it.server_side_encryption = head.server_side_encryption.map(|how| how.as_str().to_owned());
            it.storage_class = head.storage_class.map(|class| class.as_str().to_owned());
            it.last_modified = head.last_modified.and_then(moment);
        })),
        Seen::Absent => Seen::Absent,
        Seen::Denied(error) => Seen::Denied(error),
    })
}

async fn head_version(
    object: &Object,
    version_id: Option<&str>,
) -> Result<Seen<HeadObjectOutput>, PortError> {
    let Object { client, bucket, .. } = object;
    let call = client
        .head_object()
        .bucket(bucket)
        .key(object.sent_key())
        .set_version_id(version_id.map(str::to_owned));
    seen(object, "HeadObject", Box::pin(call.send()).await)
}

fn listed_object(object: aws_sdk_s3::types::Object, encoding: Option<&EncodingType>) -> ObjectInfo {
    ObjectInfo::default().with(|it| {
        it.key = decoded(object.key.unwrap_or_default(), encoding);
        it.size_bytes = size(object.size);
        it.etag = object.e_tag;
        it.storage_class = object.storage_class.map(|class| class.as_str().to_owned());
        it.last_modified = object.last_modified.and_then(moment);
    })
}

/// A key of a list. Lists are asked for percent-encoded, because XML 1.0 has no control characters: a key that holds
/// one would make the list unreadable, and blanks at its ends would be lost. S3 says whether it has done so.
fn decoded(key: String, encoding: Option<&EncodingType>) -> String {
    match encoding {
        Some(EncodingType::Url) => s3_uri::decoded(&key.replace('+', " ")).unwrap_or(key),
        _ => key,
    }
}

/// Where S3 says that the bucket lies, where it was called elsewhere: the answers 301 and 307, and 400 to `HEAD`.
fn redirected<E>(error: &SdkError<E>) -> Option<&str> {
    let response = error.raw_response()?;
    let region = response.headers().get(REGION_HEADER)?;
    matches!(response.status().as_u16(), 301 | 307 | 400).then_some(region)
}

/// Another write of the same key was under way. Source: S3 API reference, "List of error codes".
const CONFLICTS: &[&str] = &["ConditionalRequestConflict", "OperationAborted"];

fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or(0)
}

fn moment(moment: DateTime) -> Option<Timestamp> {
    moment.to_millis().ok().map(Timestamp::from_millis)
}
