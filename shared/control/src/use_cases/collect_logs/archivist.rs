//! An archive from its beginning to its end: which streams are read, and when its manifest is written.

use tracing::warn;

use super::held::Held;
use super::manifest::{ArchivedStream, Known, Manifest, Progress, manifest_key};
use super::place::Place;
use super::stream::Start;
use super::{Collector, Look};
use crate::domain::{LogsRecord, NextLook, Submission, Timestamp};
use crate::ports::{CheckpointStore, Clock, Cursor, LogSource, ObjectStore, PortError, StateStore, Version};

/// Makes the archive of one submission.
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
pub(super) enum Interrupted {
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
pub(super) struct Work {
    pub(super) manifest: Manifest,
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
    pub(super) mark: String,
    /// Bytes that no saved manifest tells of.
    pub(super) unsaved_bytes: usize,
    pub(super) held: Held,
}

impl<S: StateStore, L: LogSource, O: ObjectStore + CheckpointStore, C: Clock> Archivist<'_, S, L, O, C> {
    /// Makes the archive, or the rest of it, or adds what has come since.
    pub(super) async fn look(&self, known: Option<Known>, look: Look) -> Result<LogsRecord, Stopped> {
        let is_first = known.is_none();
        let (manifest, place, version) = match known {
            Some(known) => (known.manifest, known.place, known.version),
            None => (None, manifest_key(self.submission), None),
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
            held: Held::new(is_first && now_settled && self.collector.bundle.is_some()),
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
            let archived = work.manifest.streams.get(index);
            let (Some(stream), Some(from)) = (streams.get(index), archived.and_then(Start::of_later_look))
            else {
                continue;
            };
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
        if !is_needless {
            let Collector { archive, bundle, .. } = self.collector;
            match work.held.share(*archive, *bundle, &work.manifest, self.now).await? {
                Some(place) => work.place = place,
                None => self.save_manifest(work).await?,
            }
        }
        Ok(self.keep_record(work.manifest.record(work.place.clone())).await?)
    }

    /// Writes the manifest over the version that was read, after what it tells of.
    async fn save_manifest(&self, work: &mut Work) -> Result<(), Stopped> {
        work.held.write_each(self.collector.archive).await?;
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
        let Collector { store, clock, .. } = self.collector;
        store.save_logs(&self.submission.state.job_id, &record, clock.now()).await?;
        Ok(record)
    }

    /// Writes down how far the archive has come, where the next call finds it; not where a complete archive
    /// would be given up by that.
    pub(super) async fn keep(&self, work: &mut Work, next: Option<String>) -> Result<(), Stopped> {
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
