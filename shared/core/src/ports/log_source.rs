//! Where jobs' logs are written: CloudWatch Logs, or files.

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::{Cursor, PortError};
use crate::domain::{LogStream, Timestamp};

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEvent {
    /// When the job wrote it.
    pub timestamp: Timestamp,
    /// When it was taken in.
    pub ingestion_time: Timestamp,
    /// The line, without its line break.
    pub message: String,
}

/// One page of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// May be empty before the end.
    pub events: Vec<LogEvent>,
    /// Where the next page starts; `None` where nothing more has been written so far.
    pub next: Option<Cursor>,
}

/// Why a page could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogSourceError {
    /// There is no such stream: the container never wrote, or never started.
    #[error("log stream {0:?} does not exist")]
    StreamMissing(String),
    /// There is no such group: the job definition names another, or it was deleted.
    #[error("log group {0:?} does not exist")]
    GroupMissing(String),
    /// The source does not know the page any more: the stream has to be read from its start.
    #[error("the place in log stream {0:?} is not known any more")]
    CursorInvalid(String),
    /// The call failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Pages without events, one after the other, after which a stream is given up: the end is told by a token that
/// comes again, and one that never does would be followed for ever.
pub const EMPTY_PAGES_MAX: u32 = 200;

/// Reads log streams from their start.
pub trait LogSource: Send + Sync {
    /// One page of a stream.
    fn log_events(
        &self,
        stream: &LogStream,
        page: Option<&Cursor>,
    ) -> impl Future<Output = Result<LogPage, LogSourceError>> + Send;
}
