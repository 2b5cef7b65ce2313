//! gzip, of one member or several.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::GzipDecoder;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

/// Unpacks members that follow each other, and passes over zeros behind the last: tapes and block devices pad with
/// them, and gzip itself passes over them too.
pub(super) struct GzipMembers<R> {
    state: State<R>,
}

enum State<R> {
    Inside(Box<GzipDecoder<R>>),
    Between(R),
    /// Only while one state becomes another.
    Nowhere,
}

impl<R: AsyncBufRead + Unpin> GzipMembers<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { state: State::Inside(Box::new(GzipDecoder::new(reader))) }
    }

    pub(super) fn get_ref(&self) -> &R {
        match &self.state {
            State::Inside(decoder) => decoder.get_ref(),
            State::Between(reader) => reader,
            State::Nowhere => unreachable!("a state is put back before anything else happens"),
        }
    }

    /// Looks for another member. `false` where the input ends.
    fn poll_member(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let State::Between(reader) = &mut self.state else { return Poll::Ready(Ok(true)) };
        loop {
            let chunk = ready!(Pin::new(&mut *reader).poll_fill_buf(cx))?;
            let (zeros, bytes) = (chunk.iter().take_while(|&&byte| byte == 0).count(), chunk.len());
            if bytes == 0 {
                return Poll::Ready(Ok(false));
            }
            Pin::new(&mut *reader).consume(zeros);
            if zeros < bytes {
                break;
            }
        }
        if let State::Between(reader) = std::mem::replace(&mut self.state, State::Nowhere) {
            *self = Self::new(reader);
        }
        Poll::Ready(Ok(true))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for GzipMembers<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while ready!(this.poll_member(cx))? {
            let State::Inside(decoder) = &mut this.state else { break };
            let before = buf.filled().len();
            ready!(Pin::new(decoder.as_mut()).poll_read(cx, buf))?;
            if buf.filled().len() > before || buf.remaining() == 0 {
                break;
            }
            if let State::Inside(decoder) = std::mem::replace(&mut this.state, State::Nowhere) {
                this.state = State::Between(decoder.into_inner());
            }
        }
        Poll::Ready(Ok(()))
    }
}
