//! Log streams in memory, with the habits of CloudWatch Logs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::lock;
use crate::domain::LogStream;
use crate::ports::{Cursor, LogEvent, LogPage, LogSource, LogSourceError};

const DEFAULT_PAGE_SIZE: usize = 100;

/// A [`LogSource`] that is filled by hand. Clones share what they hold.
#[derive(Debug, Clone)]
pub struct InMemoryLogSource {
    groups: Arc<Mutex<BTreeMap<String, Streams>>>,
    page_size: usize,
    empty_pages: usize,
}

type Streams = BTreeMap<String, Vec<LogEvent>>;

impl Default for InMemoryLogSource {
    fn default() -> Self {
        Self::new(DEFAULT_PAGE_SIZE, 0)
    }
}

impl InMemoryLogSource {
    /// With `page_size` events on a page (at least 1), and `empty_pages` pages without any before each.
    pub fn new(page_size: usize, empty_pages: usize) -> Self {
        Self { groups: Arc::default(), page_size: page_size.max(1), empty_pages }
    }

    /// Makes a group, without streams.
    pub fn add_group(&self, group: &str) {
        lock(&self.groups).entry(group.to_owned()).or_default();
    }

    /// Appends to a stream; makes it, and its group, where they are missing.
    pub fn append(&self, stream: &LogStream, events: impl IntoIterator<Item = LogEvent>) {
        let mut groups = lock(&self.groups);
        let streams = groups.entry(stream.group().to_owned()).or_default();
        streams.entry(stream.name.clone()).or_default().extend(events);
    }
}

/// Where a page starts: the first event's number, and how many empty pages have come before it.
fn place(stream: &LogStream, page: Option<&Cursor>) -> Result<(usize, usize), LogSourceError> {
    let Some(Cursor(text)) = page else { return Ok((0, 0)) };
    let numbers = text.split_once(' ').map(|(start, empty)| (start.parse(), empty.parse()));
    match numbers {
        Some((Ok(start), Ok(empty))) => Ok((start, empty)),
        _ => Err(LogSourceError::CursorInvalid(stream.name.clone())),
    }
}

impl LogSource for InMemoryLogSource {
    async fn log_events(&self, stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        let (start, empty) = place(stream, page)?;
        let groups = lock(&self.groups);
        let group =
            groups.get(stream.group()).ok_or_else(|| LogSourceError::GroupMissing(stream.group().into()))?;
        let events =
            group.get(&stream.name).ok_or_else(|| LogSourceError::StreamMissing(stream.name.clone()))?;
        if empty < self.empty_pages && start < events.len() {
            let next = Some(Cursor(format!("{start} {}", empty + 1)));
            return Ok(LogPage { events: Vec::new(), next });
        }
        let end = events.len().min(start.saturating_add(self.page_size));
        let next = (end < events.len()).then(|| Cursor(format!("{end} 0")));
        Ok(LogPage { events: events.get(start..end).unwrap_or_default().to_vec(), next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn stream(group: Option<&str>, name: &str) -> LogStream {
        LogStream { group: group.map(str::to_owned), name: name.to_owned(), container: None, region: None }
    }

    fn events(count: i64) -> impl Iterator<Item = LogEvent> {
        let at = Timestamp::from_millis;
        (0..count).map(move |n| LogEvent { timestamp: at(n), ingestion_time: at(n), message: n.to_string() })
    }

    #[tokio::test]
    async fn every_event_comes_once_between_pages_without_any() {
        let source = InMemoryLogSource::new(3, 2);
        let stream = stream(None, "job/default/1");
        source.append(&stream, events(7));
        let (mut found, mut empty_pages, mut cursor) = (Vec::new(), 0, None);
        loop {
            let page = source.log_events(&stream, cursor.as_ref()).await.unwrap();
            empty_pages += usize::from(page.events.is_empty());
            found.extend(page.events);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((found, empty_pages), (events(7).collect(), 6));
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let source = InMemoryLogSource::default();
        let missing = source.log_events(&stream(Some("/g"), "s"), None).await;
        assert!(matches!(missing, Err(LogSourceError::GroupMissing(group)) if group == "/g"));
        source.add_group("/g");
        let missing = source.log_events(&stream(Some("/g"), "s"), None).await;
        assert!(matches!(missing, Err(LogSourceError::StreamMissing(name)) if name == "s"));
    }
}
