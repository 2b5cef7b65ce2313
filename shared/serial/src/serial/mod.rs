//! Documents and sequences in JSON, JSON Lines, GeoJSON, GeoJSON text sequences and YAML: converted,
//! loaded, dumped and validated as streams.
//!
//! A [`Format`] is a [`Syntax`] and a [`Compression`], told by a name's suffix or by the format's own name.
//! All operations read an `AsyncBufRead`. What they write goes to an [`ObjectWriter`](crate::ports::ObjectWriter),
//! which the caller finishes when the operation has succeeded, and drops otherwise: then nothing is left
//! behind. [`AsyncSink`] makes such a writer of any `AsyncWrite`.
//!
//! | function | what it does |
//! | --- | --- |
//! | [`convert`] | from one format to another; the same format copies, checked |
//! | [`dump`] | JSON text of the caller's into any format |
//! | [`load_json`] | the whole document, or the records of a sequence as an array, within a bound |
//! | [`load_text`] | the unpacked text as it stands, within a bound |
//! | [`validate`] | all that is wrong, with place and JSON Pointer, the first of it listed, all of it counted |
//!
//! # What is held in memory
//!
//! JSON, JSON Lines, GeoJSON and GeoJSON text sequences pass through record by record: an element of the
//! top-level array, a feature of a FeatureCollection wherever its `features` stand, a line, a text of a
//! sequence. One record, and all members of a FeatureCollection beside `features` together, may have
//! [`Limits::record_max_bytes`]. From JSON to JSON not even a record is held. YAML is held as a whole,
//! up to [`Limits::whole_max_bytes`].
//!
//! # What survives
//!
//! A record's bytes are copied, never parsed and written anew: the digits of numbers, escapes, the order of
//! members and members that stand twice stay as they are. Where a record has to fit on a line, its line
//! breaks and the indentation behind them are left out. A FeatureCollection's members beside `features` are
//! handed back as a [`Header`], and come back from it in a conversion to a FeatureCollection.
//! So do the digits of numbers from YAML and to it. Refused are a mapping with a key twice, a number that is
//! infinite as a double, and one in hexadecimal or octal digits of more than 64 bits. YAML is read as 1.2 has it, and written so that
//! 1.1 reads the same; a writer of 1.1 leaves texts such as `0o7` and `1e3` bare, which are numbers in 1.2.
//!
//! # What is read
//!
//! | from | records |
//! | --- | --- |
//! | JSON | the elements of a top-level array; any other value is the one record |
//! | JSON Lines | one value a line; blank lines are passed over |
//! | GeoJSON | the features of a FeatureCollection; any other object is the one record |
//! | GeoJSON text sequence | RFC 8142's texts, which may have several lines; newline-delimited texts; both mixed |
//! | YAML | one document, then as JSON |
//!
//! JSON that is converted to GeoJSON or a GeoJSON text sequence is read as GeoJSON, or as an array of
//! features. A GeoJSON text sequence becomes a FeatureCollection in GeoJSON, JSON and YAML, and an array
//! where it is loaded.
//!
//! gzip and zstd are recognised by how the bytes begin, whatever the name says. A byte order mark at the
//! start is passed over. Refused, with the place and the remedy: what is no JSON by RFC 8259 (NaN and
//! Infinity too, which Python writes), invalid UTF-8, more than [`DEPTH_MAX`] levels ([`YAML_DEPTH_MAX`] in YAML), text that breaks off,
//! and anything behind the end.
//!
//! # The files
//!
//! | file | what it holds |
//! | --- | --- |
//! | `scanner` | JSON byte by byte: what is wrong, where values and keys begin and end |
//! | `document`, `sequence`, `cutter`, `header` | records cut out of a document or a sequence |
//! | `input`, `records` | bytes unpacked and counted, and the records in them |
//! | `layout`, `compact`, `output`, `sink` | what stands around records; bytes packed, counted, digested |
//! | `gzip` | members of gzip that follow each other |
//! | `convert`, `way`, `wanted`, `load`, `validate` | the operations |
//! | `exact_value`, `yaml`, `yaml_digits` | values with their digits, YAML, and the digits of its numbers |
//! | `geojson` | RFC 7946's rules |
//! | `format`, `limits`, `text_position`, `error` | names, bounds, places and what fails |

mod compact;
mod convert;
mod cutter;
mod document;
mod error;
mod exact_value;
mod format;
mod geojson;
mod gzip;
mod header;
mod input;
mod layout;
mod limits;
mod load;
mod output;
mod records;
mod scanner;
mod sequence;
mod sink;
#[cfg(test)]
mod tests;
mod text_position;
mod validate;
mod wanted;
mod way;
mod yaml;
mod yaml_digits;

pub use convert::{ConvertOptions, Report, convert, dump};
pub use error::SerialError;
pub use format::{Compression, Format, Syntax, UnknownFormat};
pub use geojson::{Finding, Severity};
pub use header::Header;
pub use limits::{DEPTH_MAX, Limits, YAML_DEPTH_MAX};
pub use load::{Loaded, load_json, load_text};
pub use sink::AsyncSink;
pub use text_position::{Fault, TextPosition};
pub use validate::{ValidateOptions, Validation, validate};
