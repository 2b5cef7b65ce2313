//! Jobs followed until they end, by a process that stays alive.
//!
//! All who wait on one client share its looks. A look asks AWS Batch about every job in flight, a hundred at a time,
//! and does what the reconciler does on a stack: it records what has changed, and submits again what a lost host
//! killed. Nobody looks in the background: the first of those who wait that finds a look due begins it, the others
//! wait for its end, and it is given up with the last of them.
//!
//! A look is a task, because whoever began it may be pending and not polled: as one branch of a `select!` whose other
//! branch is under way, or as a stream between two items. Polled by its beginner alone it would stand still then, with
//! the places for calls that it holds, and so would everybody who waits for it. For the same reason each waits for the
//! next look by itself, and no lock is held meanwhile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use futures_util::future::{BoxFuture, FutureExt as _, Shared, WeakShared};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument as _;

use batchwright_control::use_cases::queries::recover_jobs;
use batchwright_control::use_cases::reconcile::{ReconcilePolicy, Reconciled, reconcile};

use crate::client::Client;
use crate::domain::follow_up::{Standing, standing};
use crate::domain::{Job, JobName, JobStatus};
use crate::error::ClientError;
use crate::ports::PortError;

/// Looks in a row that learned nothing because AWS Batch could not be asked, before those who wait are told.
const FAILED_LOOKS: u32 = 5;

/// Everything in flight is asked about at each look: negative, because a job that was heard of in this very
/// millisecond is asked about too.
const LOOK: i64 = -1_000;

/// The looks of one client.
pub(crate) struct Looks {
    course: Mutex<Course>,
    made: watch::Sender<u64>,
}

/// What whoever looks next must know.
struct Course {
    due: Instant,
    pause: Duration,
    failed: u32,
    /// Looks that were begun.
    begun: u64,
    /// The latest. Those who wait for it keep it.
    latest: Option<WeakShared<Look>>,
}

type Look = BoxFuture<'static, Result<(), Unmade>>;

/// Why a look was not made, told to all who waited for it.
#[derive(Clone)]
enum Unmade {
    Failed(PortError),
    NoNews(u32),
    /// It panicked, or the runtime on which it ran is shutting down.
    Gone(String),
}

impl Unmade {
    fn told(self) -> ClientError {
        match self {
            Self::Failed(error) => error.into(),
            Self::NoNews(times) => ClientError::NoNews(times),
            Self::Gone(why) => PortError::permanent("look at the jobs", why).into(),
        }
    }
}

/// A look that is under way.
struct UnderWay {
    number: u64,
    look: Shared<Look>,
    is_own: bool,
}

impl UnderWay {
    /// Waits for its end. `false`: it was another's, and is gone; whoever waited for it looks for themselves.
    async fn was_made(self) -> Result<bool, ClientError> {
        match self.look.await {
            Err(Unmade::Gone(_)) if !self.is_own => Ok(false),
            ended => ended.map(|()| true).map_err(Unmade::told),
        }
    }
}

