//! Cuts one JSON document into records: the elements of its array, or the features of its collection.

use super::cutter::{Cut, Piece};
use super::header::{FEATURES, Header, Members};
use super::scanner::{Scanner, Signal};
use super::text_position::{Fault, TextPosition};

/// The JSON Pointer of a collection's features, with a `/` behind it.
pub(super) const FEATURES_PATH: &str = "/features/";

/// How a document is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The elements of an array are counted but not held; another value counts as one.
    Counted,
    /// The elements of an array, or the one value.
    Items,
    /// The features of a FeatureCollection, or the one GeoJSON object; where it may be, also the
    /// elements of an array.
    Features {
        /// Whether an array stands for a FeatureCollection.
        or_array: bool,
    },
}

/// What the document has turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Unknown,
    Array,
    /// A value that is itself the record.
    One,
    Object,
}

/// What the bytes that come are part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Nothing,
    Record,
    Key,
    Member,
}

/// One document.
pub(super) struct DocumentCutter {
    shape: Shape,
    scanner: Scanner,
    form: Form,
    part: Part,
    piece: Piece,
    /// The whole of an object as long as it may have no features.
    whole: Option<Piece>,
    members: Members,
    in_features: bool,
    pub(super) records: u64,
}

impl DocumentCutter {
    pub(super) fn new(start: TextPosition, shape: Shape, record_max_bytes: usize) -> Self {
        Self {
            shape,
            scanner: Scanner::new(start),
            form: Form::Unknown,
            part: Part::Nothing,
            piece: Piece::up_to(record_max_bytes),
            whole: None,
            members: Members::up_to(record_max_bytes),
            in_features: false,
            records: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Cut, Fault> {
        let mut at = 0;
        while at < bytes.len() {
            let (taken, signal) = self.scanner.advance(&bytes[at..], 2)?;
            let new = &bytes[at..at + taken];
            at += taken;
            if self.take(new, signal)? {
                self.records += 1;
                return Ok(Cut::Record(at));
            }
        }
        Ok(Cut::More)
    }

    pub(super) fn finish(&mut self) -> Result<bool, Fault> {
        let is_number = self.scanner.finish()?;
        if is_number {
            self.records += 1;
        }
        Ok(is_number)
    }

    pub(super) fn record(&self) -> &Piece {
        match &self.whole {
            Some(whole) => whole,
            None => &self.piece,
        }
    }

    /// Whether a fault found now is a record's, and not that of what is around the records.
    pub(super) fn is_inside_records(&self) -> bool {
        self.part == Part::Record && self.form != Form::One || self.in_features || self.form == Form::Array
    }

    /// The JSON Pointer of the array that the records stand in, with a `/` behind it.
    pub(super) fn path(&self) -> &'static str {
        match self.form {
            Form::Array => "/",
            Form::Object if self.members.has_features() => FEATURES_PATH,
            _ => "",
        }
    }

    pub(super) fn into_header(self) -> Option<Header> {
        (self.members.has_features()).then(|| self.members.into_header())
    }

    /// Files bytes that end with a signal. Whether a record is whole.
    fn take(&mut self, new: &[u8], signal: Signal) -> Result<bool, Fault> {
        let depth = self.scanner.depth();
        let last = new.last().copied();
        if signal == Signal::Begin && self.form == Form::Unknown {
            return self.begin_document(last.unwrap_or_default());
        }
        if let Some(whole) = &mut self.whole {
            whole.extend(new)?;
        }
        match signal {
            Signal::Begin => {
                let byte = last.unwrap_or_default();
                let around = if matches!(byte, b'[' | b'{') { depth - 1 } else { depth };
                if !self.begin(byte, around)? && self.part != Part::Nothing {
                    self.piece.extend(new)?;
                }
            }
            Signal::KeyBegin if self.part == Part::Nothing && self.form == Form::Object && depth == 1 => {
                self.part = Part::Key;
                self.piece.begin(b'"', self.scanner.place());
            }
            _ if self.part != Part::Nothing => self.piece.extend(new)?,
            _ => {}
        }
        match signal {
            Signal::End => self.end(depth),
            Signal::KeyEnd if self.part == Part::Key => {
                self.part = Part::Nothing;
                self.members.key(&self.piece)?;
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn begin_document(&mut self, byte: u8) -> Result<bool, Fault> {
        let start = self.scanner.place();
        let is_array = byte == b'[';
        let (form, part) = match self.shape {
            Shape::Counted if is_array => (Form::Array, Part::Nothing),
            Shape::Counted => (Form::One, Part::Nothing),
            Shape::Items if is_array => (Form::Array, Part::Nothing),
            Shape::Features { or_array: true } if is_array => (Form::Array, Part::Nothing),
            Shape::Items => (Form::One, Part::Record),
            Shape::Features { .. } if byte == b'{' => (Form::Object, Part::Nothing),
            Shape::Features { .. } => {
                self.piece.begin(byte, start);
                return Err(Fault::at(self.piece.start, "GeoJSON is one object; this is another value"));
            }
        };
        self.piece.begin(byte, start);
        if form == Form::Object {
            let mut whole = Piece::up_to(self.members.max_bytes());
            whole.begin(byte, start);
            self.whole = Some(whole);
        }
        (self.form, self.part) = (form, part);
        Ok(false)
    }

    /// A value begins inside the document. Whether a new piece begins with it.
    fn begin(&mut self, byte: u8, around: u32) -> Result<bool, Fault> {
        let next = self.scanner.place();
        match (self.form, around) {
            (Form::Array, 1) if self.shape != Shape::Counted => {
                self.part = Part::Record;
                self.piece.begin(byte, next);
            }
            (Form::Object, 1) if byte == b'[' && self.members.key_is(FEATURES) => {
                self.piece.begin(byte, next);
                self.members.features(self.piece.start)?;
                self.in_features = true;
                self.whole = None;
                return Ok(true);
            }
            (Form::Object, 1) => {
                self.part = Part::Member;
                self.piece.begin(byte, next);
            }
            (Form::Object, 2) if self.in_features => {
                self.piece.begin(byte, next);
                if byte != b'{' {
                    return Err(Fault::at(self.piece.start, "a feature is an object; this is another value"));
                }
                self.part = Part::Record;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A value has ended inside `depth` containers. Whether it is a record.
    fn end(&mut self, depth: u32) -> Result<bool, Fault> {
        match (self.form, depth) {
            (Form::Array, 1) => {
                self.part = Part::Nothing;
                return Ok(true);
            }
            (Form::One, 0) => {
                self.part = Part::Nothing;
                return Ok(true);
            }
            (Form::Object, 2) if self.in_features => {
                self.part = Part::Nothing;
                return Ok(true);
            }
            (Form::Object, 1) if self.in_features => self.in_features = false,
            (Form::Object, 1) => {
                self.part = Part::Nothing;
                self.members.value(&self.piece)?;
            }
            (Form::Object, 0) => {
                self.members.check(self.scanner.place())?;
                return Ok(self.whole.is_some());
            }
            _ => {}
        }
        Ok(false)
    }

    /// Offset of the next byte to take.
    pub(super) fn offset(&self) -> u64 {
        self.scanner.place().offset
    }
}
