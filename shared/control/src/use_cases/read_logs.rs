//! A submission's log, from the archive or from where it was written.

use async_compression::tokio::bufread::GzipDecoder;
use tokio::io::{AsyncBufReadExt, BufReader};
use tracing::warn;

use super::collect_logs::{ArchivedStream, Manifest, Place, open_manifest, stream_key};
use crate::domain::{LogStream, Submission};
use crate::ports::{EMPTY_PAGES_MAX, ErrorKind, LogEvent, LogSource, LogSourceError, ObjectStore, PortError};

/// Calls `each` for every event of every stream of a submission, oldest attempt first, a page at a time. Returns
/// the number of events.
///
/// What a complete archive holds is read from there: a stream outlives its events, so an empty one says nothing.
/// The source serves what the archive lacks, and the archive what the source lacks. A stream that can't be read
/// keeps none of the others from being read: it is the error at the end. So is an archive that is gone or can't be read,
/// where the source no longer has what it held.
pub async fn read_logs<L: LogSource, O: ObjectStore>(
    source: &L,
    archive: &O,
    submission: &Submission,
    mut each: impl FnMut(&LogStream, &LogEvent) + Send,
) -> Result<u64, PortError> {
    let (mut events, mut failed) = (0, None);
    let (manifest, lost) = match &submission.logs {
        Some(logs) => match open_manifest(archive, &logs.manifest_key).await {
            Ok(manifest) => (Some(manifest), None),
            Err(error) if error.may_pass() => return Err(error),
            // The source may have it all the same.
            Err(error) => (None, Some((logs.events, error))),
        },
        None => (None, None),
    };
    for (index, stream) in submission.state.all_log_streams().into_iter().enumerate() {
        let mut count = |event: &LogEvent| {
            events += 1;
            each(stream, event);
        };
        let archived = Archived::find(manifest.as_ref(), submission, index, stream);
        if let Err(error) = read_stream(source, archive, stream, &archived, &mut count).await {
            warn!(log.stream = stream.name, %error, "a log stream can't be read");
            failed.get_or_insert(error);
        }
    }
    match (failed, lost) {
        (Some(error), _) => Err(error),
        (None, Some((archived, error))) if events < archived => Err(error),
        (None, _) => Ok(events),
    }
}

/// What the archive has of a stream.
struct Archived {
    /// The objects with its events, none where it had none. `None`: it was not read.
    keys: Option<Vec<String>>,
    /// All that there is.
    is_whole: bool,
    /// There are events in the objects.
    has_events: bool,
}

impl Archived {
    /// The objects that the manifest names, or without one the only one there can be.
    fn find(manifest: Option<&Manifest>, submission: &Submission, index: usize, stream: &LogStream) -> Self {
        let is_it = |listed: &&ArchivedStream| listed.log_stream == stream.name;
        match (manifest, manifest.and_then(|manifest| manifest.streams.get(index)).filter(is_it)) {
            (Some(manifest), Some(listed)) => Self {
                keys: listed.was_read().then(|| listed.keys().cloned().collect()),
                is_whole: manifest.complete && listed.missing.is_none(),
                has_events: listed.events > 0,
            },
            _ => Self {
                keys: Some(vec![stream_key(submission, index, stream)]),
                is_whole: false,
                has_events: false,
            },
        }
    }

    fn lost(&self) -> PortError {
        let key = self.keys.iter().flatten().next().map_or("its object", String::as_str);
        PortError::permanent("archived log", format!("{key}: it is not there"))
    }
}

async fn read_stream<L: LogSource, O: ObjectStore>(
    source: &L,
    archive: &O,
    stream: &LogStream,
    archived: &Archived,
    each: &mut (impl FnMut(&LogEvent) + Send),
) -> Result<(), PortError> {
    if archived.is_whole && from_archive(archive, archived, each).await? {
        return Ok(());
    }
    match from_source(source, stream, each).await {
        Ok(true) => Ok(()),
        Ok(false) if from_archive(archive, archived, each).await? => Ok(()),
        Ok(false) if archived.has_events => Err(archived.lost()),
        Ok(false) => Ok(()),
        Err(error) if error.may_pass() => Err(error),
        // Refused to this reader: what is archived may be read all the same.
        Err(refused) => match from_archive(archive, archived, each).await {
            Ok(true) => Ok(()),
            _ => Err(refused),
        },
    }
}

/// `false` where there is no such stream or no event in it. Errs where nothing, or not all, could be read.
async fn from_source<L: LogSource>(
    source: &L,
    stream: &LogStream,
    each: &mut (impl FnMut(&LogEvent) + Send),
) -> Result<bool, PortError> {
    let mut cursor = None;
    let (mut found, mut empty_pages) = (false, 0);
    loop {
        let page = match source.log_events(stream, cursor.as_ref()).await {
            Ok(page) => page,
            // With events handed out already, the archive's would come twice.
            Err(LogSourceError::Port(mut error)) if found => {
                error.kind = ErrorKind::Retryable;
                return Err(error);
            }
            Err(LogSourceError::Port(error)) => return Err(error),
            Err(_) if !found => return Ok(false),
            Err(gone) => return Err(PortError::retryable("log stream", gone)),
        };
        empty_pages = if page.events.is_empty() { empty_pages + 1 } else { 0 };
        found |= !page.events.is_empty();
        page.events.iter().for_each(&mut *each);
        match page.next {
            Some(next) if empty_pages < EMPTY_PAGES_MAX => cursor = Some(next),
            _ => return Ok(found),
        }
    }
}

/// `false` where the archive has nothing of the stream, or the first object is not there.
async fn from_archive<O: ObjectStore>(
    archive: &O,
    archived: &Archived,
    each: &mut (impl FnMut(&LogEvent) + Send),
) -> Result<bool, PortError> {
    let Some(keys) = &archived.keys else { return Ok(false) };
    for (number, key) in keys.iter().enumerate() {
        let broken =
            |error: &dyn std::fmt::Display| PortError::retryable("archived log", format!("{key}: {error}"));
        let object = match Place::of(key).open(archive).await? {
            Some(object) => object,
            None if number == 0 => return Ok(false),
            None => return Err(broken(&"the object is missing")),
        };
        let mut lines = BufReader::new(GzipDecoder::new(object)).lines();
        while let Some(line) = lines.next_line().await.map_err(|error| broken(&error))? {
            each(&serde_json::from_str(&line).map_err(|error| broken(&error))?);
        }
    }
    Ok(true)
}
