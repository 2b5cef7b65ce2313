//! The books' unfinished jobs after a restart.

use super::{Core, JobRecord, Launch, Signal};
use crate::domain::reasons::DEPENDENCY_FAILED;
use crate::domain::{JobId, JobStatus, Timestamp};

impl Core {
    /// Takes over unfinished jobs from the books. Returns the attempts that had begun: the runner is to
    /// find out what became of them.
    pub(crate) fn resume(&mut self, records: Vec<JobRecord>, now: Timestamp) -> Vec<Launch> {
        let ids: Vec<JobId> = records.iter().map(|record| record.job_id().clone()).collect();
        for record in records {
            self.count_in(&record);
            for dependency in &record.waiting_on {
                self.dependants.entry(dependency.clone()).or_default().push(record.job_id().clone());
            }
            self.jobs.insert(record.job_id().clone(), record);
        }
        let begun = ids.iter().filter_map(|job_id| self.resume_one(job_id, now)).collect();
        self.settle(now);
        begun
    }

    fn resume_one(&mut self, job_id: &JobId, now: Timestamp) -> Option<Launch> {
        // A node goes where its job goes.
        let record = self.jobs.get(job_id).filter(|record| !record.is_node())?;
        match record.status() {
            JobStatus::Runnable => match self.capacity.refuse(record.whole_need()) {
                None => self.queue(job_id),
                Some(reason) if record.detail.status_reason.as_ref() == Some(&reason) => {}
                Some(reason) => {
                    self.change(job_id, |record| record.detail.status_reason = Some(reason));
                }
            },
            JobStatus::Starting | JobStatus::Running => {
                self.running.add(record.whole_need());
                self.sought.insert(job_id.clone());
                let stop = record.attempt.as_ref().and_then(|current| current.stop.as_ref());
                let signal = stop.map(|stop| match stop.kill_at {
                    Some(_) => Signal::Terminate,
                    None => Signal::Kill,
                });
                if let Some(signal) = signal {
                    self.signal(job_id, signal);
                }
                return self.current_launch(job_id);
            }
            // A job and the end that it waits on are saved in one transaction, so what is waited on
            // is unfinished too. Where the books were tampered with, a job must not wait for ever.
            _ if record.waiting_on.iter().any(|other| !self.jobs.contains_key(other)) => {
                self.fail(job_id, DEPENDENCY_FAILED, now);
            }
            _ => {}
        }
        None
    }
}
