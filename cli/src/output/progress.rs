//! What is shown while jobs run on this machine: an overview on a terminal, a line a change elsewhere. On stderr.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use batchwright::domain::plan::Skip;
use batchwright::domain::{JobId, JobName, JobState, JobStatus, Timestamp};
use batchwright::local::{Observer, StateDir};
use batchwright::ports::{Clock, SystemClock};
use batchwright::use_cases::record_state::Recorded;
use batchwright::use_cases::run_file::{ReportLine, ReportOutcome};
use indicatif::{ProgressBar, ProgressState};

use super::overview::{Overview, Sight};
use super::screen::bar_over;
use super::text::harmless;

/// A watcher that fits where stderr goes.
///
/// `kept`: the state folder, where the folders of attempts are kept in it, to say where.
pub(crate) fn observer(kept: Option<StateDir>) -> Box<dyn Observer> {
    if stderr().is_terminal() { Box::new(Board::new(kept)) } else { Box::new(Lines { kept }) }
}

/// A line a change.
struct Lines {
    kept: Option<StateDir>,
}

impl Observer for Lines {
    fn reported(&self, line: &ReportLine) {
        if let Some(text) = refusal(line) {
            eprintln!("{text}");
        }
    }

    fn changed(&self, state: &JobState, recorded: &Recorded) {
        eprintln!("{}{}", change(state, recorded), kept_in(self.kept.as_ref(), state));
    }
}

/// Why a line of the file came to nothing, where it did.
fn refusal(line: &ReportLine) -> Option<String> {
    let reason = harmless(line.reason.as_deref().unwrap_or_default());
    let job = line.job_name.as_ref().map_or_else(|| format!("line {}", line.line), ToString::to_string);
    match line.outcome {
        ReportOutcome::Submitted | ReportOutcome::Skipped => None,
        ReportOutcome::Changed => Some(format!("{job} skipped: {reason}")),
        ReportOutcome::Rejected if line.job_name.is_none() => Some(format!("rejected: {reason}")),
        ReportOutcome::Rejected => Some(format!("{job} rejected: {reason}")),
        ReportOutcome::Unknown => Some(format!("{job} unknown: {reason}")),
        ReportOutcome::Surplus => Some(format!("{job} submitted too late: {reason}")),
    }
}

fn change(state: &JobState, recorded: &Recorded) -> String {
    let mut text = state.job_name.to_string();
    if let Some(index) = state.job_id.array_index() {
        let _ = write!(text, ":{index}");
    }
    let _ = write!(text, " {}", state.status);
    if let Some(cause) = state.cause() {
        let _ = write!(text, " {cause}");
        if let Some(code) = state.exit_code {
            let _ = write!(text, " (exit code {code})");
        }
    }
    if let Recorded::Resubmitted(resubmission) = recorded {
        let _ = write!(text, ", submitted again: {resubmission}");
    }
    if let Recorded::Waiting = recorded {
        text.push_str(", waits for what comes of a dependency, or of children that are run again");
    }
    text
}

/// Where the latest attempt of a job that has ended ran, where its folder is kept.
fn kept_in(kept: Option<&StateDir>, state: &JobState) -> String {
    let Some(kept) = kept.filter(|_| state.status.is_terminal() && !state.attempts.is_empty()) else {
        return String::new();
    };
    let attempt = u32::try_from(state.attempts.len()).unwrap_or(u32::MAX);
    format!(", ran in {}", kept.kept_workdir(&state.job_id, attempt).display())
}

/// An overview of the run in place, kept from what is told of each job.
struct Board {
    bar: ProgressBar,
    seen: Arc<Mutex<Seen>>,
    kept: Option<StateDir>,
}

#[derive(Default)]
struct Seen {
    /// What has ended, and the arrays under way.
    ended: Overview,
    /// Submissions under way by their ids, without children and nodes, those of other runs among them.
    open: HashMap<JobId, Sight>,
    /// Jobs that the run waits for, by their names: it has submitted them, or found them in flight.
    waited_for: HashSet<String>,
    /// Ends of jobs of which the run has told no line. Those of other runs stay here.
    untold: HashMap<String, (JobId, Sight)>,
    /// Submissions of such jobs that were followed by another.
    retried: HashSet<JobId>,
    /// Jobs that the run has waited for, or does.
    taken_on: u64,
    latest: Timestamp,
    block: String,
    drawn: Option<Instant>,
}

/// Between two drawings of the lines: each goes through all that is under way.
const DRAW_EVERY: Duration = Duration::from_millis(250);

