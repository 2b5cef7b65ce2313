//! The file's jobs on their way: read one after the other, several at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::io::AsyncBufRead;
use tracing::warn;

use super::breaker::Breaker;
use super::open_lines::settle_line;
use super::progress::Progress;
use super::report::ReportLine;
use super::{FileJob, ROUNDS, RunFile, RunFileError, Tried};
use crate::domain::allowed::NotAllowed;
use crate::domain::backoff::backoff;
use crate::domain::{JobName, JobSpec, OpenLine, RunId, S3Uri};
use crate::job_file::{Entry, JobFile, JobFileError, Problem};
use crate::ports::{Clock, JobStore, ObjectStore, PortError, RunStore, SHEET_MAX};
use crate::use_cases::claim_sheets::ClaimSheets;
use crate::use_cases::submit::SubmitOutcome;

/// Jobs that may be done ahead of the first that is not: bounds what is held in memory.
pub(super) const WINDOW: u64 = 2_000;

/// How far the file was read.
pub(super) enum Fed {
    All,
    UntilDeadline,
    UntilCancelled,
}

/// Reads the file and keeps up to `concurrency` jobs on their way.
pub(super) struct Feed<'a, 'f, C, R> {
    file: &'a mut JobFile<R>,
    order: &'a RunFile,
    clock: &'a C,
    next_index: u64,
    /// Entries are read before their turn, so that their claims are named together. An object of S3 comes as fast as it is
    /// read; whoever writes into a pipe may wait for what becomes of a job before they write the next.
    reads_ahead: bool,
    /// Those that were read. The first is `next_index`.
    ahead: VecDeque<Entry>,
    /// How the reading ahead ended.
    read: Option<Result<(), JobFileError>>,
    sheets: ClaimSheets,
    flying: FuturesUnordered<BoxFuture<'f, Tried>>,
    names: BTreeSet<JobName>,
    breaker: Breaker,
}

impl<'a, 'f, C: Clock, R: AsyncBufRead + Send + Unpin> Feed<'a, 'f, C, R> {
    /// Of a file that is read from its start.
    pub(super) fn new(file: &'a mut JobFile<R>, order: &'a RunFile, clock: &'a C) -> Self {
        let (flying, names, breaker) = (FuturesUnordered::new(), BTreeSet::new(), Breaker::default());
        let (ahead, sheets) = (VecDeque::new(), ClaimSheets::default());
        let reads_ahead = S3Uri::parse(&order.source).is_ok();
        let (next_index, read) = (0, None);
        Self { file, order, clock, next_index, reads_ahead, ahead, read, sheets, flying, names, breaker }
    }

    pub(super) async fn submit_all<S: JobStore + RunStore, O: ObjectStore>(
        &mut self,
        store: &S,
        progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
        submit_one: &impl Fn(FileJob) -> BoxFuture<'f, Tried>,
    ) -> Result<Fed, RunFileError> {
        let fed = loop {
            // Lines that were dealt with are read all the same: open ones may wait for that.
            let is_full = self.next_index >= progress.checkpoint() && progress.open().len() >= OpenLine::MAX;
            if self.is_over() || is_full {
                break Ok(Fed::UntilDeadline);
            }
            if progress.is_cancelled() {
                break Ok(Fed::UntilCancelled);
            }
            if let Some(error) = progress.denials.stops_reading() {
                break Err(error.into());
            }
            let Entry { line, job } = match self.next_entry(progress.checkpoint()).await {
                Ok(Some(entry)) => entry,
                Ok(None) => break Ok(Fed::All),
                Err(error) => break Err(RunFileError::File(error)),
            };
            let index = self.next_index;
            self.next_index += 1;
            let is_done = index < progress.checkpoint();
            if is_done && progress.open().is_empty() {
                continue;
            }
            let job = job.and_then(|spec| self.admitted(line, spec));
            if is_done {
                if let Ok(spec) = job {
                    settle_line(store, progress, submit_one, line, spec).await?;
                }
                continue;
            }
            match job {
                Err(problems) => progress.invalid(index, line, &problems),
                Ok(spec) => {
                    self.start(progress, submit_one, index, line, spec).await?;
                    if !self.probe(progress).await? {
                        break Ok(Fed::UntilDeadline);
                    }
                }
            }
            progress.save_if_due().await?;
            self.sheets.close_done(store).await;
        };
        self.land_while(progress, |_| true).await?;
        std::mem::take(&mut self.sheets).close_all(store).await;
        fed
    }

    /// The next of the file.
    async fn next_entry(&mut self, checkpoint: u64) -> Result<Option<Entry>, JobFileError> {
        if !self.reads_ahead {
            return self.file.next().await;
        }
        if self.ahead.is_empty() {
            self.read_ahead().await;
            let to_come = (self.next_index..).zip(&self.ahead).filter(|(index, _)| *index >= checkpoint);
            let names = to_come.filter_map(|(_, entry)| Some(entry.job.as_ref().ok()?.job_name.clone()));
            self.sheets.begin(names.collect());
        }
        match (self.ahead.pop_front(), self.read.take()) {
            (Some(entry), read) => {
                self.read = read;
                Ok(Some(entry))
            }
            (None, Some(Err(error))) => Err(error),
            (None, _) => Ok(None),
        }
    }

