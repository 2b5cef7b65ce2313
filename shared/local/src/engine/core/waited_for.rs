//! The jobs that somebody waits for, and how many of them have not ended.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::{Core, JobRecord};
use crate::domain::{JobId, JobName, JobStatus};

/// Which jobs somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct WaitedFor {
    /// `None`: all.
    which: Option<Which>,
    unfinished: usize,
    /// One of them that could move when it was looked for: as long as it can, no other is looked for.
    mover: Option<JobId>,
}

#[derive(Debug)]
struct Which {
    setups: HashSet<String>,
    names: HashSet<JobName>,
}

impl WaitedFor {
    fn holds(&self, record: &JobRecord) -> bool {
        let Some(which) = &self.which else { return true };
        let has_setup = record.setup.as_ref().is_some_and(|setup| which.setups.contains(setup));
        has_setup || which.names.contains(&record.detail.job_name)
    }
}

impl Core {
    /// Waits for the submissions of some setups, and those of some names, from now on.
    pub(crate) fn wait_for(&mut self, setups: HashSet<String>, names: HashSet<JobName>) {
        let mut waited_for = WaitedFor { which: Some(Which { setups, names }), ..WaitedFor::default() };
        let open =
            self.jobs.values().filter(|record| is_submission(record) && !record.status().is_terminal());
        waited_for.unfinished = open.filter(|record| waited_for.holds(record)).count();
        self.waited_for = waited_for;
    }

    /// Submissions that have not ended and that somebody waits for.
    pub(crate) fn waited_for(&self) -> usize {
        self.waited_for.unfinished
    }

    /// Whether anything can still happen by itself to the submissions that somebody waits for: one runs, or there is room for it
    /// on this machine, or it waits for a job of which that is true.
    pub(crate) fn waited_for_moves(&mut self) -> bool {
        if !self.is_moving() || self.waited_for.unfinished == self.submissions {
            return self.is_moving();
        }
        let mover = self.waited_for.mover.take().filter(|mover| self.can_move(mover, &mut HashSet::new()));
        self.waited_for.mover = mover.or_else(|| self.find_mover());
        self.waited_for.mover.is_some()
    }

    /// The latest of them, because the others have probably ended when it has.
    fn find_mover(&self) -> Option<JobId> {
        let is_open = |record: &&JobRecord| {
            is_submission(record) && !record.status().is_terminal() && self.waited_for.holds(record)
        };
        let mut open: Vec<&JobRecord> = self.jobs.values().filter(is_open).collect();
        open.sort_unstable_by_key(|record| Reverse(record.sequence));
        // What one has looked at in vain needs no look of another.
        let mut seen = HashSet::new();
        open.iter().map(|record| record.job_id()).find(|job_id| self.can_move(job_id, &mut seen)).cloned()
    }

    fn can_move(&self, job_id: &JobId, seen: &mut HashSet<JobId>) -> bool {
        let mut left = vec![job_id.clone()];
        while let Some(job_id) = left.pop() {
            let Some(record) = self.jobs.get(&job_id).filter(|_| seen.insert(job_id.clone())) else {
                continue;
            };
            match record.status() {
                JobStatus::Submitted | JobStatus::Starting | JobStatus::Running => return true,
                JobStatus::Runnable
                    if self.starts_jobs && self.capacity.refuse(record.whole_need()).is_none() =>
                {
                    return true;
                }
                JobStatus::Pending => {
                    left.extend(record.waiting_on.iter().cloned());
                    left.extend(self.children(&job_id));
                }
                JobStatus::Runnable | JobStatus::Succeeded | JobStatus::Failed => {}
            }
        }
        false
    }

    /// Submissions that have not ended.
    pub(crate) fn submissions(&self) -> usize {
        self.submissions
    }

    /// The setups of the jobs that have not ended, each once.
    pub(crate) fn setups(&self) -> HashSet<String> {
        let open = self.jobs.values().filter(|record| !record.status().is_terminal());
        open.filter_map(|record| record.setup.clone()).collect()
    }

    pub(super) fn count_in(&mut self, record: &JobRecord) {
        self.unfinished += 1;
        if is_submission(record) {
            self.submissions += 1;
            self.waited_for.unfinished += usize::from(self.waited_for.holds(record));
        }
    }

    pub(super) fn count_out(&mut self, job_id: &JobId) {
        self.unfinished -= 1;
        if let Some(record) = self.jobs.get(job_id).filter(|record| is_submission(record)) {
            self.submissions -= 1;
            self.waited_for.unfinished -= usize::from(self.waited_for.holds(record));
        }
    }
}

/// Whether it is neither a child nor a node.
fn is_submission(record: &JobRecord) -> bool {
    record.job_id().parent().is_none() && !record.is_node()
}
