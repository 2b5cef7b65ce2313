//! Books in memory: for simulations and tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Books, BooksError};
use crate::domain::{JobId, JobName};
use crate::engine::core::JobRecord;

/// Keeps every job, also finished ones, until it is dropped.
#[derive(Debug, Default)]
pub struct MemoryBooks {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    records: HashMap<JobId, JobRecord>,
    by_name: HashMap<JobName, BTreeMap<u64, JobId>>,
    last_sequence: u64,
}

impl MemoryBooks {
    /// A save is one insertion after another that can't panic, so a poisoned lock holds whole records.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books for MemoryBooks {
    fn wait_for_a_disk(&self) -> bool {
        false
    }

    fn save(&self, records: &[JobRecord]) -> Result<(), BooksError> {
        let mut shelf = self.shelf();
        for record in records {
            shelf.last_sequence = shelf.last_sequence.max(record.sequence);
            if record.job_id().parent().is_none() {
                let named = shelf.by_name.entry(record.detail.job_name.clone()).or_default();
                named.insert(record.sequence, record.job_id().clone());
            }
            shelf.records.insert(record.job_id().clone(), record.clone());
        }
        Ok(())
    }

    fn load(&self, job_ids: &[JobId]) -> Result<Vec<JobRecord>, BooksError> {
        let shelf = self.shelf();
        Ok(job_ids.iter().filter_map(|job_id| shelf.records.get(job_id)).cloned().collect())
    }

    fn named(&self, job_name: &JobName, after: u64, limit: usize) -> Result<Vec<JobRecord>, BooksError> {
        let shelf = self.shelf();
        let ids = shelf.by_name.get(job_name).into_iter().flat_map(|named| named.range(after + 1..));
        Ok(ids.filter_map(|(_, job_id)| shelf.records.get(job_id)).take(limit).cloned().collect())
    }

    fn newest(&self, unfinished: bool, before: u64, limit: usize) -> Result<Vec<JobRecord>, BooksError> {
        let shelf = self.shelf();
        let wanted = |record: &&JobRecord| {
            record.job_id().parent().is_none()
                && record.sequence < before
                && !(unfinished && record.status().is_terminal())
        };
        let mut newest: Vec<&JobRecord> = shelf.records.values().filter(wanted).collect();
        newest.sort_by_key(|record| std::cmp::Reverse(record.sequence));
        Ok(newest.into_iter().take(limit).cloned().collect())
    }

    fn unfinished(&self) -> Result<Vec<JobRecord>, BooksError> {
        let shelf = self.shelf();
        Ok(shelf.records.values().filter(|record| !record.status().is_terminal()).cloned().collect())
    }

    fn last_sequence(&self) -> Result<u64, BooksError> {
        Ok(self.shelf().last_sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::books::contract;

    #[test]
    fn memory_passes_the_contract() {
        contract::books_keep_what_they_are_given(&MemoryBooks::default());
    }
}
