//! Where results go when their place fails: never to nothing.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::super::FanOutError;
use super::super::ledger::{Kept, LineWriter};
use super::failed;
use crate::ports::PortError;

/// The last place, which is no file but is seen.
const STANDARD_ERROR: &str = "/dev/stderr";

/// A file that takes the place of another.
#[derive(Debug)]
pub(super) struct Elsewhere {
    /// Whose place it takes.
    of: PathBuf,
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
}

impl Elsewhere {
    /// Puts lines into a new file: in the folder of the program, among the system's temporary files, or at last
    /// on standard error.
    pub(super) fn holding(place: &Path, lines: &[u8]) -> Result<Self, FanOutError> {
        let name =
            place.file_name().map_or_else(|| "results".into(), |name| name.to_string_lossy().into_owned());
        let folders = [PathBuf::from("."), std::env::temp_dir()];
        let files = folders.iter().flat_map(|folder| {
            (1..=100).map(|number| folder.join(format!("{name}.rest-{number}.jsonl"))).collect::<Vec<_>>()
        });
        let mut last = None;
        for path in files.chain([PathBuf::from(STANDARD_ERROR)]) {
            let is_new = path != Path::new(STANDARD_ERROR);
            let opened = OpenOptions::new().append(true).create_new(is_new).open(&path);
            let written = opened.and_then(|mut file| file.write_all(lines).map(|()| file));
            match written {
                Ok(file) => return Ok(Self { of: place.to_owned(), path, file, length: lines.len() as u64 }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let _left_empty = if is_new { std::fs::remove_file(&path) } else { Ok(()) };
                    last = Some(failed(&path, &error));
                }
            }
        }
        Err(last.unwrap_or_else(|| PortError::permanent("write results", "no place is left").into()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes lines, into yet another place where this one fails too.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), FanOutError> {
        let Err(error) = self.file.write_all(lines) else {
            self.length += lines.len() as u64;
            return Ok(());
        };
        // A part of a line is no result.
        let _if_it_can = self.file.set_len(self.length);
        let next = Self::holding(&self.of, lines)?;
        let (path, next_path) = (self.path.display(), next.path.display());
        tracing::warn!("{path} can't be written either: {error}; what is missing there is in {next_path}");
        *self = next;
        Ok(())
    }
}

/// Standard output, or whatever else is written without a look back: a pipe, a device.
#[derive(Debug)]
pub struct StandardOutput {
    file: std::sync::Arc<File>,
    name: String,
    elsewhere: Option<Elsewhere>,
}

impl StandardOutput {
    /// Over a stream; its name is for messages.
    pub fn new(file: File, name: &str) -> Self {
        Self { file: std::sync::Arc::new(file), name: name.to_owned(), elsewhere: None }
    }
}

impl LineWriter for StandardOutput {
    async fn write_lines(&mut self, lines: &[u8]) -> Result<Kept, PortError> {
        let place = |error: FanOutError| PortError::permanent("write results", error);
        if let Some(elsewhere) = &mut self.elsewhere {
            return elsewhere.write(lines).map(|()| Kept::Well).map_err(place);
        }
        // A pipe that nobody reads blocks: that must not hold up the loop.
        let (file, bytes) = (std::sync::Arc::clone(&self.file), lines.to_vec());
        let written = tokio::task::spawn_blocking(move || write_counted(&file, &bytes)).await;
        let written = written.map_err(|error| PortError::permanent("write results", error))?;
        let Err((count, error)) = written else { return Ok(Kept::Well) };
        let whole = lines[..count].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let elsewhere = Elsewhere::holding(Path::new("results"), &lines[whole..]).map_err(place)?;
        let why = format!(
            "{} can't be written: {error}; the results that are missing there are in {}",
            self.name,
            elsewhere.path().display()
        );
        self.elsewhere = Some(elsewhere);
        Ok(Kept::Elsewhere(why))
    }
}

/// Writes all, or says how much of it was written.
fn write_counted(mut file: &File, bytes: &[u8]) -> Result<(), (usize, std::io::Error)> {
    let mut count = 0;
    while count < bytes.len() {
        match file.write(&bytes[count..]) {
            Ok(0) => return Err((count, std::io::ErrorKind::WriteZero.into())),
            Ok(written) => count += written,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err((count, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_place_fails_too_there_is_another_and_whole_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().file_name().unwrap();
        let first = Elsewhere::holding(Path::new(name), b"1\n").unwrap();
        // It can't be written any more.
        let mut elsewhere = Elsewhere { file: File::open(&first.path).unwrap(), ..first };
        let before = elsewhere.path.clone();
        elsewhere.write(b"2\n").unwrap();
        elsewhere.write(b"3\n").unwrap();
        assert_ne!(elsewhere.path, before);
        let read = [&before, &elsewhere.path].map(|path| std::fs::read_to_string(path).unwrap());
        assert_eq!(read, ["1\n", "2\n3\n"]);
        [&before, &elsewhere.path].iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
}
