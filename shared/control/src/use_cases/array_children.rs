//! An array's children that lost their hosts: each is run again as a job of its own, with a head and tries
//! of its own, and the array has SUCCEEDED when all of them have.
//!
//! The array's end is not settled before that is decided, so that whatever is lost on the way, the
//! reconciler looks at the array again.

use tracing::{info, warn};

use super::follow::ended as ended_by;
use super::record_state::{Recorded, Recorder, Resubmission};
use super::submit::{Asked, Order, SubmitOutcome, submit};
use crate::domain::children::{child_name, child_spec};
use crate::domain::follow_up::{self, Standing};
use crate::domain::limits::DESCRIBE_JOBS_MAX;
use crate::domain::plan::Skip;
use crate::domain::retry::Again;
use crate::domain::{Cause, ChildOf, Children, FollowUp, Job, JobId, JobName, JobState, JobStatus};
use crate::ports::{
    Applied, Clock, Cursor, EventBus, JobEngine, JobStore, PortError, RunStore, SubmissionPace,
};

/// Children's own jobs that are looked up at once.
const LOOK_UP: usize = 25;

/// How a child's own job stands.
#[derive(Debug, PartialEq, Eq)]
enum OwnJob {
    Submitted(JobId),
    UnderWay,
    Succeeded,
    Failed,
}

/// How a child of the array itself ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Succeeded,
    Lost,
    Failed,
}

impl Ended {
    /// `None` where it has not.
    fn of(child: &JobState) -> Option<Ended> {
        child.status.is_terminal().then(|| match child.cause() {
            None => Ended::Succeeded,
            Some(Cause::HostLost) => Ended::Lost,
            Some(_) => Ended::Failed,
        })
    }
}

impl<S, E, P, C, B> Recorder<'_, S, E, P, C, B>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    B: EventBus,
{
    /// What follows from the end of an array's child: one that lost its host is run again, where the array
    /// asks for it. `None` where nothing does.
    pub(super) async fn child_ended(&self, child: &JobState) -> Result<Option<Recorded>, PortError> {
        let (Some(parent), Some(index)) = (child.job_id.parent(), child.job_id.array_index()) else {
            return Ok(None);
        };
        if Ended::of(child) != Some(Ended::Lost) {
            return Ok(None);
        }
        let array = self.store.job(&child.job_name).await?;
        let asks = |array: &Job| {
            let open = array.head.children().is_some_and(|children| children.outcome.is_none());
            open && array.head.claim.is_none() && array.head.job_id.as_ref() == Some(&parent)
        };
        let Some(array) = array.filter(asks) else { return Ok(None) };
        let OwnJob::Submitted(job_id) = self.run_again(&array, &parent, index).await? else {
            return Ok(None);
        };
        let again = Again { cause: Cause::HostLost, number: 2, of: array.head.spec.max_tries };
        let spec = child_spec(&array.head.spec, &parent, index);
        let job_queue = spec.map(|spec| spec.job_queue).filter(|queue| *queue != array.head.spec.job_queue);
        Ok(Some(Recorded::Resubmitted(Resubmission { job_id, again, job_queue })))
    }

    /// A job has ended for good that may run an array's child again. Returns the array's submission, and its end,
    /// where that ended it, too.
    pub(super) async fn own_job_ended(&self, own: &Job) -> Result<Option<(JobState, Recorded)>, PortError> {
        let Some(child) = &own.head.spec.child_of else { return Ok(None) };
        let Some(array) = self.store.job(&child.job_name).await? else { return Ok(None) };
        // Before all children were looked at, who looks at them finds this one.
        let looked_at = array.head.children().is_some_and(|children| children.lost.is_some());
        if !looked_at || array.head.job_id.as_ref() != Some(&child.job_id) || !array.is_recovering() {
            return Ok(None);
        }
        let followed = self.follow_children(&array, child.index).await?;
        let array = array.latest.map(|latest| latest.state);
        Ok(array.filter(|_| matches!(followed, Recorded::Ended(..))).map(|array| (array, followed)))
    }

