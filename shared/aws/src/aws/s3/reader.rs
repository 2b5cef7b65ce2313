//! An object that is being read.

use std::error::Error;
use std::io;
use std::pin::Pin;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_checksums::body::validate;
use futures_util::stream::{Stream, try_unfold};
use tokio::io::AsyncBufRead;
use tokio_util::bytes::{Buf as _, Bytes};
use tokio_util::io::StreamReader;

use super::{Object, Seen, seen};
use crate::domain::SourceVersion;
use crate::ports::PortError;

/// How often in a row a connection may be lost before a byte comes.
const RESUMPTIONS: u32 = 3;

/// Reads one version of an object from its start, as it comes. Where the connection is lost it reads on
/// from there, and errs if the object was replaced meanwhile: a slow reader outlives S3's patience.
pub type S3ObjectReader = Pin<Box<dyn AsyncBufRead + Send>>;

/// Opens an object, or one version of it, and tells which it is.
pub(super) async fn open(
    object: Object,
    version_id: Option<&str>,
) -> Result<Seen<(S3ObjectReader, SourceVersion)>, PortError> {
    let version_id = version_id.map(str::to_owned);
    let answer = get(&object, version_id.clone(), None, None).await;
    Ok(match seen(&object, "GetObject", answer)? {
        Seen::Found(answer) => {
            let version = SourceVersion::new(answer.version_id.clone(), answer.e_tag.clone());
            Seen::Found((Download::new(object, version_id, answer).reader(), version))
        }
        Seen::Absent => Seen::Absent,
        Seen::Denied(error) => Seen::Denied(error),
    })
}

/// Opens `length` bytes of an object from its byte `first` on.
pub(super) async fn open_range(
    object: Object,
    first: u64,
    length: u64,
) -> Result<Seen<S3ObjectReader>, PortError> {
    let end = first.saturating_add(length);
    let answer = get(&object, None, Some((first, Some(end))), None).await;
    Ok(match seen(&object, "GetObject", answer)? {
        Seen::Found(answer) => {
            let starts_at = range_start(&answer).unwrap_or(0);
            let mut download = Download::new(object, None, answer);
            if starts_at > first {
                let why = download
                    .wrong(&format!("bytes from {first} on were asked for, those from {starts_at} came"));
                return Err(PortError::retryable("GetObject", why));
            }
            (download.offset, download.passed_over, download.end) = (first, first - starts_at, Some(end));
            Seen::Found(download.reader())
        }
        Seen::Absent => Seen::Absent,
        Seen::Denied(error) => Seen::Denied(error),
    })
}

struct Download {
    object: Object,
    version_id: Option<String>,
    etag: Option<String>,
    /// Bytes of the object, where S3 has told.
    total: Option<u64>,
    /// The byte at which reading ends, where not at the object's end.
    end: Option<u64>,
    /// The byte of the object that is handed out next.
    offset: u64,
    /// Bytes still to come that lie before `offset`: of an answer with more than was asked for.
    passed_over: u64,
    body: ByteStream,
    resumptions: u32,
}

fn chunks(download: Download) -> impl Stream<Item = io::Result<Bytes>> + Send {
    try_unfold(download, |mut download| async move {
        loop {
            let lost = match download.body.try_next().await {
                Ok(Some(chunk)) => match download.taken(chunk) {
                    chunk if chunk.is_empty() => continue,
                    chunk => return Ok(Some((chunk, download))),
                },
                Ok(None) if download.end.or(download.total).is_none_or(|end| download.offset >= end) => {
                    return Ok(None);
                }
                // Without a length of its own, a body that breaks off looks like one that has ended.
                Ok(None) => io::Error::from(io::ErrorKind::UnexpectedEof),
                Err(error) if is_mismatch(&error) => return Err(download.mismatch(&error)),
                Err(error) => io::Error::other(error),
            };
            download.resume(lost).await?;
        }
    })
}

