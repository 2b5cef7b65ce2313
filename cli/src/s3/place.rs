//! Where something is read and written.

use std::path::{Path, PathBuf};

#[cfg(feature = "aws")]
use batchwright::aws::{Connection, S3Buckets, S3ObjectWriter, connect, s3_client};
use batchwright::domain::S3Uri;
use batchwright::objects::{self, FailureCode};
#[cfg(feature = "aws")]
use batchwright::ports::{Buckets as _, Look};
use batchwright::ports::{ConditionalWriter, NewObject, ObjectWriter, PortError, Written};
use tokio::io::{AsyncBufRead, BufReader};
#[cfg(feature = "aws")]
use tokio::sync::OnceCell;

use super::args::S3Args;
use super::file::FileWriter;

/// What is read.
pub(crate) type Reader = Box<dyn AsyncBufRead + Send + Unpin>;

/// Bytes that are read of a file at once.
const CHUNK: usize = 256 * 1024;

/// A file, standard input, or an object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FileOrObject {
    File(PathBuf),
    StandardInput,
    Object(S3Uri),
}

impl FileOrObject {
    /// What has a scheme is an object, or wrong.
    fn parse(text: &str) -> Result<Self, objects::Failure> {
        match text {
            "-" => Ok(Self::StandardInput),
            text if text.contains("://") => {
                S3Uri::parse(text).map(Self::Object).map_err(objects::Failure::invalid_request)
            }
            text => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

/// The way to files, and where the program was built for it to S3.
pub(crate) struct Reach {
    #[cfg(feature = "aws")]
    connection: Connection,
    /// Made when the first object is asked for: what is about files alone asks nobody for a Region.
    #[cfg(feature = "aws")]
    buckets: OnceCell<S3Buckets>,
}

impl Reach {
    #[cfg(feature = "aws")]
    pub(crate) fn new(args: &S3Args) -> Self {
        let connection = Connection {
            region: args.region.clone(),
            profile: args.profile.clone(),
            endpoint_url: args.endpoint_url.clone(),
        };
        Self { connection, buckets: OnceCell::new() }
    }

    #[cfg(not(feature = "aws"))]
    pub(crate) fn new(_: &S3Args) -> Self {
        Self {}
    }

    #[cfg(feature = "aws")]
    pub(crate) async fn buckets(&self) -> &S3Buckets {
        let connected = async || S3Buckets::new(s3_client(&connect(&self.connection).await));
        self.buckets.get_or_init(connected).await
    }

    /// Opens what is read.
    pub(crate) async fn open(&self, source: &str) -> Result<Reader, objects::Failure> {
        match FileOrObject::parse(source)? {
            FileOrObject::StandardInput => Ok(Box::new(BufReader::with_capacity(CHUNK, tokio::io::stdin()))),
            FileOrObject::File(path) => match tokio::fs::File::open(&path).await {
                Ok(file) => Ok(Box::new(BufReader::with_capacity(CHUNK, file))),
                Err(error) => Err(of_file(&path, &error)),
            },
            FileOrObject::Object(object) => self.open_object(object).await,
        }
    }

    /// Starts what is written.
    pub(crate) async fn create(&self, target: &str, wanted: NewObject) -> Result<Writer, objects::Failure> {
        match FileOrObject::parse(target)? {
            FileOrObject::StandardInput => {
                Err(objects::Failure::invalid_request("- is read from; name a file or an object"))
            }
            FileOrObject::File(path) => Ok(Writer::File(FileWriter::create(&path, &wanted.condition)?)),
            FileOrObject::Object(object) => self.create_object(object, wanted).await,
        }
    }

    #[cfg(feature = "aws")]
    async fn open_object(&self, object: S3Uri) -> Result<Reader, objects::Failure> {
        match self.buckets().await.open(&object, None).await? {
            Look::Found(reader) => Ok(Box::new(reader)),
            Look::Absent => {
                let message = format!("{object}: there is no such object");
                Err(objects::Failure::new(FailureCode::NotFound, message))
            }
            Look::Denied(why) => Err(objects::Failure::new(FailureCode::Denied, why)),
        }
    }

    #[cfg(feature = "aws")]
    async fn create_object(&self, object: S3Uri, wanted: NewObject) -> Result<Writer, objects::Failure> {
        Ok(Writer::Object(Box::new(self.buckets().await.create(&object, wanted).await?)))
    }

    #[cfg(not(feature = "aws"))]
    async fn open_object(&self, object: S3Uri) -> Result<Reader, objects::Failure> {
        Err(without_aws(&object))
    }

    #[cfg(not(feature = "aws"))]
    async fn create_object(&self, object: S3Uri, _: NewObject) -> Result<Writer, objects::Failure> {
        Err(without_aws(&object))
    }
}

#[cfg(not(feature = "aws"))]
fn without_aws(object: &S3Uri) -> objects::Failure {
    objects::Failure::invalid_request(format!("{object}: this program was built without the feature aws"))
}

fn of_file(path: &Path, error: &std::io::Error) -> objects::Failure {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => FailureCode::NotFound,
        std::io::ErrorKind::PermissionDenied => FailureCode::Denied,
        _ => FailureCode::Refused,
    };
    objects::Failure::new(code, format!("{}: {error}", path.display()))
}

/// What is written.
pub(crate) enum Writer {
    File(FileWriter),
    #[cfg(feature = "aws")]
    Object(Box<S3ObjectWriter>),
}

impl ObjectWriter for Writer {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        match self {
            Self::File(file) => file.write(bytes).await,
            #[cfg(feature = "aws")]
            Self::Object(object) => object.write(bytes).await,
        }
    }

    async fn finish(self) -> Result<(), PortError> {
        match self {
            Self::File(file) => file.finish().await,
            #[cfg(feature = "aws")]
            Self::Object(object) => object.finish().await,
        }
    }
}

impl ConditionalWriter for Writer {
    async fn commit(self) -> Result<Written, PortError> {
        match self {
            Self::File(file) => file.commit().await,
            #[cfg(feature = "aws")]
            Self::Object(object) => ConditionalWriter::commit(*object).await,
        }
    }

    async fn abort(self) {
        match self {
            Self::File(file) => file.abort().await,
            #[cfg(feature = "aws")]
            Self::Object(object) => object.abort().await,
        }
    }
}
