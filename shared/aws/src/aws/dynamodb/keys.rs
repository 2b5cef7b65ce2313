//! The texts of which keys are made. A space stands where no id may have one, so that no two kinds of key
//! are ever the same.

use sha2::{Digest as _, Sha256};

use crate::domain::{JobId, JobName, JobStatus, RunId, Timestamp};

/// The sort key of a job's head. A job id holds no white space.
pub(crate) const HEAD: &str = " head";

/// The sort key of a sheet of claims.
pub(crate) const SHEET: &str = " sheet";

/// The partition key of a sheet: no job has that name.
pub(crate) fn sheet(id: &str) -> String {
    format!("sheet {id}")
}

/// What the sort key of a waiter begins with: it stands in the partition of the job that it waits for.
pub(crate) const WAITER: &str = " waiter ";

/// The sort key of the waiter for a submission.
pub(crate) fn waiter(job_id: &JobId) -> String {
    format!("{WAITER}{job_id}")
}

/// Whether a sort key is a submission's, and not one of those above.
pub(crate) fn is_job_id(sort_key: &str) -> bool {
    !sort_key.starts_with(' ')
}

/// Index partitions over which entries of one kind are spread. One partition takes 1,000 writes a second;
/// an array of 10,000 that ends is a burst of 10,000 events. Part of the persisted format.
pub(crate) const SHARDS: u8 = 16;

/// The shard of a name or id.
fn shard(text: &str) -> u8 {
    Sha256::digest(text.as_bytes())[0] % SHARDS
}

/// The shard that a list of what was before a moment begins with: not the same in every list, so that
/// where lists are cut short none comes last for ever.
pub(crate) fn first_shard(before: Timestamp) -> u8 {
    shard(&before.as_millis().to_string())
}

/// The shard of an item: a head's by its job, a submission's by its own id, because the children of one
/// array share their job's name.
fn sharded(kind: &str, text: &str) -> String {
    in_shard(kind, shard(text))
}

/// The index partition of a kind's n-th shard.
pub(crate) fn in_shard(kind: &str, shard: u8) -> String {
    format!("{kind} {shard:02}")
}

/// Of `STATUS_SHARD`, beside FAILED: heads without a submission and without a claim.
pub(crate) const UNSUBMITTED: &str = "UNSUBMITTED";

pub(crate) fn unsubmitted(job_name: &JobName) -> String {
    sharded(UNSUBMITTED, job_name.as_str())
}

pub(crate) fn status_shard(status: JobStatus, job_id: &JobId) -> String {
    sharded(status.as_str(), job_id.as_str())
}

/// What [`latest_place`] begins with.
pub(crate) const LATEST: &str = "latest ";

/// Of `PLACE`: the latest submission of its job.
pub(crate) fn latest_place(job_name: &JobName) -> String {
    format!("{LATEST}{job_name}")
}

/// Of `PLACE`: an earlier submission, or of what FAILED a child, a node, or one that nobody has recorded. Earlier versions
/// gave one to each.
pub(crate) fn other_place(job_id: &JobId) -> String {
    format!("other {job_id}")
}

/// What an item waits for, by the time that is kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A head's claim stands; it expires then. One that is on a sheet is not listed here.
    Claim,
    /// Claims on a sheet may stand; they have expired by then.
    Sheet,
    /// A submission was submitted then, or Batch was asked about it. Events leave it where it is, so that the moment is no
    /// later than the last sign of life; so does its end, until its logs were looked at.
    InFlight,
    /// The logs of a submission that has ended wait for a look that is due long after the end, or the end is the first
    /// that was heard of it. Earlier versions moved each end here.
    Logs,
    /// A run has not ended, or nobody has told it; it moved on then.
    Run,
}

impl Work {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Sheet => "sheet",
            Self::InFlight => "in-flight",
            Self::Logs => "logs",
            Self::Run => "run",
        }
    }

    /// Of `WORK`: for the item of that name or id.
    pub(crate) fn of(self, text: &str) -> String {
        sharded(self.as_str(), text)
    }
}

/// Of `MEMBERSHIP`: the jobs of a run.
pub(crate) fn run_kind(run_id: &RunId) -> String {
    format!("run {run_id}")
}

pub(crate) fn run_membership(run_id: &RunId, job_name: &JobName) -> String {
    sharded(&run_kind(run_id), job_name.as_str())
}

/// Of `MEMBERSHIP`: ends with loose ends, not settled.
pub(crate) const UNSETTLED: &str = "unsettled";

pub(crate) fn unsettled(job_id: &JobId) -> String {
    sharded(UNSETTLED, job_id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_they_were_persisted() {
        let name = JobName::parse("tile-7").unwrap();
        let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8:12").unwrap();
        let run = RunId::parse("run-1").unwrap();
        for (found, expected) in [
            (unsubmitted(&name), "UNSUBMITTED 07"),
            (run_membership(&run, &name), "run run-1 07"),
            (latest_place(&name), "latest tile-7"),
            (Work::Claim.of(name.as_str()), "claim 07"),
            (in_shard(Work::Sheet.as_str(), 0), "sheet 00"),
            (sheet("4c75"), "sheet 4c75"),
            (status_shard(JobStatus::Failed, &id), "FAILED 10"),
            (other_place(&id), "other 4c7599ae-0a82-49aa-ba5a-4727fcce14a8:12"),
            (unsettled(&id), "unsettled 10"),
            (waiter(&id), " waiter 4c7599ae-0a82-49aa-ba5a-4727fcce14a8:12"),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn no_job_id_is_another_items_sort_key_or_entry() {
        let id = JobId::parse("a-1").unwrap();
        for key in [HEAD.to_owned(), SHEET.to_owned(), waiter(&id)] {
            assert!(JobId::parse(&key).is_err(), "{key:?}");
        }
        assert!(JobName::parse(&sheet("4c75")).is_err());
        assert!(is_job_id(id.as_str()) && !is_job_id(HEAD) && !is_job_id(&waiter(&id)));
    }

    #[test]
    fn the_children_of_an_array_are_spread_over_all_shards() {
        let parent = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap();
        let mut counts = [0; SHARDS as usize];
        for index in 0..10_000 {
            counts[usize::from(shard(parent.array_child(index).as_str()))] += 1;
        }
        assert!(counts.iter().all(|count| (500..750).contains(count)), "{counts:?}");
    }
}
