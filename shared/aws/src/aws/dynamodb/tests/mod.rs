//! The adapter against scripted answers, and the persisted format.

mod failures;
mod format;
mod script;

use crate::domain::{JobId, JobName, JobSpec, JobState, JobStatus, NewClaim, RunId, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn name(text: &str) -> JobName {
    JobName::parse(text).unwrap()
}

fn wish(job: &str) -> NewClaim {
    NewClaim {
        spec: JobSpec::new(name(job), "queue", "definition"),
        run_id: RunId::parse("run-1").unwrap(),
        replaces: None,
        replaced_end: None,
        job_queue: None,
        takes_over: None,
        resets_budget: false,
        on_sheet: false,
        now: NOW,
        expires_at: NOW.plus_millis(60_000),
    }
}

fn state(job: &str, job_id: &str, status: JobStatus) -> JobState {
    JobState { status, ..JobState::submitted(name(job), JobId::parse(job_id).unwrap(), None) }
}
