//! Names of records and lists.

use std::sync::Arc;

use crate::domain::{JobId, JobName, JobStatus, RunId, Timestamp};

/// Makes the keys of one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// In braces: a cluster puts all keys with the same text in braces into one slot, and a script may touch no other.
    prefix: Arc<str>,
}

/// A list: a sorted set whose members all have the score 0, so that they are in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    /// Names of all jobs.
    Jobs,
    /// Names of the jobs that a run claimed last.
    JobsOfRun(RunId),
    /// Names of the jobs whose latest submission has a status.
    JobsWithStatus(JobStatus),
    /// Names of jobs without a submission.
    Unsubmitted,
    /// Names of claimed jobs, by the end of the claim.
    Claims,
    /// Ids of a job's submissions, children and nodes.
    SubmissionsOf(JobName),
    /// Ids with a status.
    SubmissionsWithStatus(JobStatus),
    /// Ids of ends with loose ends.
    Unsettled,
    /// Ids of ends that wait for a job.
    WaitingFor(JobName),
    /// Ids in flight, by when they were heard of last.
    Silent,
    /// Ids whose logs wait to be looked at, by since when.
    Logs,
    /// Ids of all runs.
    Runs,
    /// Ids of runs with work left, by when they moved on last.
    UnfinishedRuns,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: format!("{{{prefix}}}").into() }
    }

    pub(super) fn format(&self) -> String {
        format!("{}:format", self.prefix)
    }

    pub(super) fn head(&self, job_name: &str) -> String {
        format!("{}:job:{job_name}", self.prefix)
    }

    pub(super) fn submission(&self, job_id: &str) -> String {
        format!("{}:submission:{job_id}", self.prefix)
    }

    pub(super) fn run(&self, run_id: &str) -> String {
        format!("{}:run:{run_id}", self.prefix)
    }

    pub(super) fn list(&self, list: &List) -> String {
        let prefix = &self.prefix;
        match list {
            List::Jobs => format!("{prefix}:jobs"),
            List::JobsOfRun(run_id) => format!("{prefix}:jobs-of-run:{}", run_id.as_str()),
            List::JobsWithStatus(status) => format!("{prefix}:jobs-with-status:{status}"),
            List::Unsubmitted => format!("{prefix}:unsubmitted"),
            List::Claims => format!("{prefix}:claims"),
            List::SubmissionsOf(job_name) => format!("{prefix}:submissions-of:{job_name}"),
            List::SubmissionsWithStatus(status) => format!("{prefix}:submissions-with-status:{status}"),
            List::Unsettled => format!("{prefix}:unsettled"),
            List::WaitingFor(job_name) => format!("{prefix}:waiting-for:{job_name}"),
            List::Silent => format!("{prefix}:silent"),
            List::Logs => format!("{prefix}:logs"),
            List::Runs => format!("{prefix}:runs"),
            List::UnfinishedRuns => format!("{prefix}:unfinished-runs"),
        }
    }
}

/// A moment as text in the order of time. The sign is turned, so that earlier moments than 1970 come first.
pub(super) fn moment(at: Timestamp) -> String {
    format!("{:020}", at.as_millis().cast_unsigned() ^ (1 << 63))
}

/// A member of a list that is ordered by time.
pub(super) fn timed(at: Timestamp, id: &str) -> String {
    format!("{} {id}", moment(at))
}

/// What a member names.
pub(super) fn named(member: &str) -> &str {
    member.rsplit_once(' ').map_or(member, |(_, id)| id)
}

/// The ranges of a submission's children (`ID:0`) and nodes (`ID#0`): ';' follows ':', and '$' follows '#'.
pub(super) fn parts_of(job_id: &JobId) -> [(String, String); 2] {
    [(format!("[{job_id}:"), format!("({job_id};")), (format!("[{job_id}#"), format!("({job_id}$"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_the_order_of_their_texts() {
        let millis = [i64::MIN, -1, 0, 1, 999, 1_000, i64::MAX];
        let texts: Vec<_> = millis.map(|millis| moment(Timestamp::from_millis(millis))).into();
        assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == 20), "{texts:?}");
        assert_eq!(named(&timed(Timestamp::from_millis(5), "id:1")), "id:1");
        assert_eq!(named("id#1"), "id#1");
    }
}
