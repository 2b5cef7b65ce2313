//! What must hold in every state, and what a settled state is.

use batchwright::domain::retry::Next;

use super::rules::Rules;
use super::world::{Age, Frame, Status, World};

/// What was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// Two submissions of the job are in flight, both made within their claim and its quarantine.
    TwoInFlight,
    /// What SUCCEEDED was submitted again.
    SuccessSubmittedAgain,
    /// Two have the right to call `SubmitJob`, or one has it without the head's claim.
    RightWithoutClaim,
    /// What another program submitted was taken for the job's own.
    NotOurs,
    /// The store says that a submission ended as it did not.
    UntrueEnd,
    /// From some state no settled one can be reached: the job, or a surplus of it, is lost.
    Lost,
}

/// What is wrong with a state, on the way there from `before`.
pub(super) fn violation(before: &World, world: &World) -> Option<Violation> {
    let new = world.jobs.get(before.jobs.len()).filter(|new| new.claim.is_some() && !new.late);
    if new.is_some() {
        let mut earlier = before.own().filter(|(_, job)| !job.late);
        if earlier.clone().any(|(_, job)| !job.status.has_ended()) {
            return Some(Violation::TwoInFlight);
        }
        if earlier.any(|(_, job)| job.status == Status::Succeeded) {
            return Some(Violation::SuccessSubmittedAgain);
        }
    }
    let claim = world.head.as_ref().and_then(|head| head.claim);
    if claim.is_some()
        && claim != before.head.as_ref().and_then(|head| head.claim)
        && before.known() == Some(Status::Succeeded)
    {
        return Some(Violation::SuccessSubmittedAgain);
    }
    let rights = world.stacks.iter().filter_map(|stack| match stack.last() {
        Some(Frame::Start { claim, .. } | Frame::Refused { claim, .. }) => Some(*claim),
        _ => None,
    });
    let mut live = rights.filter(|&right| world.age(right) == Age::Live);
    if live.any(|right| claim != Some(right)) {
        return Some(Violation::RightWithoutClaim);
    }
    let tries = || world.head.iter().flat_map(|head| &head.tries);
    if tries().any(|&job| world.job(job).claim.is_none()) {
        return Some(Violation::NotOurs);
    }
    let mut known = world.items.iter().zip(&world.jobs).filter_map(|(item, job)| Some((item.as_ref()?, job)));
    if known.any(|(item, job)| item.status.has_ended() && item.status != job.status) {
        return Some(Violation::UntrueEnd);
    }
    None
}

/// Whether all is done that follows from what happened: the file was dealt with, no claim stands, nothing
/// of ours is in flight but the latest submission, and the store knows how that one fares.
pub fn is_settled(world: &World, rules: &Rules) -> bool {
    let Some(head) = &world.head else { return false };
    let Some(latest) = head.latest() else { return false };
    let idle = world.deliveries == 0 && world.stacks.iter().all(Vec::is_empty) && world.requests.is_empty();
    let alone = world.own().all(|(number, job)| number == latest || job.status.has_ended());
    let status = world.job(latest).status;
    let followed = !status.has_ended() || rules.next(head, status) == Next::Done;
    idle && head.claim.is_none() && alone && world.known() == Some(status) && followed
}
