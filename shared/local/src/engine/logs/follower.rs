//! Raw output becomes events, also across a restart: each event says how much output it ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::line::{LINE_MAX_BYTES, StoredEvent, first_line};
use crate::domain::Timestamp;
use crate::ports::LogEvent;

/// Output read in one go: more than the longest line, so that every go gets on.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// No event's line in the file is longer: each byte of a message takes six at most in JSON.
const STORED_LINE_MAX_BYTES: u64 = 6 * LINE_MAX_BYTES as u64 + 1024;

/// Whether there may be more to take in at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pumped {
    /// Something was taken in.
    Some,
    /// Nothing was there to take in.
    Nothing,
}

/// Takes in the output of one attempt. Calls block.
#[derive(Debug)]
pub(crate) struct Follower {
    output: File,
    stream: File,
    offset: u64,
    /// The time of the latest event.
    latest: Timestamp,
}

impl Follower {
    /// Goes on where an earlier follower of the same stream was cut short; what it wrote of an event
    /// that is not whole is cut off.
    pub(crate) fn open(output: &Path, stream: &Path) -> io::Result<Self> {
        let output = File::open(output)?;
        if let Some(folder) = stream.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut stream =
            OpenOptions::new().create(true).read(true).write(true).truncate(false).open(stream)?;
        let (offset, latest) = repair(&mut stream)?;
        Ok(Self { output, stream, offset, latest })
    }

    /// Takes in one chunk. `ended` says that no more will be written, so that a line without a line
    /// break is whole.
    pub(crate) fn pump(&mut self, ended: bool, now: Timestamp) -> io::Result<Pumped> {
        // A clock that was set back must not put later lines before earlier ones: readers search by time.
        let now = now.max(self.latest);
        let mut chunk = Vec::new();
        self.output.seek(SeekFrom::Start(self.offset))?;
        Read::by_ref(&mut self.output).take(CHUNK_BYTES).read_to_end(&mut chunk)?;
        let more = !ended || chunk.len() as u64 == CHUNK_BYTES;
        let (mut events, mut rest, mut offset) = (Vec::new(), chunk.as_slice(), self.offset);
        while let Some((line, taken)) = first_line(rest, more) {
            offset += taken as u64;
            rest = &rest[taken..];
            let message = String::from_utf8_lossy(line).into_owned();
            let event = LogEvent { timestamp: now, ingestion_time: now, message };
            serde_json::to_writer(&mut events, &StoredEvent { event, output_offset: offset })?;
            events.push(b'\n');
        }
        if offset == self.offset {
            return Ok(Pumped::Nothing);
        }
        self.stream.write_all(&events)?;
        self.offset = offset;
        self.latest = now;
        Ok(Pumped::Some)
    }
}

impl Follower {
    /// Takes in all that is left once nothing more will be written, and waits for the disk.
    pub(crate) fn finish(&mut self, now: Timestamp) -> io::Result<()> {
        while self.pump(true, now)? == Pumped::Some {}
        // To wait for the disk is the dearest part of a short job, and most of those write nothing.
        if self.offset == 0 { Ok(()) } else { self.stream.sync_data() }
    }
}

/// Makes output that holds nothing the stream itself, where there is none yet. Returns whether it did.
pub(crate) fn become_stream(output: &Path, stream: &Path) -> bool {
    if std::fs::metadata(output).map_or(true, |output| output.len() > 0) || stream.exists() {
        return false;
    }
    let moved = || std::fs::rename(output, stream).is_ok();
    // Streams of one definition share a folder, so it is there but once.
    moved() || stream.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok() && moved())
}

