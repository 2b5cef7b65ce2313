//! What follows from ends: for the job itself, for the array whose child it is, and for the jobs that failed
//! with it and wait until it is decided whether it goes on.
//!
//! Ends are worked off from a list, never by recursion: a graph of a user's is as deep as its file is long.
//! What is decided about a job is written on it, so that each end looks at its direct dependencies alone.

use std::collections::{BTreeSet, VecDeque};

use tracing::{info, warn};

use super::record_state::{Origin, Recorded, Recorder, Resubmission};
use super::submit::{Asked, Order, SubmitOutcome, submit};
use crate::domain::follow_up::{FollowUp, Standing, after_dependencies, decide, standing};
use crate::domain::plan::Skip;
use crate::domain::retry::{Again, Next, fallback};
use crate::domain::transition::{Transition, transition};
use crate::domain::{Cause, Job, JobId, JobName, JobState, JobStatus};
use crate::events::{Announcement, JobEnded};
use crate::ports::{
    Applied, Clock, Cursor, EventBus, JobEngine, JobStore, PortError, RunStore, SubmissionPace,
};

/// Ends of others that one event looks at: the work for one event must not grow with the graph around it.
/// The reconciler finds those that are left.
pub(super) const LOOKS_OF_AN_EVENT: usize = 100;

/// Ends of others that the reconciler looks at for one end: their names are held meanwhile.
pub(super) const LOOKS_OF_A_PASS: usize = 10_000;

/// Is told what followed from the ends of others.
pub(super) type Telling<'a> = &'a mut (dyn FnMut(&JobState, &Recorded) + Send);

