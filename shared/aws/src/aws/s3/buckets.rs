//! Any bucket that the client's role may reach.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;

use super::caller::called_by;
use super::copy::{self, CopyLimits};
use super::reader::{self, S3ObjectReader};
use super::uploads::Uploads;
use super::writer::S3ObjectWriter;
use super::{Object, Seen, decoded, head, listed_object, seen};
use crate::aws::error::{Effect, port_error};
use crate::domain::{S3Prefix, S3Uri};
use crate::ports::{
    BucketInfo, Buckets, Caller, Copied, CopyOptions, Cursor, Depth, ListFrom, Listing, Look, NewObject,
    ObjectInfo, PortError,
};

/// [`Buckets`] that are S3's.
///
/// Without `s3:ListBucket` S3 answers 403 for a key that does not exist: [`Look::Denied`].
#[derive(Debug, Clone)]
pub struct S3Buckets {
    client: Client,
    limits: CopyLimits,
    pub(super) uploads: Uploads,
}

impl S3Buckets {
    /// Over one client. A bucket of another Region than the client's is found there.
    pub fn new(client: Client) -> Self {
        Self { client, limits: CopyLimits::default(), uploads: Uploads::default() }
    }

    /// With other limits for copies, as other stores have them.
    #[must_use]
    pub fn with_copy_limits(self, limits: CopyLimits) -> Self {
        Self { limits, ..self }
    }

    /// The names of the account's buckets, all pages of them.
    pub async fn names(&self) -> Result<Vec<String>, PortError> {
        let mut names = Vec::new();
        let mut pages = self.client.list_buckets().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| port_error("ListBuckets", Effect::Idempotent, error))?;
            names.extend(page.buckets.unwrap_or_default().into_iter().filter_map(|bucket| bucket.name));
        }
        Ok(names)
    }

    pub(super) fn object(&self, uri: &S3Uri) -> Object {
        self.place(&uri.bucket, &uri.key)
    }

    fn place(&self, bucket: &str, key: &str) -> Object {
        let (client, uploads) = (self.client.clone(), self.uploads.clone());
        Object { client, bucket: bucket.to_owned(), key: key.to_owned(), uploads }
    }
}

impl Buckets for S3Buckets {
    type Reader = S3ObjectReader;
    type Writer = S3ObjectWriter;

    fn called_by(&self, caller: Caller) -> Self {
        Self { client: called_by(&self.client, caller), ..self.clone() }
    }

    async fn open(&self, object: &S3Uri, version_id: Option<&str>) -> Result<Look<Self::Reader>, PortError> {
        Ok(match reader::open(self.object(object), version_id).await? {
            Seen::Found((reader, _)) => Look::Found(reader),
            Seen::Absent => Look::Absent,
            Seen::Denied(error) => Look::Denied(error.into()),
        })
    }

    async fn create(&self, object: &S3Uri, wanted: NewObject) -> Result<Self::Writer, PortError> {
        Ok(S3ObjectWriter::new(self.object(object), wanted))
    }

    async fn look_at_object(
        &self,
        object: &S3Uri,
        version_id: Option<&str>,
    ) -> Result<Look<ObjectInfo>, PortError> {
        Ok(head(&self.object(object), version_id).await?.into())
    }

    async fn look_at_bucket(&self, bucket: &str) -> Result<Look<BucketInfo>, PortError> {
        let answer = Box::pin(self.client.head_bucket().bucket(bucket).send()).await;
        let look: Look<_> = seen(&self.place(bucket, ""), "HeadBucket", answer)?.into();
        Ok(look.map(|head| BucketInfo::default().with(|it| it.region = head.bucket_region)))
    }

    async fn list(&self, place: &S3Prefix, depth: Depth, from: &ListFrom) -> Result<Listing, PortError> {
        let S3Prefix { bucket, prefix } = place;
        let (after, token) = match from {
            ListFrom::Start => (None, None),
            ListFrom::After(key) => (Some(key.clone()), None),
            ListFrom::Page(cursor) => (None, Some(cursor.0.clone())),
        };
        let call = self
            .client
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .encoding_type(EncodingType::Url)
            .set_delimiter((depth == Depth::Folder).then(|| "/".to_owned()))
            .set_start_after(after)
            .set_continuation_token(token);
        let listed = Box::pin(call.send())
            .await
            .map_err(|error| self.place(bucket, prefix).failed("ListObjectsV2", error))?;
        let encoding = listed.encoding_type;
        let folders = listed.common_prefixes.into_iter().flatten();
        let objects = listed.contents.into_iter().flatten();
        Ok(Listing {
            objects: objects.map(|object| listed_object(object, encoding.as_ref())).collect(),
            folders: folders
                .filter_map(|folder| folder.prefix)
                .map(|prefix| decoded(prefix, encoding.as_ref()))
                .collect(),
            next: listed.next_continuation_token.map(Cursor),
        })
    }

    async fn copy(
        &self,
        from: &S3Uri,
        version_id: Option<&str>,
        to: &S3Uri,
        wanted: &CopyOptions,
    ) -> Result<Look<Copied>, PortError> {
        copy::copy(&self.object(from), version_id, &self.object(to), wanted, self.limits).await
    }
}
