//! Every port, with a fuse in each of its calls.
//!
//! The methods are no `async fn`: the caller's place is taken when the call is made, by `#[track_caller]`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use batchwright::domain::{
    Children, ClaimOutcome, FollowUp, Job, JobHead, JobId, JobName, JobQueue, JobState, JobStatus, LogStream,
    LogsRecord, NewClaim, NewSubmission, Nonce, RecordOutcome, Run, RunId, SheetId, SourceVersion,
    StatusCounts, Submission, SubmitJobRequest, Timestamp,
};
use batchwright::events::{Announcement, JobDetail};
use batchwright::ports::{
    Applied, AsyncInvoker, CheckpointStore, ClaimStore, Cursor, EventBus, JobEngine, JobQueries, JobRemoval,
    JobSummary, LogPage, LogSource, LogSourceError, ObjectStore, ObjectWriter, Page, PortError, QueueSource,
    RunStore, StateStore, Stored, SubmissionPace, Version, WorkLists,
};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::fuse::{Fuse, Moment, Site};

/// A port whose process may die at any of its calls.
#[derive(Debug, Clone)]
pub struct Fused<P> {
    inner: P,
    fuse: Fuse,
}

impl<P> Fused<P> {
    /// Lets calls through to `inner` while the process lives.
    pub fn new(inner: P, fuse: &Fuse) -> Self {
        Self { inner, fuse: fuse.clone() }
    }
}

macro_rules! fused {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        $(
            #[track_caller]
            fn $name(&self, $($argument: $kind),*) -> impl Future<Output = $answer> + Send {
                self.fuse.call(stringify!($name), self.inner.$name($($argument),*))
            }
        )*
    };
}

type Answer<T> = Result<T, PortError>;

impl<S: ClaimStore> ClaimStore for Fused<S> {
    fused! {
        open_sheet(names: &[JobName], expires_at: Timestamp) -> Answer<Option<SheetId>>;
        close_sheet(sheet: &SheetId) -> Answer<()>;
        claim(claim: &NewClaim) -> Answer<ClaimOutcome>;
        release(job_name: &JobName, nonce: &Nonce, refusal: Option<&str>, now: Timestamp) -> Answer<bool>;
        record_submission(submission: &NewSubmission) -> Answer<RecordOutcome>;
        take_in(claim: &NewClaim, job_id: &JobId) -> Answer<RecordOutcome>;
    }
}

impl<S: StateStore> StateStore for Fused<S> {
    fused! {
        apply_state(state: &JobState, now: Timestamp) -> Answer<Applied>;
        apply_known(state: &JobState, now: Timestamp) -> Answer<Option<Applied>>;
        save_children(job_name: &JobName, job_id: &JobId, children: &Children, now: Timestamp) -> Answer<bool>;
        save_logs(job_id: &JobId, logs: &LogsRecord, now: Timestamp) -> Answer<bool>;
    }
}

impl<S: WorkLists> WorkLists for Fused<S> {
    fused! {
        unsettled_ends(page: Option<&Cursor>) -> Answer<Page<Submission>>;
        ends_waiting_for(job_name: &JobName, page: Option<&Cursor>) -> Answer<Page<Submission>>;
        save_follow_up(job_name: &JobName, job_id: &JobId, follow_up: &FollowUp) -> Answer<()>;
        expired_claims(before: Timestamp, page: Option<&Cursor>) -> Answer<Page<JobHead>>;
        close_left_sheets(before: Timestamp) -> Answer<()>;
        silent_submissions(since: Timestamp, page: Option<&Cursor>) -> Answer<Page<Submission>>;
        no_news(submissions: &[Submission], heard_at: Option<Timestamp>, asked_at: Timestamp) -> Answer<()>;
        unfinished_logs(before: Timestamp, page: Option<&Cursor>) -> Answer<Page<Submission>>;
    }
}

impl<S: JobQueries> JobQueries for Fused<S> {
    fused! {
        job(job_name: &JobName) -> Answer<Option<Job>>;
        jobs_named(job_names: &[JobName]) -> Answer<Vec<Option<Job>>>;
        submission(job_id: &JobId) -> Answer<Option<Submission>>;
        submission_of(job_name: &JobName, job_id: &JobId) -> Answer<Option<Submission>>;
        is_recorded(job_name: &JobName, job_id: &JobId) -> Answer<bool>;
        submissions(job_name: &JobName, page: Option<&Cursor>) -> Answer<Page<Submission>>;
        submissions_with_status(status: JobStatus, page: Option<&Cursor>) -> Answer<Page<Submission>>;
        jobs(run_id: Option<&RunId>, page: Option<&Cursor>) -> Answer<Page<Job>>;
        jobs_with_status(status: JobStatus, page: Option<&Cursor>) -> Answer<Page<Job>>;
        count_by_status() -> Answer<StatusCounts>;
    }
}

impl<S: JobRemoval> JobRemoval for Fused<S> {
    fused! {
        remove_submission(job_id: &JobId) -> Answer<Option<Submission>>;
        remove_job(job_name: &JobName) -> Answer<Vec<JobId>>;
        prune_job(head: &JobHead) -> Answer<bool>;
        prune_run(run: &Run) -> Answer<bool>;
    }
}

impl<S: RunStore> RunStore for Fused<S> {
    fused! {
        create_run(run: &Run) -> Answer<Option<Run>>;
        save_run(run: &Run) -> Answer<bool>;
        run(run_id: &RunId) -> Answer<Option<Run>>;
        runs(page: Option<&Cursor>) -> Answer<Page<Run>>;
        unfinished_runs(since: Timestamp, page: Option<&Cursor>) -> Answer<Page<Run>>;
    }
}