impl Looks {
    pub(crate) fn new(pause: Duration) -> Self {
        // The first look comes a pause after the jobs were submitted: before that nothing has happened.
        let course = Course { due: Instant::now() + pause, pause, failed: 0, begun: 0, latest: None };
        Self { course: Mutex::new(course), made: watch::Sender::new(0) }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// Waits until each job has ended for good, and returns them in the order of the names. What a lost host killed
    /// is submitted again meanwhile, as far as its tries go.
    ///
    /// Errs where a name is not known. Dropped before its end, it stops nothing.
    pub async fn wait(&self, names: impl IntoIterator<Item = JobName>) -> Result<Vec<Job>, ClientError> {
        let names: Vec<JobName> = names.into_iter().collect();
        let mut open: BTreeSet<JobName> = names.iter().cloned().collect();
        let mut ended: BTreeMap<JobName, Job> = BTreeMap::new();
        loop {
            let seen = *self.shared().looks.made.borrow();
            for job in self.known(&Vec::from_iter(open.iter().cloned())).await? {
                if has_ended(&job) {
                    open.remove(job.name());
                    ended.insert(job.name().clone(), job);
                }
            }
            if open.is_empty() {
                return Ok(names.iter().filter_map(|name| ended.get(name).cloned()).collect());
            }
            self.look_after(seen).await?;
        }
    }

    /// Every change of the jobs' statuses, until each has ended for good: first how they stand now.
    pub fn monitor<N: IntoIterator<Item = JobName>>(
        &self,
        names: N,
    ) -> impl Stream<Item = Result<Job, ClientError>> + Send + use<N> {
        let monitor = Monitor {
            client: self.clone(),
            open: names.into_iter().collect(),
            told: BTreeMap::new(),
            ready: VecDeque::new(),
            seen: None,
        };
        futures_util::stream::unfold(monitor, |mut monitor| async move {
            let item = monitor.next().await?;
            if item.is_err() {
                monitor.open.clear();
                monitor.ready.clear();
            }
            Some((item, monitor))
        })
    }

    /// Looks once at every job in flight, now, and records what has changed. Returns the jobs of the names.
    pub async fn update(&self, names: &[JobName]) -> Result<Vec<Option<Job>>, ClientError> {
        let before = self.shared().looks.course().begun;
        loop {
            let look = self.look_under_way(&mut self.shared().looks.course());
            let is_later = look.number > before;
            let ended = look.was_made().await;
            // One that was under way already may have passed the jobs before they changed.
            if is_later && ended? {
                break;
            }
        }
        Ok(recover_jobs(self.store(), names).await?)
    }

    /// The jobs of the names, all of them known.
    pub(crate) async fn known(&self, names: &[JobName]) -> Result<Vec<Job>, ClientError> {
        let known = recover_jobs(self.store(), names).await?;
        let told = names.iter().zip(known);
        told.map(|(name, job)| job.ok_or_else(|| ClientError::UnknownJob(name.clone()))).collect()
    }

    /// Returns after a look that was made later than the one numbered `seen`: another's, or its own.
    async fn look_after(&self, seen: u64) -> Result<(), ClientError> {
        let looks = &self.shared().looks;
        let mut made = looks.made.subscribe();
        while *looks.made.borrow() <= seen {
            let due = looks.course().due;
            tokio::select! {
                biased;
                // The sender lives as long as the client, so that this never errs.
                _ = made.wait_for(|&made| made > seen) => return Ok(()),
                () = tokio::time::sleep_until(due) => {}
            }
            let look = {
                let mut course = looks.course();
                // Another has looked meanwhile, and learned nothing.
                if course.due > Instant::now() {
                    continue;
                }
                self.look_under_way(&mut course)
            };
            look.was_made().await?;
        }
        Ok(())
    }

    /// The look that is under way, or else one that begins now.
    fn look_under_way(&self, course: &mut Course) -> UnderWay {
        let latest = course.latest.as_ref().and_then(WeakShared::upgrade);
        if let Some(look) = latest.filter(|look| look.peek().is_none()) {
            return UnderWay { number: course.begun, look, is_own: false };
        }
        let client = self.clone();
        // Aborted when it is dropped, with the last of those who wait.
        let mut task = JoinSet::new();
        task.spawn(async move { client.look().await }.in_current_span());
        let ended = async move {
            match task.join_next().await {
                Some(Ok(ended)) => ended,
                Some(Err(gone)) => Err(Unmade::Gone(gone.to_string())),
                None => Ok(()),
            }
        };
        let look = ended.boxed().shared();
        course.begun += 1;
        course.latest = look.downgrade();
        UnderWay { number: course.begun, look, is_own: true }
    }

    async fn look(&self) -> Result<(), Unmade> {
        let policy =
            ReconcilePolicy { silence_ms: LOOK, asked_max: usize::MAX, ..ReconcilePolicy::default() };
        let done = reconcile(&self.recorder(), &policy).await.map_err(Unmade::Failed)?;
        let pause = &self.shared().config.pause;
        let looks = &self.shared().looks;
        {
            let mut course = looks.course();
            course.failed = if done.postponed > 0 && done.described == 0 { course.failed + 1 } else { 0 };
            let quiet = Reconciled { described: 0, ..done } == Reconciled::default();
            course.pause = if quiet { (course.pause * 2).min(*pause.end()) } else { *pause.start() };
            course.due = Instant::now() + course.pause;
            if course.failed >= FAILED_LOOKS {
                return Err(Unmade::NoNews(std::mem::take(&mut course.failed)));
            }
        }
        looks.made.send_modify(|made| *made += 1);
        Ok(())
    }
}

/// Whether nothing follows from the job's latest submission any more.
fn has_ended(job: &Job) -> bool {
    matches!(standing(Some(job)), Standing::Succeeded | Standing::Ended)
}

/// Those who are told of changes.
struct Monitor {
    client: Client,
    open: BTreeSet<JobName>,
    told: BTreeMap<JobName, Option<JobStatus>>,
    ready: VecDeque<Job>,
    /// The look after which the store was last read; `None` before the first.
    seen: Option<u64>,
}

impl Monitor {
    async fn next(&mut self) -> Option<Result<Job, ClientError>> {
        loop {
            if let Some(job) = self.ready.pop_front() {
                return Some(Ok(job));
            }
            if self.open.is_empty() {
                return None;
            }
            if let Err(error) = self.read().await {
                return Some(Err(error));
            }
        }
    }

    async fn read(&mut self) -> Result<(), ClientError> {
        if let Some(seen) = self.seen {
            self.client.look_after(seen).await?;
        }
        self.seen = Some(*self.client.shared().looks.made.borrow());
        for job in self.client.known(&Vec::from_iter(self.open.iter().cloned())).await? {
            let (name, status) = (job.name().clone(), job.status());
            if has_ended(&job) {
                self.open.remove(&name);
            }
            if self.told.insert(name, status) != Some(status) {
                self.ready.push_back(job);
            }
        }
        Ok(())
    }
}