impl Seen {
    /// The lines as they were at most [`DRAW_EVERY`] ago.
    fn block(&mut self) -> &str {
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= DRAW_EVERY) {
            // Simulated time runs ahead.
            let now = SystemClock.now().max(self.latest);
            self.ended.forget_before(now);
            self.block = self.overview().block(now);
            self.drawn = Some(Instant::now());
        }
        &self.block
    }

    fn overview(&self) -> Overview {
        let mut overview = self.ended.clone();
        overview.open = self.waited_for.len() as u64;
        let own = self.open.values().filter(|sight| self.waited_for.contains(&sight.name));
        own.for_each(|sight| overview.note(sight));
        overview
    }

    fn reported(&mut self, line: &ReportLine) {
        let Some(name) = line.job_name.as_ref().filter(|_| is_waited_for(line)) else {
            self.ended.passed_over += 1;
            return;
        };
        self.taken_on += 1;
        // An earlier submission may have ended too, while the job was taken up.
        let is_its_end = |ended: &JobId| match &line.job_id {
            Some(submitted) => ended == submitted || self.retried.contains(submitted),
            None => true,
        };
        match self.untold.remove(name.as_str()).filter(|(ended, _)| is_its_end(ended)) {
            Some((_, sight)) => self.ended.note(&sight),
            None => {
                self.waited_for.insert(name.to_string());
            }
        }
    }

    fn changed(&mut self, state: &JobState, recorded: &Recorded) {
        if state.job_id.parent().is_some() {
            return;
        }
        let sight = Sight::of(state, || state.cause().map(|cause| cause.to_string()).unwrap_or_default());
        self.latest = self.latest.max(state.times.stopped_at.or(sight.created).unwrap_or_default());
        if let Recorded::Noted(_) | Recorded::Waiting = recorded {
            self.open.insert(state.job_id.clone(), sight);
            return;
        }
        self.open.remove(&state.job_id);
        match recorded {
            Recorded::Ended(end) if !end.is_child => {
                if self.waited_for.remove(&sight.name) {
                    self.ended.note(&sight);
                } else {
                    self.untold.insert(sight.name.clone(), (state.job_id.clone(), sight));
                }
            }
            Recorded::Resubmitted(_) if !self.waited_for.contains(&sight.name) => {
                self.retried.insert(state.job_id.clone());
            }
            _ => {}
        }
    }
}

/// Whether a run waits for the job of a line: it has submitted it, or left it alone because it is in flight.
fn is_waited_for(line: &ReportLine) -> bool {
    let mut in_flight = JobStatus::ALL.into_iter().map(Skip::InFlight).chain([Skip::Recovering]);
    match line.outcome {
        ReportOutcome::Submitted => true,
        ReportOutcome::Skipped => in_flight.any(|skip| line.reason == Some(skip.to_string())),
        _ => false,
    }
}

impl Board {
    fn new(kept: Option<StateDir>) -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shown = Arc::clone(&seen);
        let style =
            bar_over("block").with_key("block", move |_: &ProgressState, to: &mut dyn std::fmt::Write| {
                let _ = to.write_str(shown.lock().unwrap_or_else(PoisonError::into_inner).block());
            });
        let bar = ProgressBar::new(0).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, seen, kept }
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        let (total, ended) = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut seen);
            let ended = seen.ended.passed_over + seen.ended.counts.total();
            (seen.ended.passed_over + seen.taken_on, ended)
        };
        // Not under the lock, which drawing takes.
        self.bar.set_length(total);
        self.bar.set_position(ended);
    }
}

impl Observer for Board {
    fn reported(&self, line: &ReportLine) {
        self.note(|seen| seen.reported(line));
        if let Some(text) = refusal(line) {
            self.bar.println(text);
        }
    }

    fn changed(&self, state: &JobState, recorded: &Recorded) {
        self.note(|seen| seen.changed(state, recorded));
        let kept = kept_in(self.kept.as_ref(), state);
        if !kept.is_empty() || matches!(recorded, Recorded::Resubmitted(_)) {
            self.bar.println(change(state, recorded) + &kept);
        }
    }