impl Download {
    fn new(object: Object, version_id: Option<String>, answer: GetObjectOutput) -> Self {
        let total = match answer.content_range.as_deref() {
            Some(range) => range.rsplit('/').next().and_then(|total| total.parse().ok()),
            None => answer.content_length.and_then(|length| u64::try_from(length).ok()),
        };
        let (etag, body) = (answer.e_tag, answer.body);
        Self { object, version_id, etag, total, end: None, offset: 0, passed_over: 0, body, resumptions: 0 }
    }

    fn reader(self) -> S3ObjectReader {
        Box::pin(StreamReader::new(Box::pin(chunks(self))))
    }

    /// What is new of a chunk.
    fn taken(&mut self, mut chunk: Bytes) -> Bytes {
        let known = self.passed_over.min(chunk.len() as u64);
        self.passed_over -= known;
        chunk.advance(known as usize);
        self.offset += chunk.len() as u64;
        if !chunk.is_empty() {
            self.resumptions = 0;
        }
        chunk
    }

    async fn resume(&mut self, lost: io::Error) -> io::Result<()> {
        let Some(etag) = self.etag.as_deref().filter(|_| self.resumptions < RESUMPTIONS) else {
            return Err(lost);
        };
        self.resumptions += 1;
        let range = (self.offset, self.end);
        let answer = get(&self.object, self.version_id.clone(), Some(range), Some(etag)).await;
        let answer = answer.map_err(|error| io::Error::other(self.object.failed("GetObject", error)))?;
        let starts_at = self.start_of(&answer)?;
        self.passed_over = self.offset - starts_at;
        self.body = answer.body;
        Ok(())
    }

    /// Where in the object an answer begins. `Range` is a wish: a server may answer with the whole (RFC 9110, 14.2),
    /// and what was read before would come twice.
    fn start_of(&self, answer: &GetObjectOutput) -> io::Result<u64> {
        if self.etag != answer.e_tag && answer.e_tag.is_some() {
            return Err(self.wrong("the object was replaced while it was read; read it again"));
        }
        let Some(range) = answer.content_range.as_deref() else {
            let length = answer.content_length.and_then(|length| u64::try_from(length).ok());
            return match (length, self.total) {
                (Some(length), Some(total)) if length != total => {
                    Err(self.wrong("the answer to a range is neither that range nor the whole"))
                }
                _ => Ok(0),
            };
        };
        match range_start(answer) {
            Some(start) if start <= self.offset => Ok(start),
            _ => Err(self.wrong(&format!("bytes from {} on were asked for, {range:?} came", self.offset))),
        }
    }

    fn mismatch(&self, error: &(dyn Error + 'static)) -> io::Error {
        let why =
            format!("the bytes that came are not the object's, by its checksum ({error}); read it again");
        self.wrong(&why)
    }

    fn wrong(&self, why: &str) -> io::Error {
        let Object { bucket, key, .. } = &self.object;
        io::Error::new(io::ErrorKind::InvalidData, format!("s3://{bucket}/{key}: {why}"))
    }
}

/// Whether the SDK found another checksum than S3 had told. Asking for more bytes would only be answered that there
/// are none.
fn is_mismatch(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        if error.is::<validate::Error>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// The byte of the object at which an answer with a part of it begins.
fn range_start(answer: &GetObjectOutput) -> Option<u64> {
    let range = answer.content_range.as_deref()?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.parse().ok()
}

/// The object, or what of it lies from a byte on and before another.
async fn get(
    object: &Object,
    version_id: Option<String>,
    range: Option<(u64, Option<u64>)>,
    etag: Option<&str>,
) -> Result<GetObjectOutput, SdkError<GetObjectError>> {
    let call = object
        .client
        .get_object()
        .bucket(&object.bucket)
        .key(object.sent_key())
        .set_version_id(version_id)
        .set_range(range.map(|(first, end)| match end {
            Some(end) => format!("bytes={first}-{}", end.saturating_sub(1)),
            None => format!("bytes={first}-"),
        }))
        .set_if_match(etag.map(str::to_owned));
    Box::pin(call.send()).await
}
