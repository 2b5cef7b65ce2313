//! Answers that were lost: whether what a repeated call ran into is what the first attempt has written.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{ChecksumMode, CompletedPart};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};
use tokio::io::AsyncBufReadExt as _;

use super::{Object, Seen, reader, size};
use crate::ports::{ErrorKind, PortError, WriteCondition, Written};

/// Counts how often one call was sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<AtomicU32>);

impl Intercept for Sent {
    fn name(&self) -> &'static str {
        "Sent"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Sent {
    fn is_repeated(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}

/// What tells an object from others.
#[derive(Debug, Clone, Default)]
pub(super) struct Fingerprint {
    pub(super) size_bytes: u64,
    pub(super) etag: Option<String>,
    /// As S3 tells it: of an upload in parts that of the parts' checksums.
    pub(super) crc32: Option<String>,
    /// What it was copied from, and its version. A copy of what was written in parts has another etag than that.
    pub(super) copied_from: Option<(Object, Option<String>)>,
}

impl Fingerprint {
    /// Of an object that is put in one piece. Where it is encrypted with KMS, its etag is another than this.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let crc32 = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, bytes) as u32;
        Self {
            size_bytes: bytes.len() as u64,
            etag: Some(quoted(&Md5::digest(bytes), "")),
            crc32: Some(STANDARD.encode(crc32.to_be_bytes())),
            copied_from: None,
        }
    }

    /// Of an object that is made of these parts.
    pub(super) fn of_parts(parts: &[CompletedPart], size_bytes: u64) -> Self {
        let digests: Option<Vec<[u8; 16]>> =
            parts.iter().map(|part| part.e_tag().and_then(|etag| bytes_of(etag.trim_matches('"')))).collect();
        let suffix = format!("-{}", parts.len());
        let etag = digests.map(|digests| quoted(&Md5::digest(digests.concat()), &suffix));
        let checksums: Option<Vec<u8>> = parts
            .iter()
            .map(|part| STANDARD.decode(part.checksum_crc32()?).ok())
            .collect::<Option<Vec<_>>>()
            .map(|checksums| checksums.concat());
        let crc32 = checksums.map(|checksums| {
            let crc32 = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, &checksums) as u32;
            STANDARD.encode(crc32.to_be_bytes()) + &suffix
        });
        Self { size_bytes, etag, crc32, copied_from: None }
    }
}

fn quoted(digest: &[u8], suffix: &str) -> String {
    let mut etag = digest.iter().fold("\"".to_owned(), |mut etag, byte| {
        let _ = write!(etag, "{byte:02x}");
        etag
    });
    etag.push_str(suffix);
    etag.push('"');
    etag
}

/// The digest that an etag is. Etags of objects encrypted with KMS have another length, or are no digests.
fn bytes_of(etag: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if etag.len() != 32 || !etag.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&etag[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Reads the answer to the call that makes an object appear.
///
/// Where the call was repeated, an earlier attempt may have made it: S3 then answers that the condition does not
/// hold, or that there is no such upload. Only then is the object looked at; a single refusal is one, even where
/// another has written the very same bytes.
pub(super) async fn written<E>(
    object: &Object,
    operation: &'static str,
    condition: &WriteCondition,
    answer: Result<Option<String>, SdkError<E>>,
    sent: &Sent,
    ours: &Fingerprint,
) -> Result<Written, PortError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = match answer {
        Ok(etag) => return Ok(Written::Done { etag }),
        Err(error) => error,
    };
    let code = error.code().map(str::to_owned);
    let failed = object.failed(operation, error);
    let was_lost = sent.is_repeated() || matches!(failed.kind, ErrorKind::Retryable);
    if was_lost && let Some(etag) = etag_of(object, ours).await {
        return Ok(Written::Done { etag: Some(etag) });
    }
    match (condition, code.as_deref()) {
        (WriteCondition::Absent | WriteCondition::Unchanged { .. }, Some("PreconditionFailed"))
        | (WriteCondition::Unchanged { .. }, Some("NoSuchKey")) => Ok(Written::Refused),
        _ => Err(failed),
    }
}

/// The etag of the object under the key, where it is the one that was written.
async fn etag_of(object: &Object, ours: &Fingerprint) -> Option<String> {
    let Object { client, bucket, .. } = object;
    let call =
        client.head_object().bucket(bucket).key(object.sent_key()).checksum_mode(ChecksumMode::Enabled);
    let found = Box::pin(call.send()).await.ok()?;
    let has_same = |ours: &Option<String>, found: &Option<String>| ours.is_some() && ours == found;
    if size(found.content_length) != ours.size_bytes {
        return None;
    }
    let is_ours = has_same(&ours.etag, &found.e_tag) || has_same(&ours.crc32, &found.checksum_crc32);
    if is_ours || Box::pin(is_copy(object, found.version_id.as_deref(), ours)).await {
        found.e_tag
    } else {
        None
    }
}

/// Whether an object holds the bytes of what it should have been copied from. Both are read: no figure that S3 tells
/// of an object that was written in parts need be the copy's. What can't be read is not taken for a copy.
async fn is_copy(object: &Object, version_id: Option<&str>, ours: &Fingerprint) -> bool {
    let Some((source, source_version_id)) = &ours.copied_from else { return false };
    let one = reader::open(source.clone(), source_version_id.as_deref()).await;
    let other = reader::open(object.clone(), version_id).await;
    let (Ok(Seen::Found((mut one, _))), Ok(Seen::Found((mut other, _)))) = (one, other) else { return false };
    loop {
        let (Ok(left), Ok(right)) = (one.fill_buf().await, other.fill_buf().await) else { return false };
        let bytes = left.len().min(right.len());
        if left[..bytes] != right[..bytes] {
            return false;
        }
        if bytes == 0 {
            return left.len() == right.len();
        }
        one.consume(bytes);
        other.consume(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_known_by_what_s3_tells_of_it() {
        let whole = Fingerprint::of_bytes(b"123456789");
        assert_eq!(whole.etag.as_deref(), Some("\"25f9e794323b453885f5181f1b624d0b\""));
        assert_eq!(whole.crc32.as_deref(), Some("y/Q5Jg=="));
        let part = CompletedPart::builder()
            .e_tag("\"25f9e794323b453885f5181f1b624d0b\"")
            .checksum_crc32("y/Q5Jg==")
            .build();
        let two = Fingerprint::of_parts(&[part.clone(), part.clone()], 18);
        assert!(
            two.etag.as_deref().is_some_and(|etag| etag.len() == 36 && etag.ends_with("-2\"")),
            "{two:?}"
        );
        assert!(two.crc32.as_deref().is_some_and(|crc32| crc32.ends_with("-2")), "{two:?}");
        let encrypted = CompletedPart::builder().e_tag("\"no digest\"").build();
        let unknown = Fingerprint::of_parts(&[part, encrypted], 18);
        assert_eq!((unknown.etag, unknown.crc32), (None, None));
    }
}
