//! Where archives, reports and job files lie: S3, or a directory.

use std::future::Future;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

use super::PortError;
use crate::domain::SourceVersion;

/// Objects under keys, written and read as streams.
pub trait ObjectStore: Send + Sync {
    /// Reads one object from its start.
    type Reader: AsyncBufRead + Send + Unpin;
    /// Writes one object.
    type Writer: ObjectWriter;

    /// Opens an object; `None` where there is none.
    fn open_object(&self, key: &str) -> impl Future<Output = Result<Option<Self::Reader>, PortError>> + Send;

    /// Opens an object at its byte `first`, counted from 0. `length` bytes from there are asked for; the reader may go on
    /// after them. `None` where there is no such object.
    ///
    /// Unless a store knows better, what lies before is read and passed over.
    fn open_range(
        &self,
        key: &str,
        first: u64,
        length: u64,
    ) -> impl Future<Output = Result<Option<Self::Reader>, PortError>> + Send {
        let _ = length;
        async move {
            let Some(mut reader) = self.open_object(key).await? else { return Ok(None) };
            let mut left = first;
            while left > 0 {
                let read = reader.fill_buf().await;
                let read =
                    read.map_err(|error| PortError::retryable("read an object", format!("{key}: {error}")))?;
                let passed = usize::try_from(left).unwrap_or(usize::MAX).min(read.len());
                if passed == 0 {
                    break;
                }
                reader.consume(passed);
                left -= passed as u64;
            }
            Ok(Some(reader))
        }
    }

    /// Opens one version of an object, or the current one, and tells which it is; `None` where there is none.
    fn open_version(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> impl Future<Output = Result<Option<(Self::Reader, SourceVersion)>, PortError>> + Send;

    /// Starts an object. It appears, or replaces the one under its key, when the writer is finished.
    fn create_object(
        &self,
        key: &str,
        content_type: &str,
    ) -> impl Future<Output = Result<Self::Writer, PortError>> + Send;
}

/// An object that is being written. Dropped before it is finished, it leaves nothing behind.
pub trait ObjectWriter: Send {
    /// Appends.
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Makes the object appear.
    fn finish(self) -> impl Future<Output = Result<(), PortError>> + Send;
}
