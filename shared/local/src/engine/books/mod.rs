//! The engine's own records: what it must still know after a restart.

mod memory;
mod sqlite;

use super::core::JobRecord;
use crate::domain::{JobId, JobName};

pub use memory::MemoryBooks;
pub use sqlite::{Durability, SqliteBooks};

/// The books could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the engine's books: {0}")]
pub struct BooksError(String);

impl BooksError {
    /// Books that failed, and why.
    pub fn new(cause: impl Into<String>) -> Self {
        Self(cause.into())
    }
}

/// Where records of jobs are kept.
pub trait Books: Send + Sync + 'static {
    /// Whether calls wait for a disk. Then the driver makes them on a thread for that.
    fn wait_for_a_disk(&self) -> bool {
        true
    }

    /// Writes all of the records, or none.
    fn save(&self, records: &[JobRecord]) -> Result<(), BooksError>;

    /// Those of the jobs that are known, in the order of the ids.
    fn load(&self, job_ids: &[JobId]) -> Result<Vec<JobRecord>, BooksError>;

    /// Submissions of exactly that name, without array children, oldest first: at most `limit` of those
    /// after the submission numbered `after`.
    fn named(&self, job_name: &JobName, after: u64, limit: usize) -> Result<Vec<JobRecord>, BooksError>;

    /// Submissions without array children, newest first: at most `limit` of those before the submission
    /// numbered `before`; of unfinished ones alone where `unfinished` says so.
    fn newest(&self, unfinished: bool, before: u64, limit: usize) -> Result<Vec<JobRecord>, BooksError>;

    /// Every job that has not ended.
    fn unfinished(&self) -> Result<Vec<JobRecord>, BooksError>;

    /// The number of the latest submission, 0 where there is none.
    fn last_sequence(&self) -> Result<u64, BooksError>;
}

#[cfg(test)]
pub(crate) mod contract {
    //! What all books must do alike.

    use super::*;
    use crate::domain::JobStatus;
    use crate::engine::core::{MilliVcpus, tests::detail};

    fn record(sequence: u64, id: &str, name: &str, status: JobStatus) -> JobRecord {
        let mut detail = detail(id, name);
        detail.status = status;
        let need = MilliVcpus::ONE;
        JobRecord {
            sequence,
            detail,
            need,
            waiting_on: Vec::new(),
            attempt: None,
            image: None,
            task: None,
            verdict: None,
            setup: Some("a".into()),
        }
    }

    pub(crate) fn books_keep_what_they_are_given(books: &impl Books) {
        let id = |text: &str| JobId::parse(text).unwrap();
        let name = JobName::parse("tile").unwrap();
        assert_eq!(books.last_sequence().unwrap(), 0);
        let first = record(1, "a", "tile", JobStatus::Running);
        let child = record(1, "a:0", "tile", JobStatus::Runnable);
        let third = record(3, "c", "tile", JobStatus::Pending);
        books.save(&[first.clone(), child.clone(), record(2, "b", "other", JobStatus::Failed)]).unwrap();
        books.save(std::slice::from_ref(&third)).unwrap();
        assert_eq!(books.load(&[id("a:0"), id("x"), id("a")]).unwrap(), [child.clone(), first.clone()]);
        assert_eq!(books.last_sequence().unwrap(), 3);
        assert_eq!(books.named(&name, 0, 9).unwrap(), [first.clone(), third.clone()]);
        assert_eq!(books.named(&name, 0, 1).unwrap(), [first]);
        assert_eq!(books.named(&name, 1, 9).unwrap(), std::slice::from_ref(&third));
        let numbers = |unfinished, before, limit| -> Vec<u64> {
            let newest = books.newest(unfinished, before, limit).unwrap();
            newest.iter().map(|record| record.sequence).collect()
        };
        assert_eq!(numbers(false, u64::MAX, 9), [3, 2, 1]);
        assert_eq!(numbers(false, 3, 1), [2]);
        assert_eq!(numbers(true, u64::MAX, 9), [3, 1]);
        assert_eq!(numbers(true, 1, 9), [0; 0]);
        let ended = record(1, "a", "tile", JobStatus::Succeeded);
        books.save(std::slice::from_ref(&ended)).unwrap();
        assert_eq!(books.load(&[id("a")]).unwrap(), [ended]);
        let mut unfinished = books.unfinished().unwrap();
        unfinished.sort_by_key(|record| record.sequence);
        assert_eq!(unfinished, [child, third]);
    }
}
