//! Copies of objects.

use serde::Serialize;

use super::convert::Target;
use super::failure::Failure;
use super::{done, found};
use crate::domain::S3Uri;
use crate::ports::{Buckets, CopyOptions};

/// A copy that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CopiedObject {
    /// Where.
    pub to: String,
    /// Its length.
    pub size_bytes: u64,
    /// Of the copy. One made in parts has another than its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The version that was copied, in a bucket with versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_version_id: Option<String>,
}

/// Has S3 copy an object, or one version of it: no byte passes through here.
pub async fn copy<B: Buckets>(
    buckets: &B,
    from: &S3Uri,
    version_id: Option<&str>,
    target: &Target,
) -> Result<CopiedObject, Failure> {
    let options = CopyOptions::default().with(|it| {
        it.condition = target.condition.clone();
        it.settings = target.settings.clone();
    });
    let copied = found(from, buckets.copy(from, version_id, &target.uri, &options).await)?;
    let to = target.uri.to_string();
    let etag = done(&to, copied.written)?;
    Ok(CopiedObject { to, size_bytes: copied.size_bytes, etag, source_version_id: copied.source_version_id })
}
