//! The jobs that somebody waits for, and how many of them have not ended.

use std::collections::HashSet;

use super::{Core, JobRecord};
use crate::domain::{JobId, JobName};

/// Which jobs somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct WaitedFor {
    /// `None`: all.
    which: Option<Which>,
    unfinished: usize,
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
        let mut waited_for = WaitedFor { which: Some(Which { setups, names }), unfinished: 0 };
        let open =
            self.jobs.values().filter(|record| is_submission(record) && !record.status().is_terminal());
        waited_for.unfinished = open.filter(|record| waited_for.holds(record)).count();
        self.waited_for = waited_for;
    }

    /// Submissions that have not ended and that somebody waits for.
    pub(crate) fn waited_for(&self) -> usize {
        self.waited_for.unfinished
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
