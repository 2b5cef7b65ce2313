//! The bytes of an input, unpacked, counted, without a byte order mark.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::tokio::bufread::ZstdDecoder;
use async_compression::zstd::DParameter;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader, Chain, ReadBuf,
};

use super::error::SerialError;
use super::format::Compression;
use super::gzip::GzipMembers;
use super::limits::SPACE_MAX_BYTES;
use super::text_position::{Fault, TextPosition};

const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];
const CHUNK_BYTES: usize = 64 * 1024;

/// Bytes that a zstd frame may ask to be held, as a power of two: 128 MiB, as zstd's own program has it.
const WINDOW_LOG_MAX: u32 = 27;

type Start<R> = Chain<Cursor<Vec<u8>>, Counted<R>>;

/// An open input.
pub(super) struct Input<R> {
    /// Bytes that were looked at, and are yet to be handed out.
    held: Vec<u8>,
    bytes: Bytes<R>,
    /// The packing that was found.
    pub(super) compression: Compression,
    /// Where the next byte stands, as long as no chunk was consumed: behind a byte order mark, say.
    pub(super) start: TextPosition,
}

enum Bytes<R> {
    Plain(BufReader<Start<R>>),
    Gzip(BufReader<GzipMembers<Start<R>>>),
    Zstd(BufReader<ZstdDecoder<Start<R>>>),
}

macro_rules! each {
    ($self:expr, $bytes:ident => $do:expr) => {
        match $self {
            Bytes::Plain($bytes) => $do,
            Bytes::Gzip($bytes) => $do,
            Bytes::Zstd($bytes) => $do,
        }
    };
}

impl<R: AsyncBufRead + Send + Unpin> Input<R> {
    /// Looks at how the bytes begin.
    pub(super) async fn open(reader: R) -> Result<Self, SerialError> {
        let mut reader = Counted { reader, bytes: 0, has_failed: false };
        let start = beginning(&mut reader, ZSTD_MAGIC.len()).await.map_err(SerialError::Read)?;
        let compression = match start.as_slice() {
            start if start.starts_with(&GZIP_MAGIC) => Compression::Gzip,
            start if start == ZSTD_MAGIC => Compression::Zstd,
            _ => Compression::None,
        };
        let start = Cursor::new(start).chain(reader);
        let bytes = match compression {
            Compression::None => Bytes::Plain(buffered(start)),
            Compression::Gzip => Bytes::Gzip(buffered(GzipMembers::new(start))),
            Compression::Zstd => {
                let window = DParameter::window_log_max(WINDOW_LOG_MAX);
                let mut decoder = ZstdDecoder::with_params(start, &[window]);
                decoder.multiple_members(true);
                Bytes::Zstd(buffered(decoder))
            }
        };
        let mut input = Self { held: Vec::new(), bytes, compression, start: TextPosition::START };
        input.skip_bom().await?;
        Ok(input)
    }

    async fn skip_bom(&mut self) -> Result<(), SerialError> {
        let start = each!(&mut self.bytes, bytes => beginning(bytes, BOM.len()).await);
        let mut start = start.map_err(|error| self.failed(error))?;
        // Of what the formats may begin with, UTF-16 and UTF-32 have a zero as one of the first two bytes, or a mark.
        if matches!(start[..], [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, ..] | [_, 0, ..]) {
            let message = "the text is in UTF-16 or UTF-32; write the file in UTF-8";
            return Err(Fault::at(self.start, message).into());
        }
        if start == BOM {
            start.drain(..).for_each(|byte| self.start.pass(byte));
        }
        self.held = start;
        Ok(())
    }

    /// Passes over white space; the byte that comes next, `None` at the end.
    pub(super) async fn skip_space(&mut self) -> Result<Option<u8>, SerialError> {
        let mut passed = 0;
        loop {
            let mut start = self.start;
            let chunk = self.chunk().await?;
            let space = chunk.len() - chunk.trim_ascii_start().len();
            let next = chunk.get(space).copied();
            let is_end = chunk.is_empty();
            chunk[..space].iter().for_each(|&byte| start.pass(byte));
            self.start = start;
            self.consume(space);
            passed += space;
            if next.is_some() || is_end {
                return Ok(next);
            }
            if passed > SPACE_MAX_BYTES {
                return Err(too_much_space(self.start).into());
            }
        }
    }

    /// The bytes that come next, none at the end.
    pub(super) async fn chunk(&mut self) -> Result<&[u8], SerialError> {
        if !self.held.is_empty() {
            return Ok(&self.held);
        }
        // Asked twice because the borrow of a failed call would last as long as that of its answer.
        let filled = each!(&mut self.bytes, bytes => bytes.fill_buf().await.map(<[u8]>::len));
        filled.map_err(|error| self.failed(error))?;
        each!(&mut self.bytes, bytes => bytes.fill_buf().await).map_err(SerialError::Read)
    }

    /// Takes bytes of the chunk.
    pub(super) fn consume(&mut self, count: usize) {
        if self.held.is_empty() {
            each!(&mut self.bytes, bytes => Pin::new(bytes).consume(count));
        } else {
            self.held.drain(..count);
        }
    }

    /// Bytes read so far, as stored.
    pub(super) fn bytes_in(&self) -> u64 {
        self.counted().bytes
    }

    fn counted(&self) -> &Counted<R> {
        match &self.bytes {
            Bytes::Plain(bytes) => bytes.get_ref().get_ref().1,
            Bytes::Gzip(bytes) => bytes.get_ref().get_ref().get_ref().1,
            Bytes::Zstd(bytes) => bytes.get_ref().get_ref().get_ref().1,
        }
    }

    /// Whether reading failed, or unpacking.
    fn failed(&self, error: io::Error) -> SerialError {
        let packing = match self.compression {
            _ if self.counted().has_failed => return SerialError::Read(error),
            Compression::None => return SerialError::Read(error),
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        };
        let at = self.bytes_in();
        let message = match error.kind() {
            io::ErrorKind::UnexpectedEof => format!(
                "the {packing} data breaks off after {at} bytes; the input is cut short, write it again"
            ),
            _ => format!("the {packing} data can't be unpacked after {at} bytes: {error}; write it again"),
        };
        Fault::of_input(message).into()
    }
}

/// White space that nobody writes: a few packed bytes would otherwise keep a reader busy for hours.
pub(super) fn too_much_space(place: TextPosition) -> Fault {
    let message = format!("more than {SPACE_MAX_BYTES} bytes of white space end here; write it without them");
    Fault::at(place, message)
}

fn buffered<R: AsyncRead>(reader: R) -> BufReader<R> {
    BufReader::with_capacity(CHUNK_BYTES, reader)
}

/// Takes so many bytes, or all there are.
async fn beginning<R: AsyncRead + Unpin>(reader: &mut R, count: usize) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(count);
    reader.take(count as u64).read_to_end(&mut start).await?;
    Ok(start)
}

/// Counts what is read.
struct Counted<R> {
    reader: R,
    bytes: u64,
    has_failed: bool,
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let counted = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut counted.reader).poll_read(cx, buf);
        counted.bytes += (buf.filled().len() - before) as u64;
        counted.has_failed |= matches!(polled, Poll::Ready(Err(_)));
        polled
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Counted<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let counted = self.get_mut();
        let polled = Pin::new(&mut counted.reader).poll_fill_buf(cx);
        counted.has_failed |= matches!(polled, Poll::Ready(Err(_)));
        polled
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let counted = self.get_mut();
        counted.bytes += count as u64;
        Pin::new(&mut counted.reader).consume(count);
    }
}
