//! The bytes of a file, unpacked if the file is gzipped.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::tokio::bufread::GzipDecoder;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, BufReader, Chain, ReadBuf};

/// How a gzip member begins.
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

type Start<R> = Chain<Cursor<Vec<u8>>, R>;

/// A file's content, read as plain bytes whether or not the file is gzipped.
pub enum Source<R> {
    /// Bytes as they are, with the two that were looked at.
    Plain(Start<R>),
    /// One gzip member after another.
    Gzip(Box<BufReader<GzipDecoder<Start<R>>>>),
}

impl<R: AsyncBufRead + Unpin> Source<R> {
    /// Tells gzip by the first two bytes, because names of files mislead.
    pub async fn open(mut reader: R) -> io::Result<Self> {
        let mut start = Vec::new();
        (&mut reader).take(GZIP_MAGIC.len() as u64).read_to_end(&mut start).await?;
        let gzipped = start == GZIP_MAGIC;
        let reader = Cursor::new(start).chain(reader);
        if gzipped {
            let mut decoder = GzipDecoder::new(reader);
            decoder.multiple_members(true);
            Ok(Self::Gzip(Box::new(BufReader::new(decoder))))
        } else {
            Ok(Self::Plain(reader))
        }
    }

    /// Returns what a failed read means, and what to do about it.
    pub fn failure(&self, error: &io::Error) -> String {
        match self {
            Self::Gzip(_) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the gzip data breaks off; the file is cut short, write it again".to_owned()
            }
            Self::Gzip(_) => format!("the gzip data can't be unpacked: {error}"),
            Self::Plain(_) => read_error(error),
        }
    }
}

/// Returns what a failed read of plain bytes means.
pub fn read_error(error: &io::Error) -> String {
    format!("the file can't be read: {error}")
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Source<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(reader) => Pin::new(reader).poll_read(cx, buf),
            Self::Gzip(reader) => Pin::new(reader).poll_read(cx, buf),
        }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Source<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        match self.get_mut() {
            Self::Plain(reader) => Pin::new(reader).poll_fill_buf(cx),
            Self::Gzip(reader) => Pin::new(reader).poll_fill_buf(cx),
        }
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        match self.get_mut() {
            Self::Plain(reader) => Pin::new(reader).consume(amount),
            Self::Gzip(reader) => Pin::new(reader).consume(amount),
        }
    }
}
