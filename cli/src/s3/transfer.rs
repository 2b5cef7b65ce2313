//! What is shown of a transfer while it goes on: a bar, where somebody looks at standard error.

use std::io::{self, IsTerminal as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::place::Reader;

/// Between two changes of the bar.
const TICK: Duration = Duration::from_millis(200);

/// A bar of the bytes that were read. It is gone when it is dropped.
pub(crate) struct Transfer(ProgressBar);

impl Transfer {
    /// Of so many bytes, where that is known. Hidden where standard error is no terminal.
    pub(crate) fn of(total: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let (bar, template) = match total {
            Some(total) => {
                (ProgressBar::new(total), "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            }
            None => (ProgressBar::no_length(), "{spinner} {bytes} {bytes_per_sec} {elapsed}"),
        };
        let style = ProgressStyle::with_template(template);
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Has the bar follow what is read.
    pub(crate) fn follow(&self, reader: Reader) -> Reader {
        Box::new(Followed { reader, bar: self.0.clone() })
    }

    /// Has something printed while the bar is out of the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

struct Followed {
    reader: Reader,
    bar: ProgressBar,
}

impl AsyncRead for Followed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let followed = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut followed.reader).poll_read(cx, buf);
        followed.bar.inc((buf.filled().len() - before) as u64);
        polled
    }
}

impl AsyncBufRead for Followed {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().reader).poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let followed = self.get_mut();
        followed.bar.inc(count as u64);
        Pin::new(&mut followed.reader).consume(count);
    }
}