    /// What follows from the end of an array that FAILED with its children: those that lost their hosts are
    /// run again, and when the last of their jobs has ended, so has the array. `after` is the index of the
    /// child that is known to have ended: the others are looked at from there on, until one is under way.
    pub(super) async fn follow_children(&self, array: &Job, after: u32) -> Result<Recorded, PortError> {
        let (Some(job_id), Some(known), Some(state)) =
            (&array.head.job_id, array.head.children(), array.state())
        else {
            return Ok(Recorded::Noted(Applied::Stale));
        };
        let name = array.name();
        let (children, lost) = match &known.lost {
            Some(lost) => (known.clone(), lost.clone()),
            None => {
                let (lost, others_failed) = self.look_at_children(array, job_id).await?;
                for &index in &lost {
                    self.run_again(array, job_id, index).await?;
                }
                let children = Children { lost: Some(lost.clone()), others_failed, outcome: None };
                // From here on each end of theirs is followed; one that came before is found below.
                if !self.store.save_children(name, job_id, &children, self.clock.now()).await? {
                    return Ok(Recorded::Noted(Applied::Stale));
                }
                info!(job.name = %name, job.id = %job_id, lost = lost.len(), others_failed, "children looked at");
                (children, lost)
            }
        };
        let Some(all_succeeded) = self.own_jobs(array, job_id, &lost, after).await? else {
            return Ok(Recorded::Waiting);
        };
        let ended = children.ended(all_succeeded);
        let recovered = ended.outcome == Some(JobStatus::Succeeded);
        let end = if recovered {
            ended_by(array, state, JobStatus::Succeeded, None)
        } else {
            ended_by(array, state, JobStatus::Failed, Some(Cause::Child))
        };
        // Before it is written down: until then the array's end is not settled, and the reconciler looks again.
        self.tell(&end).await?;
        if !self.store.save_children(name, job_id, &ended, self.clock.now()).await? {
            return Ok(Recorded::Noted(Applied::Stale));
        }
        self.store.save_follow_up(name, job_id, &FollowUp::Settled).await?;
        info!(job.name = %name, job.id = %job_id, recovered, "the array's children have ended");
        Ok(Recorded::Ended(Box::new(end)))
    }

    /// The indexes of the children that lost their hosts, and whether others failed. What no event has told
    /// is asked; a child that Batch no longer knows has failed.
    async fn look_at_children(&self, array: &Job, job_id: &JobId) -> Result<(Vec<u32>, bool), PortError> {
        let size = array.head.spec.array_properties.as_ref().map_or(0, |array| array.size);
        let mut ends: Vec<Option<Ended>> = vec![None; size as usize];
        let mut note = |child: &JobState| {
            let of_this = child.job_id.parent().as_ref() == Some(job_id);
            let index = child.job_id.array_index().filter(|_| of_this);
            if let Some(end) = index.and_then(|index| ends.get_mut(index as usize)) {
                *end = end.or(Ended::of(child));
            }
        };
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = self.store.submissions(array.name(), cursor.as_ref()).await?;
            page.items.iter().for_each(|submission| note(&submission.state));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let untold: Vec<JobId> = (0..size)
            .zip(&ends)
            .filter(|(_, end)| end.is_none())
            .map(|(index, _)| job_id.array_child(index))
            .collect();
        for ids in untold.chunks(DESCRIBE_JOBS_MAX) {
            self.ask_about_children(ids, &mut ends).await?;
        }
        let lost = (0..size).zip(&ends).filter(|(_, end)| **end == Some(Ended::Lost));
        let others_failed = ends.iter().any(|end| matches!(end, None | Some(Ended::Failed)));
        Ok((lost.map(|(index, _)| index).collect(), others_failed))
    }

