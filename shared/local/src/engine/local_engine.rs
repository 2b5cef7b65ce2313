//! The handle to a running engine.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::books::{Books, BooksError};
use super::config::EngineConfig;
use super::core::{Core, JobRecord, Reach, arn};
use super::driver::{Command, Driver, Load, blocking};
use super::jumps::Jumps;
use super::logs::LogDirectory;
use super::runner::Runner;
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::{JobDefinition, JobId, JobName, JobQueue, LogStream, Stop, SubmitJobRequest, Timestamp};
use crate::events::{JobDetail, JobStateChange};
use crate::ports::{
    Clock, Cursor, JobEngine, JobStopper, JobSummary, LogPage, LogSource, LogSourceError, OneByOne, Page,
    PortError, QueueSource, SubmissionPace,
};

/// Commands that wait for the driver. More make their senders wait.
const COMMANDS_MAX: usize = 256;

/// Jobs on a page of `ListJobs`, as in AWS Batch.
const LIST_PAGE: usize = 100;

const STOPPED: &str = "the job engine has stopped; start it again";

/// A job engine on this machine. Clones are handles to the same engine; when the last is dropped it
/// stops, and its processes run on until an engine on the same books watches them again.
#[derive(Clone)]
pub struct LocalEngine {
    commands: mpsc::Sender<Command>,
    books: Arc<dyn Books>,
    load: watch::Receiver<Load>,
    window: usize,
    logs: Option<LogDirectory>,
    setup: Option<Arc<str>>,
}

