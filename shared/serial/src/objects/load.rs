//! An object as JSON.

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::io::AsyncBufRead;

use super::failure::{Failure, FailureCode};
use super::{format_of, found};
use crate::domain::S3Uri;
use crate::ports::Buckets;
use crate::serial::{Format, Limits, SerialError, load_json};

/// How an object is loaded.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// What it is; told by the key's suffix where it is not given.
    pub format: Option<Format>,
    /// Of the value, written as JSON.
    pub max_bytes: usize,
}

impl Default for LoadRequest {
    /// By suffix, and as much as one record of a sequence may have: see [`Limits`].
    fn default() -> Self {
        Self { format: None, max_bytes: Limits::default().record_max_bytes }
    }
}

/// An object that was loaded.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LoadedObject {
    /// What it was, as in `geojsonl.gz`.
    pub format: String,
    /// Elements, features or lines; 1 for a document that has none.
    pub records: u64,
    /// Bytes read, as stored.
    pub bytes_in: u64,
    /// The document, or the array of a sequence's records, byte for byte.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub value: Box<RawValue>,
}

/// Loads an object, or one version of it.
pub async fn load<B: Buckets>(
    buckets: &B,
    object: &S3Uri,
    version_id: Option<&str>,
    request: &LoadRequest,
) -> Result<LoadedObject, Failure> {
    let format = format_of(&object.key, request.format)?;
    let reader = found(object, buckets.open(object, version_id).await)?;
    load_from(reader, &object.to_string(), format, request.max_bytes).await
}

/// Loads what a reader gives; `name` is for messages.
pub async fn load_from<R: AsyncBufRead + Send + Unpin>(
    reader: R,
    name: &str,
    format: Format,
    max_bytes: usize,
) -> Result<LoadedObject, Failure> {
    match load_json(reader, format, max_bytes).await {
        Ok(loaded) => Ok(LoadedObject {
            format: loaded.from.to_string(),
            records: loaded.records,
            bytes_in: loaded.bytes_in,
            value: loaded.json,
        }),
        Err(SerialError::TooLarge { max_bytes, .. }) => Err(too_large(name, max_bytes)),
        Err(error) => Err(named(name, error.into())),
    }
}

/// A value that is larger than the caller takes.
fn too_large(name: &str, max_bytes: usize) -> Failure {
    let remedy = "raise the bound (--max-bytes), or have it converted into another object";
    Failure::new(
        FailureCode::TooLarge,
        format!("{name}: as JSON it has more than {max_bytes} bytes; {remedy}"),
    )
}

/// A failure that says what failed.
pub(super) fn named(name: &str, failure: Failure) -> Failure {
    if failure.message.contains(name) {
        return failure;
    }
    Failure { message: format!("{name}: {}", failure.message), ..failure }
}
