//! Copies, in one piece or in parts.

use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::upload::{Headers, Upload};
use super::writer::{acl, headers, written};
use super::{Object, Seen, head_version, size};
use crate::domain::s3_uri;
use crate::ports::{Copied, CopyOptions, Look, NewObject, PortError, Written};

/// Parts that are copied at once.
const CONCURRENCY: usize = 8;

/// One attempt: S3 answers when all is copied.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(600);

/// How much is copied by one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyLimits {
    /// Up to here an object is copied in one piece. S3 allows 5 GiB.
    pub whole_max_bytes: u64,
    /// Of a part; more where 10,000 parts would not be enough.
    pub part_bytes: u64,
}

impl Default for CopyLimits {
    /// As S3 has them: 5 GiB in one piece, else parts of 512 MiB.
    fn default() -> Self {
        Self { whole_max_bytes: 5 << 30, part_bytes: 512 << 20 }
    }
}

/// Copies one version of an object, the same from its first to its last byte.
pub(super) async fn copy(
    from: &Object,
    version_id: Option<&str>,
    to: &Object,
    wanted: &CopyOptions,
    limits: CopyLimits,
) -> Result<Look<Copied>, PortError> {
    let head = match head_version(from, version_id).await? {
        Seen::Found(head) => head,
        Seen::Absent => return Ok(Look::Absent),
        Seen::Denied(error) => return Ok(Look::Denied(error.message)),
    };
    let size_bytes = size(head.content_length);
    let source_version_id = head.version_id.clone().or_else(|| version_id.map(str::to_owned));
    let source = Source {
        name: source_name(from, source_version_id.as_deref()),
        etag: head.e_tag.clone(),
        size_bytes,
    };
    let written = if size_bytes <= limits.whole_max_bytes {
        whole(&source, to, wanted).await?
    } else {
        in_parts(&source, head, to, wanted, limits).await?
    };
    Ok(Look::Found(Copied { written, size_bytes, source_version_id }))
}

/// What is copied.
struct Source {
    /// As `x-amz-copy-source` has it.
    name: String,
    /// What it must still be.
    etag: Option<String>,
    size_bytes: u64,
}

/// The header `x-amz-copy-source`.
fn source_name(object: &Object, version_id: Option<&str>) -> String {
    let name = format!("{}/{}", object.bucket, s3_uri::encoded(&object.key));
    match version_id {
        Some(version_id) => format!("{name}?versionId={}", s3_uri::encoded(version_id)),
        None => name,
    }
}

async fn whole(source: &Source, to: &Object, wanted: &CopyOptions) -> Result<Written, PortError> {
    let (if_none_match, if_match) = headers(&wanted.condition);
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let call = to
        .client
        .copy_object()
        .bucket(&to.bucket)
        .key(&to.key)
        .copy_source(&source.name)
        .set_copy_source_if_match(source.etag.clone())
        .set_acl(acl(wanted.owner_full_control))
        .set_if_none_match(if_none_match)
        .set_if_match(if_match)
        .customize()
        .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts));
    let answer = call.send().await.map(|done| done.copy_object_result.and_then(|result| result.e_tag));
    written(to, "CopyObject", &wanted.condition, answer)
}

async fn in_parts(
    source: &Source,
    head: HeadObjectOutput,
    to: &Object,
    wanted: &CopyOptions,
    limits: CopyLimits,
) -> Result<Written, PortError> {
    let new = NewObject {
        content_type: head.content_type.unwrap_or_else(|| "binary/octet-stream".to_owned()),
        content_encoding: head.content_encoding,
        condition: wanted.condition.clone(),
        owner_full_control: wanted.owner_full_control,
    };
    let told = Headers {
        cache_control: head.cache_control,
        content_disposition: head.content_disposition,
        content_language: head.content_language,
        metadata: head.metadata,
    };
    let mut upload = Upload::start_with(to, &new, told).await?;
    let calls: Vec<_> = ranges(source.size_bytes, limits.part_bytes)
        .enumerate()
        .map(|(index, range)| {
            upload.copy_part(index, &source.name, source.etag.as_deref(), range, ATTEMPT_TIMEOUT)
        })
        .collect();
    let copied: Result<Vec<_>, PortError> = stream::iter(calls).buffered(CONCURRENCY).try_collect().await;
    match copied {
        Ok(parts) => {
            upload.add_copied(parts);
            upload.complete(&wanted.condition).await
        }
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

/// The parts, as first and last byte.
fn ranges(size_bytes: u64, part_bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let part_bytes = part_bytes.max(size_bytes.div_ceil(10_000)).max(1);
    let parts = size_bytes.div_ceil(part_bytes);
    (0..parts).map(move |part| (part * part_bytes, ((part + 1) * part_bytes).min(size_bytes) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_byte_once_and_are_no_more_than_s3_allows() {
        for (size, part, first, last, count) in [
            (10, 4, (0, 3), (8, 9), 3),
            (8, 4, (0, 3), (4, 7), 2),
            (1, 4, (0, 0), (0, 0), 1),
            (
                50_000_000_000_000,
                512 << 20,
                (0, 4_999_999_999),
                (49_995_000_000_000, 49_999_999_999_999),
                10_000,
            ),
        ] {
            let found: Vec<_> = ranges(size, part).collect();
            assert_eq!(
                (found[0], found[found.len() - 1], found.len()),
                (first, last, count),
                "{size} {part}"
            );
            assert!(found.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
        }
    }
}
