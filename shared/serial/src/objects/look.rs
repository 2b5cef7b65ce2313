//! Whether something is there, and what is said of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::failure::{Failure, FailureCode};
use super::found;
use crate::domain::{S3Prefix, S3Uri, Timestamp};
use crate::ports::{Buckets, Look, ObjectInfo};

/// Whether the caller may look at a bucket or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// S3 answered neither 401, 403 nor 404.
    pub access: bool,
}

/// What is said of an object, or of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// The object or bucket.
    pub uri: String,
    /// The object's length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// When the object was written, as in `2026-11-23T02:24:51Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// Tells the object's versions apart, quotes and all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// In a bucket with versions; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// User metadata, `x-amz-meta-…` without that; not in lists.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub metadata: BTreeMap<String, String>,
    /// How the object is encrypted, as in `AES256` and `aws:kms`; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_side_encryption: Option<String>,
    /// As S3 tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The bucket's Region, where S3 tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl Info {
    /// Of an object of a bucket.
    pub(super) fn of(bucket: &str, info: ObjectInfo) -> Self {
        Self {
            uri: format!("s3://{bucket}/{}", info.key),
            size_bytes: Some(info.size_bytes),
            last_modified: info.last_modified.map(Timestamp::to_rfc3339_seconds),
            etag: info.etag,
            content_type: info.content_type,
            content_encoding: info.content_encoding,
            version_id: info.version_id,
            metadata: info.metadata,
            server_side_encryption: info.server_side_encryption,
            storage_class: info.storage_class,
            region: None,
        }
    }
}

/// Asks for a bucket, or for an object where a key is named: 401, 403 and 404 are "no". Everything else
/// that S3 refuses is a failure.
pub async fn access<B: Buckets>(buckets: &B, place: &S3Prefix) -> Result<Access, Failure> {
    let is_found = match place.clone().object() {
        Some(object) => matches!(buckets.look_at_object(&object, None).await?, Look::Found(_)),
        None => matches!(buckets.look_at_bucket(&place.bucket).await?, Look::Found(_)),
    };
    Ok(Access { access: is_found })
}

/// Returns what is said of an object, or of one version of it.
pub async fn info<B: Buckets>(
    buckets: &B,
    object: &S3Uri,
    version_id: Option<&str>,
) -> Result<Info, Failure> {
    found(object, buckets.look_at_object(object, version_id).await).map(|info| Info::of(&object.bucket, info))
}

/// What is said of a bucket.
pub async fn info_of_bucket<B: Buckets>(buckets: &B, bucket: &str) -> Result<Info, Failure> {
    let uri = format!("s3://{bucket}");
    match buckets.look_at_bucket(bucket).await? {
        Look::Found(found) => Ok(Info { uri, region: found.region, ..Info::default() }),
        Look::Absent => Err(Failure::new(FailureCode::NotFound, format!("{uri}: there is no such bucket"))),
        Look::Denied(denial) => Err(denial.into()),
    }
}
