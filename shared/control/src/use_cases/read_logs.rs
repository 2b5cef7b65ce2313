//! A submission's log, from where it was written or from the archive.

use async_compression::tokio::bufread::GzipDecoder;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::collect_logs::{Manifest, manifest_of, stream_key};
use crate::domain::{LogStream, Submission};
use crate::ports::{LogEvent, LogSource, LogSourceError, ObjectStore, PortError};

/// Calls `each` for every event of every stream of a submission, oldest attempt first, a page at a
/// time. A stream that is gone from its source is read from the archive. Returns the number of events.
pub async fn read_logs<L: LogSource, O: ObjectStore>(
    source: &L,
    archive: &O,
    submission: &Submission,
    mut each: impl FnMut(&LogStream, &LogEvent) + Send,
) -> Result<u64, PortError> {
    let mut events = 0;
    let mut manifest = None;
    for (index, stream) in submission.state.all_log_streams().into_iter().enumerate() {
        let mut count = |event: &LogEvent| {
            events += 1;
            each(stream, event);
        };
        if !from_source(source, stream, &mut count).await? {
            if manifest.is_none() {
                manifest = Some(manifest_of(archive, submission).await?);
            }
            for key in archived_keys(manifest.as_ref().and_then(Option::as_ref), submission, index, stream) {
                from_archive(archive, &key, &mut count).await?;
            }
        }
    }
    Ok(events)
}

/// The objects of the n-th stream: those that the manifest names, or without one the only one there can be.
fn archived_keys(
    manifest: Option<&Manifest>,
    submission: &Submission,
    index: usize,
    stream: &LogStream,
) -> Vec<String> {
    let listed = manifest.and_then(|manifest| manifest.streams.get(index));
    match listed.filter(|listed| listed.log_stream == stream.name) {
        Some(listed) => listed.keys().cloned().collect(),
        None => vec![stream_key(submission, index, stream)],
    }
}

/// `false` where there is no such stream, before any event was handed out.
async fn from_source<L: LogSource>(
    source: &L,
    stream: &LogStream,
    each: &mut (impl FnMut(&LogEvent) + Send),
) -> Result<bool, PortError> {
    let mut cursor = None;
    loop {
        let page = match source.log_events(stream, cursor.as_ref()).await {
            Ok(page) => page,
            Err(LogSourceError::Port(error)) => return Err(error),
            Err(_) if cursor.is_none() => return Ok(false),
            Err(gone) => return Err(PortError::retryable("log stream", gone)),
        };
        page.events.iter().for_each(&mut *each);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(true),
        }
    }
}

async fn from_archive<O: ObjectStore>(
    archive: &O,
    key: &str,
    each: &mut (impl FnMut(&LogEvent) + Send),
) -> Result<(), PortError> {
    let Some(object) = archive.open_object(key).await? else { return Ok(()) };
    let mut lines = BufReader::new(GzipDecoder::new(object)).lines();
    let broken =
        |error: &dyn std::fmt::Display| PortError::permanent("archived log", format!("{key}: {error}"));
    while let Some(line) = lines.next_line().await.map_err(|error| broken(&error))? {
        each(&serde_json::from_str(&line).map_err(|error| broken(&error))?);
    }
    Ok(())
}
