//! How far a run has come: what is done, what is open, and the report, saved together.

use std::collections::BTreeMap;

use tracing::warn;

use super::denials::Denials;
use super::report::{ReportLine, ReportOutcome, report_key, settled_key};
use super::{RunFileError, Tried};
use crate::domain::plan::Skip;
use crate::domain::{Checkpoint, JobName, JobSpec, OpenLine, Run, RunState};
use crate::job_file::{JobFileError, Problem};
use crate::ports::{Clock, ObjectStore, ObjectWriter as _, RunStore};
use crate::use_cases::submit::SubmitOutcome;

/// Jobs between two saved checkpoints.
pub(super) const SAVE_EVERY: u64 = 1_000;

/// A run under way. The checkpoint is the first job that is not done; the report is written up to it,
/// and a part of the report is finished before the checkpoint that stands behind it is saved, so that
/// no job is missing from it, wherever the run is stopped.
pub(super) struct Progress<'a, S, O, C, F> {
    store: &'a S,
    archive: &'a O,
    clock: &'a C,
    run: Run,
    each: F,
    is_cancelled: bool,
    saved: Checkpoint,
    part: Vec<u8>,
    done: BTreeMap<u64, ReportLine>,
    pub(super) denials: Denials,
    /// Jobs that could not be submitted yet, by index, with their line.
    pub(super) deferred: BTreeMap<u64, (u64, JobSpec)>,
}

impl<'a, S: RunStore, O: ObjectStore, C: Clock, F: FnMut(&ReportLine) + Send> Progress<'a, S, O, C, F> {
    pub(super) fn new(store: &'a S, archive: &'a O, clock: &'a C, run: Run, each: F) -> Self {
        let saved = run.checkpoint;
        let (part, done, deferred) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let (is_cancelled, denials) = (false, Denials::default());
        Self { store, archive, clock, run, each, is_cancelled, saved, part, done, denials, deferred }
    }

