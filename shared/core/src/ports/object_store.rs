//! Where archives, reports and job files lie: S3, or a directory.

use std::future::Future;

use tokio::io::AsyncBufRead;

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
