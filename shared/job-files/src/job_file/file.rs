//! A job file that is open for reading.

use std::collections::VecDeque;
use std::io::Cursor;

use batchwright_lines::lines::{Line, Lines};
use batchwright_lines::source::{Source, read_error};
use tokio::io::{AsyncBufRead, AsyncReadExt};

use super::document;
use super::format::Format;
use super::job;
use super::local::LocalSettings;
use super::order::Checked;
use super::problem::{JobFileError, Problem};
use super::text;
use crate::domain::JobSpec;
use crate::domain::limits::{LINE_MAX_BYTES, WHOLE_FILE_MAX_BYTES, WHOLE_LINES_MAX_BYTES};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A job of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The line on which it begins.
    pub line: u64,
    /// The job. `Err` only in a JSON Lines file that is checked as it is read: the other lines stand.
    pub job: Result<JobSpec, Vec<Problem>>,
}

/// An open job file.
pub struct JobFile<R> {
    name: String,
    local: LocalSettings,
    jobs: Jobs<R>,
}

enum Jobs<R> {
    Whole { jobs: VecDeque<Checked>, count: u64 },
    Streamed { start: Cursor<Vec<u8>>, rest: Box<Source<R>>, lines: Lines, any: bool },
}

/// Opens a job file: JSON, JSON Lines or YAML, plain or gzipped. `name` is for messages, and its
/// suffix for what the content leaves open.
///
/// JSON, YAML, and JSON Lines up to 1 MiB, are checked here as a whole: errs with everything that is
/// wrong, or the first thousand things. Errs too where the file can't be read, or is a JSON or YAML file over 16 MiB.
pub async fn open<R: AsyncBufRead + Send + Unpin>(reader: R, name: &str) -> Result<JobFile<R>, JobFileError> {
    let refuse = |problems| JobFileError::new(name, problems);
    let mut source =
        Source::open(reader).await.map_err(|error| refuse(vec![Problem::of_file(read_error(&error))]))?;
    let mut start = Vec::new();
    read_up_to(&mut source, WHOLE_LINES_MAX_BYTES, &mut start)
        .await
        .map_err(|problem| refuse(vec![problem]))?;
    let is_long = start.len() > WHOLE_LINES_MAX_BYTES;
    if start.starts_with(text::BOM) {
        start.drain(..text::BOM.len());
    }
    if is_long {
        if is_streamed(&start, name) {
            let jobs = Jobs::Streamed {
                start: Cursor::new(start),
                rest: Box::new(source),
                lines: Lines::of_at_most(LINE_MAX_BYTES),
                any: false,
            };
            return Ok(JobFile { name: name.to_owned(), local: LocalSettings::default(), jobs });
        }
        read_up_to(&mut source, WHOLE_FILE_MAX_BYTES, &mut start)
            .await
            .map_err(|problem| refuse(vec![problem]))?;
        if start.len() > WHOLE_FILE_MAX_BYTES {
            return Err(refuse(vec![too_large()]));
        }
    }
    let text = text::decode(&start).map_err(|problem| refuse(vec![problem]))?;
    let document = document::read(text, name).map_err(refuse)?;
    let count = document.jobs.len() as u64;
    let jobs = Jobs::Whole { jobs: document.jobs.into(), count };
    Ok(JobFile { name: name.to_owned(), local: document.local, jobs })
}

/// Reads on until there is one byte more than `most`, or the end.
async fn read_up_to<R: AsyncBufRead + Unpin>(
    source: &mut Source<R>,
    most: usize,
    into: &mut Vec<u8>,
) -> Result<(), Problem> {
    let missing = (most + 1).saturating_sub(into.len()) as u64;
    match (&mut *source).take(missing).read_to_end(into).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::of_file(source.failure(&error))),
    }
}

/// Whether a file longer than `start` is JSON Lines.
fn is_streamed(start: &[u8], name: &str) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default(),
    };
    Format::of(text, name, false) == Format::JsonLines
}

fn too_large() -> Problem {
    let most = WHOLE_FILE_MAX_BYTES / MIB;
    Problem::of_file(format!(
        "the file has more than {most} MiB once unpacked; write it as JSON Lines (.jsonl), one job a line, which may be of any length"
    ))
}

impl<R> JobFile<R> {
    /// What the file says for the embedded engine.
    pub fn local(&self) -> &LocalSettings {
        &self.local
    }

    /// Whether every job was checked before the first is handed out: JSON, YAML, and JSON Lines up to
    /// 1 MiB.
    pub fn is_checked(&self) -> bool {
        matches!(self.jobs, Jobs::Whole { .. })
    }

    /// The number of jobs, where it is known in advance.
    pub fn len_hint(&self) -> Option<u64> {
        match &self.jobs {
            Jobs::Whole { count, .. } => Some(*count),
            Jobs::Streamed { .. } => None,
        }
    }
}

impl<R: AsyncBufRead + Send + Unpin> JobFile<R> {
    /// The next job; `None` after the last. In a file that was checked as a whole, a job comes after
    /// those it depends on by name, and the order is the file's otherwise; else it is the file's.
    ///
    /// Errs where the file can't be read on, and at the end of one in which no line holds a job.
    pub async fn next(&mut self) -> Result<Option<Entry>, JobFileError> {
        let (start, rest, lines, any) = match &mut self.jobs {
            Jobs::Whole { jobs, .. } => {
                let entry = |Checked { line, spec, .. }| Entry { line, job: Ok(*spec) };
                return Ok(jobs.pop_front().map(entry));
            }
            Jobs::Streamed { start, rest, lines, any } => (start, rest, lines, any),
        };
        let refuse = |problem| JobFileError::new(&self.name, vec![problem]);
        loop {
            let read = lines.next(&mut start.chain(&mut *rest)).await;
            let entry = match read {
                Ok(Some(Line::TooLong(line))) => Some(too_long(line)),
                Ok(Some(Line::Of(line, bytes))) => read_line(line, bytes),
                Ok(None) if *any => return Ok(None),
                Ok(None) => {
                    return Err(refuse(Problem::of_file("the file has no jobs; write at least one into it")));
                }
                Err(error) => return Err(refuse(Problem::of_file(rest.failure(&error)))),
            };
            if entry.is_some() {
                *any = true;
                return Ok(entry);
            }
        }
    }
}

fn too_long(line: u64) -> Entry {
    let most = LINE_MAX_BYTES / KIB;
    let message = format!("the line has more than {most} KiB; a job that long can't be submitted");
    Entry { line, job: Err(vec![Problem::at_line(line, message)]) }
}

/// One line of a JSON Lines file, `None` where it is blank.
fn read_line(line: u64, bytes: &[u8]) -> Option<Entry> {
    if bytes.trim_ascii().is_empty() {
        return None;
    }
    let node = text::decode_at(bytes, line).and_then(|text| document::parse_line(text, line));
    let job = match node {
        Ok(node) => job::read(node, "", &[]),
        Err(problem) => Err(vec![problem]),
    };
    Some(Entry { line, job })
}
