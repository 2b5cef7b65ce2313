//! Where something is read and written.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "aws")]
use batchwright::aws::{S3Buckets, S3ObjectWriter};
use batchwright::domain::{ObjectSettings, S3Uri};
use batchwright::objects::{self, FailureCode};
#[cfg(feature = "aws")]
use batchwright::ports::{Buckets as _, Look};
use batchwright::ports::{ConditionalWriter, NewObject, ObjectWriter, PortError, WriteCondition, Written};
use tokio::io::{AsyncBufRead, BufReader};

use super::args::S3Args;
use super::file::{self, FileWriter};
use super::pipe::Pipe;

/// What is read.
pub(crate) type Reader = Box<dyn AsyncBufRead + Send + Unpin>;

/// Bytes that are read of a file at once.
const CHUNK: usize = 256 * 1024;

/// A file, standard input or output, or an object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FileOrObject {
    File(PathBuf),
    Standard,
    Object(S3Uri),
}

impl FileOrObject {
    /// What has a scheme is an object, or wrong.
    fn parse(text: &str) -> Result<Self, objects::Failure> {
        match text {
            "-" => Ok(Self::Standard),
            text if text.contains("://") || text.starts_with("arn:aws") => {
                S3Uri::parse(text).map(Self::Object).map_err(objects::Failure::invalid_request)
            }
            text => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

/// Errs where what is read would be replaced by what is made of it.
pub(crate) fn refuse_same(source: &str, target: &str) -> Result<(), objects::Failure> {
    let identity = |place: &FileOrObject, stream: &str| {
        let found = match place {
            FileOrObject::File(path) => std::fs::metadata(path),
            FileOrObject::Standard => std::fs::metadata(stream),
            FileOrObject::Object(_) => return None,
        };
        found.ok().filter(Metadata::is_file).map(|file| (file.dev(), file.ino()))
    };
    let (from, to) = (FileOrObject::parse(source)?, FileOrObject::parse(target)?);
    let is_same = match (&from, &to) {
        (FileOrObject::Object(from), FileOrObject::Object(to)) => from == to,
        _ => identity(&from, "/dev/stdin").is_some_and(|from| identity(&to, "/dev/stdout") == Some(from)),
    };
    match is_same {
        true => Err(objects::Failure::invalid_request(format!(
            "{target}: is source and target; name another target"
        ))),
        false => Ok(()),
    }
}

/// The way to files, and where the program was built for it to S3, which is looked for only when it is needed: it may
/// ask the machine's metadata service for credentials.
pub(crate) struct Reach {
    #[cfg(feature = "aws")]
    s3: super::remote::Remote,
    reader_is_gone: Arc<AtomicBool>,
}

impl Reach {
    #[cfg(feature = "aws")]
    pub(crate) fn new(args: &S3Args) -> Self {
        Self { s3: super::remote::Remote::new(args), reader_is_gone: Arc::default() }
    }

    #[cfg(not(feature = "aws"))]
    pub(crate) fn new(_: &S3Args) -> Self {
        Self { reader_is_gone: Arc::default() }
    }

    #[cfg(feature = "aws")]
    pub(crate) async fn buckets(&self) -> &S3Buckets {
        self.s3.buckets().await
    }

    /// Returns when every upload of this process has become an object or was aborted.
    pub(crate) async fn uploads_settled(&self) {
        #[cfg(feature = "aws")]
        self.s3.uploads_settled().await;
    }

    /// Whether what was written in place ended because nobody reads it any more.
    pub(crate) fn reader_is_gone(&self) -> bool {
        self.reader_is_gone.load(Ordering::Relaxed)
    }

    /// Bytes of what is read, where somebody waits for them to pass. Asks S3 for no more than that.
    pub(crate) async fn size_of(&self, source: &str, version_id: Option<&str>) -> Option<u64> {
        if !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            return None;
        }
        match FileOrObject::parse(source).ok()? {
            FileOrObject::Standard => None,
            FileOrObject::File(path) => {
                std::fs::metadata(path).ok().filter(Metadata::is_file).map(|it| it.len())
            }
            FileOrObject::Object(object) => self.size_of_object(&object, version_id).await,
        }
    }

    /// Opens what is read.
    pub(crate) async fn open(
        &self,
        source: &str,
        version_id: Option<&str>,
    ) -> Result<Reader, objects::Failure> {
        match (FileOrObject::parse(source)?, version_id) {
            (FileOrObject::Object(object), _) => self.open_object(object, version_id).await,
            (_, Some(_)) => {
                let why = format!("{source}: only objects of S3 have versions; leave --version-id out");
                Err(objects::Failure::invalid_request(why))
            }
            (FileOrObject::Standard, None) => {
                Ok(Box::new(BufReader::with_capacity(CHUNK, tokio::io::stdin())))
            }
            (FileOrObject::File(path), None) => match tokio::fs::File::open(&path).await {
                Ok(file) => Ok(Box::new(BufReader::with_capacity(CHUNK, file))),
                Err(error) => Err(of_file(&path, &error)),
            },
        }
    }

    /// Starts what is written.
    pub(crate) async fn create(&self, target: &str, wanted: NewObject) -> Result<Writer, objects::Failure> {
        let place = FileOrObject::parse(target)?;
        if !matches!(place, FileOrObject::Object(_)) && wanted.settings != ObjectSettings::default() {
            let why = format!("{target}: only objects of S3 have such settings; leave them out");
            return Err(objects::Failure::invalid_request(why));
        }
        match place {
            FileOrObject::Object(object) => self.create_object(object, wanted).await,
            FileOrObject::Standard if wanted.condition != WriteCondition::Always => {
                let why = "standard output is always there; leave the condition out, or name a file";
                Err(objects::Failure::invalid_request(why))
            }
            FileOrObject::Standard => Ok(self.standard_output()),
            FileOrObject::File(path) => match file::target(&path, &wanted.condition)? {
                file::Target::File(writer) => Ok(Writer::File(writer)),
                file::Target::StandardOutput => Ok(self.standard_output()),
                file::Target::InPlace(path) => {
                    Ok(Writer::Pipe(Pipe::open(&path, Arc::clone(&self.reader_is_gone)).await?))
                }
            },
        }
    }

    fn standard_output(&self) -> Writer {
        Writer::Pipe(Pipe::standard_output(Arc::clone(&self.reader_is_gone)))
    }

    #[cfg(feature = "aws")]
    async fn size_of_object(&self, object: &S3Uri, version_id: Option<&str>) -> Option<u64> {
        match self.buckets().await.look_at_object(object, version_id).await {
            Ok(Look::Found(found)) => Some(found.size_bytes),
            _ => None,
        }
    }

    #[cfg(not(feature = "aws"))]
    async fn size_of_object(&self, _: &S3Uri, _: Option<&str>) -> Option<u64> {
        None
    }

    #[cfg(feature = "aws")]
    async fn open_object(&self, object: S3Uri, version_id: Option<&str>) -> Result<Reader, objects::Failure> {
        match self.buckets().await.open(&object, version_id).await? {
            Look::Found(reader) => Ok(Box::new(reader)),
            Look::Absent => {
                let message = format!("{object}: there is no such object");
                Err(objects::Failure::new(FailureCode::NotFound, message))
            }
            Look::Denied(denial) => Err(denial.into()),
        }
    }

    #[cfg(feature = "aws")]
    async fn create_object(&self, object: S3Uri, wanted: NewObject) -> Result<Writer, objects::Failure> {
        self.s3.abort_left_behind(&object.bucket).await;
        Ok(Writer::Object(Box::new(self.buckets().await.create(&object, wanted).await?)))
    }

    #[cfg(not(feature = "aws"))]
    async fn open_object(&self, object: S3Uri, _: Option<&str>) -> Result<Reader, objects::Failure> {
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
    Pipe(Pipe),
    #[cfg(feature = "aws")]
    Object(Box<S3ObjectWriter>),
}

impl ObjectWriter for Writer {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        match self {
            Self::File(file) => file.write(bytes).await,
            Self::Pipe(pipe) => pipe.write(bytes).await,
            #[cfg(feature = "aws")]
            Self::Object(object) => object.write(bytes).await,
        }
    }

    async fn finish(self) -> Result<(), PortError> {
        match self {
            Self::File(file) => file.finish().await,
            Self::Pipe(pipe) => pipe.finish().await,
            #[cfg(feature = "aws")]
            Self::Object(object) => object.finish().await,
        }
    }
}

impl ConditionalWriter for Writer {
    async fn commit(self) -> Result<Written, PortError> {
        match self {
            Self::File(file) => file.commit().await,
            Self::Pipe(pipe) => pipe.commit().await,
            #[cfg(feature = "aws")]
            Self::Object(object) => ConditionalWriter::commit(*object).await,
        }
    }

    async fn abort(self) {
        match self {
            Self::File(file) => file.abort().await,
            Self::Pipe(pipe) => pipe.abort().await,
            #[cfg(feature = "aws")]
            Self::Object(object) => object.abort().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_to_be_itself_under_any_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.json"), folder.path().join("b.json"));
        std::fs::write(&file, "1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let (file, link) = (file.to_string_lossy(), link.to_string_lossy());
        for (source, target, is_same) in [
            (&*file, &*file, true),
            (&file, &link, true),
            (&file, "/nowhere/c.json", false),
            ("s3://b/k", "s3://b/k", true),
            ("s3://b/k", "s3://b/l", false),
            (&file, "s3://b/k", false),
        ] {
            assert_eq!(refuse_same(source, target).is_err(), is_same, "{source} {target}");
        }
    }
}