impl<E: JobEngine> JobEngine for Fused<E> {
    fused! {
        submit_job(request: &SubmitJobRequest) -> Answer<JobId>;
        describe_jobs(job_ids: &[JobId]) -> Answer<Vec<JobDetail>>;
        list_jobs(job_queue: &str, job_name: &JobName, page: Option<&Cursor>) -> Answer<Page<JobSummary>>;
        list_jobs_since(job_queue: &str, since: Timestamp, page: Option<&Cursor>) -> Answer<Page<JobSummary>>;
        cancel_job(job_id: &JobId, reason: &str) -> Answer<()>;
        terminate_job(job_id: &JobId, reason: &str) -> Answer<()>;
    }
}

impl<Q: QueueSource> QueueSource for Fused<Q> {
    fused! {
        job_queue(name: &str) -> Answer<Option<JobQueue>>;
    }
}

impl<L: LogSource> LogSource for Fused<L> {
    fused! {
        log_events(stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError>;
    }
}

impl<P: SubmissionPace> SubmissionPace for Fused<P> {
    fused! {
        admit() -> ();
    }

    fn throttled(&self) {
        self.inner.throttled();
    }
}

impl<I: AsyncInvoker> AsyncInvoker for Fused<I> {
    fused! {
        invoke_later(function: &str, payload: &[u8]) -> Answer<()>;
    }
}

impl<B: EventBus> EventBus for Fused<B> {
    fused! {
        put(events: &[Announcement]) -> Answer<()>;
    }
}

impl<O: CheckpointStore> CheckpointStore for Fused<O> {
    fused! {
        load(key: &str) -> Answer<Option<Stored>>;
        save(key: &str, bytes: &[u8], over: Option<&Version>) -> Answer<Option<Version>>;
    }
}

impl<O: ObjectStore> ObjectStore for Fused<O> {
    type Reader = FusedReader<O::Reader>;
    type Writer = FusedWriter<O::Writer>;

    #[track_caller]
    fn open_object(&self, key: &str) -> impl Future<Output = Answer<Option<Self::Reader>>> + Send {
        let (fuse, site) = (self.fuse.clone(), Site::caller("open_object"));
        let opening = self.fuse.call("open_object", self.inner.open_object(key));
        async move { Ok(opening.await?.map(|inner| FusedReader { inner, fuse, site, asked: None })) }
    }

    #[track_caller]
    fn open_range(
        &self,
        key: &str,
        first: u64,
        length: u64,
    ) -> impl Future<Output = Answer<Option<Self::Reader>>> + Send {
        let (fuse, site) = (self.fuse.clone(), Site::caller("open_range"));
        let opening = self.fuse.call("open_range", self.inner.open_range(key, first, length));
        async move { Ok(opening.await?.map(|inner| FusedReader { inner, fuse, site, asked: None })) }
    }

    #[track_caller]
    fn open_version(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> impl Future<Output = Answer<Option<(Self::Reader, SourceVersion)>>> + Send {
        let (fuse, site) = (self.fuse.clone(), Site::caller("open_version"));
        let opening = self.fuse.call("open_version", self.inner.open_version(key, version_id));
        async move {
            let opened = opening.await?;
            Ok(opened.map(|(inner, version)| (FusedReader { inner, fuse, site, asked: None }, version)))
        }
    }

    #[track_caller]
    fn create_object(
        &self,
        key: &str,
        content_type: &str,
    ) -> impl Future<Output = Answer<Self::Writer>> + Send {
        let fuse = self.fuse.clone();
        let creating = self.fuse.call("create_object", self.inner.create_object(key, content_type));
        async move { Ok(FusedWriter { inner: creating.await?, fuse }) }
    }
}

/// Writes until its process dies.
#[derive(Debug)]
pub struct FusedWriter<W> {
    inner: W,
    fuse: Fuse,
}

impl<W: ObjectWriter> ObjectWriter for FusedWriter<W> {
    #[track_caller]
    fn write(&mut self, bytes: &[u8]) -> impl Future<Output = Answer<()>> + Send {
        self.fuse.call("write", self.inner.write(bytes))
    }

    #[track_caller]
    fn finish(self) -> impl Future<Output = Answer<()>> + Send {
        self.fuse.call("finish", self.inner.finish())
    }
}

/// Reads until its process dies. Each piece is a call, made where the object was opened.
#[derive(Debug)]
pub struct FusedReader<R> {
    inner: R,
    fuse: Fuse,
    site: Site,
    /// A piece was asked for; whether the process dies once it is there.
    asked: Option<bool>,
}

impl<R> FusedReader<R> {
    /// Whether the process dies once the piece is there; pending where it is dead.
    fn ask(&mut self) -> Poll<bool> {
        let dies = *self.asked.get_or_insert_with(|| self.fuse.begin(self.site));
        if self.fuse.is_dead() { Poll::Pending } else { Poll::Ready(dies) }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for FusedReader<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let dies = ready!(this.ask());
        let read = ready!(Pin::new(&mut this.inner).poll_read(cx, buf));
        this.asked = None;
        if dies {
            this.fuse.die(this.site, Moment::After);
            return Poll::Pending;
        }
        Poll::Ready(read)
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for FusedReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let dies = ready!(this.ask());
        let piece = ready!(Pin::new(&mut this.inner).poll_fill_buf(cx));
        this.asked = None;
        if dies {
            this.fuse.die(this.site, Moment::After);
            return Poll::Pending;
        }
        Poll::Ready(piece)
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        Pin::new(&mut self.get_mut().inner).consume(amount);
    }
}
