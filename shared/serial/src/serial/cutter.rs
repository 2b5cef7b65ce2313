//! Cuts an input into records, whatever its syntax.

use super::document::DocumentCutter;
use super::header::Header;
use super::sequence::SequenceCutter;
use super::text_position::{Fault, TextPosition};

/// What comes of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// All were taken, and more are needed.
    More,
    /// So many were taken, and a record is whole.
    Record(usize),
}

/// Takes an input bit by bit; bytes come out as they went in.
pub(super) enum Cutter {
    Document(DocumentCutter),
    Sequence(SequenceCutter),
}

impl Cutter {
    /// Takes bytes up to the end of a record.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Cut, Fault> {
        let index = self.records();
        let cut = match self {
            Self::Document(cutter) => cutter.push(bytes),
            Self::Sequence(cutter) => cutter.push(bytes),
        };
        cut.map_err(|fault| if self.counts_records() { fault.in_record(index) } else { fault })
    }

    /// Ends the input. Whether a record is whole with it.
    pub(super) fn finish(&mut self) -> Result<bool, Fault> {
        let index = self.records();
        let cut = match self {
            Self::Document(cutter) => cutter.finish(),
            Self::Sequence(cutter) => cutter.finish(),
        };
        cut.map_err(|fault| if self.counts_records() { fault.in_record(index) } else { fault })
    }

    /// The record that was whole last, and where it begins.
    pub(super) fn record(&self) -> (&[u8], TextPosition) {
        let piece = match self {
            Self::Document(cutter) => cutter.record(),
            Self::Sequence(cutter) => cutter.record(),
        };
        (&piece.bytes, piece.start)
    }

    /// Records that were whole so far.
    pub(super) fn records(&self) -> u64 {
        match self {
            Self::Document(cutter) => cutter.records,
            Self::Sequence(cutter) => cutter.records,
        }
    }

    /// Offset of the next byte to take. Behind a fault found in the bytes themselves: the faulty byte's.
    pub(super) fn offset(&self) -> u64 {
        match self {
            Self::Document(cutter) => cutter.offset(),
            Self::Sequence(cutter) => cutter.offset(),
        }
    }

    /// The members of a FeatureCollection beside its features, once the input has ended.
    pub(super) fn into_header(self) -> Option<Header> {
        match self {
            Self::Document(cutter) => cutter.into_header(),
            Self::Sequence(_) => None,
        }
    }

    fn counts_records(&self) -> bool {
        match self {
            Self::Document(cutter) => cutter.is_inside_records(),
            Self::Sequence(_) => true,
        }
    }
}

/// Bytes cut out of an input, up to a bound.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) start: TextPosition,
    max_bytes: usize,
}

impl Piece {
    pub(super) fn up_to(max_bytes: usize) -> Self {
        Self { bytes: Vec::new(), start: TextPosition::START, max_bytes }
    }

    /// Begins anew with a byte that stands before `next`.
    pub(super) fn begin(&mut self, byte: u8, next: TextPosition) {
        self.bytes.clear();
        self.bytes.push(byte);
        self.start = TextPosition { offset: next.offset - 1, line: next.line, column: next.column - 1 };
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.bytes.len() + bytes.len() > self.max_bytes {
            let most = self.max_bytes;
            return Err(Fault::at(
                self.start,
                format!(
                    "what begins here has more than {most} bytes; raise the bound (--max-record-bytes; of load --max-bytes), or split it"
                ),
            ));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}
