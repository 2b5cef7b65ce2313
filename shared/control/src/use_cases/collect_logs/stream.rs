//! Streams, one after the other, a part at a time.

use tracing::warn;

use super::manifest::{ArchivedStream, Manifest};
use super::part::{Part, PartLimits};
use super::{CollectPolicy, stream_key, stream_prefix};
use crate::domain::{LogStream, LogsRecord, Submission, Timestamp};
use crate::ports::{Clock, Cursor, LogPage, LogSource, LogSourceError, ObjectStore, PortError, StateStore};

/// What makes one archive needs.
pub(super) struct Archivist<'a, S, L, O, C> {
    pub(super) store: &'a S,
    pub(super) source: &'a L,
    pub(super) archive: &'a O,
    pub(super) clock: &'a C,
    pub(super) policy: &'a CollectPolicy,
    pub(super) limits: &'a PartLimits,
    pub(super) submission: &'a Submission,
    /// When this call began. It is in the keys of parts, so that calls at once don't write the same objects.
    pub(super) now: Timestamp,
}

impl<S: StateStore, L: LogSource, O: ObjectStore, C: Clock> Archivist<'_, S, L, O, C> {
    /// Makes the archive, or the rest of it.
    pub(super) async fn archive(&self, mut manifest: Manifest) -> Result<LogsRecord, PortError> {
        let streams = self.submission.state.all_log_streams();
        let is_continued = manifest.progress.is_some();
        let mut unsaved_bytes = 0;
        loop {
            let next = manifest.progress.take().and_then(|progress| progress.next).map(Cursor);
            let index = manifest.streams.len() - usize::from(next.is_some() && !manifest.streams.is_empty());
            let Some(stream) = streams.get(index) else { break };
            if next.is_none() {
                manifest.streams.push(ArchivedStream::new(stream));
            }
            unsaved_bytes += self.archive_stream(&mut manifest, index, stream, next).await?;
            manifest.progress = None;
            if unsaved_bytes >= self.limits.bytes {
                self.keep(&mut manifest, None).await?;
                unsaved_bytes = 0;
            }
        }
        manifest.finish(self.submission, self.policy.settle_ms, is_continued);
        let record = manifest.save(self.archive, self.submission).await?;
        self.store.save_logs(&manifest.job_id, &record, self.clock.now()).await?;
        Ok(record)
    }

    /// Archives the n-th stream from a place on: the last one of the manifest. Returns the bytes that it has
    /// beyond the parts that were kept.
    async fn archive_stream(
        &self,
        manifest: &mut Manifest,
        index: usize,
        stream: &LogStream,
        mut next: Option<Cursor>,
    ) -> Result<usize, PortError> {
        let mut part = Part::new();
        let mut is_first = true;
        loop {
            let page = match self.source.log_events(stream, next.as_ref()).await {
                Ok(page) => page,
                Err(LogSourceError::Port(error)) => return Err(error),
                Err(LogSourceError::Unreadable(why)) => {
                    let job_id = &self.submission.state.job_id;
                    warn!(job.id = %job_id, why, "a log is archived only in part, as its manifest says");
                    let archived = last_of(manifest)?;
                    archived.missing = Some(why);
                    archived.unreadable = true;
                    return self.end_stream(part, archived, index, stream).await;
                }
                Err(missing) if is_first => {
                    last_of(manifest)?.missing = Some(missing.to_string());
                    return Ok(0);
                }
                Err(gone) => return Err(PortError::retryable("log stream", gone)),
            };
            is_first = false;
            let archived = last_of(manifest)?;
            add(&mut part, archived, &page).await?;
            let Some(after) = page.next else {
                return self.end_stream(part, archived, index, stream).await;
            };
            if part.is_full(self.limits) {
                let full = std::mem::replace(&mut part, Part::new());
                self.save_part(full, archived, index, stream).await?;
                self.keep(manifest, Some(after.0.clone())).await?;
            }
            next = Some(after);
        }
    }

    /// Saves what is left of a stream. Returns its bytes.
    async fn end_stream(
        &self,
        part: Part,
        archived: &mut ArchivedStream,
        index: usize,
        stream: &LogStream,
    ) -> Result<usize, PortError> {
        let bytes = part.bytes;
        if archived.parts.is_empty() {
            let key = stream_key(self.submission, index, stream);
            part.save(self.archive, &key).await?;
            archived.key = Some(key);
        } else if bytes > 0 {
            self.save_part(part, archived, index, stream).await?;
        }
        Ok(bytes)
    }

    async fn save_part(
        &self,
        part: Part,
        archived: &mut ArchivedStream,
        index: usize,
        stream: &LogStream,
    ) -> Result<(), PortError> {
        let prefix = stream_prefix(self.submission, index, stream);
        let key = format!("{prefix}.{:05}-{}.jsonl.gz", archived.parts.len(), self.now.as_millis());
        part.save(self.archive, &key).await?;
        archived.parts.push(key);
        Ok(())
    }

    /// Writes down how far the archive has come, where the next call finds it.
    async fn keep(&self, manifest: &mut Manifest, next: Option<String>) -> Result<(), PortError> {
        manifest.go_on_after(next);
        let record = manifest.save(self.archive, self.submission).await?;
        self.store.save_logs(&manifest.job_id, &record, self.clock.now()).await?;
        Ok(())
    }
}

fn last_of(manifest: &mut Manifest) -> Result<&mut ArchivedStream, PortError> {
    let why = "its progress names a stream, and it has none";
    manifest.streams.last_mut().ok_or_else(|| PortError::permanent("manifest", why))
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