impl LocalEngine {
    /// Starts an engine, which takes up the unfinished jobs of its books.
    ///
    /// Events go into a channel without a bound, so that a slow consumer can't hold up a job's end. It
    /// stays short all the same: an attempt sends four events at most, and submitters that ask
    /// [`SubmissionPace::admit`] keep the unfinished jobs within the window.
    ///
    /// # Errors
    ///
    /// Where the books can't be read or written.
    pub async fn start<R: Runner, C: Clock + 'static>(
        config: EngineConfig,
        books: impl Books,
        mut runner: R,
        clock: C,
        events: mpsc::UnboundedSender<JobStateChange>,
    ) -> Result<Self, BooksError> {
        let books: Arc<dyn Books> = Arc::new(books);
        let (sequence, unfinished) =
            blocking(&books, |books| Ok((books.last_sequence()?, books.unfinished()?))).await?;
        let grace_ms = i64::try_from(config.kill_grace.as_millis()).unwrap_or(i64::MAX);
        let mut core = Core::new(config.capacity, grace_ms, config.ids, sequence);
        if !config.starts_jobs {
            core.start_nothing();
        }
        if runner.runs_images() {
            core.run_images();
        }
        config.definitions.into_iter().for_each(|definition| core.define(definition));
        let (reporter, reports) = mpsc::unbounded_channel();
        let logs = runner.logs();
        runner.resume(core.resume(unfinished, clock.now()), &reporter);
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let (load_sender, load) = watch::channel(Load::of(&mut core));
        let jumps = Jumps::since(clock.now());
        let mut driver = Driver {
            core,
            jumps,
            books: Arc::clone(&books),
            runner,
            clock,
            commands: inbox,
            reports,
            reporter,
            events,
            load: load_sender,
        };
        driver.finish_turn(Vec::new()).await?;
        tokio::spawn(driver.run());
        Ok(Self { commands, books, load, window: config.window, logs, setup: None })
    }

    /// Adds a job definition, or replaces the one of that name, for submissions from now on.
    ///
    /// # Errors
    ///
    /// Where the engine has stopped.
    pub async fn define(&self, definition: JobDefinition) -> Result<(), PortError> {
        self.ask("RegisterJobDefinition", |reply| Command::Define(Box::new(definition), reply)).await
    }

    /// The same engine, for jobs whose attempts are started as the runner keeps it by a name. `None`: as it starts all.
    #[must_use]
    pub fn starting_by(&self, setup: Option<&str>) -> Self {
        Self { setup: setup.map(Arc::from), ..self.clone() }
    }

    /// Lets [`LocalEngine::idle`] wait for the submissions of these setups and of these names alone, from now on.
    ///
    /// # Errors
    ///
    /// Where the engine has stopped.
    pub async fn wait_for(&self, setups: HashSet<String>, names: HashSet<JobName>) -> Result<(), PortError> {
        self.ask("DescribeJobs", |reply| Command::WaitFor(setups, names, reply)).await
    }

    /// The setups of the jobs that have not ended, each once.
    ///
    /// # Errors
    ///
    /// Where the engine has stopped.
    pub async fn setups(&self) -> Result<HashSet<String>, PortError> {
        self.ask("DescribeJobs", Command::Setups).await
    }

    /// Terminates every unfinished job.
    ///
    /// # Errors
    ///
    /// Where the engine has stopped.
    pub async fn terminate_all(&self, reason: &str) -> Result<(), PortError> {
        let reason = reason.to_owned();
        self.ask("TerminateJob", |reply| Command::TerminateAll(reason, reply)).await
    }

    /// Waits until no job is unfinished of those that are waited for, or nothing more happens to them by itself, or the engine has
    /// stopped. What is left then are jobs of others, or such as this machine can't hold, and those that depend on them.
    pub async fn idle(&self) {
        // An error says that the engine has stopped.
        let _ = self.load.clone().wait_for(|load| load.waited_for == 0 || load.is_at_rest()).await;
    }

    /// Submissions that have not ended.
    pub fn submissions(&self) -> usize {
        self.load.borrow().submissions
    }

    /// Submissions that have not ended, of those that are waited for.
    pub fn waited_for(&self) -> usize {
        self.load.borrow().waited_for
    }

    /// Whether anything can still happen by itself to what is waited for.
    pub fn is_moving(&self) -> bool {
        self.load.borrow().is_moving
    }

    /// Waits until the engine has stopped, which it does of itself where its books fail.
    pub async fn stopped(&self) {
        self.commands.closed().await;
    }

    /// Jobs that have not ended, array parents and children among them.
    pub fn unfinished(&self) -> usize {
        self.load.borrow().unfinished
    }

    /// Submissions, newest first, without array children: at most `limit` of those before the submission
    /// numbered `before`; of unfinished ones alone where `unfinished` says so.
    ///
    /// # Errors
    ///
    /// Where the books can't be read.
    pub async fn newest(
        &self,
        unfinished: bool,
        before: u64,
        limit: usize,
    ) -> Result<Vec<JobRecord>, PortError> {
        let records = blocking(&self.books, move |books| books.newest(unfinished, before, limit)).await;
        records.map_err(|error| PortError::retryable("ListJobs", error))
    }

    /// What the books hold of the jobs, in the order of the ids; unknown ones are absent.
    ///
    /// # Errors
    ///
    /// Where the books can't be read.
    pub async fn records(&self, job_ids: Vec<JobId>) -> Result<Vec<JobRecord>, PortError> {
        self.load("DescribeJobs", job_ids).await
    }

    /// Stops the engine. Its processes run on; an engine on the same books watches them again.
    pub async fn shutdown(&self) {
        // An error says that it has stopped already.
        let _ = self.ask("shutdown", Command::Shutdown).await;
    }

    async fn ask<T>(
        &self,
        operation: &'static str,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, PortError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| PortError::retryable(operation, STOPPED))?;
        answer.await.map_err(|_| PortError::ambiguous(operation, STOPPED))
    }

    async fn load(&self, operation: &'static str, ids: Vec<JobId>) -> Result<Vec<JobRecord>, PortError> {
        let loaded = blocking(&self.books, move |books| books.load(&ids)).await;
        loaded.map_err(|error| PortError::retryable(operation, error))
    }

    /// A job that the core does not hold has ended, which is fine, or never was.
    async fn settle_reach(
        &self,
        operation: &'static str,
        job_id: &JobId,
        reach: Reach,
    ) -> Result<(), PortError> {
        if reach == Reach::Held || !self.load(operation, vec![job_id.clone()]).await?.is_empty() {
            return Ok(());
        }
        Err(PortError::permanent(operation, format!("job {job_id} is not known to the engine")))
    }
}

/// It has no queue that could hold a job back: what waits here waits for room.
impl QueueSource for LocalEngine {
    async fn job_queue(&self, _: &str) -> Result<Option<JobQueue>, PortError> {
        Ok(None)
    }
}

impl JobEngine for LocalEngine {
    async fn submit_job(&self, request: &SubmitJobRequest) -> Result<JobId, PortError> {
        let request = Box::new(request.clone());
        let setup = self.setup.as_deref().map(str::to_owned);
        let answer = self.ask("SubmitJob", |reply| Command::Submit(request, setup, reply)).await?;
        answer.map_err(|refusal| PortError::permanent("SubmitJob", refusal))
    }

