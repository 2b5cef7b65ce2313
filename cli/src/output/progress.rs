//! What is shown while jobs run: bars on a terminal, a line a change elsewhere. On stderr.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use batchwright::domain::{JobId, JobName, JobState, JobStatus};
use batchwright::local::{Observer, StateDir};
use batchwright::use_cases::record_state::Recorded;
use batchwright::use_cases::run_file::{ReportLine, ReportOutcome};
use indicatif::{ProgressBar, ProgressStyle};

use super::text::harmless;

/// A watcher that fits where stderr goes.
///
/// `kept`: the state folder, where the folders of attempts are kept in it, to say where.
pub(crate) fn observer(kept: Option<StateDir>) -> Box<dyn Observer> {
    if stderr().is_terminal() { Box::new(Bars::new(kept)) } else { Box::new(Lines { kept }) }
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

/// One bar: jobs that have ended of those that were reported, and what the others are doing.
struct Bars {
    bar: ProgressBar,
    counts: Mutex<Counts>,
    kept: Option<StateDir>,
}

#[derive(Default)]
struct Counts {
    reported: u64,
    ended: u64,
    in_flight: HashMap<JobId, JobStatus>,
    /// Arrays under way: how many children have ended, of how many.
    arrays: BTreeMap<JobName, (u32, u32)>,
}

impl Bars {
    fn new(kept: Option<StateDir>) -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {elapsed} {msg}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, counts: Mutex::default(), kept }
    }

    fn show(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut counts);
        self.bar.set_length(counts.reported.max(counts.ended));
        self.bar.set_position(counts.ended);
        let doing = doing(counts.in_flight.values().copied());
        self.bar.set_message([doing, progress(&counts.arrays)].join(" ").trim_end().to_owned());
    }
}

/// As in `2 RUNNING, 3 RUNNABLE`.
fn doing(statuses: impl Iterator<Item = JobStatus>) -> String {
    let mut counts = [0u64; JobStatus::ALL.len()];
    statuses.for_each(|status| counts[status as usize] += 1);
    let shown = JobStatus::ALL.into_iter().rev().filter(|status| counts[*status as usize] > 0);
    shown.map(|status| format!("{} {status}", counts[status as usize])).collect::<Vec<_>>().join(", ")
}

/// Arrays that are named beside the bar.
const ARRAYS_MAX: usize = 3;

/// As in `(tiles 17/20)`.
fn progress(arrays: &BTreeMap<JobName, (u32, u32)>) -> String {
    let shown = arrays.iter().take(ARRAYS_MAX).map(|(name, (ended, size))| format!("{name} {ended}/{size}"));
    let mut shown: Vec<String> = shown.collect();
    if arrays.len() > ARRAYS_MAX {
        shown.push(format!("{} more arrays", arrays.len() - ARRAYS_MAX));
    }
    if shown.is_empty() { String::new() } else { format!("({})", shown.join(", ")) }
}

impl Observer for Bars {
    fn reported(&self, line: &ReportLine) {
        self.show(|counts| {
            counts.reported += 1;
            if line.outcome != ReportOutcome::Submitted {
                counts.ended += 1;
            }
        });
        if let Some(text) = refusal(line) {
            self.bar.println(text);
        }
    }

    fn changed(&self, state: &JobState, recorded: &Recorded) {
        self.show(|counts| {
            if state.status.is_terminal() {
                counts.in_flight.remove(&state.job_id);
                if state.array_size.is_some() {
                    counts.arrays.remove(&state.job_name);
                }
            } else {
                counts.in_flight.insert(state.job_id.clone(), state.status);
            }
            if matches!(recorded, Recorded::Ended(_)) {
                counts.ended += 1;
            }
        });
        let kept = kept_in(self.kept.as_ref(), state);
        if state.status == JobStatus::Failed || !kept.is_empty() {
            self.bar.println(change(state, recorded) + &kept);
        }
    }

    fn progressed(&self, array: &JobName, ended: u32, size: u32) {
        self.show(|counts| {
            if ended < size {
                counts.arrays.insert(array.clone(), (ended, size));
            }
        });
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_under_way_are_shown_with_their_progress() {
        let arrays = |names: &[&str]| {
            names.iter().map(|name| (JobName::parse(name).unwrap(), (17, 20))).collect::<BTreeMap<_, _>>()
        };
        for (names, shown) in [
            (&[][..], ""),
            (&["tiles"], "(tiles 17/20)"),
            (&["a", "b", "c", "d", "e"], "(a 17/20, b 17/20, c 17/20, 2 more arrays)"),
        ] {
            assert_eq!(progress(&arrays(names)), shown);
        }
    }
}
