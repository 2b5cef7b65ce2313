//! What a file of results can't tell of its run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::FanOutError;
use super::super::ledger::Note;
use super::{BEGIN_ANEW, failed};
use crate::fan_out::{Open, Settled};

/// Bytes of records past which they are dropped, once none of them is needed.
const KEPT_BYTES: u64 = 1024 * 1024;

/// The first line. It has the same length whatever it says, because it is written over itself.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The form of the journal.
    journal: u32,
    digest: String,
    /// No item from here on was begun. In twenty digits.
    begun: String,
}

/// The form that is written here.
const FORM: u32 = 1;

/// Digits of the largest index.
const DIGITS: usize = 20;

/// A line behind the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Record {
    /// An item waits, and is not under way.
    Waits(Open),
    /// One that waited is about to be sent.
    Begins(u64),
    /// A result that is not in the file yet.
    Early(u64, Settled),
}

/// What a journal says.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) begun: u64,
    pub(super) waits: BTreeMap<u64, Open>,
    /// Items that had waited, and then were about to be sent. A line that says of one of them that it did not run
    /// is older than that.
    pub(super) begun_again: BTreeSet<u64>,
    pub(super) early: BTreeMap<u64, Settled>,
}

/// A journal that is being written. It is locked for as long as it is open.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    begun: u64,
    begun_at: u64,
    records_at: u64,
    end: u64,
    /// Items that wait.
    pub(super) waits: BTreeSet<u64>,
    /// Whether records are needed to the end, because they overtake lines of an earlier run.
    pub(super) keeps_all: bool,
    last_early: Option<u64>,
}

impl Journal {
    /// Opens a journal, or begins it.
    pub(super) fn open(path: &Path, digest: &str, anew: bool) -> Result<(Self, Noted), FanOutError> {
        let io = |error: std::io::Error| failed(path, &error);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(io)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                let why = format!("{}: another run writes these results; wait for it", path.display());
                FanOutError::Refused(why)
            }
            TryLockError::Error(error) => io(error),
        })?;
        let mut reader = BufReader::new(&file);
        let mut first = String::new();
        reader.read_line(&mut first).map_err(io)?;
        let mut noted = Noted::default();
        if first.is_empty() || anew {
            file.set_len(0).map_err(io)?;
            first = head(digest, 0);
            file.write_all_at(first.as_bytes(), 0).map_err(io)?;
        } else {
            let head: Option<Head> = serde_json::from_str(&first).ok();
            let head = head.filter(|head| head.journal == FORM && first.ends_with('\n'));
            let begun = head.as_ref().and_then(|head| head.begun.parse().ok());
            let (Some(head), Some(begun)) = (head, begun) else {
                let why = format!(
                    "{}: is no journal of results; remove it to begin anew (`batchwright invoke`: --overwrite)",
                    path.display()
                );
                return Err(FanOutError::Refused(why));
            };
            if head.digest != digest {
                let why = format!(
                    "{}: its results are of another list or another call; name another file, or {BEGIN_ANEW}",
                    path.with_extension("").display()
                );
                return Err(FanOutError::Refused(why));
            }
            noted.begun = begun;
        }
        let records_at = first.len() as u64;
        let begun_at = records_at - (DIGITS + "\"}\n".len()) as u64;
        let mut end = records_at;
        if !anew {
            end += read_records(&mut reader, &mut noted).map_err(io)?;
        }
        file.set_len(end).map_err(io)?;
        let last_early = noted.early.keys().next_back().copied();
        let waits = noted.waits.keys().copied().collect();
        let begun = noted.begun;
        let path = path.to_owned();
        let keeps_all = false;
        Ok((Self { path, file, begun, begun_at, records_at, end, waits, keeps_all, last_early }, noted))
    }

    /// Writes down what is about to happen to an item.
    pub(super) fn note(&mut self, note: Note) -> Result<(), FanOutError> {
        match note {
            Note::Begins(index) if index >= self.begun => {
                self.begun = index + 1;
                let digits = format!("{:0DIGITS$}", self.begun);
                let written = self.file.write_all_at(digits.as_bytes(), self.begun_at);
                written.map_err(|error| failed(&self.path, &error))
            }
            Note::Begins(index) => {
                self.waits.remove(&index);
                self.append(&[Record::Begins(index)])
            }
            Note::Waits(open) => {
                self.waits.insert(open.index);
                self.append(&[Record::Waits(open)])
            }
        }
    }

    /// Keeps results that are not in the file yet.
    pub(super) fn early(&mut self, early: &[(u64, Settled)]) -> Result<(), FanOutError> {
        if early.is_empty() {
            return Ok(());
        }
        self.last_early = self.last_early.max(early.iter().map(|(index, _)| *index).max());
        let records: Vec<Record> =
            early.iter().map(|(index, settled)| Record::Early(*index, settled.clone())).collect();
        self.append(&records)
    }

    /// Every item before `next` has its result in the file.
    pub(super) fn written_to(&mut self, next: u64) -> Result<(), FanOutError> {
        let is_needed =
            self.keeps_all || !self.waits.is_empty() || self.last_early.is_some_and(|last| last >= next);
        if is_needed || self.end - self.records_at < KEPT_BYTES {
            return Ok(());
        }
        self.clear()
    }

    /// Drops all records.
    pub(super) fn clear(&mut self) -> Result<(), FanOutError> {
        self.end = self.records_at;
        self.last_early = None;
        self.file.set_len(self.end).map_err(|error| failed(&self.path, &error))
    }

    fn append(&mut self, records: &[Record]) -> Result<(), FanOutError> {
        let mut lines = Vec::new();
        for record in records {
            lines.extend(serde_json::to_vec(record).expect("a record has string keys only"));
            lines.push(b'\n');
        }
        self.file.write_all_at(&lines, self.end).map_err(|error| failed(&self.path, &error))?;
        self.end += lines.len() as u64;
        Ok(())
    }
}

fn head(digest: &str, begun: u64) -> String {
    let head = Head { journal: FORM, digest: digest.to_owned(), begun: format!("{begun:0DIGITS$}") };
    format!("{}\n", serde_json::to_string(&head).expect("a head has string keys only"))
}

/// Reads records up to one that is cut off: a kill may come within a write. Returns their bytes.
fn read_records(reader: &mut impl BufRead, noted: &mut Noted) -> std::io::Result<u64> {
    let (mut line, mut bytes) = (Vec::new(), 0);
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        let Some(text) = line.strip_suffix(b"\n") else { return Ok(bytes) };
        let Ok(record) = serde_json::from_slice(text) else { return Ok(bytes) };
        bytes += line.len() as u64;
        match record {
            Record::Waits(open) => {
                noted.begun_again.remove(&open.index);
                noted.waits.insert(open.index, open);
            }
            Record::Begins(index) => {
                noted.begun_again.insert(index);
                noted.waits.remove(&index);
            }
            Record::Early(index, settled) => {
                noted.early.insert(index, settled);
            }
        }
    }
}
