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
    let answer = get(&object, version_id.clone(), None).await;
    Ok(match seen(&object, "GetObject", answer)? {
        Seen::Found(answer) => {
            let version = SourceVersion::new(answer.version_id, answer.e_tag.clone());
            let total = answer.content_length.and_then(|length| u64::try_from(length).ok());
            let (etag, body) = (answer.e_tag, answer.body);
            let download =
                Download { object, version_id, etag, total, offset: 0, passed_over: 0, body, resumptions: 0 };
            let reader: S3ObjectReader = Box::pin(StreamReader::new(Box::pin(chunks(download))));
            Seen::Found((reader, version))
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
    /// Bytes handed out.
    offset: u64,
    /// Bytes still to come that were handed out before: of an answer with the whole object.
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
                Ok(None) if download.total.is_none_or(|total| download.offset >= total) => return Ok(None),
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
        let answer = get(&self.object, self.version_id.clone(), Some((self.offset, etag))).await;
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
        let starts_at = range.strip_prefix("bytes ").and_then(|range| range.split_once('-'));
        match starts_at.and_then(|(start, _)| start.parse().ok()) {
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

async fn get(
    object: &Object,
    version_id: Option<String>,
    from: Option<(u64, &str)>,
) -> Result<GetObjectOutput, SdkError<GetObjectError>> {
    let call = object
        .client
        .get_object()
        .bucket(&object.bucket)
        .key(object.sent_key())
        .set_version_id(version_id)
        .set_range(from.map(|(offset, _)| format!("bytes={offset}-")))
        .set_if_match(from.map(|(_, etag)| etag.to_owned()));
    Box::pin(call.send()).await
}
