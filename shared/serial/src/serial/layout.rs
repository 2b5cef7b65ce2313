//! What stands before, between and behind records.

use super::compact::on_one_line;
use super::header::Header;
use super::sequence::RECORD_SEPARATOR;

/// How records are written.
#[derive(Debug, Clone)]
pub(super) enum Layout {
    /// One a line.
    Lines,
    /// RFC 8142: each behind a separator and on a line.
    Separated,
    /// A JSON array.
    Array,
    /// A FeatureCollection.
    Collection(Box<Header>),
}

impl Layout {
    /// Appends what stands before the first record.
    pub(super) fn open(&self, out: &mut Vec<u8>) {
        match self {
            Self::Lines | Self::Separated => {}
            Self::Array => out.push(b'['),
            Self::Collection(header) => out.extend_from_slice(header.opening().as_bytes()),
        }
    }

    /// Appends the record at an index.
    pub(super) fn record(&self, record: &[u8], index: u64, out: &mut Vec<u8>) {
        match self {
            Self::Lines | Self::Separated => {
                if matches!(self, Self::Separated) {
                    out.push(RECORD_SEPARATOR);
                }
                on_one_line(record, out);
                out.push(b'\n');
            }
            Self::Array | Self::Collection(_) => {
                out.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
                out.extend_from_slice(record);
            }
        }
    }

    /// Appends what stands behind the last of so many records.
    pub(super) fn close(&self, records: u64, out: &mut Vec<u8>) {
        if records > 0 && matches!(self, Self::Array | Self::Collection(_)) {
            out.push(b'\n');
        }
        match self {
            Self::Lines | Self::Separated => {}
            Self::Array => out.extend_from_slice(b"]\n"),
            Self::Collection(header) => {
                out.extend_from_slice(header.closing().as_bytes());
                out.push(b'\n');
            }
        }
    }
}
