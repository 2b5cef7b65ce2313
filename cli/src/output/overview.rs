//! What a terminal shows of jobs while they run: their counts, rate and remaining time, the arrays under way, what is
//! blocked, what waits longest, and what failed of late.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use batchwright::domain::queue::queue_name;
use batchwright::domain::{JobName, JobState, JobStatus, StatusCounts, Timestamp};

use super::human;
use super::text::harmless;

/// Failures that are shown: the newest.
const FAILURES_SHOWN: usize = 5;

/// Jobs that are shown because they wait: the oldest.
const WAITING_SHOWN: usize = 3;

/// Reasons for which jobs can't start: those of the most jobs.
const BLOCKED_SHOWN: usize = 3;

/// Arrays that are shown with their progress.
const ARRAYS_SHOWN: usize = 3;

/// Ends that the rate is told from.
const RATE_OVER_MS: i64 = 300_000;

/// What is shown of one job or submission.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) name: String,
    pub(crate) status: JobStatus,
    pub(crate) created: Option<Timestamp>,
    pub(crate) stopped: Option<Timestamp>,
    /// Of one that FAILED: why.
    pub(crate) why: String,
    /// Of one that can't start: its queue, and what Batch says.
    pub(crate) blocked: Option<(String, String)>,
}

impl Sight {
    /// One that was submitted, of which nothing else is known yet.
    pub(crate) fn submitted(name: &JobName) -> Self {
        Self {
            name: name.to_string(),
            status: JobStatus::Submitted,
            created: None,
            stopped: None,
            why: String::new(),
            blocked: None,
        }
    }

    /// `why` is asked for where it FAILED.
    pub(crate) fn of(state: &JobState, why: impl FnOnce() -> String) -> Self {
        let mut name = state.job_name.to_string();
        if let Some(index) = state.job_id.array_index() {
            name = format!("{name}:{index}");
        }
        let code = state.exit_code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
        let reason = state.status_reason.clone().filter(|_| state.status == JobStatus::Runnable);
        Self {
            name,
            status: state.status,
            created: state.times.created_at,
            stopped: state.times.stopped_at,
            why: if state.status == JobStatus::Failed { why() + &code } else { String::new() },
            blocked: reason.map(|reason| (queue_name(&state.job_queue).to_owned(), reason)),
        }
    }
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overview {
    /// Each job by its latest submission's status.
    pub(crate) counts: StatusCounts,
    /// Jobs of the file that were not submitted now: skipped or refused.
    pub(crate) passed_over: u64,
    /// Jobs that can still change.
    pub(crate) open: u64,
    /// Those of which nobody knows yet whether they were submitted.
    pub(crate) claimed: u64,
    /// Whether there will be more jobs.
    pub(crate) is_submitting: bool,
    arrays: BTreeMap<JobName, (u64, u64)>,
    ends: VecDeque<Timestamp>,
    oldest: Option<Timestamp>,
    newest_failures: VecDeque<(Timestamp, String)>,
    longest_waiting: Vec<(Timestamp, String, JobStatus)>,
    blocked: BTreeMap<(String, String), u64>,
}

impl Overview {
    /// Takes in a job that was submitted.
    pub(crate) fn note(&mut self, sight: &Sight) {
        self.counts[sight.status] += 1;
        self.oldest = self.oldest.into_iter().chain(sight.created).min();
        if let Some(stopped) = sight.stopped.filter(|_| sight.status.is_terminal()) {
            self.ends.push_back(stopped);
            if sight.status == JobStatus::Failed {
                self.note_failure(stopped, format!("{} {}", sight.name, sight.why));
            }
        }
        if let Some(blocked) = &sight.blocked {
            *self.blocked.entry(blocked.clone()).or_default() += 1;
        }
        if let Some(since) = sight.created.filter(|_| sight.status < JobStatus::Starting) {
            let at = self.longest_waiting.partition_point(|(other, ..)| *other <= since);
            if at < WAITING_SHOWN {
                self.longest_waiting.insert(at, (since, sight.name.clone(), sight.status));
                self.longest_waiting.truncate(WAITING_SHOWN);
            }
        }
    }

