//! Log streams are read from any place, both ways, and listed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::engine::LogDirectory;
use crate::ports::LogEvent;

/// As `GetLogEvents`: bytes that are read for a page, which the last event may pass.
const PAGE_BYTES: u64 = 1024 * 1024;

/// More than one event takes up as a line of a stream's file, however it is escaped.
const LINE_BYTES: u64 = 2 * 1024 * 1024;

/// Some whole events of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slice {
    /// Each with its place in the stream.
    pub(super) events: Vec<(u64, LogEvent)>,
    /// Where they begin, those that were passed over among them.
    pub(super) start: u64,
    /// Where they end.
    pub(super) end: u64,
    /// Nothing more has been written in this direction.
    pub(super) exhausted: bool,
}

/// When a stream's events were written, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) created: i64,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// Opens a stream.
///
/// Errs with `NotFound` for a name that no stream has.
pub(super) fn open(directory: &LogDirectory, stream: &str) -> io::Result<File> {
    File::open(directory.path(stream).ok_or(ErrorKind::NotFound)?)
}

/// At most `limit` events from a place on that are wanted, within the bytes of a page.
///
/// Errs with `InvalidInput` where no event begins there.
pub(super) fn forward(
    mut file: File,
    from: u64,
    limit: usize,
    wanted: impl Fn(&LogEvent) -> bool,
) -> io::Result<Slice> {
    check_place(&mut file, from)?;
    let mut file = BufReader::new(file);
    let (mut events, mut end, mut line) = (Vec::new(), from, Vec::new());
    while events.len() < limit && end - from < PAGE_BYTES {
        line.clear();
        file.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(Slice { events, start: from, end, exhausted: true });
        }
        let event: LogEvent = serde_json::from_slice(&line)?;
        if wanted(&event) {
            events.push((end, event));
        }
        end += line.len() as u64;
    }
    let exhausted = file.fill_buf()?.is_empty();
    Ok(Slice { events, start: from, end, exhausted })
}

/// At most `limit` events up to a place, or up to the end, that are wanted, within the bytes of a page.
/// They come in the order of the stream.
///
/// Errs with `InvalidInput` where no event ends there.
pub(super) fn backward(
    mut file: File,
    until: Option<u64>,
    limit: usize,
    wanted: impl Fn(&LogEvent) -> bool,
) -> io::Result<Slice> {
    let length = file.metadata()?.len();
    let until_byte = until.unwrap_or(length);
    if until.is_some() {
        check_place(&mut file, until_byte)?;
    }
    let from = until_byte.saturating_sub(PAGE_BYTES + LINE_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(until_byte - from).read_to_end(&mut bytes)?;
    // At the end of the stream a line may be half written.
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let end = from + whole as u64;
    let (mut events, mut start) = (Vec::new(), end);
    while events.len() < limit && start > from && end - start < PAGE_BYTES {
        let before = usize::try_from(start - from).map_err(io::Error::other)? - 1;
        let begin = bytes[..before].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if begin == 0 && from > 0 {
            // The rest of an event whose beginning was not read.
            break;
        }
        let event: LogEvent = serde_json::from_slice(&bytes[begin..before])?;
        start = from + begin as u64;
        if wanted(&event) {
            events.push((start, event));
        }
    }
    events.reverse();
    Ok(Slice { events, start, end, exhausted: start == 0 })
}

/// From where on a search by halves reads on line by line.
const SEARCHED_BYTES: u64 = 16 * 1024;

/// A place at or before the first event that is no older than a time; few events lie between.
pub(super) fn place_of_time(directory: &LogDirectory, stream: &str, time: i64) -> io::Result<u64> {
    let mut file = open(directory, stream)?;
    let (mut older, mut until) = (0, file.metadata()?.len());
    while until.saturating_sub(older) > SEARCHED_BYTES {
        let middle = older + (until - older) / 2;
        match next_event(&mut file, middle)? {
            Some((place, event)) if place < until && event.timestamp.as_millis() < time => older = place,
            _ => until = middle,
        }
    }
    Ok(older)
}

/// The first event that begins behind a place.
fn next_event(file: &mut File, place: u64) -> io::Result<Option<(u64, LogEvent)>> {
    file.seek(SeekFrom::Start(place))?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let begin = place + reader.read_until(b'\n', &mut line)? as u64;
    line.clear();
    reader.read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    Ok(Some((begin, serde_json::from_slice(&line)?)))
}

fn check_place(file: &mut File, place: u64) -> io::Result<()> {
    if place > 0 {
        let mut before = [0];
        file.seek(SeekFrom::Start(place - 1))?;
        if file.read(&mut before)? == 0 || before != *b"\n" {
            return Err(ErrorKind::InvalidInput.into());
        }
    }
    file.seek(SeekFrom::Start(place)).map(drop)
}

/// The names of all streams that begin with a text, in order.
pub(super) fn streams(directory: &LogDirectory, prefix: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    collect(directory.root(), "", &mut names)?;
    names.retain(|name| name.starts_with(prefix));
    names.sort_unstable();
    Ok(names)
}

fn collect(folder: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), names)?;
        } else if let Some(stream) = name.strip_suffix(".jsonl") {
            names.push(format!("{prefix}{stream}"));
        }
    }
    Ok(())
}

