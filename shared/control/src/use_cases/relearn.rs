//! A store that was restored to an earlier moment learns from AWS Batch what was submitted since.

use std::collections::BTreeMap;

use super::submit::end_surplus;
use crate::domain::children::{child_name, child_of_name, child_spec, may_be_cut};
use crate::domain::{
    Job, JobHead, JobName, JobSpec, JobState, NewClaim, NewSubmission, Nonce, RecordOutcome, RunId,
    Timestamp, TryEnd, limits::DESCRIBE_JOBS_MAX,
};
use crate::events::JobDetail;
use crate::ports::{Clock, Cursor, JobEngine, JobStore, JobSummary, PortError};

/// What was learned of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relearned {
    /// Submissions that the store did not know, and knows now.
    pub taken_in: u64,
    /// Submissions that it knew: their states are written where they are newer.
    pub known: u64,
    /// Jobs of other programs: they carry no nonce.
    pub strangers: u64,
    /// Submissions that are left out because an earlier one of their job is under way, as AWS Batch says: each was terminated.
    pub surplus: u64,
}

/// Takes in every submission of a queue that batchwright made since a moment and that the store does not know, oldest
/// first, each with its state. Then a job's latest submission is the one that Batch has, so nothing submits the
/// job a second time.
///
/// Nobody else may write the store meanwhile: the functions of the stack have to stand still. A claim that stands is given
/// up or turned into the submission that carries its nonce. A job that the store did not know at all has the spec that its
/// description tells, and one try; that of an array's child has what its array tells, where the store knows that. Idempotent. Memory grows with the jobs of the queue since then, a few
/// hundred bytes each. Errs where a port fails: then call it again.
///
/// AWS Batch forgets jobs seven days or more after their end: a moment before that can't be learned anew.
pub async fn relearn<S: JobStore, E: JobEngine>(
    store: &S,
    engine: &E,
    clock: &impl Clock,
    job_queue: &str,
    since: Timestamp,
) -> Result<Relearned, PortError> {
    let mut listed: Vec<JobSummary> = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = engine.list_jobs_since(job_queue, since, cursor.as_ref()).await?;
        listed.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    listed.sort_by(|one, other| (one.created_at, &one.job_id).cmp(&(other.created_at, &other.job_id)));
    let mut learned = Relearned::default();
    let mut cut = CutNames::default();
    for jobs in listed.chunks(DESCRIBE_JOBS_MAX) {
        let ids: Vec<_> = jobs.iter().map(|job| job.job_id.clone()).collect();
        let described = engine.describe_jobs(&ids).await?;
        // In the order of the list: a later submission replaces an earlier one.
        for id in &ids {
            let Some(detail) = described.iter().find(|detail| detail.job_id == *id) else { continue };
            match detail.parameters.get(Nonce::PARAMETER).and_then(|text| Nonce::parse(text).ok()) {
                Some(nonce) => {
                    take_in(store, engine, clock, detail, &nonce, (&mut learned, &mut cut)).await?;
                }
                None => learned.strangers += 1,
            }
        }
    }
    Ok(learned)
}

async fn take_in<S: JobStore, E: JobEngine>(
    store: &S,
    engine: &E,
    clock: &impl Clock,
    detail: &JobDetail,
    nonce: &Nonce,
    (learned, cut): (&mut Relearned, &mut CutNames),
) -> Result<(), PortError> {
    let (name, now, state) = (&detail.job_name, clock.now(), detail.state());
    let mut known = store.job(name).await?;
    if known.as_ref().is_some_and(|job| job.head.job_tries.contains(&state.job_id)) {
        learned.known += 1;
        return store.apply_state(&state, now).await.map(|_| ());
    }
    let claim = known.as_ref().and_then(|job| job.head.claim.as_ref()).map(|claim| claim.nonce.clone());
    let outcome = match claim {
        Some(claimed) if claimed == *nonce => {
            let (job_name, job_id) = (name.clone(), state.job_id.clone());
            store.record_submission(&NewSubmission { job_name, nonce: claimed, job_id, now }).await?
        }
        claimed => {
            // Whoever held it is gone, and what was submitted under it would have come before in the list.
            if let Some(claimed) = claimed {
                store.release(name, &claimed, None, now).await?;
            }
            if let Some(before) =
                known.as_ref().and_then(Job::state).filter(|before| !before.status.is_terminal())
            {
                let told = engine.describe_jobs(std::slice::from_ref(&before.job_id)).await?;
                for told in told.iter().filter(|told| told.job_id == before.job_id) {
                    store.apply_state(&told.state(), now).await?;
                }
                known = store.job(name).await?;
            }
            if known.as_ref().and_then(Job::status).is_some_and(|status| !status.is_terminal()) {
                learned.surplus += 1;
                return match state.status.is_terminal() {
                    true => Ok(()),
                    false => end_surplus(engine, name, &state.job_id).await,
                };
            }
            let unknown = if known.is_none() { of_a_child(store, detail, cut).await? } else { None };
            store.take_in(&wish(detail, &state, known.as_ref(), unknown, now), &state.job_id).await?
        }
    };
    if !matches!(outcome, RecordOutcome::Recorded | RecordOutcome::Known) {
        let why = format!("{name} changed meanwhile: stop the stack's functions, and learn again");
        return Err(PortError::retryable("relearn", why));
    }
    learned.taken_in += 1;
    store.apply_state(&state, now).await.map(|_| ())
}

