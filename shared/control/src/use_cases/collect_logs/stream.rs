//! Streams, one after the other, a part at a time.

use tracing::warn;

use super::bundle::{SMALL_BYTES, SmallLog};
use super::manifest::{ArchiveState, ArchivedStream, Known, Manifest, Progress, Tail, manifest_key};
use super::part::{self, Part};
use super::place::Place;
use super::{Collector, Look, stream_prefix};
use crate::domain::{LogStream, LogsRecord, NextLook, Submission, Timestamp};
use crate::ports::{
    CheckpointStore, Clock, Cursor, EMPTY_PAGES_MAX, LogPage, LogSource, LogSourceError, ObjectStore,
    PortError, StateStore, Version,
};

/// What makes one archive needs.
pub(super) struct Archivist<'a, S, L, O, C> {
    pub(super) collector: &'a Collector<'a, S, L, O, C>,
    pub(super) submission: &'a Submission,
    /// When this call began. It is in the keys of objects, so that calls at once don't write the same ones.
    pub(super) now: Timestamp,
}

/// Why a look ended early.
pub(super) enum Stopped {
    /// A port failed.
    Port(PortError),
    /// Another call has written the manifest meanwhile.
    Overtaken,
}

impl From<PortError> for Stopped {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

/// Why a stream was not read on.
enum Interrupted {
    Stopped(Stopped),
    /// The source has forgotten the place.
    CursorInvalid,
}

impl From<Stopped> for Interrupted {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

impl From<PortError> for Interrupted {
    fn from(error: PortError) -> Self {
        Self::Stopped(error.into())
    }
}

/// An archive on its way.
struct Work {
    manifest: Manifest,
    /// Where the manifest lies.
    place: String,
    /// Of the manifest's object, as far as this call knows.
    version: Option<Version>,
    /// The complete archive that is there already: it stays in place until this one is finished.
    complete: Option<Manifest>,
    /// Events at the look before, where this is a later one.
    before: Option<u64>,
    /// What tells its objects from those of another look: a call that began before the log had settled, and one that
    /// reads a complete archive's log again, must not write over what others have read since.
    mark: String,
    /// Bytes that no saved manifest tells of.
    unsaved_bytes: usize,
    /// Streams that the manifest tells of and that are not written yet, packed, by their places in it: they may become
    /// part of a bundle. `None` where they are written at once.
    held: Option<Vec<(usize, Vec<u8>)>>,
}

impl Work {
    /// Holds a stream back while all that is held is small.
    fn hold(&mut self, index: usize, packed: &[u8]) -> bool {
        let Some(held) = &mut self.held else { return false };
        let bytes: usize = held.iter().map(|(_, held)| held.len()).sum();
        let is_small = bytes + packed.len() <= SMALL_BYTES;
        if is_small {
            held.push((index, packed.to_vec()));
        }
        is_small
    }
}

/// Where a stream is read on.
struct Start {
    page: Option<Cursor>,
    /// Events of that page that are in the archive.
    skip: usize,
}

impl<S: StateStore, L: LogSource, O: ObjectStore + CheckpointStore, C: Clock> Archivist<'_, S, L, O, C> {
    /// Makes the archive, or the rest of it, or adds what has come since.
    pub(super) async fn look(&self, known: Option<Known>, look: Look) -> Result<LogsRecord, Stopped> {
        let is_first = known.is_none();
        let own = || manifest_key(self.submission);
        let (manifest, place, version) = match known {
            Some(known) => (known.manifest, known.place, known.version),
            None => (None, own(), None),
        };
        let complete = manifest.clone().filter(|manifest| manifest.complete && manifest.progress.is_none());
        let had_settled =
            |manifest: &Manifest| manifest.had_settled(self.submission, self.collector.policy.settle_ms);
        let now_settled = had_settled(&Manifest::new(self.submission, self.now));
        let settled = manifest.filter(|manifest| had_settled(manifest) || !now_settled);
        let anew = |version| Work {
            manifest: Manifest::new(self.submission, self.now),
            place: place.clone(),
            version,
            complete: complete.clone(),
            before: None,
            mark: match (&complete, now_settled) {
                (Some(_), _) => format!("-{}", self.now.as_millis()),
                (None, true) => String::new(),
                (None, false) => ".early".to_owned(),
            },
            unsaved_bytes: 0,
            held: (is_first && now_settled && self.collector.bundle.is_some()).then(Vec::new),
        };
        let is_later =
            settled.as_ref().is_some_and(|manifest| manifest.progress.is_none() && manifest.looks > 0);
        let begun = match settled {
            Some(begun) if look == Look::WhenDue && (begun.progress.is_some() || is_later) => begun,
            _ => return self.archive_anew(anew(version)).await,
        };
        let mut work = Work { manifest: begun, ..anew(version.clone()) };
        let went_on =
            if is_later { self.look_again(&mut work).await } else { self.go_on(&mut work, true).await };
        match went_on {
            Ok(record) => Ok(record),
            Err(Interrupted::Stopped(stopped)) => Err(stopped),
            Err(Interrupted::CursorInvalid) => {
                warn!(job.id = %self.submission.state.job_id, "the log source has forgotten the place: the archive is begun anew");
                self.archive_anew(anew(work.version)).await
            }
        }
    }

