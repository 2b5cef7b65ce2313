//! What the loop writes down while it runs.

use std::future::Future;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;

use super::FanOutError;
use crate::fan_out::limits::HELD_RESULTS_MAX_BYTES;
use crate::fan_out::{Indices, Open, Progress, ResultOrder, Settled};
use crate::ports::PortError;

/// How far the loop has come since it last said so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// What `next` was in the last step that had lines.
    pub from: u64,
    /// Results as lines.
    pub lines: Vec<u8>,
    /// Every item before it has its result in lines, of this step or an earlier one.
    pub next: u64,
    /// All items that have their result in lines, where the ledger is handed on.
    pub done: Indices,
    /// No item from here on is started before the next step.
    pub started: u64,
    /// What the items that have their result in lines came to.
    pub progress: Progress,
    /// New results that are in no lines yet.
    pub early: Vec<(u64, Settled)>,
    /// How long nothing has got through.
    pub quiet_ms: u64,
    /// How the loop ends, with its last step.
    pub end: Option<LastStep>,
}

/// What a loop leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastStep {
    /// Every item has its result.
    pub is_complete: bool,
    /// Items that wait for another attempt.
    pub open: Vec<Open>,
}

/// What is about to happen to an item, or is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// It is about to be sent.
    Begins(u64),
    /// It waits, and is not under way.
    Waits(Open),
}

/// What follows a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The loop goes on.
    Well,
    /// All results are kept, and for this reason nothing more is to be started.
    Halted(String),
    /// Results lie elsewhere from here on, at this place and for this reason, and nothing more is to be started.
    Elsewhere(String),
}

/// Where results go.
pub trait Ledger: Send + Sync {
    /// Results of so many bytes make a step.
    fn step_bytes(&self) -> usize;

    /// In which order results are wanted.
    fn order(&self) -> ResultOrder;

    /// Whether items are written down as started by checkpoints that run ahead of them, so that another
    /// invocation can take up what this one leaves open.
    fn is_handed_on(&self) -> bool;

    /// Whether it keeps results that are in no lines yet.
    fn keeps_early(&self) -> bool;

    /// Writes down what is about to happen to one item. Nothing is sent where that fails.
    fn note(&self, note: Note) -> Result<(), FanOutError>;

    /// Keeps a step. The loop calls it once at a time.
    fn keep(&self, step: Step) -> impl Future<Output = Result<Kept, FanOutError>> + Send;

    /// Puts a payload that is too large for its place elsewhere, and returns where; `None` where there is
    /// no such place.
    fn put_aside(
        &self,
        name: &str,
        bytes: &[u8],
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;
}

/// Writes results to a stream. Nothing is resumed from it.
#[derive(Debug)]
pub struct StreamedLedger<W> {
    writer: Mutex<W>,
    order: ResultOrder,
}

/// Where lines are written.
pub trait LineWriter: Send {
    /// Writes whole lines, so that a reader sees them. Where that fails, puts them elsewhere and says so.
    fn write_lines(&mut self, lines: &[u8]) -> impl Future<Output = Result<Kept, PortError>> + Send;
}

/// A stream that nothing takes the place of.
#[derive(Debug)]
pub struct Plain<W>(pub W);

impl<W: AsyncWrite + Send + Unpin> LineWriter for Plain<W> {
    async fn write_lines(&mut self, lines: &[u8]) -> Result<Kept, PortError> {
        let written = async {
            self.0.write_all(lines).await?;
            self.0.flush().await
        };
        let written: std::io::Result<()> = written.await;
        written.map(|()| Kept::Well).map_err(|error| PortError::permanent("write results", error))
    }
}

impl<W: LineWriter> StreamedLedger<W> {
    /// Over a writer, in the order of the list as far as memory allows.
    pub fn new(writer: W) -> Self {
        Self::in_order(writer, ResultOrder::List { held_max_bytes: HELD_RESULTS_MAX_BYTES })
    }

    /// Over a writer.
    pub fn in_order(writer: W, order: ResultOrder) -> Self {
        Self { writer: Mutex::new(writer), order }
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

    fn order(&self) -> ResultOrder {
        self.order
    }

    fn is_handed_on(&self) -> bool {
        false
    }

    fn keeps_early(&self) -> bool {
        false
    }

    fn note(&self, _: Note) -> Result<(), FanOutError> {
        Ok(())
    }

    async fn keep(&self, step: Step) -> Result<Kept, FanOutError> {
        if step.lines.is_empty() {
            return Ok(Kept::Well);
        }
        Ok(self.writer.lock().await.write_lines(&step.lines).await?)
    }

    async fn put_aside(&self, _name: &str, _bytes: &[u8]) -> Result<Option<String>, PortError> {
        Ok(None)
    }
}
