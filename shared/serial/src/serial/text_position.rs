//! Where something stands in a text, and what is wrong there.

use std::fmt;

/// A byte of the unpacked text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPosition {
    /// From the start of the text, from 0.
    pub offset: u64,
    /// From 1.
    pub line: u64,
    /// The byte of the line, from 1.
    pub column: u64,
}

impl TextPosition {
    pub(super) const START: Self = Self { offset: 0, line: 1, column: 1 };

    /// Goes on behind a byte.
    pub(super) fn pass(&mut self, byte: u8) {
        self.offset += 1;
        self.column += 1;
        if byte == b'\n' {
            self.line += 1;
            self.column = 1;
        }
    }
}

impl fmt::Display for TextPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {} (byte {})", self.line, self.column, self.offset)
    }
}

/// Why an input is not what its format says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, as far as it can be told.
    pub place: Option<TextPosition>,
    /// In or before which record, from 0.
    pub record: Option<u64>,
    /// What, and the remedy.
    pub message: String,
}

impl Fault {
    pub(super) fn of_input(message: impl Into<String>) -> Self {
        Self { place: None, record: None, message: message.into() }
    }

    pub(super) fn at(place: TextPosition, message: impl Into<String>) -> Self {
        Self { place: Some(place), record: None, message: message.into() }
    }

    pub(super) fn in_record(mut self, index: u64) -> Self {
        self.record.get_or_insert(index);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(record) = self.record {
            write!(f, "record {record} (from 0): ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
