//! Writers that are no store's: any `AsyncWrite`, and memory.

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::ports::{ObjectWriter, PortError};

/// Writes to any `AsyncWrite`: a file, standard output, a socket.
#[derive(Debug)]
pub struct AsyncSink<W>(pub W);

impl<W: AsyncWrite + Send + Unpin> ObjectWriter for AsyncSink<W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.0.write_all(bytes).await.map_err(|error| PortError::permanent("write the output", error))
    }

    /// Flushes.
    async fn finish(mut self) -> Result<(), PortError> {
        self.0.flush().await.map_err(|error| PortError::permanent("finish the output", error))
    }
}

/// Holds what is written, up to a bound.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) bytes: Vec<u8>,
    max_bytes: usize,
    pub(super) is_full: bool,
}

impl Memory {
    pub(super) fn up_to(max_bytes: usize) -> Self {
        Self { bytes: Vec::new(), max_bytes, is_full: false }
    }
}

impl ObjectWriter for Memory {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        if self.bytes.len() + bytes.len() > self.max_bytes {
            self.is_full = true;
            return Err(PortError::permanent(
                "hold the output",
                format!("more than {} bytes", self.max_bytes),
            ));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Result<(), PortError> {
        Ok(())
    }
}
