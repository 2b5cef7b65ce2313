//! Readers that make it hard.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// Yields an input in pieces of given lengths, the rest at once; then its end, or an error.
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
    lengths: Vec<usize>,
    each: usize,
    fails: bool,
}

impl<'a> Pieces<'a> {
    /// Cut once.
    pub(super) fn cut_at(input: &'a [u8], at: usize) -> Self {
        Self { rest: input, lengths: vec![at], each: usize::MAX, fails: false }
    }

    /// Cut everywhere.
    pub(super) fn of(input: &'a [u8], each: usize) -> Self {
        Self { rest: input, lengths: Vec::new(), each, fails: false }
    }

    /// Lost behind the input.
    pub(super) fn lost_after(input: &'a [u8]) -> Self {
        Self { rest: input, lengths: Vec::new(), each: usize::MAX, fails: true }
    }

    fn piece(&mut self) -> io::Result<&'a [u8]> {
        if self.rest.is_empty() && self.fails {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the connection is lost"));
        }
        if self.lengths.first() == Some(&0) {
            self.lengths.remove(0);
        }
        let most = self.lengths.first().copied().unwrap_or(self.each);
        Ok(&self.rest[..self.rest.len().min(most)])
    }

    fn take(&mut self, count: usize) {
        self.rest = &self.rest[count..];
        if let Some(length) = self.lengths.first_mut() {
            *length -= count;
        }
    }
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let pieces = self.get_mut();
        let piece = pieces.piece()?;
        let count = piece.len().min(buf.remaining());
        buf.put_slice(&piece[..count]);
        pieces.take(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Pieces<'_> {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(self.get_mut().piece())
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        self.get_mut().take(count);
    }
}