impl<S, E, P, C, B> Recorder<'_, S, E, P, C, B>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    /// Does what follows from the end of a submission, and then what follows for those that waited for that
    /// decision: at most `looks` of them. `None` where the submission is not its job's latest.
    ///
    /// Idempotent. Errs where the end itself could not be followed; what fails for one that waited is left to
    /// the reconciler, because its end is not settled. `told`: its job, where the bus has been told of the end.
    pub(super) async fn follow(
        &self,
        ended: &JobState,
        told: Option<Job>,
        looks: usize,
        telling: Telling<'_>,
    ) -> Result<Option<Recorded>, PortError> {
        let mut decided = VecDeque::new();
        let recorded = self.look(ended, told, &mut decided, telling).await?;
        self.wake(decided, looks, telling).await;
        Ok(recorded)
    }

    /// Looks at the ends that wait for jobs of which something was decided, then at those that wait for
    /// them, and so on.
    async fn wake(&self, mut decided: VecDeque<JobName>, mut looks: usize, telling: Telling<'_>) {
        let mut told = BTreeSet::new();
        while let Some(name) = decided.pop_front() {
            if !told.insert(name.clone()) {
                continue;
            }
            let mut cursor: Option<Cursor> = None;
            loop {
                let page = match self.store.ends_waiting_for(&name, cursor.as_ref()).await {
                    Ok(page) => page,
                    Err(error) => {
                        warn!(job.name = %name, %error, "those that wait for it are left to the reconciler");
                        break;
                    }
                };
                for waiting in &page.items {
                    let Some(left) = looks.checked_sub(1) else {
                        info!(job.name = %name, "more wait for it, and are left to the reconciler");
                        return;
                    };
                    looks = left;
                    match self.look(&waiting.state, None, &mut decided, telling).await {
                        Ok(Some(recorded)) => telling(&waiting.state, &recorded),
                        Ok(None) => {}
                        Err(error) => {
                            warn!(job.name = %waiting.state.job_name, %error, "left to the reconciler");
                        }
                    }
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
    }

    /// Decides what follows from one end, does it, and adds the jobs of which something was decided. `telling` is
    /// told where that ended an array, too.
    ///
    /// The bus is told of a job's end before the end is settled, so that the reconciler looks again where somebody dies
    /// in between.
    async fn look(
        &self,
        ended: &JobState,
        told: Option<Job>,
        decided: &mut VecDeque<JobName>,
        telling: Telling<'_>,
    ) -> Result<Option<Recorded>, PortError> {
        let is_told = told.is_some();
        let job = match told {
            Some(job) => Some(job),
            None => self.store.job(&ended.job_name).await?,
        };
        let is_latest = |job: &Job| {
            job.state().is_some_and(|latest| latest.job_id == ended.job_id && latest.status.is_terminal())
        };
        let Some(mut job) = job.filter(is_latest) else {
            self.close(ended, &FollowUp::Open).await?;
            return Ok(None);
        };
        let recorded = match self.decide(&mut job, ended).await? {
            Next::Undecided => return Ok(Some(Recorded::Noted(Applied::Stale))),
            Next::WaitFor(_) | Next::AfterDependencies(_) => return Ok(Some(Recorded::Waiting)),
            Next::Children => {
                let recorded = self.follow_children(&job, 0).await?;
                if matches!(recorded, Recorded::Ended(..)) {
                    decided.push_back(ended.job_name.clone());
                }
                return Ok(Some(recorded));
            }
            Next::Resubmit(again) => self.submit_again(&mut job, ended, again).await?,
            Next::Done if job.head.has_recovered() => {
                Recorded::Ended(Box::new(self::ended(&job, ended, JobStatus::Succeeded, None)))
            }
            Next::Done => Recorded::Ended(Box::new(self::ended(&job, ended, ended.status, ended.cause()))),
        };
        let known = job.latest.as_ref().map_or(FollowUp::Open, |latest| latest.follow_up.clone());
        match &recorded {
            Recorded::Noted(_) => return Ok(Some(recorded)),
            Recorded::Ended(end) => {
                // An array stays in view for its children's sake when it has been told.
                let was_told = known == FollowUp::Decided && ended.parts() > 0;
                if !is_told && !was_told {
                    self.tell(end).await?;
                }
                if let Some((array, recorded)) = self.own_job_ended(&job).await? {
                    telling(&array, &recorded);
                    decided.push_back(array.job_name);
                }
            }
            _ => {}
        }
        self.close(ended, &known).await?;
        // Nobody can have failed with a job whose first submission SUCCEEDED.
        if ended.status == JobStatus::Failed || job.head.job_tries.len() > 1 {
            decided.push_back(ended.job_name.clone());
        }
        Ok(Some(recorded))
    }

    /// What follows from the end of a job's latest submission. Where that depends on a job about which
    /// nothing is decided, the end is where the decision will find it.
    async fn decide(&self, job: &mut Job, ended: &JobState) -> Result<Next, PortError> {
        let again = match decide(job, ended) {
            Next::AfterDependencies(again) => again,
            next => return Ok(next),
        };
        let names: Vec<JobName> = job.head.spec.dependency_names().cloned().collect();
        loop {
            let standings = self.standings(&names).await?;
            let next = after_dependencies(again, names.iter().zip(standings));
            let (Next::WaitFor(dependency), Some(latest)) = (&next, &mut job.latest) else {
                return Ok(next);
            };
            let waits = FollowUp::WaitsFor(dependency.clone());
            if latest.follow_up == waits {
                return Ok(next);
            }
            self.store.save_follow_up(&ended.job_name, &ended.job_id, &waits).await?;
            // A decision that was written before this did not find the end waiting: look once more.
            latest.follow_up = waits;
        }
    }

    /// How each of the jobs stands.
    async fn standings(&self, names: &[JobName]) -> Result<Vec<Standing>, PortError> {
        let mut jobs = self.store.jobs_named(names).await?;
        self.ask_about(&mut jobs).await?;
        Ok(jobs.iter().map(|job| standing(job.as_ref())).collect())
    }

    /// Asks Batch about jobs that seem to be under way: the event of a dependency's end may still be on its
    /// way, though that of its dependant's has come.
    async fn ask_about(&self, jobs: &mut [Option<Job>]) -> Result<(), PortError> {
        let under_way = |job: &&mut Job| standing(Some(job)) == Standing::UnderWay;
        let mut asked: Vec<&mut Job> = jobs.iter_mut().flatten().filter(under_way).collect();
        let ids: Vec<JobId> = asked.iter().filter_map(|job| job.head.job_id.clone()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for detail in self.engine.describe_jobs(&ids).await? {
            let state = detail.state();
            let job = asked.iter_mut().find(|job| job.head.job_id.as_ref() == Some(&state.job_id));
            let Some(latest) = job.and_then(|job| job.latest.as_mut()) else { continue };
            if transition(Some(&latest.state), &state) == Transition::Apply {
                // Of an end that leaves no list, whoever writes it down tells first.
                if !is_last(&state) {
                    self.store.apply_state(&state, self.clock.now()).await?;
                }
                latest.state = state;
            }
        }
        Ok(())
    }

    /// Writes down that it is decided what follows from an end. Of an array or a multi-node job, the
    /// reconciler looks into children and nodes before it is settled.
    async fn close(&self, ended: &JobState, known: &FollowUp) -> Result<(), PortError> {
        let follow_up = if ended.parts() == 0 { FollowUp::Settled } else { FollowUp::Decided };
        if !ended.may_be_tried_again() || !known.is_before(&follow_up) {
            return Ok(());
        }
        self.store.save_follow_up(&ended.job_name, &ended.job_id, &follow_up).await
    }

    async fn submit_again(
        &self,
        job: &mut Job,
        ended: &JobState,
        again: Again,
    ) -> Result<Recorded, PortError> {
        let asked = Asked::ByRetry { ended: &ended.job_id };
        let order = Order { spec: &job.head.spec, run_id: &job.head.run_id, asked, sheet: None };
        match submit(self.store, self.engine, self.pace, self.clock, &self.policy, &order).await? {
            SubmitOutcome::Submitted(job_id) => {
                let job_queue = fallback(job).map(str::to_owned);
                let resubmission = Resubmission { job_id, again, job_queue };
                info!(job.name = %job.name(), job.id = %resubmission.job_id, why = %resubmission, "submitted again");
                Ok(Recorded::Resubmitted(resubmission))
            }
            SubmitOutcome::Skipped(skip @ Skip::RunCancelled) => {
                self.not_again(job, ended, &skip.to_string()).await
            }
            SubmitOutcome::Rejected(why) => self.not_again(job, ended, &why).await,
            SubmitOutcome::Skipped(_) | SubmitOutcome::Unknown(_) => Ok(Recorded::Noted(Applied::Stale)),
            SubmitOutcome::Surplus(_) => Ok(Recorded::Surplus),
            SubmitOutcome::Deferred(why) => {
                Err(PortError::retryable("resubmit", format!("{}: {why}", job.name())))
            }
        }
    }

    /// The job has ended, though a try would have been left. That is written down before anybody is told, because
    /// whoever looks again might find that it can be submitted.
    async fn not_again(&self, job: &mut Job, ended: &JobState, why: &str) -> Result<Recorded, PortError> {
        info!(job.name = %job.name(), why, "not submitted again");
        if let Some(latest) = job.latest.as_mut().filter(|_| ended.parts() == 0) {
            self.store.save_follow_up(&ended.job_name, &ended.job_id, &FollowUp::Decided).await?;
            latest.follow_up = FollowUp::Decided;
        }
        Ok(Recorded::Ended(Box::new(self::ended(job, ended, JobStatus::Failed, ended.cause()))))
    }

    /// Tells the bus of an end that leaves no list of the store when it is written down, before it is: whatever dies in
    /// between, the event or the silence of the submission brings the end again. Returns the job as it will be; `None`
    /// where the submission is not its latest, or has ended already, and where the bus is away and the state is written
    /// down all the same.
    pub(super) async fn tell_ahead(
        &self,
        state: &JobState,
        origin: Origin,
    ) -> Result<Option<Job>, PortError> {
        let Some(mut job) = self.store.job(&state.job_name).await? else { return Ok(None) };
        let latest = job.latest.as_mut().filter(|latest| latest.state.job_id == state.job_id);
        let Some(latest) = latest.filter(|it| transition(Some(&it.state), state) == Transition::Apply) else {
            return Ok(None);
        };
        latest.state = state.clone();
        match self.tell(&ended(&job, state, state.status, state.cause())).await {
            Ok(()) => Ok(Some(job)),
            Err(error) if origin == Origin::Asked && error.may_pass() => Err(error),
            // A bus that is away must not keep the state from being written down: it is told again after that, and where
            // it is away still, the message comes again.
            Err(_) => Ok(None),
        }
    }

    /// Tells the bus that a job has ended.
    pub(super) async fn tell(&self, end: &JobEnded) -> Result<(), PortError> {
        if end.is_child {
            return Ok(());
        }
        // Boxed, because an SDK's call is large, and this one lies deep.
        Box::pin(self.bus.put(&[Announcement::Job(Box::new(end.clone()))])).await
    }
}

/// Whether the job ends with it, and nothing is left to decide: no list of the store holds it from then on.
pub(super) fn is_last(state: &JobState) -> bool {
    state.status.is_terminal() && state.job_id.parent().is_none() && !state.may_be_tried_again()
}

/// A job that has ended by a submission of its.
pub(super) fn ended(job: &Job, submission: &JobState, status: JobStatus, cause: Option<Cause>) -> JobEnded {
    JobEnded::of(job, &submission.job_id, status, cause.map(|cause| cause.to_string()))
}
