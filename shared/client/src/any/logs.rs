//! Any source of logs.

use std::sync::Arc;

use super::{argument, erase};
use crate::domain::LogStream;
use crate::ports::{Cursor, LogPage, LogSource, LogSourceError};

/// A handle on any [`LogSource`]. Clones share it.
#[derive(Clone)]
pub struct AnyLogSource(Arc<dyn ErasedLogSource>);

impl AnyLogSource {
    /// Takes a source in.
    pub fn new(source: impl LogSource + 'static) -> Self {
        Self(Arc::new(source))
    }
}

erase! {
    LogSource as ErasedLogSource for AnyLogSource {
        fn log_events(stream: reference LogStream, page: option Cursor) -> Result<LogPage, LogSourceError>;
    }
}