    /// Asks for children of an array that has ended, and writes down how they did.
    async fn ask_about_children(&self, ids: &[JobId], ends: &mut [Option<Ended>]) -> Result<(), PortError> {
        for detail in self.engine.describe_jobs(ids).await? {
            let child = detail.state();
            let Some(end) = Ended::of(&child) else {
                let why =
                    format!("{} is said to be {} though its array has ended", child.job_id, child.status);
                return Err(PortError::retryable("look at an array's children", why));
            };
            self.store.apply_state(&child, self.clock.now()).await?;
            let index = child.job_id.array_index().and_then(|index| ends.get_mut(index as usize));
            if let Some(known) = index {
                *known = Some(end);
            }
        }
        Ok(())
    }

    /// Submits a child's own job, where that has not been done.
    async fn run_again(&self, array: &Job, job_id: &JobId, index: u32) -> Result<OwnJob, PortError> {
        let Some(spec) = child_spec(&array.head.spec, job_id, index) else { return Ok(OwnJob::Failed) };
        let order = Order { spec: &spec, run_id: &array.head.run_id, asked: Asked::ByArray, sheet: None };
        match submit(self.store, self.engine, self.pace, self.clock, &self.policy, &order).await? {
            SubmitOutcome::Submitted(own) => {
                info!(job.name = %spec.job_name, job.id = %own, array.id = %job_id, index, "child submitted again");
                Ok(OwnJob::Submitted(own))
            }
            SubmitOutcome::Skipped(Skip::Succeeded) => Ok(OwnJob::Succeeded),
            SubmitOutcome::Skipped(skip @ (Skip::Taken | Skip::RunCancelled)) => {
                warn!(job.name = %spec.job_name, array.id = %job_id, index, why = %skip, "child not submitted again");
                Ok(OwnJob::Failed)
            }
            SubmitOutcome::Skipped(_) | SubmitOutcome::Unknown(_) | SubmitOutcome::Surplus(_) => {
                Ok(OwnJob::UnderWay)
            }
            SubmitOutcome::Rejected(why) => {
                info!(job.name = %spec.job_name, array.id = %job_id, index, %why, "child not submitted again");
                Ok(OwnJob::Failed)
            }
            SubmitOutcome::Deferred(why) => {
                Err(PortError::retryable("resubmit", format!("{}: {why}", spec.job_name)))
            }
        }
    }

    /// Whether all of the children's own jobs SUCCEEDED; `None` where one is under way.
    async fn own_jobs(
        &self,
        array: &Job,
        job_id: &JobId,
        lost: &[u32],
        after: u32,
    ) -> Result<Option<bool>, PortError> {
        let (before, behind) = lost.split_at(lost.partition_point(|&index| index <= after));
        let in_turn: Vec<u32> = behind.iter().chain(before).copied().collect();
        let mut all_succeeded = true;
        for indexes in in_turn.chunks(LOOK_UP) {
            let names: Vec<JobName> = indexes.iter().map(|&index| child_name(array.name(), index)).collect();
            let known = self.store.jobs_named(&names).await?;
            for (&index, known) in indexes.iter().zip(&known) {
                let of = ChildOf { job_name: array.name().clone(), job_id: job_id.clone(), index };
                let own = match known.as_ref().and_then(|own| standing(own, &of)) {
                    Some(own) => own,
                    None => self.run_again(array, job_id, index).await?,
                };
                match own {
                    OwnJob::Submitted(_) | OwnJob::UnderWay => return Ok(None),
                    OwnJob::Succeeded => {}
                    OwnJob::Failed => all_succeeded = false,
                }
            }
        }
        Ok(Some(all_succeeded))
    }
}

/// How a child's own job stands; `None` where it is still to be submitted for this submission of the array.
fn standing(own: &Job, of: &ChildOf) -> Option<OwnJob> {
    if own.head.spec.child_of.as_ref() != Some(of) {
        return None;
    }
    match follow_up::standing(Some(own)) {
        Standing::Succeeded => Some(OwnJob::Succeeded),
        Standing::UnderWay | Standing::Undecided => Some(OwnJob::UnderWay),
        // Unless its first try was given up, and no reason was written: then it is still to be submitted.
        Standing::Ended => {
            (own.head.job_id.is_some() || own.head.refusal.is_some()).then_some(OwnJob::Failed)
        }
    }
}
