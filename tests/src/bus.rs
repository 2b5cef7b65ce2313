//! An event bus that remembers what was put.

use std::sync::{Arc, Mutex, PoisonError};

use batchwright::events::{Announcement, JobEnded, RunEnded};
use batchwright::ports::{EventBus, PortError};

/// An [`EventBus`] in memory. Clones are one bus.
#[derive(Debug, Clone, Default)]
pub struct RecordedBus(Arc<Mutex<Vec<Announcement>>>);

impl RecordedBus {
    /// What was put, in order.
    pub fn all(&self) -> Vec<Announcement> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ends of runs.
    pub fn runs(&self) -> Vec<RunEnded> {
        let run = |event| match event {
            Announcement::Run(run) => Some(*run),
            Announcement::Job(_) => None,
        };
        self.all().into_iter().filter_map(run).collect()
    }

    /// The ends of jobs.
    pub fn jobs(&self) -> Vec<JobEnded> {
        let job = |event| match event {
            Announcement::Job(job) => Some(*job),
            Announcement::Run(_) => None,
        };
        self.all().into_iter().filter_map(job).collect()
    }
}

impl EventBus for RecordedBus {
    async fn put(&self, events: &[Announcement]) -> Result<(), PortError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(events);
        Ok(())
    }
}
