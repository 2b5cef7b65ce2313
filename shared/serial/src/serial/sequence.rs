//! Cuts JSON Lines and GeoJSON text sequences into records.

use super::cutter::{Cut, Piece};
use super::scanner::{Scanner, Signal};
use super::text_position::{Fault, TextPosition};

/// RFC 8142 and RFC 7464: what stands before each text.
pub(super) const RECORD_SEPARATOR: u8 = 0x1E;

/// Records, one a line, or each behind a separator.
pub(super) struct SequenceCutter {
    scanner: Scanner,
    piece: Piece,
    takes_separators: bool,
    is_inside: bool,
    /// A separator stands before the record that comes or is being read.
    is_separated: bool,
    /// The line on which the record before has ended.
    ended_on: Option<u64>,
    pub(super) records: u64,
}

impl SequenceCutter {
    /// `takes_separators` where record separators may stand between records.
    pub(super) fn new(start: TextPosition, takes_separators: bool, record_max_bytes: usize) -> Self {
        Self {
            scanner: Scanner::new(start),
            piece: Piece::up_to(record_max_bytes),
            takes_separators,
            is_inside: false,
            is_separated: false,
            ended_on: None,
            records: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Cut, Fault> {
        let mut at = 0;
        while at < bytes.len() {
            if !self.is_inside {
                at += self.between(bytes[at])?;
                continue;
            }
            let before = self.scanner.place().offset;
            let (taken, signal) = self.scanner.advance(&bytes[at..], 0).map_err(|fault| {
                let faulty = at + (self.scanner.place().offset - before) as usize;
                self.broken_off(bytes[faulty]).unwrap_or(fault)
            })?;
            self.take(&bytes[at..at + taken], signal)?;
            at += taken;
            if signal == Signal::End {
                self.ended();
                return Ok(Cut::Record(at));
            }
        }
        Ok(Cut::More)
    }

    pub(super) fn finish(&mut self) -> Result<bool, Fault> {
        if !self.is_inside {
            return Ok(false);
        }
        let ended = self.scanner.finish()?;
        if ended {
            self.ended();
        }
        Ok(ended)
    }

    /// Offset of the next byte to take.
    pub(super) fn offset(&self) -> u64 {
        self.scanner.place().offset
    }

    pub(super) fn record(&self) -> &Piece {
        &self.piece
    }

    /// Goes on behind a fault: at the next line, or separator. `None` where neither is among the bytes,
    /// else how many to pass over.
    pub(super) fn resume(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate() {
            if byte == b'\n' && !self.is_separated || byte == RECORD_SEPARATOR && self.takes_separators {
                self.is_inside = false;
                self.is_separated = false;
                self.ended_on = None;
                self.records += 1;
                return Some(at);
            }
            self.scanner.pass(byte);
        }
        None
    }

    /// One byte that stands between records: 1 where it was taken, 0 where a record begins with it.
    fn between(&mut self, byte: u8) -> Result<usize, Fault> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                self.scanner.space()?;
                self.scanner.pass(byte);
            }
            RECORD_SEPARATOR if self.takes_separators => {
                self.is_separated = true;
                self.scanner.pass(byte);
            }
            RECORD_SEPARATOR => {
                let message = "a record separator (0x1E) stands in JSON Lines; name the input a GeoJSON text sequence (.geojsonl)";
                return Err(Fault::at(self.scanner.place(), message));
            }
            _ if self.ended_on == Some(self.scanner.place().line) && !self.is_separated => {
                let message = "more follows on the line after its value; write one value a line";
                return Err(Fault::at(self.scanner.place(), message));
            }
            _ => {
                self.scanner.restart(!self.is_separated);
                self.is_inside = true;
                return Ok(0);
            }
        }
        Ok(1)
    }

    fn take(&mut self, bytes: &[u8], signal: Signal) -> Result<(), Fault> {
        match (signal, bytes.last()) {
            (Signal::Begin, Some(&byte)) => self.piece.begin(byte, self.scanner.place()),
            _ => self.piece.extend(bytes)?,
        }
        Ok(())
    }

    fn ended(&mut self) {
        self.is_inside = false;
        self.is_separated = false;
        self.ended_on = Some(self.scanner.place().line);
        self.records += 1;
    }

    /// What a fault means at a separator.
    fn broken_off(&self, byte: u8) -> Option<Fault> {
        (byte == RECORD_SEPARATOR && self.takes_separators).then(|| {
            let message =
                "a record separator (0x1E) stands here inside a record: the record was cut short; write it again";
            Fault::at(self.scanner.place(), message)
        })
    }
}
