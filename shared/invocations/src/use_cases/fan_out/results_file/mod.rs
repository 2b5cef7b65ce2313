//! Results in a file of this machine. The file is the checkpoint of its run: a run that is started again over it goes
//! on where the one before stopped, however that ended.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `journal` | what the results can't tell: how far items were begun, what waits, results that are early |
//! | `existing` | a file that is there already, read |
//! | `tidy` | a complete file, brought into order |
//! | `elsewhere` | where results go when their place fails |
//!
//! Results are appended as JSON Lines and never changed while the run lasts. Beside them lies a journal. Before an
//! item is sent, the journal says so; so after a kill, an item without a result is known to be one of three:
//! not begun, waiting, or in flight when the run died. Only the last is in doubt.

mod elsewhere;
mod existing;
mod journal;
mod tidy;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use elsewhere::StandardOutput;

use self::elsewhere::Elsewhere;
use self::existing::{Existing, part_early, read_existing};
use self::journal::Journal;
use super::FanOutError;
use super::invoke_all::Start;
use super::ledger::{Kept, Ledger, Note, Step};
use crate::fan_out::{Ran, ResultOrder};
use crate::ports::PortError;

/// What is asked of a file of results.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Where it lies.
    pub path: &'a Path,
    /// Of the call and its list: another one's results are not gone on with.
    pub digest: &'a str,
    /// In which order results are wanted.
    pub order: ResultOrder,
    /// What is there is replaced.
    pub overwrite: bool,
    /// Something must be there to go on with.
    pub resume: bool,
    /// What may have run is run again.
    pub idempotent: bool,
}

/// A file of results that is being written.
#[derive(Debug)]
pub struct ResultsFile {
    path: PathBuf,
    order: ResultOrder,
    state: Mutex<State>,
}

/// What helps where the results that are there can't be gone on with.
const BEGIN_ANEW: &str = "remove it and its .journal to begin anew (`batchwright invoke`: --overwrite)";

#[derive(Debug)]
struct State {
    file: File,
    /// Bytes of whole lines.
    length: u64,
    journal: Journal,
    elsewhere: Option<Elsewhere>,
    /// Whether lines stand out of order, or for an index twice.
    is_untidy: bool,
}

