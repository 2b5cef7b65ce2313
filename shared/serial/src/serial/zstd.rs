//! zstd (RFC 8878), read and written as a stream, without C.

use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// Bytes of a frame's header, the most there are.
const HEADER_MAX_BYTES: usize = 18;
const BLOCK_HEADER_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;
/// Bytes of a block, the most there may be.
const BLOCK_MAX_BYTES: usize = 128 * 1024;
/// Bytes that a frame may ask to be held: as zstd's own program has it.
const WINDOW_MAX_BYTES: u64 = 128 * 1024 * 1024;
/// Bytes that become a frame.
const FRAME_BYTES: usize = 1024 * 1024;

/// Unpacks frames that follow each other, and passes over those that are to be skipped. Holds a block and
/// the frame's window. Checks the checksums that are there.
pub(super) struct ZstdDecoder<R> {
    reader: R,
    held: Vec<u8>,
    decoder: Box<FrameDecoder>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Blocks { has_checksum: bool },
    Skipping(u64),
}

impl<R: AsyncBufRead + Unpin> ZstdDecoder<R> {
    pub(super) fn new(reader: R) -> Self {
        let mut decoder = Box::new(FrameDecoder::new());
        decoder.set_max_window_size(WINDOW_MAX_BYTES);
        Self { reader, held: Vec::new(), decoder, state: State::Header }
    }

    pub(super) fn get_ref(&self) -> &R {
        &self.reader
    }

    /// Reads on until so many bytes are held. `false` where there are fewer.
    fn poll_hold(&mut self, cx: &mut Context<'_>, count: usize) -> Poll<io::Result<bool>> {
        while self.held.len() < count {
            let chunk = ready!(Pin::new(&mut self.reader).poll_fill_buf(cx))?;
            if chunk.is_empty() {
                return Poll::Ready(Ok(false));
            }
            let taken = chunk.len().min(count - self.held.len());
            self.held.extend_from_slice(&chunk[..taken]);
            Pin::new(&mut self.reader).consume(taken);
        }
        Poll::Ready(Ok(true))
    }

    /// Goes on by a header, a block, or what is skipped. `false` at the end.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match self.state {
            State::Header => {
                let is_whole = ready!(self.poll_hold(cx, HEADER_MAX_BYTES))?;
                if self.held.is_empty() {
                    return Poll::Ready(Ok(false));
                }
                self.header(is_whole)?;
            }
            State::Skipping(left) => {
                let some = left.min(BLOCK_MAX_BYTES as u64) as usize;
                if !ready!(self.poll_hold(cx, some))? {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                self.held.drain(..some);
                let left = left - some as u64;
                self.state = if left == 0 { State::Header } else { State::Skipping(left) };
            }
            State::Blocks { has_checksum } => {
                let is_whole = ready!(self.poll_hold(cx, BLOCK_HEADER_BYTES))?;
                let bytes = if is_whole { self.block_bytes(has_checksum)? } else { 0 };
                if !is_whole || !ready!(self.poll_hold(cx, bytes))? {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                let mut rest = self.held.as_slice();
                self.decoder
                    .decode_blocks(&mut rest, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(broken)?;
                let taken = self.held.len() - rest.len();
                self.held.drain(..taken);
            }
        }
        Poll::Ready(Ok(true))
    }

    fn header(&mut self, is_whole: bool) -> io::Result<()> {
        let mut rest = self.held.as_slice();
        let has_checksum = self.held.get(4).is_some_and(|descriptor| descriptor & 0b100 != 0);
        self.state = match self.decoder.reset(&mut rest) {
            Ok(()) => State::Blocks { has_checksum },
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                // Its magic number and its length.
                rest = self.held.get(8..).unwrap_or_default();
                if length == 0 { State::Header } else { State::Skipping(u64::from(length)) }
            }
            Err(_) if !is_whole => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => return Err(broken(error)),
        };
        let taken = self.held.len() - rest.len();
        self.held.drain(..taken);
        Ok(())
    }

    /// Bytes of the block that begins the bytes held, and of the checksum behind the last.
    fn block_bytes(&self, has_checksum: bool) -> io::Result<usize> {
        let header = u32::from_le_bytes([self.held[0], self.held[1], self.held[2], 0]);
        let (is_last, kind, size) = (header & 1 == 1, header >> 1 & 0b11, (header >> 3) as usize);
        let content = if kind == 1 { 1 } else { size };
        if size > BLOCK_MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block is larger than blocks may be"));
        }
        let checksum = if is_last && has_checksum { CHECKSUM_BYTES } else { 0 };
        Ok(BLOCK_HEADER_BYTES + content + checksum)
    }

    /// Ends a frame of which everything was handed out.
    fn end_frame(&mut self) -> io::Result<()> {
        self.state = State::Header;
        let (stored, found) = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        if stored.is_some() && stored != found {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is another"));
        }
        Ok(())
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for ZstdDecoder<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if matches!(this.state, State::Blocks { .. }) {
                let read = this.decoder.read(buf.initialize_unfilled())?;
                if read > 0 || buf.remaining() == 0 {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                if this.decoder.is_finished() {
                    this.end_frame()?;
                }
            }
            if !ready!(this.poll_step(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Packs bytes into frames of a mebibyte each, so that no more than that is held.
#[derive(Debug, Default)]
pub(super) struct ZstdEncoder {
    gathered: Vec<u8>,
    pub(super) packed: Vec<u8>,
    has_frames: bool,
}

impl ZstdEncoder {
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(FRAME_BYTES - self.gathered.len()));
            self.gathered.extend_from_slice(now);
            bytes = later;
            if self.gathered.len() == FRAME_BYTES {
                self.pack();
            }
        }
    }

    /// Packs the rest; of nothing at all an empty frame.
    pub(super) fn finish(&mut self) {
        if !self.gathered.is_empty() || !self.has_frames {
            self.pack();
        }
    }

    fn pack(&mut self) {
        self.packed.extend(compress_to_vec(self.gathered.as_slice(), CompressionLevel::Fastest));
        self.gathered.clear();
        self.has_frames = true;
    }
}

fn broken(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
