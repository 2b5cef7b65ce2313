//! A part of a stream's archive, held until it is full or the stream ends: its key depends on which.

use async_compression::tokio::write::GzipEncoder;
use tokio::io::AsyncWriteExt;

use crate::ports::{LogEvent, ObjectStore, ObjectWriter, PortError};

/// When a part is full. It may exceed this by one page of the log source.
#[derive(Debug, Clone, Copy)]
pub struct PartLimits {
    /// Bytes of JSON Lines: a part is what a slow source gives in a small part of a function's time.
    pub bytes: usize,
    /// Bytes of gzip, which are held.
    pub compressed_bytes: usize,
}

impl Default for PartLimits {
    fn default() -> Self {
        Self { bytes: 32 * 1024 * 1024, compressed_bytes: 7 * 1024 * 1024 }
    }
}

pub(super) struct Part {
    gzip: GzipEncoder<Vec<u8>>,
    pub(super) bytes: usize,
}

impl Part {
    pub(super) fn new() -> Self {
        Self { gzip: GzipEncoder::new(Vec::new()), bytes: 0 }
    }

    pub(super) async fn add(&mut self, event: &LogEvent) -> Result<(), PortError> {
        let mut line = serde_json::to_vec(event).map_err(|error| PortError::permanent("log event", error))?;
        line.push(b'\n');
        self.bytes += line.len();
        self.gzip.write_all(&line).await.map_err(|error| PortError::permanent("gzip", error))
    }

    pub(super) fn is_full(&self, limits: &PartLimits) -> bool {
        self.bytes >= limits.bytes || self.gzip.get_ref().len() >= limits.compressed_bytes
    }

    /// A gzip file of its own.
    pub(super) async fn packed(mut self) -> Result<Vec<u8>, PortError> {
        self.gzip.shutdown().await.map_err(|error| PortError::permanent("gzip", error))?;
        Ok(self.gzip.into_inner())
    }
}

/// Writes a packed part as an object.
pub(super) async fn save<O: ObjectStore>(archive: &O, key: &str, packed: &[u8]) -> Result<(), PortError> {
    let mut object = archive.create_object(key, "application/x-ndjson").await?;
    object.write(packed).await?;
    object.finish().await
}
