//! Copies, in one piece or in parts.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{MetadataDirective, TaggingDirective};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::lost::{Fingerprint, Sent, written};
use super::settings::with_settings;
use super::upload::Upload;
use super::writer::headers;
use super::{Object, Seen, head_version, size};
use crate::domain::{ObjectSettings, s3_uri};
use crate::ports::{Copied, CopyOptions, Look, NewObject, PortError, Written};

/// Parts that are copied at once.
const CONCURRENCY: usize = 8;

/// Until the answer to one attempt: S3 answers when all is copied.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

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
        Seen::Denied(error) => return Ok(Look::Denied(error.into())),
    };
    let size_bytes = size(head.content_length);
    let source_version_id = head.version_id.clone().or_else(|| version_id.map(str::to_owned));
    let source = Source {
        object: from.clone(),
        version_id: source_version_id.clone(),
        name: source_name(from, source_version_id.as_deref()),
        etag: head.e_tag.clone(),
        size_bytes,
    };
    let written = if size_bytes <= limits.whole_max_bytes {
        whole(&source, head, to, wanted).await?
    } else {
        in_parts(&source, (from, head), to, wanted, limits).await?
    };
    Ok(Look::Found(Copied { written, size_bytes, source_version_id }))
}

/// What is copied.
struct Source {
    object: Object,
    version_id: Option<String>,
    /// As `x-amz-copy-source` has it.
    name: String,
    /// What it must still be.
    etag: Option<String>,
    size_bytes: u64,
}

/// The header `x-amz-copy-source`. An access point's objects have ARNs of their own there.
fn source_name(object: &Object, version_id: Option<&str>) -> String {
    let Object { bucket, key, .. } = object;
    let name = match bucket.starts_with("arn:") {
        true => s3_uri::encoded(&format!("{bucket}/object/{key}")).replace("%3A", ":"),
        false => format!("{bucket}/{}", s3_uri::encoded(key)),
    };
    match version_id {
        Some(version_id) => format!("{name}?versionId={}", s3_uri::encoded(version_id)),
        None => name,
    }
}

/// What the copy has where nothing else is wanted of it: what `HEAD` tells of its source.
fn kept(head: &HeadObjectOutput, wanted: &ObjectSettings) -> ObjectSettings {
    let or = |wanted: &Option<String>, found: &Option<String>| wanted.clone().or_else(|| found.clone());
    let mut settings = wanted.clone();
    settings.cache_control = or(&wanted.cache_control, &head.cache_control);
    settings.content_disposition = or(&wanted.content_disposition, &head.content_disposition);
    settings.content_language = or(&wanted.content_language, &head.content_language);
    if wanted.metadata.is_empty() {
        settings.metadata = head.metadata.iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    }
    settings
}

async fn whole(
    source: &Source,
    head: HeadObjectOutput,
    to: &Object,
    wanted: &CopyOptions,
) -> Result<Written, PortError> {
    let (if_none_match, if_match) = headers(&wanted.condition);
    let timeouts = TimeoutConfig::builder().read_timeout(ANSWER_TIMEOUT).build();
    let mut call = to
        .client
        .copy_object()
        .bucket(&to.bucket)
        .key(to.sent_key())
        .copy_source(&source.name)
        .set_copy_source_if_match(source.etag.clone())
        .set_if_none_match(if_none_match)
        .set_if_match(if_match);
    if !wanted.settings.tags.is_empty() {
        call = call.tagging_directive(TaggingDirective::Replace);
    }
    let call = if wanted.settings.replaces_metadata() {
        // All or nothing: S3 drops every header that is not told again.
        let call = call
            .metadata_directive(MetadataDirective::Replace)
            .set_content_type(head.content_type.clone())
            .set_content_encoding(head.content_encoding.clone());
        with_settings!(call, &kept(&head, &wanted.settings))
    } else {
        with_settings!(call, &wanted.settings)
    };
    let sent = Sent::default();
    let call = call
        .customize()
        .interceptor(sent.clone())
        .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts));
    let answer =
        Box::pin(call.send()).await.map(|done| done.copy_object_result.and_then(|result| result.e_tag));
    let ours = Fingerprint {
        size_bytes: source.size_bytes,
        etag: source.etag.clone(),
        crc32: None,
        copied_from: Some((source.object.clone(), source.version_id.clone())),
    };
    written(to, "CopyObject", &wanted.condition, answer, &sent, &ours).await
}

/// The tags of an object, which a copy in parts has only where they are told.
async fn tags(from: &Object, version_id: Option<&str>) -> Result<BTreeMap<String, String>, PortError> {
    let call = from.client.get_object_tagging().bucket(&from.bucket).key(from.sent_key());
    let answer = Box::pin(call.set_version_id(version_id.map(str::to_owned)).send()).await;
    let found = answer.map_err(|error| from.failed("GetObjectTagging", error))?;
    Ok(found.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

async fn in_parts(
    source: &Source,
    (from, head): (&Object, HeadObjectOutput),
    to: &Object,
    wanted: &CopyOptions,
    limits: CopyLimits,
) -> Result<Written, PortError> {
    let mut settings = kept(&head, &wanted.settings);
    if settings.tags.is_empty() && head.tag_count.is_some_and(|count| count > 0) {
        settings.tags = tags(from, head.version_id.as_deref()).await?;
    }
    let new = NewObject::of_type(head.content_type.unwrap_or_else(|| "binary/octet-stream".to_owned())).with(
        |it| {
            it.content_encoding = head.content_encoding;
            it.condition = wanted.condition.clone();
            it.settings = settings;
        },
    );
    let mut upload = Upload::start(to, &new).await?;
    let calls: Vec<_> = ranges(source.size_bytes, limits.part_bytes)
        .enumerate()
        .map(|(index, range)| {
            upload.copy_part(index, &source.name, source.etag.as_deref(), range, ANSWER_TIMEOUT)
        })
        .collect();
    let copied: Result<Vec<_>, PortError> = stream::iter(calls).buffered(CONCURRENCY).try_collect().await;
    match copied {
        Ok(parts) => {
            upload.add_copied(parts, source.size_bytes);
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