    fn progressed(&self, array: &JobName, ended: u32, size: u32) {
        self.note(|seen| seen.ended.note_array(array.clone(), ended.into(), size.into()));
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use batchwright::domain::retry::Again;
    use batchwright::domain::{Cause, RunId};
    use batchwright::events::JobEnded;
    use batchwright::ports::Applied;
    use batchwright::use_cases::record_state::Resubmission;

    use super::*;

    fn state(name: &str, id: &str, status: JobStatus) -> JobState {
        let (name, id) = (JobName::parse(name).unwrap(), JobId::parse(id).unwrap());
        JobState { status, ..JobState::submitted(name, id, None) }
    }

    fn line(name: &str, outcome: ReportOutcome, id: Option<&str>, reason: Option<Skip>) -> ReportLine {
        let job_id = id.map(|id| JobId::parse(id).unwrap());
        let (job_name, reason) = (JobName::parse(name).ok(), reason.map(|skip| skip.to_string()));
        ReportLine { line: 1, job_name, outcome, job_id, reason }
    }

    fn submitted(name: &str, id: &str) -> ReportLine {
        line(name, ReportOutcome::Submitted, Some(id), None)
    }

    fn end(state: &JobState) -> Recorded {
        Recorded::Ended(Box::new(JobEnded {
            id: String::new(),
            job_name: state.job_name.clone(),
            job_id: state.job_id.clone(),
            run_id: RunId::derive("file", "1", "0"),
            status: state.status,
            cause: None,
            status_reason: None,
            exit_code: None,
            submissions: 1,
            job_queue: String::new(),
            stopped_at: None,
            is_child: false,
        }))
    }

    #[test]
    fn a_run_is_kept_account_of_from_what_is_told() {
        let noted = Recorded::Noted(Applied::Applied);
        let mut seen = Seen::default();
        seen.reported(&submitted("one", "a"));
        seen.reported(&submitted("two", "b"));
        seen.reported(&line("three", ReportOutcome::Skipped, None, Some(Skip::Succeeded)));
        seen.changed(&state("one", "a", JobStatus::Running), &noted);
        seen.changed(&state("two", "b", JobStatus::Running), &noted);
        // A child counts with its array.
        seen.changed(&state("one", "a:1", JobStatus::Running), &noted);
        let failed = state("two", "b", JobStatus::Failed);
        seen.changed(&failed, &Recorded::Waiting);
        assert_eq!(seen.overview().line(), "3 jobs: 1 RUNNING, 1 FAILED, 1 skipped or refused");
        assert_eq!(seen.overview().open, 2);
        seen.changed(&failed, &end(&failed));
        assert_eq!(seen.overview().line(), "3 jobs: 1 RUNNING, 1 FAILED, 1 skipped or refused");
        assert_eq!(seen.overview().open, 1);
        let done = state("one", "a", JobStatus::Succeeded);
        seen.changed(&done, &end(&done));
        assert_eq!((seen.overview().open, seen.open.len()), (0, 0));
    }

    #[test]
    fn what_a_run_took_up_counts_once_and_what_is_of_other_runs_does_not() {
        let noted = Recorded::Noted(Applied::Applied);
        let mut seen = Seen::default();
        // Left by an earlier run of the file: one has ended meanwhile and is submitted again, one goes on, one ends before
        // its line is told.
        let failed = state("again", "a-1", JobStatus::Failed);
        seen.changed(&failed, &end(&failed));
        seen.changed(&state("goes-on", "b-1", JobStatus::Running), &noted);
        let done = state("quick", "c-1", JobStatus::Succeeded);
        seen.changed(&done, &end(&done));
        // Of another file.
        seen.changed(&state("other", "x-1", JobStatus::Running), &noted);
        let other = state("others", "y-1", JobStatus::Failed);
        seen.changed(&other, &end(&other));
        assert_eq!(seen.overview().total(), 0, "no line was told");
        let in_flight =
            |name| line(name, ReportOutcome::Skipped, None, Some(Skip::InFlight(JobStatus::Running)));
        seen.reported(&submitted("again", "a-2"));
        seen.reported(&in_flight("goes-on"));
        seen.reported(&in_flight("quick"));
        seen.reported(&line("known", ReportOutcome::Skipped, None, Some(Skip::Succeeded)));
        let overview = seen.overview();
        assert_eq!(overview.line(), "3 jobs: 1 RUNNING, 1 SUCCEEDED, 1 skipped or refused");
        assert_eq!((overview.open, seen.taken_on), (2, 3));
        for (name, id) in [("again", "a-2"), ("goes-on", "b-1")] {
            let done = state(name, id, JobStatus::Succeeded);
            seen.changed(&done, &end(&done));
        }
        let overview = seen.overview();
        assert_eq!(overview.line(), "4 jobs: 3 SUCCEEDED, 1 skipped or refused");
        assert_eq!(overview.open, 0);
    }

    #[test]
    fn a_job_that_was_tried_again_and_ended_before_its_line_is_told_counts_as_ended() {
        let mut seen = Seen::default();
        let lost = state("one", "a-1", JobStatus::Failed);
        let again = Again { cause: Cause::HostLost, number: 2, of: 4 };
        let job_id = JobId::parse("a-2").unwrap();
        let again = Recorded::Resubmitted(Resubmission { job_id, again, job_queue: None });
        seen.changed(&lost, &again);
        let done = state("one", "a-2", JobStatus::Succeeded);
        seen.changed(&done, &end(&done));
        seen.reported(&submitted("one", "a-1"));
        assert_eq!((seen.overview().line(), seen.overview().open), ("1 job: 1 SUCCEEDED".to_owned(), 0));
    }
}
