//! The multipart uploads of this program's processes, so that what a killed one has left behind is found.
//!
//! S3 keeps an upload, and has its parts paid for, until somebody aborts it, and does not tell whose it is: another
//! program's that writes the same key looks the same. So each process keeps a file of its own, and a lock on it,
//! which the system frees when the process ends however that happens.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use batchwright::aws::{OpenUpload, S3Buckets, UploadJournal};
use serde::{Deserialize, Serialize};

/// A process's file, made with its first upload.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    endpoint_url: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Vec<OpenUpload>,
    file: Option<(File, PathBuf)>,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    endpoint_url: Option<String>,
    #[serde(flatten)]
    upload: OpenUpload,
}

impl Journal {
    pub(crate) fn new(folder: PathBuf, endpoint_url: Option<String>) -> Self {
        Self { folder, endpoint_url, state: Mutex::default() }
    }

    /// Aborts the uploads of processes that are gone, for one bucket. Returns how many.
    pub(crate) async fn abort_left_behind(&self, buckets: &S3Buckets, bucket: &str) -> usize {
        let mut aborted = 0;
        for (file, path) in left_behind(&self.folder) {
            let lines: Vec<Line> = read(&path);
            let (here, mut elsewhere): (Vec<Line>, Vec<Line>) = lines
                .into_iter()
                .partition(|line| line.upload.bucket == bucket && line.endpoint_url == self.endpoint_url);
            for line in here {
                match buckets.abort_upload(&line.upload).await {
                    Ok(()) => aborted += 1,
                    Err(_) => elsewhere.push(line),
                }
            }
            // The lock is held until the file tells what is left.
            let _kept = write(&file, &path, &elsewhere);
            drop(file);
        }
        aborted
    }

    fn change(&self, change: impl FnOnce(&mut Vec<OpenUpload>)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.open);
        // A journal that can't be kept must not keep anybody from writing: the bucket's lifecycle rule is left.
        let _kept = self.keep(&mut state);
    }

    fn keep(&self, state: &mut State) -> io::Result<()> {
        if state.file.is_none() {
            fs::create_dir_all(&self.folder)?;
            let path = self.folder.join(format!("{}.jsonl", std::process::id()));
            let file = File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            state.file = Some((file, path));
        }
        let Some((file, path)) = &state.file else { return Ok(()) };
        let endpoint_url = || self.endpoint_url.clone();
        let lines: Vec<Line> = state
            .open
            .iter()
            .map(|upload| Line { endpoint_url: endpoint_url(), upload: upload.clone() })
            .collect();
        write(file, path, &lines)?;
        if lines.is_empty() {
            state.file = None;
        }
        Ok(())
    }
}

impl UploadJournal for Journal {
    fn begun(&self, upload: &OpenUpload) {
        self.change(|open| open.push(upload.clone()));
    }

    fn ended(&self, upload: &OpenUpload) {
        self.change(|open| open.retain(|other| other != upload));
    }
}

/// Files whose processes are gone, locked.
fn left_behind(folder: &Path) -> Vec<(File, PathBuf)> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = paths.filter(|path| path.extension().is_some_and(|it| it == "jsonl"));
    files
        .filter_map(|path| {
            let file = File::options().append(true).open(&path).ok()?;
            match file.try_lock() {
                Ok(()) => Some((file, path)),
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
            }
        })
        .collect()
}

fn read(path: &Path) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Writes the lines in place of those that are there; without any, removes the file.
fn write(mut file: &File, path: &Path, lines: &[Line]) -> io::Result<()> {
    if lines.is_empty() {
        return fs::remove_file(path);
    }
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    file.set_len(0)?;
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(id: &str) -> OpenUpload {
        OpenUpload { bucket: "b".to_owned(), key: "k".to_owned(), upload_id: id.to_owned() }
    }

    #[test]
    fn a_journal_tells_what_is_open_and_is_gone_when_nothing_is() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().join("uploads"), None);
        journal.begun(&upload("1"));
        journal.begun(&upload("2"));
        journal.ended(&upload("1"));
        assert!(left_behind(&journal.folder).is_empty(), "its process lives");
        let path = journal.folder.join(format!("{}.jsonl", std::process::id()));
        let ids: Vec<_> = read(&path).into_iter().map(|line| line.upload.upload_id).collect();
        assert_eq!(ids, ["2"]);
        // As when the process is killed: the system frees the lock.
        let state = std::mem::take(&mut *journal.state.lock().unwrap());
        drop(state);
        assert_eq!(left_behind(&journal.folder).len(), 1);
        let next = Journal::new(journal.folder.clone(), None);
        next.begun(&upload("3"));
        next.ended(&upload("3"));
    }

    #[test]
    fn a_folder_that_can_not_be_made_keeps_nobody_from_writing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let journal = Journal::new(file.path().join("uploads"), None);
        journal.begun(&upload("1"));
        journal.ended(&upload("1"));
        assert!(left_behind(&journal.folder).is_empty());
    }
}
