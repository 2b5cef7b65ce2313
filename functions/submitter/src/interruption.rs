//! A file that breaks off because the network does is not a wrong file.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use tokio::sync::Notify;

/// Tells that a reader failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interruption(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    reason: OnceLock<String>,
    happened: Notify,
}

impl Interruption {
    /// Returns why, once the reader has failed.
    pub(crate) async fn happens(&self) -> String {
        loop {
            // A permit is kept where nobody waits yet.
            self.0.happened.notified().await;
            if let Some(reason) = self.0.reason.get() {
                return reason.clone();
            }
        }
    }

    fn set(&self, error: &io::Error) {
        // Only the first failure counts: the reader is not asked again.
        let _ = self.0.reason.set(error.to_string());
        self.0.happened.notify_one();
    }
}

/// Reads what another reader does. Where that one fails, this one tells its [`Interruption`] and does
/// not return: whoever reads is to be dropped, so that it takes no failure for the content's.
pub(crate) struct Interruptible<R> {
    reader: R,
    interruption: Interruption,
}

impl<R> Interruptible<R> {
    pub(crate) fn new(reader: R) -> (Self, Interruption) {
        let interruption = Interruption::default();
        (Self { reader, interruption: interruption.clone() }, interruption)
    }
}

fn without_error<T>(interruption: &Interruption, read: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    match read {
        Poll::Ready(Err(error)) => {
            interruption.set(&error);
            Poll::Pending
        }
        other => other,
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Interruptible<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { reader, interruption } = self.get_mut();
        without_error(interruption, Pin::new(reader).poll_read(cx, buf))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Interruptible<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let Self { reader, interruption } = self.get_mut();
        without_error(interruption, Pin::new(reader).poll_fill_buf(cx))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        Pin::new(&mut self.get_mut().reader).consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, BufReader};

    use super::*;

    /// Gives some bytes, then fails.
    struct Broken(&'static [u8]);

    impl AsyncRead for Broken {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Ready(Err(io::Error::other("connection reset")));
            }
            buf.put_slice(std::mem::take(&mut self.0));
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn the_one_who_reads_never_sees_the_failure() {
        let (mut reader, interruption) = Interruptible::new(BufReader::new(Broken(b"half a f")));
        let mut content = Vec::new();
        tokio::select! {
            read = reader.read_to_end(&mut content) => panic!("it returned {read:?}"),
            why = interruption.happens() => assert_eq!(why, "connection reset"),
        }
        assert_eq!(content, b"half a f");
    }
}
