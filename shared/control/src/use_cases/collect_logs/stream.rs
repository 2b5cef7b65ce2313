//! One stream, read page by page and written part by part.

use tracing::warn;

use super::archivist::{Archivist, Interrupted, Work};
use super::manifest::{ArchivedStream, Manifest, Tail};
use super::part::{self, Part};
use super::stream_prefix;
use crate::domain::LogStream;
use crate::ports::{
    CheckpointStore, Clock, Cursor, EMPTY_PAGES_MAX, LogPage, LogSource, LogSourceError, ObjectStore,
    PortError, StateStore,
};

/// Where a stream is read on.
pub(super) struct Start {
    pub(super) page: Option<Cursor>,
    /// Events of that page that are in the archive.
    pub(super) skip: usize,
}

impl Start {
    /// At the stream's end as it is archived. `None` where nobody wrote down which page that is.
    pub(super) fn of_later_look(archived: &ArchivedStream) -> Option<Self> {
        match &archived.tail {
            Some(tail) => Some(Self { page: tail.page.clone().map(Cursor), skip: tail.events }),
            // A stream is made before its first event is delivered.
            None => (archived.events == 0).then_some(Self { page: None, skip: 0 }),
        }
    }
}

impl<S: StateStore, L: LogSource, O: ObjectStore + CheckpointStore, C: Clock> Archivist<'_, S, L, O, C> {
    /// Archives the n-th stream from a place on.
    pub(super) async fn archive_stream(
        &self,
        work: &mut Work,
        index: usize,
        stream: &LogStream,
        from: Start,
    ) -> Result<(), Interrupted> {
        let Start { page: mut next, mut skip } = from;
        let mut part = Part::new();
        let (mut is_first, mut empty_pages) = (true, 0);
        loop {
            let mut page = match self.collector.source.log_events(stream, next.as_ref()).await {
                Ok(page) => page,
                Err(LogSourceError::CursorInvalid(_)) => return Err(Interrupted::CursorInvalid),
                Err(LogSourceError::Port(error)) if error.may_pass() => return Err(error.into()),
                Err(LogSourceError::Port(refused)) => {
                    self.give_up(work, index, stream, part, refused.to_string(), true).await?;
                    return Ok(());
                }
                Err(missing) if is_first => {
                    let is_refused = matches!(missing, LogSourceError::GroupMissing(_));
                    self.give_up(work, index, stream, part, missing.to_string(), is_refused).await?;
                    return Ok(());
                }
                Err(gone) => return Err(PortError::retryable("log stream", gone).into()),
            };
            is_first = false;
            empty_pages = if page.events.is_empty() { empty_pages + 1 } else { 0 };
            let archived = entry(&mut work.manifest, index)?;
            let events = page.events.len();
            if events > 0 {
                // Where retention has cut the page since, what is left of it is in the archive.
                let page = next.as_ref().map(|cursor| cursor.0.clone());
                archived.tail = Some(Tail { page, events: events.max(skip) });
            }
            page.events.drain(..skip.min(events));
            if events > 0 {
                skip = 0;
            }
            add(&mut part, archived, &page).await?;
            let Some(after) = page.next else {
                self.save_part(work, index, stream, part).await?;
                return Ok(());
            };
            if empty_pages >= EMPTY_PAGES_MAX {
                let why = format!("{EMPTY_PAGES_MAX} pages in a row held no events, and none was the last");
                self.give_up(work, index, stream, part, why, true).await?;
                return Ok(());
            }
            if part.is_full(&self.collector.limits) {
                let full = std::mem::replace(&mut part, Part::new());
                self.save_part(work, index, stream, full).await?;
                self.keep(work, Some(after.0.clone())).await?;
            }
            next = Some(after);
        }
    }

    /// Keeps what was read of a stream, and why there is no more.
    async fn give_up(
        &self,
        work: &mut Work,
        index: usize,
        stream: &LogStream,
        part: Part,
        why: String,
        is_refused: bool,
    ) -> Result<(), PortError> {
        if is_refused {
            warn!(job.id = %self.submission.state.job_id, log.stream = stream.name, %why, "a log stream can't be read");
        }
        self.save_part(work, index, stream, part).await?;
        let archived = entry(&mut work.manifest, index)?;
        (archived.missing, archived.refused) = (Some(why), is_refused);
        Ok(())
    }

    /// Writes a part as an object of its own. A stream that is in one has that as its `key`. An empty part is not
    /// written: the object would cost as much as one with events.
    async fn save_part(
        &self,
        work: &mut Work,
        index: usize,
        stream: &LogStream,
        part: Part,
    ) -> Result<(), PortError> {
        if part.bytes == 0 {
            return Ok(());
        }
        let archived = entry(&mut work.manifest, index)?;
        let is_only = archived.parts.is_empty() && archived.key.is_none();
        let (prefix, now) = (stream_prefix(self.submission, index, stream), self.now.as_millis());
        let is_whole = is_only && !part.is_full(&self.collector.limits);
        let key = if is_whole {
            format!("{prefix}{}.jsonl.gz", work.mark)
        } else {
            format!("{prefix}.{:05}-{now}.jsonl.gz", archived.parts.len())
        };
        work.unsaved_bytes += part.bytes;
        let packed = part.packed().await?;
        if !(is_whole && work.held.hold(index, &key, &packed)) {
            work.held.write_each(self.collector.archive).await?;
            part::save(self.collector.archive, &key, &packed).await?;
        }
        let archived = entry(&mut work.manifest, index)?;
        if is_whole {
            archived.key = Some(key);
        } else {
            archived.parts.push(key);
        }
        Ok(())
    }
}

fn entry(manifest: &mut Manifest, index: usize) -> Result<&mut ArchivedStream, PortError> {
    let why = "its progress names a stream, and it has none";
    manifest.streams.get_mut(index).ok_or_else(|| PortError::permanent("manifest", why))
}

async fn add(part: &mut Part, archived: &mut ArchivedStream, page: &LogPage) -> Result<(), PortError> {
    for event in &page.events {
        part.add(event).await?;
        archived.first_timestamp.get_or_insert(event.timestamp);
        archived.last_timestamp = Some(event.timestamp);
    }
    archived.events += page.events.len() as u64;
    Ok(())
}
