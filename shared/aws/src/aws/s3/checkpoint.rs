//! Small objects that are saved on condition.

use aws_sdk_s3::operation::get_object::GetObjectError;

use super::S3ObjectStore;
use crate::ports::{CheckpointStore, ObjectWriter, PortError, Stored, Version, WriteCondition, Written};

const LOAD: &str = "GetObject";

impl CheckpointStore for S3ObjectStore {
    async fn load(&self, key: &str) -> Result<Option<Stored>, PortError> {
        let object = self.object(key);
        let answer = match self.client.get_object().bucket(&self.bucket).key(object.sent_key()).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(object.failed(LOAD, error)),
        };
        let named = |why: String| PortError::retryable(LOAD, format!("s3://{}/{key}: {why}", self.bucket));
        let etag = answer.e_tag.ok_or_else(|| named("no ETag came".to_owned()))?;
        let body = answer.body.collect().await.map_err(|error| named(error.to_string()))?;
        Ok(Some(Stored { bytes: body.to_vec(), version: Version(etag) }))
    }

    async fn save(
        &self,
        key: &str,
        bytes: &[u8],
        over: Option<&Version>,
    ) -> Result<Option<Version>, PortError> {
        let condition = match over {
            None => WriteCondition::Absent,
            Some(Version(etag)) => WriteCondition::Unchanged { etag: etag.clone() },
        };
        let mut writer = self.create_object_where(key, content_type(key), condition);
        writer.write(bytes).await?;
        Ok(match writer.commit().await? {
            Written::Done { etag } => etag.map(Version),
            Written::Refused => None,
        })
    }
}

/// What is packed is JSON Lines, as the other logs of an archive are.
fn content_type(key: &str) -> &'static str {
    if key.ends_with(".gz") { "application/x-ndjson" } else { "application/json" }
}
