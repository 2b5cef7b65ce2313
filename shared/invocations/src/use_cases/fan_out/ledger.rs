//! What the loop writes down while it runs.

use std::future::Future;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

use super::FanOutError;
use crate::fan_out::{Open, Progress, Settled};
use crate::ports::{ObjectWriter, PortError};

/// How far the loop has come since it last said so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// The index of the first result of `lines`.
    pub from: u64,
    /// Results as lines, in order.
    pub lines: Vec<u8>,
    /// The index behind the last of them.
    pub next: u64,
    /// No item from here on is started before the next step.
    pub started: u64,
    /// What the items before `next` came to.
    pub progress: Progress,
    /// How the loop ends, with its last step.
    pub end: Option<LastStep>,
}

/// What a loop leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastStep {
    /// Every item has its result.
    pub is_complete: bool,
    /// Results that wait for others before them.
    pub early: Vec<(u64, Settled)>,
    /// Items that wait for another attempt.
    pub open: Vec<Open>,
}

/// Where results go.
pub trait Ledger: Send + Sync {
    /// Results of so many bytes make a step.
    fn step_bytes(&self) -> usize;

    /// How many items ahead are written down as started before they are; `None`: none need to be.
    fn started_ahead(&self) -> Option<u64>;

    /// Keeps a step. The loop calls it once at a time.
    fn keep(&self, step: Step) -> impl Future<Output = Result<(), FanOutError>> + Send;

    /// Puts a payload that is too large for its place elsewhere, and returns where; `None` where there is
    /// no such place.
    fn put_aside(
        &self,
        name: &str,
        bytes: &[u8],
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;
}

/// Writes results to a stream as they come into order. Nothing is resumed from it.
#[derive(Debug)]
pub struct StreamedLedger<W> {
    writer: Mutex<W>,
}

/// Where lines are written.
pub trait LineWriter: Send {
    /// Writes whole lines, so that a reader sees them.
    fn write_lines(&mut self, lines: &[u8]) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A file or a pipe.
#[derive(Debug)]
pub struct Plain<W>(pub W);

/// An object that is being written.
#[derive(Debug)]
pub struct InObject<W>(pub W);

impl<W: AsyncWrite + Send + Unpin> LineWriter for Plain<W> {
    async fn write_lines(&mut self, lines: &[u8]) -> Result<(), PortError> {
        let written = async {
            self.0.write_all(lines).await?;
            self.0.flush().await
        };
        written.await.map_err(|error: std::io::Error| PortError::permanent("write results", error))
    }
}

impl<W: ObjectWriter> LineWriter for InObject<W> {
    async fn write_lines(&mut self, lines: &[u8]) -> Result<(), PortError> {
        self.0.write(lines).await
    }
}

impl<W: LineWriter> StreamedLedger<W> {
    /// Over a writer.
    pub fn new(writer: W) -> Self {
        Self { writer: Mutex::new(writer) }
    }

    /// The writer, once the loop has ended.
    pub fn into_writer(self) -> W {
        self.writer.into_inner()
    }
}

impl<W: LineWriter> Ledger for StreamedLedger<W> {
    fn step_bytes(&self) -> usize {
        1
    }

    fn started_ahead(&self) -> Option<u64> {
        None
    }

    async fn keep(&self, step: Step) -> Result<(), FanOutError> {
        if step.lines.is_empty() {
            return Ok(());
        }
        Ok(self.writer.lock().await.write_lines(&step.lines).await?)
    }

    async fn put_aside(&self, _name: &str, _bytes: &[u8]) -> Result<Option<String>, PortError> {
        Ok(None)
    }
}
