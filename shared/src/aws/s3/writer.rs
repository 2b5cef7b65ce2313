//! An object that is being written.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;

use super::Object;
use super::upload::Upload;
use crate::ports::{ObjectWriter, PortError};

/// Bytes of one part, and of the largest object that goes in one piece: all that is held of an object.
/// S3 takes parts of 5 MiB and more; 10,000 of these make 78 GiB.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// When an object may appear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteCondition {
    /// In any case, in place of the one before.
    Always,
    /// Where there is none under its key.
    Absent,
    /// Where the one under its key is still the one with this etag.
    Unchanged {
        /// As [`ObjectInfo::etag`](super::ObjectInfo::etag) gives it.
        etag: String,
    },
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The object is there.
    Done {
        /// Of what was written.
        etag: Option<String>,
    },
    /// The condition did not hold: nothing was written. Where an answer had been lost and the call was
    /// repeated, the object that stands in the way may be this very one.
    Refused,
}

impl WriteCondition {
    /// `If-None-Match` and `If-Match`.
    pub(super) fn headers(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::Always => (None, None),
            Self::Absent => (Some("*".to_owned()), None),
            Self::Unchanged { etag } => (None, Some(etag.clone())),
        }
    }
}

/// An object that is being written: in one piece where it is small, else as a multipart upload that is
/// aborted if it can't be finished. Holds one part.
#[derive(Debug)]
pub struct S3ObjectWriter {
    object: Object,
    content_type: String,
    condition: WriteCondition,
    buffer: Vec<u8>,
    upload: Option<Upload>,
    /// A part was not sent whole: what follows would leave a hole.
    is_broken: bool,
}

impl S3ObjectWriter {
    pub(super) fn new(object: Object, content_type: String, condition: WriteCondition) -> Self {
        Self { object, content_type, condition, buffer: Vec::new(), upload: None, is_broken: false }
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
            Some(upload) => upload.complete(&self.condition).await,
            None => self.put().await,
        }
    }

    async fn put(mut self) -> Result<Written, PortError> {
        let (if_none_match, if_match) = self.condition.headers();
        let Object { client, bucket, key } = &self.object;
        let call = client
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type(&self.content_type)
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .body(ByteStream::from(std::mem::take(&mut self.buffer)));
        let answer = call.send().await.map(|done| done.e_tag);
        written(&self.object, "PutObject", &self.condition, answer)
    }

    /// Sends what is held as a part, and starts the upload with the first.
    async fn send_part(&mut self) -> Result<(), PortError> {
        self.is_broken = true;
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => Upload::start(&self.object, &self.content_type).await?,
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

/// Reads the answer to the call that makes an object appear.
pub(super) fn written<E>(
    object: &Object,
    operation: &'static str,
    condition: &WriteCondition,
    answer: Result<Option<String>, SdkError<E>>,
) -> Result<Written, PortError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(etag) => Ok(Written::Done { etag }),
        Err(error) => match (condition, error.code()) {
            (WriteCondition::Absent | WriteCondition::Unchanged { .. }, Some("PreconditionFailed"))
            | (WriteCondition::Unchanged { .. }, Some("NoSuchKey")) => Ok(Written::Refused),
            _ => Err(object.failed(operation, &error)),
        },
    }
}
