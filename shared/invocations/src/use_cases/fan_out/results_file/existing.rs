//! A file of results that is there already.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::Path;

use serde::Deserialize;

use super::super::FanOutError;
use super::{BEGIN_ANEW, failed};
use crate::fan_out::{Indices, ItemOutcome, Open, Progress, Ran, Settled};

/// What is read of a line.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) index: u64,
    outcome: ItemOutcome,
    attempts: u32,
    duration_ms: u64,
}

/// Whether an item is run again though it has a result.
fn may_be_taken_up(outcome: ItemOutcome, idempotent: bool) -> bool {
    outcome == ItemOutcome::NotRun || (idempotent && outcome == ItemOutcome::Unknown)
}

/// It has all its attempts again.
fn open_again(index: u64, outcome: ItemOutcome, attempts: u32) -> Open {
    let ran = if outcome == ItemOutcome::Unknown { Ran::Maybe } else { Ran::No };
    Open { index, attempts, refused: attempts, ran }
}

impl Line {
    fn settled(&self) -> Settled {
        let is_answered = matches!(self.outcome, ItemOutcome::Succeeded | ItemOutcome::FunctionError);
        Settled {
            line: String::new(),
            outcome: self.outcome,
            attempts: self.attempts,
            answered_in_ms: is_answered.then_some(self.duration_ms),
        }
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Existing {
    /// Bytes of its whole lines.
    pub(super) length: u64,
    pub(super) done: Indices,
    pub(super) progress: Progress,
    /// Items with a line that are run all the same: another line will follow.
    pub(super) again: Vec<Open>,
    /// Whether lines stand out of order, or may come to stand for an index twice.
    pub(super) is_untidy: bool,
}

/// Reads a file of results. A last line without its end is what a kill has left of a write.
pub(super) fn read_existing(file: &mut File, path: &Path, idempotent: bool) -> Result<Existing, FanOutError> {
    let io = |error: std::io::Error| failed(path, &error);
    file.rewind().map_err(io)?;
    let mut reader = BufReader::with_capacity(256 * 1024, &*file);
    let mut found = Existing::default();
    let mut again: BTreeMap<u64, Line> = BTreeMap::new();
    let (mut bytes, mut number) = (Vec::new(), 0);
    loop {
        bytes.clear();
        reader.read_until(b'\n', &mut bytes).map_err(io)?;
        if bytes.last() != Some(&b'\n') {
            break;
        }
        number += 1;
        let line: Line = serde_json::from_slice(&bytes).map_err(|error| {
            let why = format!(
                "{}: line {number} is no result ({error}); name another file, or {BEGIN_ANEW}",
                path.display()
            );
            FanOutError::Refused(why)
        })?;
        found.is_untidy |= line.index != found.done.count();
        found.length += bytes.len() as u64;
        let is_second = found.done.contains(line.index) || again.remove(&line.index).is_some();
        found.is_untidy |= is_second;
        if may_be_taken_up(line.outcome, idempotent) {
            again.insert(line.index, line);
        } else if found.done.insert(line.index) {
            found.progress.add(&line.settled());
            found.progress.result_bytes += bytes.len() as u64;
        }
    }
    again.retain(|index, _| !found.done.contains(*index));
    found.is_untidy |= !again.is_empty();
    found.again =
        again.into_values().map(|line| open_again(line.index, line.outcome, line.attempts)).collect();
    Ok(found)
}

/// Parts results of a journal that stand from those of items that are run again.
pub(super) fn part_early(
    early: BTreeMap<u64, Settled>,
    found: &Existing,
    idempotent: bool,
) -> (Vec<(u64, Settled)>, Vec<Open>) {
    let (mut standing, mut again) = (Vec::new(), Vec::new());
    for (index, settled) in early {
        let is_again = may_be_taken_up(settled.outcome, idempotent);
        match found.done.contains(index) {
            true => {}
            false if is_again => again.push(open_again(index, settled.outcome, settled.attempts)),
            false => standing.push((index, settled)),
        }
    }
    (standing, again)
}