    fn note_failure(&mut self, stopped: Timestamp, text: String) {
        let at = self.newest_failures.partition_point(|(other, _)| *other <= stopped);
        if at == 0 && self.newest_failures.len() == FAILURES_SHOWN {
            return;
        }
        self.newest_failures.insert(at, (stopped, text));
        if self.newest_failures.len() > FAILURES_SHOWN {
            self.newest_failures.pop_front();
        }
    }

    /// Takes in how many children of an array have ended, of how many.
    pub(crate) fn note_array(&mut self, name: JobName, ended: u64, size: u64) {
        if ended < size {
            self.arrays.insert(name, (ended, size));
        } else {
            self.arrays.remove(&name);
        }
    }

    /// Whether the progress of another array would be shown.
    pub(crate) fn shows_more_arrays(&self) -> bool {
        self.arrays.len() < ARRAYS_SHOWN
    }

    /// Forgets the ends that are too old to tell the rate from.
    pub(crate) fn forget_before(&mut self, now: Timestamp) {
        self.ends.retain(|end| now.millis_since(*end) <= RATE_OVER_MS);
    }

    /// All jobs.
    pub(crate) fn total(&self) -> u64 {
        self.counts.total() + self.passed_over
    }

    /// Those that do not change any more.
    pub(crate) fn ended(&self) -> u64 {
        self.total() - self.open
    }

    /// Whether nothing changes any more.
    pub(crate) fn has_ended(&self) -> bool {
        !self.is_submitting && self.open == 0
    }

