//! An object that is being read.

use std::io;
use std::pin::Pin;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use futures_util::stream::{Stream, try_unfold};
use tokio::io::AsyncBufRead;
use tokio_util::bytes::Bytes;
use tokio_util::io::StreamReader;

use super::{Object, Seen, seen};
use crate::ports::PortError;

/// How often in a row a connection may be lost before a byte comes.
const RESUMPTIONS: u32 = 3;

/// Reads one version of an object from its start, as it comes. Where the connection is lost it reads on
/// from there, and errs if the object was replaced meanwhile: a slow reader outlives S3's patience.
pub type S3ObjectReader = Pin<Box<dyn AsyncBufRead + Send>>;

/// Opens an object, or one version of it.
pub(super) async fn open(
    object: Object,
    version_id: Option<&str>,
) -> Result<Seen<S3ObjectReader>, PortError> {
    let version_id = version_id.map(str::to_owned);
    let answer = get(&object, version_id.clone(), None).await;
    Ok(match seen(&object, "GetObject", answer)? {
        Seen::Found(answer) => {
            let (etag, body) = (answer.e_tag, answer.body);
            let download = Download { object, version_id, etag, offset: 0, body, resumptions: 0 };
            Seen::Found(Box::pin(StreamReader::new(Box::pin(chunks(download)))))
        }
        Seen::Absent => Seen::Absent,
        Seen::Denied(error) => Seen::Denied(error),
    })
}

struct Download {
    object: Object,
    version_id: Option<String>,
    etag: Option<String>,
    offset: u64,
    body: ByteStream,
    resumptions: u32,
}

fn chunks(download: Download) -> impl Stream<Item = io::Result<Bytes>> + Send {
    try_unfold(download, |mut download| async move {
        loop {
            match download.body.try_next().await {
                Ok(Some(chunk)) => {
                    download.offset += chunk.len() as u64;
                    download.resumptions = 0;
                    return Ok(Some((chunk, download)));
                }
                Ok(None) => return Ok(None),
                Err(lost) => download.resume(io::Error::other(lost)).await?,
            }
        }
    })
}

impl Download {
    async fn resume(&mut self, lost: io::Error) -> io::Result<()> {
        let Some(etag) = self.etag.as_deref().filter(|_| self.resumptions < RESUMPTIONS) else {
            return Err(lost);
        };
        self.resumptions += 1;
        let answer = get(&self.object, self.version_id.clone(), Some((self.offset, etag))).await;
        self.body = answer.map_err(|error| io::Error::other(self.object.failed("GetObject", &error)))?.body;
        Ok(())
    }
}

async fn get(
    object: &Object,
    version_id: Option<String>,
    from: Option<(u64, &str)>,
) -> Result<GetObjectOutput, SdkError<GetObjectError>> {
    object
        .client
        .get_object()
        .bucket(&object.bucket)
        .key(&object.key)
        .set_version_id(version_id)
        .set_range(from.map(|(offset, _)| format!("bytes={offset}-")))
        .set_if_match(from.map(|(_, etag)| etag.to_owned()))
        .send()
        .await
}
