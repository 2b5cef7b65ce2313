//! What is to be done with a job of a file, given what is known of it.

use std::fmt;

use super::ids::JobId;
use super::job::Job;
use super::spec::JobSpec;
use super::status::JobStatus;

/// What `plan` shows and `submit` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Submit it. `replaces` is the submission that was latest when this was decided: the claim holds
    /// only while it still is.
    Submit {
        /// The latest submission, which has ended.
        replaces: Option<JobId>,
    },
    /// Leave it alone.
    Skip(Skip),
}

/// Why a job is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// It SUCCEEDED.
    Succeeded,
    /// It SUCCEEDED, with a spec other than the file's.
    Changed,
    /// A submission of it is under way.
    InFlight(JobStatus),
    /// Somebody is submitting it, or died doing so.
    Claimed,
}

impl Skip {
    /// A word for reports and counts.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Changed => "CHANGED",
            Self::InFlight(_) => "IN_FLIGHT",
            Self::Claimed => "CLAIMED",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("it SUCCEEDED"),
            Self::Changed => f.write_str(
                "it SUCCEEDED with another spec; give it a new jobName, or ask for it again with --rerun",
            ),
            Self::InFlight(status) => write!(f, "it is in flight ({status})"),
            Self::Claimed => f.write_str("another submitter holds its claim"),
        }
    }
}

/// Decides for one job. `rerun` is a person's wish to run again what has SUCCEEDED.
pub fn plan(spec: &JobSpec, known: Option<&Job>, rerun: bool) -> Plan {
    let Some(job) = known else { return Plan::Submit { replaces: None } };
    if job.head.claim.is_some() {
        return Plan::Skip(Skip::Claimed);
    }
    match job.status() {
        Some(JobStatus::Succeeded) if !rerun => {
            Plan::Skip(if job.head.spec.digest() == spec.digest() { Skip::Succeeded } else { Skip::Changed })
        }
        Some(status) if !status.is_terminal() => Plan::Skip(Skip::InFlight(status)),
        _ => Plan::Submit { replaces: job.head.job_id.clone() },
    }
}
