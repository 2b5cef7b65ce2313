//! Documents and objects of S3 as values: `serde` types in, `serde` types out.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;

use batchwright_serial::objects::{
    self, ConvertRequest, Converted, Failure, FailureCode, Info, LoadRequest, Target,
};

use batchwright_core::json;

use crate::domain::{S3Prefix, S3Uri};
use crate::limited::Calls;
use crate::ports::{Buckets, ConditionalWriter, Look, NewObject, ObjectWriter, Written};

/// Reads and writes whole documents: JSON, JSON Lines, GeoJSON, GeoJSON text sequences and YAML, each also `.gz` and
/// `.zst`, told by the key's suffix. A sequence is an array of its records.
///
/// Each call returns a boxed future, because the types behind it are deeper than the compiler follows from another
/// crate.
///
/// ```
/// # mod batchwright { pub use batchwright_client::*; pub use batchwright_core::*; pub use batchwright_stores::*; }
/// use batchwright::Documents;
/// use batchwright::domain::S3Uri;
/// use batchwright::memory::InMemoryBuckets;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let documents = Documents::new(InMemoryBuckets::with(["maps"]));
/// let uri = S3Uri::parse("s3://maps/heights.jsonl.gz")?;
/// documents.dump(&uri, &vec![4_810, 8_849]).await?;
/// let heights: Vec<u32> = documents.load(&uri).await?;
/// assert_eq!(heights, [4_810, 8_849]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Documents<B> {
    buckets: B,
    calls: Arc<Calls>,
}

impl<B: Buckets + 'static> Documents<B> {
    /// Over any buckets, with no limit of calls but that of each method.
    pub fn new(buckets: B) -> Self {
        Self { buckets, calls: Arc::new(Calls::unlimited()) }
    }

    fn call<'a, T: 'a>(
        &'a self,
        call: impl Future<Output = Result<T, Failure>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Failure>> {
        self.calls.once(call).boxed()
    }

    /// The buckets themselves: lists, copies and streams are asked of them.
    pub fn buckets(&self) -> &B {
        &self.buckets
    }

    /// Loads a document as a value.
    ///
    /// Errs where there is no such object, where it is not what its suffix says, and where it does not fit the type.
    pub fn load<'a, T: DeserializeOwned + 'a>(&'a self, uri: &'a S3Uri) -> BoxFuture<'a, Result<T, Failure>> {
        self.call(async move {
            let loaded = objects::load(&self.buckets, uri, None, &LoadRequest::default()).await?;
            serde_json::from_str(loaded.value.get())
                .map_err(|error| Failure::new(FailureCode::InvalidContent, format!("{uri}: {error}")))
        })
    }

    /// Writes a value as a document, in place of what is there. It appears whole or not at all.
    ///
    /// JSON Lines takes an array, an element a line, or any other value as its one line. GeoJSON takes a GeoJSON object, a
    /// FeatureCollection or another, and a GeoJSON text sequence also an array of Features.
    ///
    /// Errs where the value is not what the suffix says, and where it holds a NaN or an infinity.
    pub fn dump<'a, T: Serialize + ?Sized>(
        &'a self,
        uri: &'a S3Uri,
        value: &T,
    ) -> BoxFuture<'a, Result<Converted, Failure>> {
        let text = json::to_string(value);
        self.call(async move {
            let text =
                text.map_err(|error| Failure::new(FailureCode::InvalidContent, format!("{uri}: {error}")))?;
            let target = Target::at(uri.clone());
            let dumped = objects::dump(&self.buckets, &text, &target, &ConvertRequest::default()).await;
            dumped.map_err(|failure| Failure { message: format!("{uri}: {}", failure.message), ..failure })
        })
    }

    /// The bytes of an object, as they are.
    pub fn get<'a>(&'a self, uri: &'a S3Uri) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        self.call(async move {
            let mut reader = match self.buckets.open(uri, None).await? {
                Look::Found(reader) => reader,
                Look::Absent => {
                    return Err(Failure::new(
                        FailureCode::NotFound,
                        format!("{uri}: there is no such object"),
                    ));
                }
                Look::Denied(denial) => return Err(denial.into()),
            };
            let mut bytes = Vec::new();
            let read = reader.read_to_end(&mut bytes).await;
            read.map_err(|error| Failure::new(FailureCode::Unavailable, format!("{uri}: {error}")))?;
            Ok(bytes)
        })
    }

    /// Writes bytes as an object, in place of what is there, and returns its ETag.
    pub fn put<'a>(
        &'a self,
        uri: &'a S3Uri,
        content_type: &'a str,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        self.call(async move {
            let mut writer = self.buckets.create(uri, NewObject::of_type(content_type)).await?;
            if let Err(error) = writer.write(bytes).await {
                writer.abort().await;
                return Err(error.into());
            }
            match writer.commit().await? {
                Written::Done { etag } => Ok(etag),
                Written::Refused => Err(Failure::new(
                    FailureCode::ConditionFailed,
                    format!("{uri}: another write was in its way"),
                )),
            }
        })
    }

    /// What is said of an object beside its bytes.
    pub fn info<'a>(&'a self, uri: &'a S3Uri) -> BoxFuture<'a, Result<Info, Failure>> {
        self.call(objects::info(&self.buckets, uri, None))
    }

    /// What is said of many objects, so many at once: in their order, each with a result of its own.
    pub fn infos<'a>(
        &'a self,
        uris: impl IntoIterator<Item = &'a S3Uri> + 'a,
        at_once: usize,
    ) -> impl Stream<Item = Result<Info, Failure>> + 'a {
        futures_util::stream::iter(uris).map(|uri| self.info(uri)).buffered(at_once.max(1))
    }

    /// Loads many documents, so many at once: in their order, each with a result of its own.
    pub fn load_all<'a, T: DeserializeOwned + 'a>(
        &'a self,
        uris: impl IntoIterator<Item = &'a S3Uri> + 'a,
        at_once: usize,
    ) -> impl Stream<Item = Result<T, Failure>> + 'a {
        futures_util::stream::iter(uris).map(|uri| self.load(uri)).buffered(at_once.max(1))
    }

    /// Whether the caller may reach a bucket, or an object where a key is named.
    pub fn has_access<'a>(&'a self, place: &'a S3Prefix) -> BoxFuture<'a, Result<bool, Failure>> {
        self.call(async move { Ok(objects::access(&self.buckets, place).await?.access) })
    }
}