/// Arrays whose names are cut in those of their children's jobs, by what is left.
#[derive(Default)]
struct CutNames(Option<BTreeMap<JobName, JobName>>);

impl CutNames {
    /// The array's whole name. Only the store tells it, whose jobs are all looked at for the first such name.
    async fn whole<S: JobStore>(&mut self, store: &S, array: JobName) -> Result<JobName, PortError> {
        if !may_be_cut(&array) {
            return Ok(array);
        }
        if self.0.is_none() {
            let (mut whole, mut cursor) = (BTreeMap::new(), None);
            loop {
                let page = store.jobs(None, cursor.as_ref()).await?;
                let names = page.items.into_iter().map(|job| job.head.spec.job_name);
                let cut = names.filter_map(|name| Some((child_of_name(&child_name(&name, 0))?.0, name)));
                whole.extend(cut.filter(|(cut, name)| cut != name));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            self.0 = Some(whole);
        }
        Ok(self.0.as_ref().and_then(|whole| whole.get(&array)).cloned().unwrap_or(array))
    }
}

/// What a job of an array's child is that the store did not know: the array tells, where it is known itself.
async fn of_a_child<S: JobStore>(
    store: &S,
    detail: &JobDetail,
    cut: &mut CutNames,
) -> Result<Option<(JobSpec, RunId)>, PortError> {
    let Some((array, index)) = child_of_name(&detail.job_name) else { return Ok(None) };
    let array = cut.whole(store, array).await?;
    let Some(Job { head, .. }) = store.job(&array).await? else { return Ok(None) };
    let Some(job_id) = head.job_id.filter(|_| head.spec.resubmit_children) else { return Ok(None) };
    Ok(child_spec(&head.spec, &job_id, index).map(|spec| (spec, head.run_id)))
}

fn wish(
    detail: &JobDetail,
    state: &JobState,
    known: Option<&Job>,
    unknown: Option<(JobSpec, RunId)>,
    now: Timestamp,
) -> NewClaim {
    let head: Option<&JobHead> = known.map(|job| &job.head);
    let (spec, run_id) = match (head, unknown) {
        (Some(head), _) => (head.spec.clone(), head.run_id.clone()),
        (None, Some(of_child)) => of_child,
        (None, None) => (spec_of(detail), RunId::derive("relearned", state.job_id.as_str(), "")),
    };
    NewClaim {
        spec,
        run_id,
        replaces: head.and_then(|head| head.job_id.clone()),
        replaced_end: known.and_then(Job::state).and_then(TryEnd::of),
        job_queue: None,
        takes_over: None,
        resets_budget: head.is_none(),
        on_sheet: false,
        now,
        expires_at: now,
    }
}

/// What can be told of the spec, without its parameters, which may be sealed. It has one try, because a description does not hold all that another submission would need;
/// the job's file, run again, has.
fn spec_of(detail: &JobDetail) -> JobSpec {
    JobSpec::new(detail.job_name.clone(), &detail.job_queue, &detail.job_definition).with(|spec| {
        spec.tags = detail.tags.clone();
        spec.timeout = detail.timeout.clone();
        spec.retry_strategy = detail.retry_strategy.clone();
        spec.share_identifier = detail.share_identifier.clone();
        spec.max_tries = 1;
    })
}
