//! A multipart upload.

use std::future::Future;
use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, CopyPartResult};
use tokio::sync::oneshot;
use tracing::warn;

use super::Object;
use super::lost::{Fingerprint, Sent, written};
use super::settings::with_settings;
use super::uploads::{self, Open, OpenUpload};
use super::writer::headers;
use crate::ports::{NewObject, PortError, WriteCondition, Written};

/// Parts of one upload. Source: Amazon S3 user guide, "multipart upload limits".
const PARTS_MAX: i32 = 10_000;

/// An upload that has begun. It ends with its object, or is aborted: by whoever sees it fail, or when
/// it is dropped. A process that is killed leaves it to its journal, or to the bucket's lifecycle rule.
#[derive(Debug)]
pub(super) struct Upload {
    object: Object,
    id: String,
    checksum_algorithm: Option<ChecksumAlgorithm>,
    parts: Vec<CompletedPart>,
    size_bytes: u64,
    /// Taken when the upload has ended, or is being aborted.
    open: Option<Open>,
}

impl Upload {
    /// Begins an upload. It is begun by a task of its own: where the caller is dropped before S3 has answered, nobody
    /// else would know the id by which it can be aborted.
    pub(super) async fn start(object: &Object, wanted: &NewObject) -> Result<Self, PortError> {
        const OPERATION: &str = "CreateMultipartUpload";
        let Object { client, bucket, .. } = object;
        let call = client
            .create_multipart_upload()
            .bucket(bucket)
            .key(object.sent_key())
            .content_type(&wanted.content_type)
            .set_content_encoding(wanted.content_encoding.clone());
        let call = with_settings!(call, &wanted.settings);
        let (object, open) = (object.clone(), object.uploads.enter());
        let checksum_algorithm = wanted.settings.checksum_algorithm.as_deref().map(ChecksumAlgorithm::from);
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let begun = async {
                let started = Box::pin(call.send()).await.map_err(|error| object.failed(OPERATION, error))?;
                let none = || PortError::retryable(OPERATION, "no upload id came back");
                let id = started.upload_id.ok_or_else(none)?;
                let (parts, size_bytes) = (Vec::new(), 0);
                let upload = Self { object, id, checksum_algorithm, parts, size_bytes, open: Some(open) };
                if let Some(journal) = &upload.object.uploads.journal {
                    journal.begun(&upload.named());
                }
                Ok(upload)
            };
            // Where nobody takes it any more it is dropped, and so aborted.
            drop(sender.send(begun.await));
        });
        receiver.await.unwrap_or_else(|_| Err(PortError::retryable(OPERATION, "the call was given up")))
    }

    fn named(&self) -> OpenUpload {
        let Object { bucket, key, .. } = &self.object;
        OpenUpload { bucket: bucket.clone(), key: key.clone(), upload_id: self.id.clone() }
    }

    pub(super) async fn add(&mut self, bytes: Vec<u8>) -> Result<(), PortError> {
        const OPERATION: &str = "UploadPart";
        let number = i32::try_from(self.parts.len()).map_or(i32::MAX, |parts| parts.saturating_add(1));
        if number > PARTS_MAX {
            let Object { bucket, key, .. } = &self.object;
            let message =
                format!("s3://{bucket}/{key} needs more than {PARTS_MAX} parts; write several objects");
            return Err(PortError::permanent(OPERATION, message));
        }
        self.size_bytes += bytes.len() as u64;
        let Object { client, bucket, .. } = &self.object;
        let call = client
            .upload_part()
            .bucket(bucket)
            .key(self.object.sent_key())
            .upload_id(&self.id)
            .part_number(number)
            .set_checksum_algorithm(self.checksum_algorithm.clone())
            .body(ByteStream::from(bytes));
        let part = Box::pin(call.send()).await.map_err(|error| self.object.failed(OPERATION, error))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(part.e_tag)
            .set_checksum_crc32(part.checksum_crc32)
            .set_checksum_crc32_c(part.checksum_crc32_c)
            .set_checksum_crc64_nvme(part.checksum_crc64_nvme)
            .set_checksum_sha1(part.checksum_sha1)
            .set_checksum_sha256(part.checksum_sha256)
            .build();
        self.parts.push(part);
        Ok(())
    }

    /// Copies the bytes of an object that is still the one with this etag, from the first to the last of a
    /// range, as the part of this index from 0.
    pub(super) fn copy_part(
        &self,
        index: usize,
        source: &str,
        etag: Option<&str>,
        (first, last): (u64, u64),
        answer_timeout: Duration,
    ) -> impl Future<Output = Result<CompletedPart, PortError>> + Send + use<> {
        let object = self.object.clone();
        let number = i32::try_from(index).map_or(i32::MAX, |index| index.saturating_add(1));
        let timeouts = TimeoutConfig::builder().read_timeout(answer_timeout).build();
        let call = object
            .client
            .upload_part_copy()
            .bucket(&object.bucket)
            .key(object.sent_key())
            .upload_id(&self.id)
            .part_number(number)
            .copy_source(source)
            .set_copy_source_if_match(etag.map(str::to_owned))
            .copy_source_range(format!("bytes={first}-{last}"))
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts));
        async move {
            let part = Box::pin(call.send()).await.map_err(|error| object.failed("UploadPartCopy", error))?;
            let result = part.copy_part_result;
            let checksum =
                |of: fn(&CopyPartResult) -> Option<&str>| result.as_ref().and_then(of).map(str::to_owned);
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(checksum(CopyPartResult::e_tag))
                .set_checksum_crc32(checksum(CopyPartResult::checksum_crc32))
                .set_checksum_crc32_c(checksum(CopyPartResult::checksum_crc32_c))
                .set_checksum_crc64_nvme(checksum(CopyPartResult::checksum_crc64_nvme))
                .set_checksum_sha1(checksum(CopyPartResult::checksum_sha1))
                .set_checksum_sha256(checksum(CopyPartResult::checksum_sha256))
                .build())
        }
    }

    /// All parts, in order, where they were copied, and their bytes.
    pub(super) fn add_copied(&mut self, parts: Vec<CompletedPart>, size_bytes: u64) {
        self.parts = parts;
        self.size_bytes = size_bytes;
    }

    /// Makes the object appear where the condition holds; else, and on failure, aborts.
    pub(super) async fn complete(mut self, condition: &WriteCondition) -> Result<Written, PortError> {
        let Object { client, bucket, .. } = &self.object;
        let (if_none_match, if_match) = headers(condition);
        let parts = std::mem::take(&mut self.parts);
        let ours = Fingerprint::of_parts(&parts, self.size_bytes);
        let sent = Sent::default();
        let call = client
            .complete_multipart_upload()
            .bucket(bucket)
            .key(self.object.sent_key())
            .upload_id(&self.id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .customize()
            .interceptor(sent.clone());
        let answer = Box::pin(call.send()).await.map(|done| done.e_tag);
        match written(&self.object, "CompleteMultipartUpload", condition, answer, &sent, &ours).await {
            Ok(Written::Done { etag }) => {
                if let Some(journal) = &self.object.uploads.journal {
                    journal.ended(&self.named());
                }
                self.open = None;
                Ok(Written::Done { etag })
            }
            other => {
                self.abort().await;
                other
            }
        }
    }

    /// Aborts, in a task of its own, so that it is done even where the caller is dropped.
    pub(super) async fn abort(mut self) {
        if let Some(open) = self.open.take() {
            let aborting = tokio::spawn(abort(self.object.clone(), self.named(), open));
            // It can't panic, and is not cancelled while the runtime is there.
            drop(aborting.await);
        }
    }
}

/// A failure is left to the journal and to the bucket's lifecycle rule.
async fn abort(object: Object, upload: OpenUpload, _open: Open) {
    match uploads::abort(&object, &upload.upload_id).await {
        Ok(()) => {
            if let Some(journal) = &object.uploads.journal {
                journal.ended(&upload);
            }
        }
        Err(error) => {
            warn!(%error, "an upload could not be aborted; `s3 uploads --abort-older` does it later");
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(open), Ok(runtime)) = (self.open.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(abort(self.object.clone(), self.named(), open));
        }
    }
}