#[cfg(feature = "s3")]
impl Documents<batchwright_aws::aws::S3Buckets> {
    /// The documents of S3, by the Region, profile and endpoint of a config, or by the SDK's own configuration in it, within
    /// the config's limit of calls under way.
    pub async fn connect(config: &crate::Config) -> Self {
        use batchwright_aws::aws::{S3Buckets, s3_client};

        let buckets = S3Buckets::new(s3_client(&config.to_sdk_config().await));
        Self { calls: config.calls(), ..Self::new(buckets) }
    }
}

#[cfg(test)]
mod tests {
    use batchwright_stores::memory::InMemoryBuckets;
    use futures_util::TryStreamExt as _;
    use serde_json::{Value, json};

    use super::*;

    fn uri(key: &str) -> S3Uri {
        S3Uri::parse(&format!("s3://bucket/{key}")).unwrap()
    }

    #[tokio::test]
    async fn values_go_there_and_back_in_every_format() {
        let documents = Documents::new(InMemoryBuckets::with(["bucket"]));
        let feature = json!({"type": "Feature", "properties": {"n": 1}, "geometry": null});
        let collection = json!({"type": "FeatureCollection", "features": [feature]});
        for (key, value, back) in [
            ("a.json", json!({"a": [1, 2.5, null]}), json!({"a": [1, 2.5, null]})),
            ("a.yaml.gz", json!({"a": "no"}), json!({"a": "no"})),
            ("a.jsonl", json!([1, 2]), json!([1, 2])),
            ("a.geojson", collection.clone(), collection.clone()),
            ("a.geojsonl.zst", collection, json!([feature])),
        ] {
            documents.dump(&uri(key), &value).await.unwrap();
            assert_eq!(documents.load::<Value>(&uri(key)).await.unwrap(), back, "{key}");
        }
        let infos: Vec<Info> =
            documents.infos(&[uri("a.json"), uri("a.jsonl")], 2).try_collect().await.unwrap();
        assert_eq!(infos.len(), 2);
        let all = [uri("a.jsonl"), uri("none.json"), uri("a.geojsonl.zst")];
        let loaded: Vec<Result<Value, Failure>> = documents.load_all(&all, 2).collect().await;
        assert_eq!(loaded[0].as_ref().unwrap(), &json!([1, 2]));
        assert_eq!(loaded[1].as_ref().unwrap_err().code, FailureCode::NotFound);
        assert_eq!(loaded[2].as_ref().unwrap(), &json!([feature]));
    }

    #[tokio::test]
    async fn what_is_wrong_names_the_object() {
        let documents = Documents::new(InMemoryBuckets::with(["bucket"]));
        documents.put(&uri("n.json"), "application/json", b"[1]").await.unwrap();
        assert_eq!(documents.get(&uri("n.json")).await.unwrap(), b"[1]");
        for (failure, code) in [
            (documents.load::<String>(&uri("n.json")).await.err(), FailureCode::InvalidContent),
            (documents.load::<Value>(&uri("none.json")).await.err(), FailureCode::NotFound),
            (documents.get(&uri("none.json")).await.err(), FailureCode::NotFound),
            (documents.dump(&uri("n.geojson"), &json!([1])).await.err(), FailureCode::InvalidContent),
            (documents.dump(&uri("n.json"), &[f64::NAN]).await.err(), FailureCode::InvalidContent),
            (documents.dump(&uri("n.txt"), &json!({})).await.err(), FailureCode::InvalidRequest),
        ] {
            let failure = failure.unwrap();
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.message.contains("n.") || failure.message.contains("none.json"), "{failure}");
        }
        let place = S3Prefix::parse("s3://nowhere").unwrap();
        assert!(!documents.has_access(&place).await.unwrap());
    }
}