    /// Up to the end of the file, of a sheet, or of what can be read.
    async fn read_ahead(&mut self) {
        while self.read.is_none() && self.ahead.len() < SHEET_MAX {
            match self.file.next().await {
                Ok(Some(entry)) => self.ahead.push_back(entry),
                Ok(None) => self.read = Some(Ok(())),
                Err(error) => self.read = Some(Err(error)),
            }
        }
    }

    /// The job, where it may name what it names, and sealed where all are.
    fn admitted(&self, line: u64, spec: JobSpec) -> Result<JobSpec, Vec<Problem>> {
        let refused =
            |field: &str, message| vec![Problem { line: Some(line), field: Some(field.to_owned()), message }];
        if let Some(NotAllowed { field, message }) = self.order.allowed.refused(&spec) {
            return Err(refused(field, message));
        }
        if !self.order.seals_all {
            return Ok(spec);
        }
        spec.into_sealed().map_err(|field| {
            let message =
                "can't be sealed, and every job is sealed here (SealJobs); put it into the job definition";
            refused(field, message.to_owned())
        })
    }

    /// Starts a job once there is room and no job that it depends on is on its way.
    async fn start<S: RunStore, O: ObjectStore>(
        &mut self,
        progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
        submit_one: &impl Fn(FileJob) -> BoxFuture<'f, Tried>,
        index: u64,
        line: u64,
        spec: JobSpec,
    ) -> Result<(), RunFileError> {
        let concurrency = self.order.concurrency.max(1);
        let waits = |feed: &Self| {
            feed.flying.len() >= concurrency
                || feed.names.contains(&spec.job_name)
                || spec.dependency_names().any(|name| feed.names.contains(name))
        };
        self.land_while(progress, waits).await?;
        while index - progress.checkpoint() >= WINDOW && !progress.deferred.is_empty() {
            self.land_while(progress, |_| true).await?;
            retry_deferred(progress, submit_one, &self.order.run_id).await?;
            if !progress.deferred.is_empty() {
                let why = "jobs at the run's checkpoint can't be submitted yet";
                return Err(PortError::retryable("run", why).into());
            }
        }
        if progress.defers_with_dependency(&spec) {
            progress.deferred.insert(index, (line, spec));
            return Ok(());
        }
        self.names.insert(spec.job_name.clone());
        self.flying.push(submit_one(FileJob { index, line, spec, sheet: self.sheets.current() }));
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.order.deadline.is_some_and(|deadline| self.clock.now() >= deadline)
    }

    /// While Batch leaves its answers open, lets one job go at a time, with growing waits: each that goes leaves
    /// a claim behind for the reconciler. `false` where the time is over before.
    async fn probe<S: RunStore, O: ObjectStore>(
        &mut self,
        progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
    ) -> Result<bool, RunFileError> {
        if !self.breaker.is_open() {
            return Ok(true);
        }
        self.land_while(progress, |_| true).await?;
        let Some(wait) = self.breaker.wait() else { return Ok(true) };
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let ends = self.clock.now().plus_millis(wait_ms);
        if self.order.deadline.is_some_and(|deadline| ends >= deadline) {
            return Ok(false);
        }
        warn!(wait.ms = wait_ms, "Batch left several answers open; one job is tried after a while");
        tokio::time::sleep(wait).await;
        Ok(true)
    }

    async fn land_while<S: RunStore, O: ObjectStore>(
        &mut self,
        progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
        waits: impl Fn(&Self) -> bool,
    ) -> Result<(), RunFileError> {
        while waits(self) {
            let Some(tried) = self.flying.next().await else { return Ok(()) };
            self.names.remove(&tried.spec.job_name);
            self.breaker.heard(matches!(tried.result, Ok(SubmitOutcome::Unknown(_))));
            progress.landed(tried);
        }
        Ok(())
    }
}

/// Tries the deferred jobs again, in the order of the file, until none is left or the rounds are over.
pub(super) async fn retry_deferred<'f, S: RunStore, O: ObjectStore, C: Clock>(
    progress: &mut Progress<'_, S, O, C, impl FnMut(&ReportLine) + Send>,
    submit_one: &impl Fn(FileJob) -> BoxFuture<'f, Tried>,
    run_id: &RunId,
) -> Result<(), RunFileError> {
    for round in 0..ROUNDS {
        if progress.deferred.is_empty() || progress.is_cancelled() {
            return Ok(());
        }
        tokio::time::sleep(backoff(round, run_id.as_str())).await;
        let deferred: BTreeMap<u64, (u64, JobSpec)> = std::mem::take(&mut progress.deferred);
        for (index, (line, spec)) in deferred {
            if progress.defers_with_dependency(&spec) {
                progress.deferred.insert(index, (line, spec));
                continue;
            }
            let tried = submit_one(FileJob { index, line, spec, sheet: None }).await;
            progress.landed(tried);
            if let Some(error) = progress.denials.stops_retries() {
                return Err(error.into());
            }
        }
    }
    warn!(jobs = progress.deferred.len(), "jobs could not be submitted yet; the run is to be continued");
    Ok(())
}