    async fn describe_jobs(&self, job_ids: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        if job_ids.len() > DESCRIBE_JOBS_MAX {
            let why = format!("{} ids in one call, at most {DESCRIBE_JOBS_MAX} are allowed", job_ids.len());
            return Err(PortError::permanent("DescribeJobs", why));
        }
        let records = self.load("DescribeJobs", job_ids.to_vec()).await?;
        Ok(records.into_iter().map(|record| record.detail).collect())
    }

    async fn list_jobs(
        &self,
        job_queue: &str,
        job_name: &JobName,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        let after = place(page)?.unwrap_or(0);
        let name = job_name.clone();
        let records = blocking(&self.books, move |books| books.named(&name, after, LIST_PAGE)).await;
        let records = records.map_err(|error| PortError::retryable("ListJobs", error))?;
        let next = (records.len() == LIST_PAGE).then(|| records.last()).flatten();
        let next = next.map(|last| Cursor(last.sequence.to_string()));
        let queue = arn::resource_name(job_queue);
        let in_queue =
            records.into_iter().filter(|record| arn::resource_name(&record.detail.job_queue) == queue);
        Ok(Page::new(in_queue.map(summary).collect(), next))
    }

    async fn list_jobs_since(
        &self,
        job_queue: &str,
        since: Timestamp,
        page: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        let before = place(page)?.unwrap_or(u64::MAX);
        let records = blocking(&self.books, move |books| books.newest(false, before, LIST_PAGE)).await;
        let records = records.map_err(|error| PortError::retryable("ListJobs", error))?;
        // The newest come first, and a later submission is never the older one.
        let is_new = |record: &&JobRecord| Timestamp::reported(record.detail.created_at) > Some(since);
        let all_new = records.iter().all(|record| is_new(&record));
        let next = (all_new && records.len() == LIST_PAGE).then(|| records.last()).flatten();
        let next = next.map(|last| Cursor(last.sequence.to_string()));
        let queue = arn::resource_name(job_queue);
        let in_queue = records
            .into_iter()
            .filter(|record| is_new(&record) && arn::resource_name(&record.detail.job_queue) == queue);
        Ok(Page::new(in_queue.map(summary).collect(), next))
    }

    async fn cancel_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        let (id, reason) = (job_id.clone(), reason.to_owned());
        let reach = self.ask("CancelJob", |reply| Command::Cancel(id, reason, reply)).await?;
        self.settle_reach("CancelJob", job_id, reach).await
    }

    async fn terminate_job(&self, job_id: &JobId, reason: &str) -> Result<(), PortError> {
        let (id, reason) = (job_id.clone(), reason.to_owned());
        let reach = self.ask("TerminateJob", |reply| Command::Terminate(id, reason, reply)).await?;
        self.settle_reach("TerminateJob", job_id, reach).await
    }
}

impl SubmissionPace for LocalEngine {
    async fn admit(&self) {
        // An error says that the engine has stopped: the submission will tell.
        let _ = self.load.clone().wait_for(|load| load.unfinished < self.window || load.is_at_rest()).await;
    }
}

/// The logs of its runner. A simulation has no streams.
impl JobStopper for LocalEngine {
    async fn stop_jobs(&self, job_ids: &[JobId], stop: Stop, reason: &str) -> Vec<Result<(), PortError>> {
        OneByOne(self).stop_jobs(job_ids, stop, reason).await
    }
}

impl LogSource for LocalEngine {
    async fn log_events(&self, stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        match &self.logs {
            Some(logs) => logs.log_events(stream, page).await,
            None => Err(LogSourceError::StreamMissing(stream.name.clone())),
        }
    }
}

/// The number of the submission where a page begins.
fn place(page: Option<&Cursor>) -> Result<Option<u64>, PortError> {
    let parse = |Cursor(text): &Cursor| {
        text.parse().map_err(|_| {
            PortError::permanent("ListJobs", format!("page {text:?} is not one of this engine's"))
        })
    };
    page.map(parse).transpose()
}

fn summary(record: JobRecord) -> JobSummary {
    JobSummary::new(
        record.detail.job_id,
        record.detail.job_name,
        record.detail.status,
        Timestamp::reported(record.detail.created_at),
    )
}
