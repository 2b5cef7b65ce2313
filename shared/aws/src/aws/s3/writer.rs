//! An object that is being written.

use aws_sdk_s3::primitives::ByteStream;
use tokio_util::bytes::Bytes;

use super::Object;
use super::lost::{Fingerprint, Sent, written};
use super::settings::with_settings;
use super::upload::Upload;
use crate::ports::{ConditionalWriter, NewObject, ObjectWriter, PortError, WriteCondition, Written};

/// Bytes of one part, and of the largest object that goes in one piece: all that is held of an object.
/// S3 takes parts of 5 MiB and more; 10,000 of these make 78 GiB.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// `If-None-Match` and `If-Match`.
pub(super) fn headers(condition: &WriteCondition) -> (Option<String>, Option<String>) {
    match condition {
        WriteCondition::Always => (None, None),
        WriteCondition::Absent => (Some("*".to_owned()), None),
        WriteCondition::Unchanged { etag } => (None, Some(etag.clone())),
    }
}

/// An object that is being written: in one piece where it is small, else as a multipart upload that is
/// aborted if it can't be finished. Holds one part.
#[derive(Debug)]
pub struct S3ObjectWriter {
    object: Object,
    wanted: NewObject,
    buffer: Vec<u8>,
    upload: Option<Upload>,
    /// A part was not sent whole: what follows would leave a hole.
    is_broken: bool,
}

impl S3ObjectWriter {
    pub(super) fn new(object: Object, wanted: NewObject) -> Self {
        Self { object, wanted, buffer: Vec::new(), upload: None, is_broken: false }
    }

    /// Makes the object appear where its condition holds.
    pub async fn commit(mut self) -> Result<Written, PortError> {
        if self.is_broken {
            return Err(PortError::retryable("write an object", "a part was not sent; start anew"));
        }
        if self.upload.is_none() {
            return self.put().await;
        }
        if !self.buffer.is_empty() {
            self.send_part().await?;
        }
        match self.upload {
            Some(upload) => upload.complete(&self.wanted.condition).await,
            None => self.put().await,
        }
    }

    async fn put(mut self) -> Result<Written, PortError> {
        let (if_none_match, if_match) = headers(&self.wanted.condition);
        let (bytes, sent) = (Bytes::from(std::mem::take(&mut self.buffer)), Sent::default());
        let Object { client, bucket, .. } = &self.object;
        let call = client
            .put_object()
            .bucket(bucket)
            .key(self.object.sent_key())
            .content_type(&self.wanted.content_type)
            .set_content_encoding(self.wanted.content_encoding.clone())
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .body(ByteStream::from(bytes.clone()));
        let call = with_settings!(call, &self.wanted.settings);
        // In a box, as each write of this folder: a future of the SDK is nested so deep that the compiler refuses
        // a caller's own around it at the default recursion limit.
        let answer = Box::pin(call.customize().interceptor(sent.clone()).send()).await.map(|done| done.e_tag);
        // Only for a failure: a digest of what went well would be for nothing.
        let ours = if answer.is_err() { Fingerprint::of_bytes(&bytes) } else { Fingerprint::default() };
        written(&self.object, "PutObject", &self.wanted.condition, answer, &sent, &ours).await
    }

    /// Sends what is held as a part, and starts the upload with the first.
    async fn send_part(&mut self) -> Result<(), PortError> {
        self.is_broken = true;
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => Upload::start(&self.object, &self.wanted).await?,
        };
        if let Err(error) = upload.add(std::mem::take(&mut self.buffer)).await {
            upload.abort().await;
            return Err(error);
        }
        self.upload = Some(upload);
        self.is_broken = false;
        Ok(())
    }
}

impl ObjectWriter for S3ObjectWriter {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), PortError> {
        if self.is_broken {
            return Err(PortError::retryable("write an object", "a part was not sent; start anew"));
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == PART_BYTES {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    async fn finish(self) -> Result<(), PortError> {
        let refused = format!("s3://{}/{}: its condition does not hold", self.object.bucket, self.object.key);
        match self.commit().await? {
            Written::Done { .. } => Ok(()),
            Written::Refused => Err(PortError::permanent("write an object", refused)),
        }
    }
}

impl ConditionalWriter for S3ObjectWriter {
    async fn commit(self) -> Result<Written, PortError> {
        self.commit().await
    }

    async fn abort(mut self) {
        if let Some(upload) = self.upload.take() {
            upload.abort().await;
        }
    }
}