    async fn archive_anew(&self, mut work: Work) -> Result<LogsRecord, Stopped> {
        work.manifest.looks = work.complete.as_ref().map_or(0, |complete| complete.looks);
        match self.go_on(&mut work, false).await {
            Ok(record) => Ok(record),
            Err(Interrupted::Stopped(stopped)) => Err(stopped),
            Err(Interrupted::CursorInvalid) => {
                let why = "the log source does not know a place that it has just named";
                Err(PortError::retryable("read a log", why).into())
            }
        }
    }

    /// Reads every stream from where the manifest stands to its end.
    async fn go_on(&self, work: &mut Work, is_continued: bool) -> Result<LogsRecord, Interrupted> {
        let streams = self.submission.state.all_log_streams();
        loop {
            let next = work.manifest.progress.take().and_then(|progress| progress.next).map(Cursor);
            let begun = next.is_some() && !work.manifest.streams.is_empty();
            let index = work.manifest.streams.len() - usize::from(begun);
            let Some(stream) = streams.get(index) else { break };
            if !begun {
                work.manifest.streams.push(ArchivedStream::new(stream));
            }
            self.archive_stream(work, index, stream, Start { page: next, skip: 0 }).await?;
            if work.unsaved_bytes >= self.collector.limits.bytes {
                self.keep(work, None).await?;
            }
        }
        self.finish(work, is_continued).await
    }

    /// Looks again at a log that had settled: for more at the ends of its streams, and, from the first that was
    /// missing or refused on, for all of them.
    async fn look_again(&self, work: &mut Work) -> Result<LogsRecord, Interrupted> {
        work.before = Some(work.manifest.events);
        work.manifest.collected_at = self.now;
        let streams = self.submission.state.all_log_streams();
        let gap = work.manifest.streams.iter().position(|stream| stream.missing.is_some());
        for index in 0..gap.unwrap_or(work.manifest.streams.len()) {
            let tail = work.manifest.streams.get(index).and_then(|archived| archived.tail.clone());
            let (Some(stream), Some(tail)) = (streams.get(index), tail) else { continue };
            let from = Start { page: tail.page.map(Cursor), skip: tail.events };
            self.archive_stream(work, index, stream, from).await?;
        }
        if let Some(gap) = gap {
            work.manifest.streams.truncate(gap);
            work.manifest.progress = Some(Progress { next: None });
            return self.go_on(work, false).await;
        }
        self.finish(work, false).await
    }

    async fn finish(&self, work: &mut Work, is_continued: bool) -> Result<LogsRecord, Interrupted> {
        let settle_ms = self.collector.policy.settle_ms;
        let Work { manifest, complete, before, .. } = work;
        let events: u64 = manifest.streams.iter().map(|stream| stream.events).sum();
        let news = before.is_some_and(|before| events > before);
        manifest.finish(self.submission, settle_ms, is_continued, news, self.collector.clock.now());
        // What retention has taken since must not be taken from the archive.
        if let Some(complete) = complete.take().filter(|complete| complete.events > manifest.events) {
            let (looks, next_look) = (manifest.looks, manifest.next_look);
            *manifest = Manifest { looks, next_look, ..complete };
        }
        // A later look that found nothing, and is the last one, has nothing to add to the manifest: an object costs as much as
        // eight writes of the record.
        let is_whole = manifest.streams.iter().all(|stream| stream.missing.is_none());
        let adds_nothing = before.is_some_and(|before| before == events) && is_whole;
        let is_needless = adds_nothing && manifest.next_look == Some(NextLook::Never);
        if !is_needless && !self.bundled(work).await? {
            self.save_manifest(work).await?;
        }
        Ok(self.keep_record(work.manifest.record(work.place.clone())).await?)
    }

