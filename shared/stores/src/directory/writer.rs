//! An object that is being written: a hidden file beside its place, renamed when it is whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::fs::{self, File};
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::port_error;
use crate::ports::{ObjectWriter, PortError};

const WRITE_BUFFER_BYTES: usize = 64 * 1024;

const CREATE: &str = "create an object";

/// Numbers the unfinished files of this process.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

/// Writes one object of a directory. A process that is killed leaves a file `.<pid>-<n>.unfinished`
/// behind, which no key can name.
#[derive(Debug)]
pub struct DirectoryObjectWriter {
    file: BufWriter<File>,
    unfinished: UnfinishedFile,
    path: PathBuf,
}

impl DirectoryObjectWriter {
    pub(super) async fn start(path: PathBuf) -> Result<Self, PortError> {
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory).await.map_err(|error| port_error(CREATE, directory, &error))?;
        let (file, unfinished) =
            create_beside(directory).await.map_err(|error| port_error(CREATE, directory, &error))?;
        Ok(Self { file: BufWriter::with_capacity(WRITE_BUFFER_BYTES, file), unfinished, path })
    }
}

/// A number that a killed process with the same id has left behind is passed over.
async fn create_beside(directory: &Path) -> io::Result<(File, UnfinishedFile)> {
    loop {
        let number = UNFINISHED.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!(".{}-{number}.unfinished", std::process::id()));
        match File::create_new(&path).await {
            Ok(file) => return Ok((file, UnfinishedFile { path, is_finished: false })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

impl ObjectWriter for DirectoryObjectWriter {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        let written = self.file.write_all(bytes).await;
        written.map_err(|error| port_error("write an object", &self.path, &error))
    }

    async fn finish(mut self) -> Result<(), PortError> {
        let finished = async {
            self.file.flush().await?;
            fs::rename(&self.unfinished.path, &self.path).await
        };
        finished.await.map_err(|error| port_error("finish an object", &self.path, &error))?;
        self.unfinished.is_finished = true;
        Ok(())
    }
}

/// Removes the file when it is dropped before it was finished.
#[derive(Debug)]
struct UnfinishedFile {
    path: PathBuf,
    is_finished: bool,
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if !self.is_finished
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(file.path = %self.path.display(), %error, "can't remove an unfinished object");
        }
    }
}
