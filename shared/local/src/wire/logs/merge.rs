//! The events of many streams in the order of their times.
//!
//! The times of a stream never fall, because its follower writes them so. A page goes on behind the last event that
//! was looked at: every stream is searched for that moment, so a token names one event whatever the number of
//! streams, and no file stays open between two looks.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;

use super::files;
use crate::engine::LogDirectory;
use crate::ports::LogEvent;

/// Events that are read at once of a stream whose turn it is.
const READ_AHEAD: usize = 256;

/// Bytes of messages that are looked at for one page, which may then be short or empty.
const PAGE_BYTES: usize = 1024 * 1024;

/// One event of all: by time, then by stream, then by its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) time: i64,
    pub(super) stream: String,
    pub(super) offset: u64,
}

impl Key {
    pub(super) fn text(&self) -> String {
        format!("{}/{}/{}", self.time, self.offset, self.stream)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (time, rest) = text.split_once('/')?;
        let (offset, stream) = rest.split_once('/')?;
        Some(Self { time: time.parse().ok()?, offset: offset.parse().ok()?, stream: stream.to_owned() })
    }
}

/// What is looked for.
pub(super) struct Search<'a, W> {
    /// In order, each once.
    pub(super) streams: &'a [String],
    /// Behind this event.
    pub(super) after: Option<Key>,
    /// Milliseconds since 1970; the end is left out.
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) limit: usize,
    pub(super) wanted: W,
}

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) events: Vec<(Key, LogEvent)>,
    /// Behind which event the search goes on, unless that was all.
    pub(super) next: Option<Key>,
}

/// A stream from a place on.
struct Tail<'a> {
    stream: &'a str,
    next: u64,
    ahead: VecDeque<(u64, LogEvent)>,
    read_ahead: usize,
}

impl Tail<'_> {
    /// The next event, by its key.
    fn head(&mut self, directory: &LogDirectory) -> io::Result<Option<Key>> {
        if self.ahead.is_empty() {
            let file = files::open(directory, self.stream)?;
            let slice = files::forward(file, self.next, self.read_ahead, |_| true)?;
            self.next = slice.end;
            self.ahead = slice.events.into();
            self.read_ahead = READ_AHEAD;
        }
        let head = self.ahead.front();
        Ok(head.map(|(offset, event)| Key {
            time: event.timestamp.as_millis(),
            stream: self.stream.to_owned(),
            offset: *offset,
        }))
    }
}

