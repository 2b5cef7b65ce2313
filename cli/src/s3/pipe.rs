//! What is written as it comes: standard output, FIFOs, devices.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use batchwright::ports::{ConditionalWriter, ObjectWriter, PortError, Written};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// Writes in place. What was written before a failure stays written.
pub(crate) struct Pipe {
    name: String,
    out: Box<dyn AsyncWrite + Send + Unpin>,
    /// Set where nobody reads the other end any more.
    reader_is_gone: Arc<AtomicBool>,
}

impl Pipe {
    pub(crate) fn standard_output(reader_is_gone: Arc<AtomicBool>) -> Self {
        Self { name: "stdout".to_owned(), out: Box::new(tokio::io::stdout()), reader_is_gone }
    }

    /// Opens what is there. Of a FIFO that waits for its reader.
    pub(crate) async fn open(path: &Path, reader_is_gone: Arc<AtomicBool>) -> Result<Self, PortError> {
        let opened = tokio::fs::File::options().write(true).open(path).await;
        let name = path.display().to_string();
        match opened {
            Ok(file) => Ok(Self { name, out: Box::new(file), reader_is_gone }),
            Err(error) => Err(PortError::permanent("write in place", format!("{name}: {error}"))),
        }
    }

    fn failed(&self, error: &std::io::Error) -> PortError {
        if error.kind() == ErrorKind::BrokenPipe {
            self.reader_is_gone.store(true, Ordering::Relaxed);
        }
        PortError::permanent("write in place", format!("{}: {error}", self.name))
    }
}

impl ObjectWriter for Pipe {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.out.write_all(bytes).await.map_err(|error| self.failed(&error))
    }

    async fn finish(mut self) -> Result<(), PortError> {
        self.out.flush().await.map_err(|error| self.failed(&error))
    }
}

impl ConditionalWriter for Pipe {
    async fn commit(self) -> Result<Written, PortError> {
        self.finish().await?;
        Ok(Written::Done { etag: None })
    }

    async fn abort(mut self) {
        // What has come so far is all there is; a reader that is gone has had enough.
        let _flushed = self.out.flush().await;
    }
}
