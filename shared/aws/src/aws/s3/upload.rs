//! A multipart upload.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use tracing::warn;

use super::Object;
use super::writer::{acl, headers, written};
use crate::ports::{NewObject, PortError, WriteCondition, Written};

/// Parts of one upload. Source: Amazon S3 user guide, "multipart upload limits".
const PARTS_MAX: i32 = 10_000;

/// Headers of an object that are passed on with a copy.
#[derive(Debug, Default)]
pub(super) struct Headers {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_language: Option<String>,
    /// `x-amz-meta-…`.
    pub(super) metadata: Option<HashMap<String, String>>,
}

/// An upload that has begun. It ends with its object, or is aborted: by whoever sees it fail, or when
/// it is dropped. A process that is killed leaves it to the bucket's lifecycle rule.
#[derive(Debug)]
pub(super) struct Upload {
    object: Object,
    id: String,
    parts: Vec<CompletedPart>,
    is_open: bool,
}

impl Upload {
    pub(super) async fn start(object: &Object, wanted: &NewObject) -> Result<Self, PortError> {
        Self::start_with(object, wanted, Headers::default()).await
    }

    /// With what S3 tells of an object beside its type.
    pub(super) async fn start_with(
        object: &Object,
        wanted: &NewObject,
        told: Headers,
    ) -> Result<Self, PortError> {
        const OPERATION: &str = "CreateMultipartUpload";
        let Object { client, bucket, key } = object;
        let call = client
            .create_multipart_upload()
            .bucket(bucket)
            .key(key)
            .content_type(&wanted.content_type)
            .set_content_encoding(wanted.content_encoding.clone())
            .set_acl(acl(wanted.owner_full_control))
            .set_cache_control(told.cache_control)
            .set_content_disposition(told.content_disposition)
            .set_content_language(told.content_language)
            .set_metadata(told.metadata);
        let started = call.send().await.map_err(|error| object.failed(OPERATION, &error))?;
        let id =
            started.upload_id.ok_or_else(|| PortError::retryable(OPERATION, "no upload id came back"))?;
        Ok(Self { object: object.clone(), id, parts: Vec::new(), is_open: true })
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
        let Object { client, bucket, key } = &self.object;
        let call = client
            .upload_part()
            .bucket(bucket)
            .key(key)
            .upload_id(&self.id)
            .part_number(number)
            .body(ByteStream::from(bytes));
        let part = call.send().await.map_err(|error| self.object.failed(OPERATION, &error))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(part.e_tag)
            .set_checksum_crc32(part.checksum_crc32)
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
        attempt_timeout: Duration,
    ) -> impl Future<Output = Result<CompletedPart, PortError>> + Send + use<> {
        let object = self.object.clone();
        let number = i32::try_from(index).map_or(i32::MAX, |index| index.saturating_add(1));
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt_timeout).build();
        let call = object
            .client
            .upload_part_copy()
            .bucket(&object.bucket)
            .key(&object.key)
            .upload_id(&self.id)
            .part_number(number)
            .copy_source(source)
            .set_copy_source_if_match(etag.map(str::to_owned))
            .copy_source_range(format!("bytes={first}-{last}"))
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts));
        async move {
            let part = call.send().await.map_err(|error| object.failed("UploadPartCopy", &error))?;
            let result = part.copy_part_result;
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(result.and_then(|result| result.e_tag))
                .build())
        }
    }

    /// All parts, in order, where they were copied.
    pub(super) fn add_copied(&mut self, parts: Vec<CompletedPart>) {
        self.parts = parts;
    }

    /// Makes the object appear where the condition holds; else, and on failure, aborts.
    pub(super) async fn complete(mut self, condition: &WriteCondition) -> Result<Written, PortError> {
        let Object { client, bucket, key } = &self.object;
        let (if_none_match, if_match) = headers(condition);
        let parts =
            CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let call = client
            .complete_multipart_upload()
            .bucket(bucket)
            .key(key)
            .upload_id(&self.id)
            .multipart_upload(parts)
            .set_if_none_match(if_none_match)
            .set_if_match(if_match);
        let answer = call.send().await.map(|done| done.e_tag);
        match written(&self.object, "CompleteMultipartUpload", condition, answer) {
            Ok(Written::Done { etag }) => {
                self.is_open = false;
                Ok(Written::Done { etag })
            }
            other => {
                self.abort().await;
                other
            }
        }
    }

    /// Idempotent; does nothing to an upload that has become an object. A failure is left to the
    /// bucket's lifecycle rule.
    pub(super) async fn abort(mut self) {
        self.is_open = false;
        abort(self.object.clone(), std::mem::take(&mut self.id)).await;
    }
}

async fn abort(object: Object, id: String) {
    let Object { client, bucket, key } = &object;
    let call = client.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
    if let Err(error) = call.send().await {
        let error = object.failed("AbortMultipartUpload", &error);
        warn!(%error, "an upload could not be aborted; the bucket's lifecycle rule removes it");
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (true, Ok(runtime)) = (self.is_open, tokio::runtime::Handle::try_current()) {
            runtime.spawn(abort(self.object.clone(), std::mem::take(&mut self.id)));
        }
    }
}
