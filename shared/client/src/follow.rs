//! Jobs followed until they end, by a process that stays alive.
//!
//! All who wait on one client share its looks. A look asks AWS Batch about every job in flight, a hundred at a time,
//! and does what the reconciler does on a stack: it records what has changed, and submits again what a lost host
//! killed. Nobody looks in the background: one of those who wait looks for all, and another takes its place when it
//! is dropped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::Stream;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use batchwright_control::use_cases::queries::recover_jobs;
use batchwright_control::use_cases::reconcile::{ReconcilePolicy, Reconciled, reconcile};

use crate::client::Client;
use crate::domain::follow_up::{Standing, standing};
use crate::domain::{Job, JobName, JobStatus};
use crate::error::ClientError;

/// Looks in a row that learned nothing because AWS Batch could not be asked, before those who wait are told.
const FAILED_LOOKS: u32 = 5;

/// Everything in flight is asked about at each look: negative, because a job that was heard of in this very
/// millisecond is asked about too.
const LOOK: i64 = -1_000;

/// The looks of one client.
pub(crate) struct Looks {
    leader: Mutex<Leader>,
    made: watch::Sender<u64>,
}

/// What whoever looks next must know.
struct Leader {
    due: Instant,
    pause: Duration,
    failed: u32,
}

impl Looks {
    pub(crate) fn new(pause: Duration) -> Self {
        // The first look comes a pause after the jobs were submitted: before that nothing has happened.
        let leader = Leader { due: Instant::now() + pause, pause, failed: 0 };
        Self { leader: Mutex::new(leader), made: watch::Sender::new(0) }
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
        let mut leader = self.shared().looks.leader.lock().await;
        self.look(&mut leader).await?;
        drop(leader);
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
        let mut leader = tokio::select! {
            biased;
            // The sender lives as long as the client, so that this never errs.
            _ = made.wait_for(|&made| made > seen) => return Ok(()),
            leader = looks.leader.lock() => leader,
        };
        if *looks.made.borrow() > seen {
            return Ok(());
        }
        tokio::time::sleep_until(leader.due).await;
        self.look(&mut leader).await
    }

    async fn look(&self, leader: &mut Leader) -> Result<(), ClientError> {
        let policy =
            ReconcilePolicy { silence_ms: LOOK, asked_max: usize::MAX, ..ReconcilePolicy::default() };
        let done = reconcile(&self.recorder(), &policy).await?;
        let pause = &self.shared().config.pause;
        leader.failed = if done.postponed > 0 && done.described == 0 { leader.failed + 1 } else { 0 };
        let quiet = Reconciled { described: 0, ..done } == Reconciled::default();
        leader.pause = if quiet { (leader.pause * 2).min(*pause.end()) } else { *pause.start() };
        leader.due = Instant::now() + leader.pause;
        if leader.failed >= FAILED_LOOKS {
            return Err(ClientError::NoNews(std::mem::take(&mut leader.failed)));
        }
        self.shared().looks.made.send_modify(|made| *made += 1);
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
