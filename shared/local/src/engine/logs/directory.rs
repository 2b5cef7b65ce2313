//! Events are read back a page at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::line::StoredEvent;
use crate::domain::LogStream;
use crate::ports::{Cursor, LogPage, LogSource, LogSourceError, PortError};

/// As `GetLogEvents`: events on a page.
const PAGE_EVENTS: usize = 10_000;

/// As `GetLogEvents`: bytes on a page, which the last event may pass.
const PAGE_BYTES: usize = 1024 * 1024;

/// The log streams under a directory. It holds the group `/aws/batch/job` alone. Cursors are offsets
/// in the stream's file.
#[derive(Debug, Clone)]
pub struct LogDirectory {
    root: PathBuf,
}

impl LogDirectory {
    /// The streams under `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder of all streams.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a stream is kept; `None` for a name that no stream has.
    pub(crate) fn path(&self, stream: &str) -> Option<PathBuf> {
        let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
        stream.split('/').all(is_plain).then(|| self.root.join(format!("{stream}.jsonl")))
    }
}

impl LogSource for LogDirectory {
    async fn log_events(&self, stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        if stream.group() != LogStream::DEFAULT_GROUP {
            return Err(LogSourceError::GroupMissing(stream.group().to_owned()));
        }
        let missing = || LogSourceError::StreamMissing(stream.name.clone());
        let path = self.path(&stream.name).ok_or_else(missing)?;
        let offset = match page {
            None => 0,
            Some(Cursor(text)) => {
                text.parse().map_err(|_| LogSourceError::CursorInvalid(stream.name.clone()))?
            }
        };
        let read = tokio::task::spawn_blocking(move || read_page(&path, offset)).await;
        match read.map_err(io::Error::other).flatten() {
            Ok(page) => Ok(page),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(missing()),
            Err(error) => {
                let what = format!("log stream {:?}: {error}", stream.name);
                if may_pass(&error) {
                    return Err(PortError::retryable("GetLogEvents", what).into());
                }
                Err(PortError::permanent("GetLogEvents", what).into())
            }
        }
    }
}

/// Whether reading again may help. A damaged file, or one on a bad disk, stays as it is.
fn may_pass(error: &io::Error) -> bool {
    let is_short_of_files = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
    matches!(
        error.kind(),
        ErrorKind::Interrupted
            | ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::ResourceBusy
            | ErrorKind::StaleNetworkFileHandle
            | ErrorKind::OutOfMemory
    ) || is_short_of_files.contains(&error.raw_os_error())
}

/// The whole lines from `offset` on, within the limits of a page. Errs where the first of them is damaged; the
/// page ends before one that is damaged later.
fn read_page(path: &Path, offset: u64) -> io::Result<LogPage> {
    let mut file = BufReader::new(File::open(path)?);
    file.seek(SeekFrom::Start(offset))?;
    let (mut events, mut end, mut bytes) = (Vec::new(), offset, 0);
    let mut line = Vec::new();
    while events.len() < PAGE_EVENTS && bytes < PAGE_BYTES {
        line.clear();
        file.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(LogPage { events, next: None });
        }
        let stored: StoredEvent = match serde_json::from_slice(&line) {
            Ok(stored) => stored,
            Err(_) if !events.is_empty() => {
                return Ok(LogPage { events, next: Some(Cursor(end.to_string())) });
            }
            Err(error) => {
                let what = format!("{}: the line at byte {end} is damaged: {error}", path.display());
                return Err(io::Error::new(ErrorKind::InvalidData, what));
            }
        };
        end += line.len() as u64;
        bytes += stored.event.message.len();
        events.push(stored.event);
    }
    let more = !file.fill_buf()?.is_empty();
    Ok(LogPage { events, next: more.then(|| Cursor(end.to_string())) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::engine::logs::Follower;

    fn stream(name: &str) -> LogStream {
        LogStream { group: None, name: name.into(), container: None, region: None }
    }

    #[tokio::test]
    async fn a_stream_is_read_in_bounded_pages_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let logs = LogDirectory::new(folder.path().join("logs"));
        let output = folder.path().join("output");
        let lines: Vec<String> = (0..25_000).map(|number| format!("line {number}")).collect();
        std::fs::write(&output, lines.join("\n") + "\n" + &"z".repeat(2_000_000)).unwrap();
        let mut follower = Follower::open(&output, &logs.path("d/default/t").unwrap()).unwrap();
        follower.finish(Timestamp::from_millis(1)).unwrap();

        let (mut messages, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = logs.log_events(&stream("d/default/t"), cursor.as_ref()).await.unwrap();
            assert!(page.events.len() <= PAGE_EVENTS);
            pages += 1;
            messages.extend(page.events.into_iter().map(|event| event.message));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(messages[..25_000], lines);
        assert_eq!(messages[25_000..].concat().len(), 2_000_000);
        assert!(pages >= 4, "{pages}");
    }

    #[tokio::test]
    async fn a_damaged_stream_is_read_up_to_the_damage_and_is_no_reason_to_try_again() {
        let folder = tempfile::tempdir().unwrap();
        let logs = LogDirectory::new(folder.path());
        let line = |n| {
            format!("{{\"timestamp\":{n},\"ingestionTime\":{n},\"message\":\"m{n}\",\"outputOffset\":1}}\n")
        };
        std::fs::write(logs.path("s").unwrap(), line(1) + "\0\0damage\n" + &line(2)).unwrap();
        let page = logs.log_events(&stream("s"), None).await.unwrap();
        assert_eq!(page.events.len(), 1);
        let error = logs.log_events(&stream("s"), page.next.as_ref()).await.unwrap_err();
        assert!(error.to_string().contains("line at byte"), "{error}");
        assert!(matches!(&error, LogSourceError::Port(refused) if !refused.may_pass()), "{error}");

        std::fs::create_dir(logs.path("folder").unwrap()).unwrap();
        let long = "d".repeat(300);
        for name in ["folder", &long] {
            let error = logs.log_events(&stream(name), None).await.unwrap_err();
            assert!(matches!(&error, LogSourceError::Port(refused) if !refused.may_pass()), "{error}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (errno, expected) in [
            (Errno::MFILE, true),
            (Errno::NFILE, true),
            (Errno::INTR, true),
            (Errno::STALE, true),
            (Errno::IO, false),
            (Errno::ACCESS, false),
            (Errno::ISDIR, false),
            (Errno::NAMETOOLONG, false),
        ] {
            assert_eq!(may_pass(&io::Error::from(errno)), expected, "{errno}");
        }
    }

    #[tokio::test]
    async fn what_does_not_exist_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let logs = LogDirectory::new(folder.path());
        for name in ["d/default/x", "../secret", "d//x", "/etc/passwd", ""] {
            let error = logs.log_events(&stream(name), None).await.unwrap_err();
            assert!(matches!(error, LogSourceError::StreamMissing(_)), "{name}: {error}");
        }
        let other = LogStream { group: Some("/other".into()), ..stream("d/default/x") };
        let error = logs.log_events(&other, None).await.unwrap_err();
        assert!(matches!(error, LogSourceError::GroupMissing(_)));
    }
}