    /// Whether a job was left alone because somebody has cancelled the run.
    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled
    }

    /// The index of the first job that is not done.
    pub(super) fn checkpoint(&self) -> u64 {
        self.run.checkpoint.0
    }

    /// A job came back. Where its port failed for good, that is the job's line: it must not be the file's end.
    pub(super) fn landed(&mut self, tried: Tried) {
        let Tried { index, line, spec, result } = tried;
        self.is_cancelled |= matches!(result, Ok(SubmitOutcome::Skipped(Skip::RunCancelled)));
        if matches!(result, Ok(SubmitOutcome::Submitted(_))) {
            self.denials.taken();
        }
        let said = match result {
            Ok(outcome) => ReportLine::of(line, spec.job_name.clone(), outcome),
            Err(error) if error.may_pass() => Err(error.to_string()),
            Err(error) if error.is_of_caller() && !self.denials.is_verdict(index, &error) => {
                Err(error.to_string())
            }
            Err(error) => {
                warn!(job.name = %spec.job_name, %error, "it can't be submitted");
                ReportLine::of(line, spec.job_name.clone(), SubmitOutcome::Rejected(error.to_string()))
            }
        };
        match said {
            Ok(report) => self.finish(index, report),
            Err(why) => {
                warn!(job.name = %spec.job_name, %why, "not submitted yet");
                self.deferred.insert(index, (line, spec));
            }
        }
    }

    /// Whether a job waits because one that it depends on could not be submitted yet: the store may not know that one
    /// at all, and would have it rejected.
    pub(super) fn defers_with_dependency(&self, spec: &JobSpec) -> bool {
        let is_deferred = |name: &JobName| self.deferred.values().any(|(_, spec)| spec.job_name == *name);
        !self.deferred.is_empty() && spec.dependency_names().any(is_deferred)
    }

    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// Lines whose job Batch may have taken or not.
    pub(super) fn open(&self) -> &[OpenLine] {
        &self.run.open
    }

    /// Open lines were settled: a part of the report puts them right, then the run's record does.
    pub(super) async fn settled(&mut self, lines: Vec<ReportLine>) -> Result<(), RunFileError> {
        if lines.is_empty() {
            return Ok(());
        }
        self.save().await?;
        let mut part = Vec::new();
        for report in &lines {
            report.count(&mut self.run.counts);
            self.run.counts.unknown = self.run.counts.unknown.saturating_sub(1);
            let is_it = |open: &OpenLine| {
                open.line == report.line && report.job_name.as_ref() == Some(&open.job_name)
            };
            self.run.open.retain(|open| !is_it(open));
            serde_json::to_writer(&mut part, report).expect("a report line has string keys only");
            part.push(b'\n');
            (self.each)(report);
        }
        let key = settled_key(&self.run.run_id, self.clock.now());
        let mut object = self.archive.create_object(&key, "application/x-ndjson").await?;
        object.write(&part).await?;
        object.finish().await?;
        self.save().await
    }

    /// A line that holds no valid job.
    pub(super) fn invalid(&mut self, index: u64, line: u64, problems: &[Problem]) {
        self.finish(index, ReportLine::invalid(line, problems));
    }

    /// The rest of the file can't be read.
    pub(super) fn reject(&mut self, error: &JobFileError) {
        for problem in &error.problems {
            let report = ReportLine::invalid(problem.line.unwrap_or(0), std::slice::from_ref(problem));
            self.write(&report);
        }
    }

    fn finish(&mut self, index: u64, report: ReportLine) {
        self.done.insert(index, report);
        while let Some(report) = self.done.remove(&self.run.checkpoint.0) {
            self.run.checkpoint.0 += 1;
            self.write(&report);
        }
    }

    fn write(&mut self, report: &ReportLine) {
        report.count(&mut self.run.counts);
        if let (ReportOutcome::Unknown, Some(job_name)) = (report.outcome, &report.job_name) {
            self.run.open.push(OpenLine { line: report.line, job_name: job_name.clone() });
        }
        let line = serde_json::to_string(report).expect("a report line has string keys only");
        self.part.extend_from_slice(line.as_bytes());
        self.part.push(b'\n');
        (self.each)(report);
    }

    pub(super) async fn save_if_due(&mut self) -> Result<(), RunFileError> {
        if self.run.checkpoint.0 - self.saved.0 >= SAVE_EVERY { self.save().await } else { Ok(()) }
    }

    async fn save(&mut self) -> Result<(), RunFileError> {
        if !self.part.is_empty() {
            // Another invocation's part under this key would be lost.
            let known = self.known().await?;
            let goes_on = known.state == RunState::Submitting || known.state.is_cancelled();
            if known.checkpoint != self.saved || !goes_on {
                return Err(RunFileError::Overtaken);
            }
            let key = report_key(&self.run.run_id, self.saved);
            let mut object = self.archive.create_object(&key, "application/x-ndjson").await?;
            object.write(&self.part).await?;
            object.finish().await?;
            self.part.clear();
        }
        self.run.updated_at = self.clock.now();
        while !self.store.save_run(&self.run).await? {
            let known = self.known().await?;
            let is_here = known.checkpoint == self.saved && known.state != self.run.state;
            if known.state.is_cancelled() && is_here {
                // From now on the run can be saved only as what it is.
                self.is_cancelled = true;
                self.run.state = known.state;
                self.run.cancellation = known.cancellation;
            } else if (known.checkpoint, known.state) == (self.run.checkpoint, self.run.state) {
                // It was written by a call whose answer was lost.
                break;
            } else {
                return Err(RunFileError::Overtaken);
            }
        }
        self.saved = self.run.checkpoint;
        Ok(())
    }

    /// The run as it stands. Another invocation, which the same event started or which took this one for dead,
    /// may have come further.
    async fn known(&self) -> Result<Run, RunFileError> {
        self.store.run(&self.run.run_id).await?.ok_or(RunFileError::Overtaken)
    }

    /// Saves what was reached, and the state of the run.
    pub(super) async fn close(mut self, state: RunState) -> Result<Run, RunFileError> {
        if !self.run.state.is_cancelled() {
            self.run.state = state;
        }
        self.save().await?;
        Ok(self.run)
    }
}