impl<W: Fn(&LogEvent) -> bool> Search<'_, W> {
    /// The next page.
    pub(super) fn run(&self, directory: &LogDirectory) -> io::Result<Found> {
        let mut tails = Vec::with_capacity(self.streams.len());
        let mut heads = BinaryHeap::new();
        for stream in self.streams {
            let mut tail = self.tail(directory, stream)?;
            let head = tail.head(directory)?;
            heads.extend(head.map(|head| Reverse((head, tails.len()))));
            tails.push(tail);
        }
        let mut found = Found { events: Vec::new(), next: None };
        let mut bytes = 0;
        while let Some(Reverse((key, index))) = heads.pop() {
            if self.end.is_some_and(|end| key.time >= end) {
                break;
            }
            if found.events.len() == self.limit || bytes > PAGE_BYTES {
                return Ok(found);
            }
            let tail: &mut Tail<'_> = &mut tails[index];
            let Some((_, event)) = tail.ahead.pop_front() else { continue };
            bytes += event.message.len();
            heads.extend(tail.head(directory)?.map(|head| Reverse((head, index))));
            found.next = Some(key.clone());
            if (self.wanted)(&event) {
                found.events.push((key, event));
            }
        }
        found.next = None;
        Ok(found)
    }

    /// A stream from the first event on that can be wanted.
    fn tail<'a>(&self, directory: &LogDirectory, stream: &'a str) -> io::Result<Tail<'a>> {
        let from = self.after.as_ref().map(|after| after.time).max(self.start);
        let next = match from {
            Some(time) => files::place_of_time(directory, stream, time)?,
            None => 0,
        };
        let mut tail = Tail { stream, next, ahead: VecDeque::new(), read_ahead: 1 };
        while let Some(head) = tail.head(directory)? {
            let is_behind = self.after.as_ref().is_none_or(|after| head > *after);
            if is_behind && self.start.is_none_or(|start| head.time >= start) {
                break;
            }
            tail.ahead.pop_front();
        }
        Ok(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Streams whose events have these times.
    fn directory(streams: &[(&str, &[i64])]) -> (tempfile::TempDir, LogDirectory, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let directory = LogDirectory::new(folder.path());
        for (name, times) in streams {
            let path = directory.path(name).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let line = |(number, time): (usize, &i64)| {
                format!("{{\"timestamp\":{time},\"ingestionTime\":{time},\"message\":\"{name}#{number}\"}}\n")
            };
            std::fs::write(path, times.iter().enumerate().map(line).collect::<String>()).unwrap();
        }
        (folder, directory, streams.iter().map(|(name, _)| (*name).to_owned()).collect())
    }

    fn all(
        directory: &LogDirectory,
        streams: &[String],
        limit: usize,
        (start, end): (Option<i64>, Option<i64>),
        wanted: impl Fn(&LogEvent) -> bool + Copy,
    ) -> Vec<String> {
        let (mut messages, mut after) = (Vec::new(), None);
        loop {
            let found = Search { streams, after, start, end, limit, wanted }.run(directory).unwrap();
            assert!(found.events.len() <= limit);
            messages.extend(found.events.into_iter().map(|(_, event)| event.message));
            after = found.next.map(|key| Key::parse(&key.text()).unwrap());
            if after.is_none() {
                return messages;
            }
        }
    }

    #[test]
    fn streams_are_mixed_by_time_whatever_the_page() {
        let (_folder, directory, streams) = directory(&[
            ("a/default/1", &[1, 4, 4, 9]),
            ("a/default/2", &[2, 4, 8]),
            ("b/default/1", &[]),
            ("c/default/1", &[3]),
        ]);
        let expected = [
            "a/default/1#0",
            "a/default/2#0",
            "c/default/1#0",
            "a/default/1#1",
            "a/default/1#2",
            "a/default/2#1",
            "a/default/2#2",
            "a/default/1#3",
        ];
        for limit in 1..=10 {
            assert_eq!(all(&directory, &streams, limit, (None, None), |_| true), expected, "{limit}");
        }
        assert_eq!(all(&directory, &streams, 2, (Some(4), Some(9)), |_| true), expected[3..7]);
        let seconds = |event: &LogEvent| event.message.contains("2#");
        assert_eq!(
            all(&directory, &streams, 1, (None, None), seconds),
            [expected[1], expected[5], expected[6]]
        );
    }

    #[test]
    fn many_events_of_one_moment_are_told_once() {
        let times = vec![7; 1_000];
        let (_folder, directory, streams) = directory(&[("a/default/1", &times), ("a/default/2", &times)]);
        for limit in [1_999, 333] {
            let mut messages = all(&directory, &streams, limit, (Some(7), None), |_| true);
            assert_eq!(messages.len(), 2_000);
            messages.dedup();
            assert_eq!(messages.len(), 2_000);
        }
    }

    #[test]
    fn a_page_is_bounded_by_what_was_looked_at() {
        let times: Vec<i64> = (0..50_000).collect();
        let long: &str = &format!("{}/default/1", "n".repeat(100));
        let (_folder, directory, streams) = directory(&[(long, &times)]);
        let search = Search {
            streams: &streams,
            after: None,
            start: None,
            end: None,
            limit: 9,
            wanted: |_: &LogEvent| false,
        };
        let found = search.run(&directory).unwrap();
        assert!(found.events.is_empty() && found.next.is_some());
    }
}
