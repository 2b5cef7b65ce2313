//! Multipart uploads that have begun: those of this process, and those that others have left behind.

use std::fmt;
use std::sync::Arc;

use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadError;
use aws_sdk_s3::types::EncodingType;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Object, S3Buckets, decoded, moment};
use crate::domain::{S3Prefix, S3Uri, Timestamp};
use crate::ports::{Cursor, Page, PortError};

/// A multipart upload that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenUpload {
    /// The bucket's name.
    pub bucket: String,
    /// The key of the object that it may become.
    pub key: String,
    /// What tells it from others of the same key.
    pub upload_id: String,
}

/// Is told of the uploads of this process, so that another finds those that a killed one has left behind.
pub trait UploadJournal: fmt::Debug + Send + Sync {
    /// An upload has begun.
    fn begun(&self, upload: &OpenUpload);

    /// It has become an object, or was aborted.
    fn ended(&self, upload: &OpenUpload);
}

/// The uploads of one [`S3Buckets`] and its clones that have neither become objects nor been aborted.
#[derive(Debug, Clone, Default)]
pub(super) struct Uploads {
    open: watch::Sender<usize>,
    pub(super) journal: Option<Arc<dyn UploadJournal>>,
}

/// Counts as an open upload until it is dropped.
#[derive(Debug)]
pub(super) struct Open(watch::Sender<usize>);

impl Uploads {
    pub(super) fn enter(&self) -> Open {
        self.open.send_modify(|open| *open += 1);
        Open(self.open.clone())
    }

    /// Returns when none is open.
    async fn settled(&self) {
        // Errs only where the sender is gone, which is held here.
        let mut open = self.open.subscribe();
        drop(open.wait_for(|open| *open == 0).await);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

impl S3Buckets {
    /// Has a journal told of each upload.
    #[must_use]
    pub fn with_journal(mut self, journal: Arc<dyn UploadJournal>) -> Self {
        self.uploads.journal = Some(journal);
        self
    }

    /// Returns when every upload has become an object or was aborted. A writer that is dropped is aborted behind its
    /// owner's back: a program that ends has to wait for that.
    pub async fn uploads_settled(&self) {
        self.uploads.settled().await;
    }

    /// Returns a page of the uploads that have begun under a prefix, with the moment at which they did.
    pub async fn uploads(
        &self,
        place: &S3Prefix,
        page: Option<&Cursor>,
    ) -> Result<Page<(OpenUpload, Option<Timestamp>)>, PortError> {
        let S3Prefix { bucket, prefix } = place;
        let object = self.object(&S3Uri { bucket: bucket.clone(), key: prefix.clone() });
        // An id holds no line break; a key may.
        let (id, key) = page.and_then(|cursor| cursor.0.split_once('\n')).unzip();
        let call = object
            .client
            .list_multipart_uploads()
            .bucket(bucket)
            .prefix(prefix)
            .encoding_type(EncodingType::Url)
            .set_upload_id_marker(id.map(str::to_owned))
            .set_key_marker(key.map(str::to_owned));
        let listed =
            Box::pin(call.send()).await.map_err(|error| object.failed("ListMultipartUploads", error))?;
        let encoding = listed.encoding_type.clone();
        let next = match (listed.is_truncated, listed.next_key_marker, listed.next_upload_id_marker) {
            (Some(true), Some(key), id) => {
                Some(Cursor(format!("{}\n{}", id.unwrap_or_default(), decoded(key, encoding.as_ref()))))
            }
            _ => None,
        };
        let items = listed.uploads.into_iter().flatten().map(|upload| {
            let key = decoded(upload.key.unwrap_or_default(), encoding.as_ref());
            let upload_id = upload.upload_id.unwrap_or_default();
            (OpenUpload { bucket: bucket.clone(), key, upload_id }, upload.initiated.and_then(moment))
        });
        Ok(Page::new(items.collect(), next))
    }

    /// Aborts an upload; one that is gone already is no failure.
    pub async fn abort_upload(&self, upload: &OpenUpload) -> Result<(), PortError> {
        let uri = S3Uri { bucket: upload.bucket.clone(), key: upload.key.clone() };
        abort(&self.object(&uri), &upload.upload_id).await
    }
}

/// Aborts an upload of an object.
pub(super) async fn abort(object: &Object, id: &str) -> Result<(), PortError> {
    let Object { client, bucket, .. } = object;
    let call = client.abort_multipart_upload().bucket(bucket).key(object.sent_key()).upload_id(id);
    match Box::pin(call.send()).await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(AbortMultipartUploadError::is_no_such_upload) => {
            Ok(())
        }
        Err(error) => Err(object.failed("AbortMultipartUpload", error)),
    }
}
