//! The records of an input, one at a time.

use tokio::io::AsyncBufRead;

use super::cutter::{Cut, Cutter};
use super::error::SerialError;
use super::header::Header;
use super::input::Input;
use super::text_position::TextPosition;

/// Reads the records of an input.
pub(super) struct Records<R> {
    input: Input<R>,
    cutter: Cutter,
    is_at_end: bool,
}

impl<R: AsyncBufRead + Send + Unpin> Records<R> {
    pub(super) fn new(input: Input<R>, cutter: Cutter) -> Self {
        Self { input, cutter, is_at_end: false }
    }

    /// Reads on to the end of a record; `false` at the input's end.
    pub(super) async fn next(&mut self) -> Result<bool, SerialError> {
        while !self.is_at_end {
            let chunk = self.input.chunk().await?;
            if chunk.is_empty() {
                self.is_at_end = true;
                return Ok(self.cutter.finish()?);
            }
            let before = self.cutter.offset();
            let (taken, cut) = match self.cutter.push(chunk) {
                Ok(Cut::Record(taken)) => (taken, Ok(true)),
                Ok(Cut::More) => (chunk.len(), Ok(false)),
                Err(fault) => ((self.cutter.offset() - before) as usize, Err(fault)),
            };
            self.input.consume(taken);
            if cut? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// After a fault: goes on at the next line or separator. `false` where there is none.
    pub(super) async fn resume(&mut self) -> Result<bool, SerialError> {
        let Cutter::Sequence(cutter) = &mut self.cutter else { return Ok(false) };
        loop {
            let chunk = self.input.chunk().await?;
            if chunk.is_empty() {
                return Ok(false);
            }
            match cutter.resume(chunk) {
                Some(passed) => {
                    self.input.consume(passed);
                    return Ok(true);
                }
                None => {
                    let passed = chunk.len();
                    self.input.consume(passed);
                }
            }
        }
    }

    /// The record that was read last, and where it begins.
    pub(super) fn record(&self) -> (&[u8], TextPosition) {
        self.cutter.record()
    }

    /// The JSON Pointer of the array that the records stand in, with a `/` behind it; none in a sequence,
    /// and where the document is itself the record.
    pub(super) fn path(&self) -> &'static str {
        match &self.cutter {
            Cutter::Document(cutter) => cutter.path(),
            Cutter::Sequence(_) => "",
        }
    }

    /// Records read so far.
    pub(super) fn count(&self) -> u64 {
        self.cutter.records()
    }

    /// Bytes read so far, as stored.
    pub(super) fn bytes_in(&self) -> u64 {
        self.input.bytes_in()
    }

    /// A FeatureCollection's members, at the input's end.
    pub(super) fn into_header(self) -> Option<Header> {
        self.cutter.into_header()
    }

    /// The bytes and the cutter, for a copy.
    pub(super) fn parts(&mut self) -> (&mut Input<R>, &mut Cutter) {
        (&mut self.input, &mut self.cutter)
    }
}