/// Cuts off a last event that is not whole. Returns how much output the others took in, and the time of the last.
fn repair(stream: &mut File) -> io::Result<(u64, Timestamp)> {
    let length = stream.metadata()?.len();
    let from = length.saturating_sub(2 * STORED_LINE_MAX_BYTES);
    stream.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    stream.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let end = from + whole as u64;
    stream.set_len(end)?;
    stream.seek(SeekFrom::Start(end))?;
    let last = tail[..whole].split(|&byte| byte == b'\n').rfind(|line| !line.is_empty());
    let Some(last) = last else { return Ok((0, Timestamp::default())) };
    let stored: StoredEvent = serde_json::from_slice(last)?;
    Ok((stored.output_offset, stored.event.timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(5);

    struct Desk {
        folder: tempfile::TempDir,
    }

    impl Desk {
        fn new() -> Self {
            let desk = Self { folder: tempfile::tempdir().unwrap() };
            File::create(desk.output()).unwrap();
            desk
        }

        fn output(&self) -> std::path::PathBuf {
            self.folder.path().join("output")
        }

        fn stream(&self) -> std::path::PathBuf {
            self.folder.path().join("logs/d/default/t.jsonl")
        }

        fn write(&self, bytes: &[u8]) {
            OpenOptions::new().append(true).open(self.output()).unwrap().write_all(bytes).unwrap();
        }

        fn follower(&self) -> Follower {
            Follower::open(&self.output(), &self.stream()).unwrap()
        }

        fn messages(&self) -> Vec<String> {
            let text = std::fs::read_to_string(self.stream()).unwrap();
            let events = text.lines().map(|line| serde_json::from_str::<StoredEvent>(line).unwrap());
            events.map(|stored| stored.event.message).collect()
        }
    }

    fn drain(follower: &mut Follower) {
        follower.finish(NOW).unwrap();
    }

    #[test]
    fn output_that_holds_nothing_becomes_the_stream_and_no_other_does() {
        let desk = Desk::new();
        assert!(become_stream(&desk.output(), &desk.stream()));
        assert!(!desk.output().exists() && desk.messages().is_empty());
        File::create(desk.output()).unwrap();
        assert!(!become_stream(&desk.output(), &desk.stream()), "there is a stream");
        std::fs::remove_file(desk.stream()).unwrap();
        desk.write(b"one");
        assert!(!become_stream(&desk.output(), &desk.stream()), "it holds something");
        std::fs::remove_file(desk.output()).unwrap();
        assert!(!become_stream(&desk.output(), &desk.stream()), "there is no output");
    }

    #[test]
    fn lines_are_taken_in_as_they_become_whole() {
        let desk = Desk::new();
        let mut follower = desk.follower();
        assert_eq!(follower.pump(false, NOW).unwrap(), Pumped::Nothing);
        desk.write(b"one\ntw");
        follower.pump(false, NOW).unwrap();
        assert_eq!(desk.messages(), ["one"]);
        desk.write(b"o\n\xff\xfe bytes\nlast");
        drain(&mut follower);
        assert_eq!(desk.messages(), ["one", "two", "\u{fffd}\u{fffd} bytes", "last"]);
    }

    #[test]
    fn times_never_fall_whatever_the_clock_does() {
        let desk = Desk::new();
        let mut follower = desk.follower();
        for (line, time) in [("a\n", 5), ("b\n", 3), ("c\n", 7)] {
            desk.write(line.as_bytes());
            follower.pump(false, Timestamp::from_millis(time)).unwrap();
        }
        let mut again = desk.follower();
        desk.write(b"d\n");
        again.pump(false, Timestamp::from_millis(1)).unwrap();
        let text = std::fs::read_to_string(desk.stream()).unwrap();
        let times =
            text.lines().map(|line| serde_json::from_str::<StoredEvent>(line).unwrap().event.timestamp);
        assert_eq!(times.map(Timestamp::as_millis).collect::<Vec<_>>(), [5, 5, 7, 7]);
    }

    #[test]
    fn a_follower_cut_short_anywhere_loses_and_doubles_nothing() {
        let desk = Desk::new();
        desk.write(b"one\ntwo\nthree\n");
        drain(&mut desk.follower());
        let whole = std::fs::read(desk.stream()).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(desk.stream(), &whole[..cut]).unwrap();
            drain(&mut desk.follower());
            assert_eq!(std::fs::read(desk.stream()).unwrap(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn large_output_and_long_lines_are_kept_whole() {
        let desk = Desk::new();
        let long = "y".repeat(3 * LINE_MAX_BYTES + 7);
        let many: String = (0..200_000).map(|n| format!("{n}\n")).collect();
        desk.write(format!("{long}\n{many}").as_bytes());
        drain(&mut desk.follower());
        let messages = desk.messages();
        assert_eq!(messages.len(), 4 + 200_000);
        assert_eq!(messages[..4].concat(), long);
        assert_eq!(messages[200_003], "199999");
    }
}