    /// Writes an archive that is small and whole together with others, where there are any.
    async fn bundled(&self, work: &mut Work) -> Result<bool, PortError> {
        let (Some(bundle), Some(streams)) = (self.collector.bundle, &work.held) else { return Ok(false) };
        if !matches!(work.manifest.state, ArchiveState::Complete | ArchiveState::NotInCloudwatch) {
            return Ok(false);
        }
        let job_id = &self.submission.state.job_id;
        let log = SmallLog { streams, manifest: &work.manifest, job_id, now: self.now };
        let Some(place) = bundle.add(self.collector.archive, &log).await? else { return Ok(false) };
        (work.place, work.held) = (place, None);
        Ok(true)
    }

    /// Writes the streams that were held, each as an object. From here on none is.
    async fn write_held(&self, work: &mut Work) -> Result<(), PortError> {
        for (index, packed) in work.held.take().into_iter().flatten() {
            if let Some(key) = &entry(&mut work.manifest, index)?.key {
                part::save(self.collector.archive, key, &packed).await?;
            }
        }
        Ok(())
    }

    /// Writes the manifest over the version that was read, after what it tells of.
    async fn save_manifest(&self, work: &mut Work) -> Result<(), Stopped> {
        self.write_held(work).await?;
        let own = manifest_key(self.submission);
        if Place::of(&work.place).bytes.is_some() {
            // What lies in the bundle stays there. An object of its own may be there from before.
            work.version = self.collector.archive.load(&own).await?.map(|stored| stored.version);
        }
        let saved =
            work.manifest.save(self.collector.archive, self.submission, work.version.as_ref()).await?;
        (work.version, work.place) = (Some(saved.ok_or(Stopped::Overtaken)?), own);
        Ok(())
    }

    /// Writes down in the store where the archive is. Returns it.
    pub(super) async fn keep_record(&self, record: LogsRecord) -> Result<LogsRecord, PortError> {
        self.collector
            .store
            .save_logs(&self.submission.state.job_id, &record, self.collector.clock.now())
            .await?;
        Ok(record)
    }

    /// Archives the n-th stream from a place on.
    async fn archive_stream(
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
        if part.bytes > 0 {
            self.save_part(work, index, stream, part).await?;
        }
        let archived = entry(&mut work.manifest, index)?;
        (archived.missing, archived.refused) = (Some(why), is_refused);
        Ok(())
    }

    /// Writes a part as an object of its own. A stream that is in one has that as its `key`, also an empty one.
    async fn save_part(
        &self,
        work: &mut Work,
        index: usize,
        stream: &LogStream,
        part: Part,
    ) -> Result<(), PortError> {
        let archived = entry(&mut work.manifest, index)?;
        let is_only = archived.parts.is_empty() && archived.key.is_none();
        if part.bytes == 0 && !is_only {
            return Ok(());
        }
        let (prefix, now) = (stream_prefix(self.submission, index, stream), self.now.as_millis());
        let is_whole = is_only && !part.is_full(&self.collector.limits);
        let key = if is_whole {
            format!("{prefix}{}.jsonl.gz", work.mark)
        } else {
            format!("{prefix}.{:05}-{now}.jsonl.gz", archived.parts.len())
        };
        work.unsaved_bytes += part.bytes;
        let packed = part.packed().await?;
        if !(is_whole && work.hold(index, &packed)) {
            self.write_held(work).await?;
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

    /// Writes down how far the archive has come, where the next call finds it; not where a complete archive
    /// would be given up by that.
    async fn keep(&self, work: &mut Work, next: Option<String>) -> Result<(), Stopped> {
        if work.complete.is_some() {
            return Ok(());
        }
        work.manifest.go_on_after(next);
        self.save_manifest(work).await?;
        work.unsaved_bytes = 0;
        self.keep_record(work.manifest.record(work.place.clone())).await?;
        work.manifest.progress = None;
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