/// When a stream's events were written; `None` where there are none yet.
pub(super) fn span(directory: &LogDirectory, stream: &str) -> io::Result<Option<Span>> {
    let file = open(directory, stream)?;
    let made = file.metadata()?;
    let made = made.created().or_else(|_| made.modified())?;
    let made = made.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    let first = forward(file, 0, 1, |_| true)?.events.pop();
    let last = backward(open(directory, stream)?, None, 1, |_| true)?.events.pop();
    let (Some((_, first)), Some((_, last))) = (first, last) else { return Ok(None) };
    let created = i64::try_from(made.as_millis()).unwrap_or(i64::MAX).min(first.timestamp.as_millis());
    Ok(Some(Span { created, first: first.timestamp.as_millis(), last: last.timestamp.as_millis() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "hello/default/t";

    fn directory(text: &str) -> (tempfile::TempDir, LogDirectory) {
        let folder = tempfile::tempdir().unwrap();
        let directory = LogDirectory::new(folder.path());
        let path = directory.path(STREAM).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        (folder, directory)
    }

    fn line(number: u64) -> String {
        format!(
            "{{\"timestamp\":{number},\"ingestionTime\":{number},\"message\":\"m{number}\",\"outputOffset\":1}}\n"
        )
    }

    fn messages(slice: &Slice) -> Vec<&str> {
        slice.events.iter().map(|(_, event)| event.message.as_str()).collect()
    }

    #[test]
    fn pages_forward_and_backward_meet_each_other() {
        let text: String = (1..=7).map(line).collect();
        let (_folder, directory) = directory(&(text.clone() + "{\"half"));
        let open = || open(&directory, STREAM).unwrap();
        let first = forward(open(), 0, 3, |_| true).unwrap();
        assert_eq!((messages(&first), first.exhausted), (vec!["m1", "m2", "m3"], false));
        let back = backward(open(), Some(first.end), 2, |_| true).unwrap();
        assert_eq!((messages(&back), back.end), (vec!["m2", "m3"], first.end));
        let last = backward(open(), None, 3, |_| true).unwrap();
        assert_eq!((messages(&last), last.end), (vec!["m5", "m6", "m7"], text.len() as u64));
        let before = backward(open(), Some(last.start), 9, |_| true).unwrap();
        assert_eq!((messages(&before), before.exhausted), (vec!["m1", "m2", "m3", "m4"], true));
        let end = forward(open(), last.end, 9, |_| true).unwrap();
        assert_eq!((end.events.len(), end.end, end.exhausted), (0, last.end, true));
    }

    #[test]
    fn events_that_are_not_wanted_are_passed_over() {
        let text: String = (1..=7).map(line).collect();
        let (_folder, directory) = directory(&text);
        let even = |event: &LogEvent| event.timestamp.as_millis() % 2 == 0;
        let slice = forward(open(&directory, STREAM).unwrap(), 0, 2, even).unwrap();
        assert_eq!(messages(&slice), ["m2", "m4"]);
        let slice = backward(open(&directory, STREAM).unwrap(), None, 2, even).unwrap();
        assert_eq!(messages(&slice), ["m4", "m6"]);
    }

    #[test]
    fn a_place_where_no_event_begins_is_refused() {
        let (_folder, directory) = directory(&line(1));
        for place in [1, 5_000] {
            let error = forward(open(&directory, STREAM).unwrap(), place, 1, |_| true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{place}");
            let error = backward(open(&directory, STREAM).unwrap(), Some(place), 1, |_| true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{place}");
        }
    }

    #[test]
    fn large_streams_are_read_in_bounded_pages_both_ways() {
        let long = "y".repeat(200_000);
        let text: String = (0..40)
            .map(|n| format!("{{\"timestamp\":{n},\"ingestionTime\":{n},\"message\":\"{n} {long}\"}}\n"))
            .collect();
        let (_folder, directory) = directory(&text);
        let (mut forwards, mut place) = (0, 0);
        while place < text.len() as u64 {
            let slice = forward(open(&directory, STREAM).unwrap(), place, 10_000, |_| true).unwrap();
            assert!(slice.end - slice.start < 2 * PAGE_BYTES);
            forwards += slice.events.len();
            place = slice.end;
        }
        let mut backwards = 0;
        while place > 0 {
            let slice = backward(open(&directory, STREAM).unwrap(), Some(place), 10_000, |_| true).unwrap();
            assert!(slice.end - slice.start < 2 * PAGE_BYTES);
            backwards += slice.events.len();
            place = slice.start;
        }
        assert_eq!((forwards, backwards), (40, 40));
    }

    #[test]
    fn a_time_is_found_by_halves() {
        let text: String = (0..20_000).map(|number| line(2 * number)).collect();
        let (_folder, directory) = directory(&text);
        for time in [-1, 0, 1, 7, 20_001, 39_998, 39_999, 50_000] {
            let place = place_of_time(&directory, STREAM, time).unwrap();
            let skipped = forward(open(&directory, STREAM).unwrap(), 0, usize::MAX, |event| {
                event.timestamp.as_millis() >= time
            });
            let first = skipped.unwrap().events.first().map(|(place, _)| *place);
            assert!(first.is_none_or(|first| place <= first), "{time}");
            let rest = forward(open(&directory, STREAM).unwrap(), place, 2_000, |_| true).unwrap();
            let is_near =
                rest.events.iter().any(|(_, event)| event.timestamp.as_millis() >= time) || rest.exhausted;
            assert!(is_near, "{time}");
        }
    }

    #[test]
    fn streams_are_listed_by_name_with_their_span() {
        let (_folder, directory) = directory(&(line(3) + &line(9)));
        assert_eq!(streams(&directory, "").unwrap(), [STREAM]);
        assert_eq!(streams(&directory, "other/").unwrap(), [""; 0]);
        let found = span(&directory, STREAM).unwrap().unwrap();
        assert_eq!((found.first, found.last), (3, 9));
        assert_eq!(open(&directory, "../x").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
