//! Small logs that are archived at the same time share an object: each object that is written costs as much as
//! eight writes of a job's record.
//!
//! Logs that are collected at once gather what they have in memory, wait for each other, and one of them writes it for all. The object is a gzip
//! file of JSON Lines: of each job its events, a member for each stream, and then its manifest. Any part of it can be
//! read by itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_compression::tokio::write::GzipEncoder;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::Manifest;
use super::held::HeldStream;
use super::place::Place;
use crate::domain::Timestamp;
use crate::ports::{CheckpointStore, PortError};

/// Bytes of a job's logs, as gzip, up to which they are small.
pub(super) const SMALL_BYTES: usize = 64 * 1024;

/// Bytes of an object from which on it is written at once.
const FULL_BYTES: usize = 4 * 1024 * 1024;

/// How long a log waits for others that are still being read.
const WAIT: Duration = Duration::from_secs(2);

/// The logs that are collected at once, such as those of an invocation's messages.
#[derive(Debug)]
pub struct Bundle {
    /// How many logs it takes to share an object.
    from: usize,
    /// Logs that are being collected.
    members: AtomicUsize,
    gathered: Mutex<Gathered>,
    /// A log has come, or a member has gone.
    changed: Notify,
}

/// One of the logs that are collected at once, until it is dropped.
#[derive(Debug)]
pub struct Member<'a>(&'a Bundle);

#[derive(Debug, Default)]
struct Gathered {
    key: String,
    bytes: Vec<u8>,
    /// Those that wait to be told whether it was written.
    waiting: Vec<oneshot::Sender<Result<Written, PortError>>>,
    /// Numbers them, over all objects.
    first: u64,
}

/// What became of a log that waited for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It lies in an object with others.
    Shared,
    /// Too few others came: nothing was written.
    Alone,
}

/// The log of a job, small and whole.
pub(super) struct SmallLog<'a> {
    pub(super) streams: &'a [HeldStream],
    pub(super) manifest: &'a Manifest,
    pub(super) now: Timestamp,
}

impl Bundle {
    /// Shares an object among so many small logs or more, 2 at least. Fewer have objects under their jobs' names, because
    /// that is where people look for them.
    pub fn new(from: usize) -> Self {
        Self { from, members: AtomicUsize::default(), gathered: Mutex::default(), changed: Notify::default() }
    }

    /// Counts a log among those that are collected at once, and lets others come.
    pub async fn join(&self) -> Member<'_> {
        self.members.fetch_add(1, Ordering::Relaxed);
        let member = Member(self);
        yield_now().await;
        member
    }

    /// Writes a log together with those of the other members. Returns the place of its manifest; `None` where too few others
    /// came, and nothing was written.
    pub(super) async fn add<O: CheckpointStore>(
        &self,
        archive: &O,
        log: &SmallLog<'_>,
    ) -> Result<Option<String>, PortError> {
        let (tell, mut told) = oneshot::channel();
        let (place, number) = self.gather(log, tell).await?;
        let end = Instant::now() + WAIT;
        loop {
            let changed = self.changed.notified();
            if let Some(gathered) = self.take_if_due(number, end).await {
                return Ok((gathered.put(archive, self.from).await? == Written::Shared).then_some(place));
            }
            tokio::select! {
                answer = &mut told => {
                    let lost = |_| PortError::retryable("archive logs", "who wrote an object for several logs was stopped");
                    return Ok((answer.map_err(lost)?? == Written::Shared).then_some(place));
                }
                () = changed => {}
                () = sleep_until(end), if Instant::now() < end => {}
            }
        }
    }

    /// Appends a log. Returns where its manifest will lie, and its number.
    async fn gather(
        &self,
        log: &SmallLog<'_>,
        tell: oneshot::Sender<Result<Written, PortError>>,
    ) -> Result<(String, u64), PortError> {
        let mut gathered = self.gathered.lock().await;
        if gathered.waiting.is_empty() {
            gathered.bytes.clear();
            // Short, because it stands in each job's item. Where two would be alike, the second is not written.
            let id: String = log.manifest.job_id.as_str().chars().take(8).collect();
            gathered.key = format!("logs/.bundles/{}-{id}.gz", log.now.as_millis());
        }
        let start = gathered.bytes.len();
        let added = gathered.append(log).await;
        let place = added.inspect_err(|_| gathered.bytes.truncate(start))?;
        let number = gathered.first + gathered.waiting.len() as u64;
        gathered.waiting.push(tell);
        self.changed.notify_waiters();
        Ok((place, number))
    }

    /// Takes what was gathered where it is time and the turn of this log: the first that still waits writes.
    async fn take_if_due(&self, number: u64, end: Instant) -> Option<Gathered> {
        let mut gathered = self.gathered.lock().await;
        let at = usize::try_from(number.checked_sub(gathered.first)?).ok()?;
        let is_first =
            at < gathered.waiting.len() && gathered.waiting[..at].iter().all(oneshot::Sender::is_closed);
        let is_due = gathered.waiting.len() >= self.members.load(Ordering::Relaxed)
            || gathered.bytes.len() >= FULL_BYTES
            || Instant::now() >= end;
        if !(is_first && is_due) {
            return None;
        }
        let first = gathered.first + gathered.waiting.len() as u64;
        Some(std::mem::replace(&mut *gathered, Gathered { first, ..Gathered::default() }))
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.0.members.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}

impl Gathered {
    /// Appends streams and manifest. Returns the manifest's place.
    async fn append(&mut self, log: &SmallLog<'_>) -> Result<String, PortError> {
        let mut manifest = log.manifest.clone();
        for HeldStream { index, packed, .. } in log.streams {
            let place = Place::of_part(&self.key, self.bytes.len(), packed.len());
            self.bytes.extend_from_slice(packed);
            if let Some(stream) = manifest.streams.get_mut(*index) {
                stream.key = Some(place);
            }
        }
        let mut json =
            serde_json::to_vec(&manifest).map_err(|error| PortError::permanent("manifest", error))?;
        json.push(b'\n');
        let start = self.bytes.len();
        let packed = gzip(&json).await?;
        self.bytes.extend_from_slice(&packed);
        Ok(Place::of_part(&self.key, start, packed.len()))
    }

    /// Writes it where there are enough, and tells all who wait but the writer itself.
    async fn put<O: CheckpointStore>(self, archive: &O, from: usize) -> Result<Written, PortError> {
        let others: Vec<_> = self.waiting.into_iter().filter(|tell| !tell.is_closed()).collect();
        // The writer's own is among them.
        let written = if others.len() < from.max(2) {
            Ok(Written::Alone)
        } else {
            match archive.save(&self.key, &self.bytes, None).await {
                Ok(Some(_)) => Ok(Written::Shared),
                Ok(None) => Err(PortError::retryable("archive logs", format!("{} is taken", self.key))),
                Err(error) => Err(error),
            }
        };
        for tell in others {
            // One that waits no more will come again: its message is not done.
            let _ = tell.send(written.clone());
        }
        written
    }
}

async fn gzip(bytes: &[u8]) -> Result<Vec<u8>, PortError> {
    let failed = |error| PortError::permanent("gzip", error);
    let mut packed = GzipEncoder::new(Vec::new());
    packed.write_all(bytes).await.map_err(failed)?;
    packed.shutdown().await.map_err(failed)?;
    Ok(packed.into_inner())
}