    /// As in `7 jobs: 2 RUNNING, 5 SUCCEEDED`.
    pub(crate) fn line(&self) -> String {
        let counts = self.counts.iter().filter(|(_, count)| *count > 0);
        let mut parts: Vec<String> = counts.map(|(status, count)| format!("{count} {status}")).collect();
        for (count, word) in
            [(self.counts.unsubmitted, "not submitted"), (self.passed_over, "skipped or refused")]
        {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        if self.is_submitting {
            parts.push("more are being submitted".to_owned());
        }
        let counts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
        format!("{}{counts}", human::count(self.total(), "job"))
    }

    /// Several lines for a terminal.
    pub(crate) fn block(&self, now: Timestamp) -> String {
        if self.total() == 0 {
            return String::new();
        }
        let mut lines = vec![self.line()];
        lines.extend(self.rate(now));
        lines.extend(self.progress());
        let mut blocked: Vec<_> = self.blocked.iter().collect();
        blocked.sort_by_key(|(_, jobs)| Reverse(**jobs));
        for ((queue, reason), jobs) in blocked.into_iter().take(BLOCKED_SHOWN) {
            let jobs = human::count(*jobs, "job");
            lines.push(format!("blocked in {}: {jobs}: {}", harmless(queue), harmless(reason)));
        }
        for (since, name, status) in &self.longest_waiting {
            lines.push(format!("waiting for {}: {name} {status}", human::duration(now.millis_since(*since))));
        }
        for (stopped, text) in self.newest_failures.iter().rev() {
            let ago = human::duration(now.millis_since(*stopped));
            lines.push(format!("failed {ago} ago: {}", harmless(text)));
        }
        lines.join("\n")
    }

    /// As in `1.8 ends a minute, about 6m06s left at this rate`.
    fn rate(&self, now: Timestamp) -> Option<String> {
        let of_late = self.ends.iter().filter(|end| now.millis_since(**end) <= RATE_OVER_MS).count();
        if of_late == 0 {
            return None;
        }
        // A run that is younger has had less time for its ends.
        let age_ms = self.oldest.map_or(RATE_OVER_MS, |oldest| now.millis_since(oldest));
        let over_ms = age_ms.clamp(1_000, RATE_OVER_MS);
        let a_minute = of_late as f64 / (over_ms as f64 / 60_000.0);
        let left_ms = (self.open + self.counts.unsubmitted) as f64 / a_minute * 60_000.0;
        let left = format!(", about {} left at this rate", human::duration(left_ms as i64));
        Some(format!("{a_minute:.1} ends a minute{}", if self.is_submitting { "" } else { &left }))
    }

    /// As in `children that ended: tiles 17/20`.
    fn progress(&self) -> Option<String> {
        let arrays = self.arrays.iter().take(ARRAYS_SHOWN);
        let mut shown: Vec<String> =
            arrays.map(|(name, (ended, size))| format!("{name} {ended}/{size}")).collect();
        if self.arrays.len() > ARRAYS_SHOWN {
            shown.push(human::count((self.arrays.len() - ARRAYS_SHOWN) as u64, "more array"));
        }
        (!shown.is_empty()).then(|| format!("children that ended: {}", shown.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use batchwright::domain::JobId;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(10_000_000);

    fn state(name: &str, status: JobStatus, age_ms: i64) -> JobState {
        let (name, id) = (JobName::parse(name).unwrap(), JobId::parse(name).unwrap());
        let mut state = JobState { status, exit_code: Some(3), ..JobState::submitted(name, id, None) };
        state.times.created_at = Some(NOW.plus_millis(-age_ms));
        state.times.stopped_at = status.is_terminal().then(|| NOW.plus_millis(-age_ms));
        state
    }

    fn note(overview: &mut Overview, state: &JobState) {
        overview.note(&Sight::of(state, || "EXIT_CODE".to_owned()));
        overview.open += u64::from(!state.status.is_terminal());
    }

    #[test]
    fn the_newest_failures_and_the_longest_waiting_are_shown() {
        let mut overview = Overview::default();
        for number in 0..9 {
            note(&mut overview, &state(&format!("failed-{number}"), JobStatus::Failed, 1_000 * (1 + number)));
            let waits = state(&format!("waits-{number}"), JobStatus::Runnable, 60_000 * (1 + number));
            note(&mut overview, &waits);
        }
        note(&mut overview, &state("done", JobStatus::Succeeded, 400_000));
        overview.counts.unsubmitted += 1;
        let mut stuck = state("stuck", JobStatus::Runnable, 1_000);
        stuck.job_queue = "arn:aws:batch:eu-west-1:000000000000:job-queue/spot".to_owned();
        let why = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large";
        stuck.status_reason = Some(why.to_owned());
        note(&mut overview, &stuck);
        let block = overview.block(NOW);
        let lines: Vec<&str> = block.lines().collect();
        assert_eq!(lines[0], "21 jobs: 10 RUNNABLE, 1 SUCCEEDED, 9 FAILED, 1 not submitted");
        assert_eq!(lines[1], "1.8 ends a minute, about 6m06s left at this rate");
        assert_eq!(lines[2], format!("blocked in spot: 1 job: {why}"));
        assert_eq!(lines[3], "waiting for 9m00s: waits-8 RUNNABLE");
        assert_eq!(lines[5], "waiting for 7m00s: waits-6 RUNNABLE");
        assert_eq!(lines[6], "failed 1.0s ago: failed-0 EXIT_CODE (exit code 3)");
        assert_eq!(lines.len(), 6 + FAILURES_SHOWN);
        assert!(!overview.has_ended());
    }

    #[test]
    fn arrays_under_way_are_shown_with_their_progress() {
        for (names, shown) in [
            (&[][..], None),
            (&["tiles"], Some("children that ended: tiles 17/20")),
            (
                &["a", "b", "c", "d", "e"],
                Some("children that ended: a 17/20, b 17/20, c 17/20, 2 more arrays"),
            ),
        ] {
            let mut overview = Overview::default();
            for name in names {
                overview.note_array(JobName::parse(name).unwrap(), 17, 20);
            }
            overview.note_array(JobName::parse("done").unwrap(), 20, 20);
            assert_eq!(overview.progress().as_deref(), shown);
        }
    }

    #[test]
    fn ends_that_are_long_past_do_not_count_for_the_rate() {
        let mut overview = Overview::default();
        note(&mut overview, &state("late", JobStatus::Succeeded, 1_000));
        note(&mut overview, &state("early", JobStatus::Succeeded, 400_000));
        overview.forget_before(NOW);
        assert_eq!(overview.ends.len(), 1);
        assert_eq!(overview.rate(NOW).unwrap(), "0.2 ends a minute, about 0.0s left at this rate");
        assert_eq!(overview.rate(NOW.plus_millis(RATE_OVER_MS)), None);
    }
}
