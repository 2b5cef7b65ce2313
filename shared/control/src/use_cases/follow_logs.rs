//! The logs of submissions that still write, each event once, and each page of them read as seldom as may be.

use std::collections::BTreeMap;

use crate::domain::{LogStream, Submission};
use crate::ports::{Cursor, EMPTY_PAGES_MAX, LogEvent, LogSource, LogSourceError, PortError};

/// How far streams were read. What comes later is read from there, and not from the start.
#[derive(Debug, Default)]
pub struct FollowedLogs {
    /// By group and name.
    positions: BTreeMap<(String, String), Position>,
}

#[derive(Debug, Default)]
struct Position {
    /// The page that was the last.
    cursor: Option<Cursor>,
    /// Events of this page that were handed out.
    of_page: usize,
    /// Events of the stream that were handed out.
    events: usize,
}

impl FollowedLogs {
    /// Whether anything of a submission was read.
    pub fn has(&self, submission: &Submission) -> bool {
        let is_read = |stream: &&LogStream| {
            self.positions.get(&key(stream)).is_some_and(|position| position.events > 0)
        };
        submission.state.all_log_streams().iter().any(is_read)
    }

    /// Calls `each` for every event that was written since the last call, oldest attempt first. A stream that is not
    /// there yet has no events. Errs where a stream can't be read; what was handed out by then does not come again.
    pub async fn read_on<L: LogSource>(
        &mut self,
        source: &L,
        submission: &Submission,
        mut each: impl FnMut(&LogStream, &LogEvent) + Send,
    ) -> Result<(), PortError> {
        for stream in submission.state.all_log_streams() {
            let position = self.positions.entry(key(stream)).or_default();
            position.read_on(source, stream, &mut |event: &LogEvent| each(stream, event)).await?;
        }
        Ok(())
    }
}

fn key(stream: &LogStream) -> (String, String) {
    (stream.group().to_owned(), stream.name.clone())
}

impl Position {
    async fn read_on<L: LogSource>(
        &mut self,
        source: &L,
        stream: &LogStream,
        each: &mut (impl FnMut(&LogEvent) + Send),
    ) -> Result<(), PortError> {
        let mut empty_pages = 0;
        loop {
            let page = match source.log_events(stream, self.cursor.as_ref()).await {
                Ok(page) => page,
                Err(LogSourceError::Port(error)) => return Err(error),
                // CloudWatch forgets a token after 24 hours: once more from the start, past what is known.
                Err(LogSourceError::CursorInvalid(_)) if self.cursor.is_some() => {
                    (self.cursor, self.of_page) = (None, self.events);
                    continue;
                }
                Err(_) => return Ok(()),
            };
            for event in page.events.iter().skip(self.of_page) {
                each(event);
                self.events += 1;
            }
            empty_pages = if page.events.is_empty() { empty_pages + 1 } else { 0 };
            match page.next {
                Some(next) if empty_pages < EMPTY_PAGES_MAX => {
                    self.of_page = self.of_page.saturating_sub(page.events.len());
                    self.cursor = Some(next);
                }
                // The same page is asked for again: it may have become longer.
                _ => {
                    self.of_page = page.events.len();
                    return Ok(());
                }
            }
        }
    }
}
