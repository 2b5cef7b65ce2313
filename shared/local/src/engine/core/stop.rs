//! Jobs that are stopped: cancelled, terminated, timed out.

use super::record::{JobRecord, Stop, StopCause};
use super::{AttemptId, Core, Signal};
use crate::domain::{JobId, JobStatus, Timestamp};

/// Whether a job could be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It is unfinished, or has just ended.
    Held,
    /// It has ended long since, or was never submitted: the books know which.
    Absent,
}

impl Core {
    /// `CancelJob`: ends what has not reached STARTING; of an array, every such child.
    pub(crate) fn cancel(&mut self, job_id: &JobId, reason: &str, now: Timestamp) -> Reach {
        self.stop_all(job_id, reason, now, |record| record.detail.is_cancelled = Some(true), Self::cancel_one)
    }

    fn cancel_one(&mut self, job_id: &JobId, reason: &str, now: Timestamp) {
        if self.status(job_id).is_some_and(|status| status < JobStatus::Starting) {
            self.change(job_id, |record| record.detail.is_cancelled = Some(true));
            self.fail(job_id, reason, now);
        }
    }

    /// `TerminateJob`: ends what has not started, and stops what has; of an array, every child.
    pub(crate) fn terminate(&mut self, job_id: &JobId, reason: &str, now: Timestamp) -> Reach {
        self.stop_all(
            job_id,
            reason,
            now,
            |record| record.detail.is_terminated = Some(true),
            Self::terminate_one,
        )
    }

    /// Stops a job by `one`; of an array, which is marked itself, every child.
    fn stop_all(
        &mut self,
        job_id: &JobId,
        reason: &str,
        now: Timestamp,
        mark: fn(&mut JobRecord),
        one: fn(&mut Self, &JobId, &str, Timestamp),
    ) -> Reach {
        let Some(record) = self.jobs.get(job_id) else { return Reach::Absent };
        // A node ends with its job.
        let whole = if record.is_node() { record.job_id().root() } else { job_id.clone() };
        let job_id = &whole;
        let Some(status) = self.status(job_id) else { return Reach::Absent };
        if status.is_terminal() {
            return Reach::Held;
        }
        let children = self.children(job_id);
        if children.is_empty() {
            one(self, job_id, reason, now);
        } else {
            self.change(job_id, |record| {
                mark(record);
                record.verdict.get_or_insert_with(|| reason.to_owned());
            });
            for child in children {
                one(self, &child, reason, now);
            }
        }
        self.settle(now);
        Reach::Held
    }

    fn terminate_one(&mut self, job_id: &JobId, reason: &str, now: Timestamp) {
        let Some(record) = self.jobs.get(job_id).filter(|record| !record.status().is_terminal()) else {
            return;
        };
        match &record.attempt {
            Some(current) if current.stop.is_some() => {}
            Some(_) => {
                self.change(job_id, |record| record.detail.is_terminated = Some(true));
                self.stop(job_id, StopCause::Terminated(reason.to_owned()), now);
            }
            None => {
                self.change(job_id, |record| record.detail.is_terminated = Some(true));
                self.fail(job_id, reason, now);
            }
        }
    }

    /// Sends what is due: SIGTERM to attempts that have run too long, SIGKILL to those whose grace is
    /// over.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        while let Some((at, job_id)) = self.timers.first().cloned() {
            if at > now {
                return;
            }
            self.timers.pop_first();
            let stopping = self.jobs.get(&job_id).and_then(|record| record.attempt.as_ref()?.stop.as_ref());
            if stopping.is_some() {
                self.kill(&job_id);
            } else {
                self.stop(&job_id, StopCause::Timeout, now);
            }
        }
    }

    /// Moves every deadline along with a clock that was set ahead (or back, below 0): a time-out is a length of
    /// time, not a time of day.
    pub(crate) fn clock_jumped(&mut self, jump_ms: i64) {
        let running: Vec<JobId> = self
            .jobs
            .values()
            .filter(|record| record.attempt.is_some())
            .map(|record| record.job_id().clone())
            .collect();
        for job_id in running {
            self.change(&job_id, |record| {
                let Some(current) = &mut record.attempt else { return };
                current.clock_jumps_ms += jump_ms;
                if let Some(stop) = &mut current.stop {
                    stop.kill_at = stop.kill_at.map(|at| at.plus_millis(jump_ms));
                }
            });
        }
    }

    fn stop(&mut self, job_id: &JobId, cause: StopCause, now: Timestamp) {
        let kill_at = Some(now.plus_millis(self.kill_grace_ms));
        self.change(job_id, |record| {
            if let Some(current) = &mut record.attempt {
                current.stop = Some(Stop { cause, kill_at });
            }
        });
        self.signal(job_id, Signal::Terminate);
    }

    fn kill(&mut self, job_id: &JobId) {
        self.change(job_id, |record| {
            if let Some(stop) = record.attempt.as_mut().and_then(|current| current.stop.as_mut()) {
                stop.kill_at = None;
            }
        });
        self.signal(job_id, Signal::Kill);
    }

    pub(super) fn signal(&mut self, job_id: &JobId, signal: Signal) {
        let number = self.jobs.get(job_id).and_then(|record| Some(record.attempt.as_ref()?.number));
        let attempt = number.map(|number| AttemptId { job_id: job_id.clone(), number });
        self.effects.signals.extend(attempt.map(|attempt| (attempt, signal)));
    }
}