impl ResultsFile {
    /// Opens a file, or goes on with it. Also returns what its run starts from.
    ///
    /// # Errors
    ///
    /// `Refused` where something else is there, another run writes it, or nothing is there to go on with; a
    /// port's error where the place can't be written. Nothing has been changed by then.
    pub fn open(wanted: &Wanted<'_>) -> Result<(Self, Start), FanOutError> {
        let path = wanted.path;
        let shown = path.display();
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let why = format!("{shown}: is no regular file, from which a run could go on; name a file");
            return Err(FanOutError::Refused(why));
        }
        let length = length_of(path).map_err(|error| failed(path, &error))?;
        let journal_path = journal_path(path);
        let has_journal = journal_path.exists();
        if !wanted.overwrite && length.is_some_and(|length| length > 0) && !has_journal {
            let why = format!(
                "{shown}: holds something that no run has left there; name another file, or {BEGIN_ANEW}"
            );
            return Err(FanOutError::Refused(why));
        }
        if wanted.resume && (length.is_none() || !has_journal) {
            return Err(FanOutError::Refused(format!(
                "{shown}: there is no run to go on with; leave --resume out"
            )));
        }
        // Both places are tried before anything is invoked.
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let journal = Journal::open(&journal_path, wanted.digest, wanted.overwrite);
        let (mut journal, noted) = match journal {
            Ok(journal) => journal,
            Err(error) => {
                if length.is_none() && file.is_ok() {
                    let _left_empty = std::fs::remove_file(path);
                }
                return Err(error);
            }
        };
        let mut file = match &mut file {
            Ok(file) => file.try_clone().map_err(|error| failed(path, &error))?,
            Err(error) => {
                if !has_journal {
                    let _left_empty = std::fs::remove_file(&journal_path);
                }
                return Err(failed(path, error));
            }
        };
        if wanted.overwrite {
            file.set_len(0).map_err(|error| failed(path, &error))?;
        } else if length.is_none() && noted.begun > 0 {
            let _left_empty = std::fs::remove_file(path);
            let why = format!(
                "{shown}: is gone, though {} says that {} items were begun; put it back, or {BEGIN_ANEW}",
                journal_path.display(),
                noted.begun
            );
            return Err(FanOutError::Refused(why));
        }
        let found = read_existing(&mut file, path, wanted.idempotent)?;
        file.set_len(found.length).map_err(|error| failed(path, &error))?;
        let (early, early_again) = part_early(noted.early, &found, wanted.idempotent);
        let Existing { length, done, progress, mut again, is_untidy } = found;
        journal.keeps_all = !again.is_empty();
        again.retain(|open| open.ran != Ran::No || !noted.begun_again.contains(&open.index));
        let mut open = noted.waits;
        open.extend(early_again.iter().chain(&again).map(|open| (open.index, *open)));
        open.retain(|index, _| !done.contains(*index));
        journal.waits = open.keys().copied().collect();
        let start = Start {
            done,
            suspect_until: noted.begun,
            started: u64::MAX,
            early,
            open: open.into_values().collect(),
            progress,
            ..Start::default()
        };
        let state = State { file, length, journal, elsewhere: None, is_untidy };
        Ok((Self { path: path.to_owned(), order: wanted.order, state: Mutex::new(state) }, start))
    }

    /// Ends the run: results of a complete list are brought into order, one for each item. A file whose results
    /// lie elsewhere in part is left as it is.
    pub fn finish(self, is_complete: bool) -> Result<(), FanOutError> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !is_complete || state.elsewhere.is_some() {
            return Ok(());
        }
        if state.is_untidy {
            let sorts = matches!(self.order, ResultOrder::List { .. });
            tidy::tidy(&state.file, &self.path, sorts).map_err(|error| failed(&self.path, &error))?;
        }
        state.journal.clear()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, path: &Path, lines: &[u8]) -> Result<Kept, FanOutError> {
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.write(lines)?;
            return Ok(Kept::Well);
        }
        let Err(error) = self.file.write_all(lines) else {
            self.length += lines.len() as u64;
            return Ok(Kept::Well);
        };
        // A part of a line is no result; all of these go elsewhere.
        let _if_it_can = self.file.set_len(self.length);
        let elsewhere = Elsewhere::holding(path, lines)?;
        let why = format!(
            "{} can't be written: {error}; the results that are missing there are in {}: put them at its end before going on",
            path.display(),
            elsewhere.path().display()
        );
        self.elsewhere = Some(elsewhere);
        Ok(Kept::Elsewhere(why))
    }
}

impl Ledger for ResultsFile {
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
        true
    }

    fn note(&self, note: Note) -> Result<(), FanOutError> {
        self.state().journal.note(note)
    }

    async fn keep(&self, step: Step) -> Result<Kept, FanOutError> {
        let mut state = self.state();
        let lines = step.lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        let is_in_order = step.next - step.from == lines;
        state.is_untidy |= !is_in_order && matches!(self.order, ResultOrder::List { .. });
        let kept = if lines > 0 { state.write(&self.path, &step.lines)? } else { Kept::Well };
        let noted = state.journal.early(&step.early).and_then(|()| state.journal.written_to(step.next));
        match (kept, noted) {
            // The disk that has no room for the results has none for the journal.
            (Kept::Elsewhere(why), _) => Ok(Kept::Elsewhere(why)),
            (Kept::Well, Err(error)) if state.elsewhere.is_none() => Ok(Kept::Halted(error.to_string())),
            (kept, _) => Ok(kept),
        }
    }

    async fn put_aside(&self, _name: &str, _bytes: &[u8]) -> Result<Option<String>, PortError> {
        Ok(None)
    }
}

fn journal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".journal");
    PathBuf::from(name)
}

/// Bytes of a file, where it is there.
fn length_of(path: &Path) -> std::io::Result<Option<u64>> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(found.len())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> FanOutError {
    PortError::permanent("write results", format!("{}: {error}", path.display())).into()
}
