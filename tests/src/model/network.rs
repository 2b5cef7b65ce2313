//! What Batch, the network and time do.

use super::protocol::{Step, record, undecided};
use super::rules::Rules;
use super::world::{ACTORS, Actor, Age, BatchJob, ClaimNo, Frame, Protocol, Scope, Status, World};

pub(super) fn steps(
    world: &World,
    scope: &Scope,
    protocol: &Protocol,
    rules: &Rules,
    next: &mut Vec<(Step, World)>,
) {
    for (&claim, &late) in &world.requests {
        effect(world, claim, late, next);
    }
    for actor in ACTORS {
        if let Some(&Frame::Wait { claim, keeps }) = world.stacks[actor as usize].last() {
            let call = Call { actor, claim, keeps };
            answers(world, protocol, rules, call, next);
        }
    }
    for (number, job) in (0..).zip(&world.jobs) {
        if !job.status.has_ended() {
            ends(world, number, next);
        }
    }
    time(world, scope, protocol, next);
    if world.foreign {
        let mut foreign = world.clone();
        foreign.foreign = false;
        submit(&mut foreign, BatchJob { claim: None, status: Status::Running, late: false });
        next.push((Step::Foreign, foreign));
    }
}

fn submit(world: &mut World, job: BatchJob) {
    world.jobs.push(job);
    world.items.push(None);
}

/// A request takes effect, or is lost where nobody waits for its answer any more.
fn effect(world: &World, claim: ClaimNo, late: bool, next: &mut Vec<(Step, World)>) {
    let mut done = world.clone();
    done.requests.remove(&claim);
    let mut made = done.clone();
    submit(&mut made, BatchJob { claim: Some(claim), status: Status::Running, late });
    next.push((Step::Effect(claim), made));
    let waits = |frame: &Frame| matches!(frame, Frame::Wait { claim: waiting, .. } if *waiting == claim);
    if !world.stacks.iter().flatten().any(waits) {
        next.push((Step::Vanish(claim), done));
    }
}

/// A `SubmitJob` that somebody waits for.
#[derive(Clone, Copy)]
struct Call {
    actor: Actor,
    claim: ClaimNo,
    keeps: bool,
}

/// What may become of a call.
fn answers(world: &World, protocol: &Protocol, rules: &Rules, call: Call, next: &mut Vec<(Step, World)>) {
    let Call { actor, claim, keeps } = call;
    let mut heard = world.clone();
    heard.stack(actor).pop();
    // The caller's own request: its answer is that of the latest submission under the claim.
    let made = (0..).zip(&world.jobs).filter(|(_, job)| job.claim == Some(claim)).last();
    let under_way = world.requests.contains_key(&claim);
    if let Some((job, _)) = made.filter(|_| !under_way) {
        let mut answered = heard.clone();
        if !record(rules, &mut answered, claim, job) {
            answered.stack(actor).push(Frame::EndSurplus { job });
        }
        next.push((Step::Answer(claim), answered));
    }
    if world.faults == 0 {
        return;
    }
    heard.faults -= 1;
    if under_way {
        let mut throttled = heard.clone();
        throttled.requests.remove(&claim);
        throttled.stack(actor).push(Frame::Refused { claim, keeps });
        next.push((Step::Throttle(claim), throttled));
    }
    // Nobody knows: the claim stands, and whoever called is told so.
    if protocol.repeats_ambiguous {
        heard.stack(actor).push(Frame::Start { claim, keeps });
    } else {
        undecided(&mut heard, actor, protocol);
    }
    next.push((if under_way { Step::TimeOut(claim) } else { Step::AnswerLost(claim) }, heard));
}

fn ends(world: &World, number: u8, next: &mut Vec<(Step, World)>) {
    let mut end = |status: Status, hosts_lost: u8, exits: u8| {
        let mut ended = World { hosts_lost, exits, ..world.clone() };
        ended.jobs[usize::from(number)].status = status;
        next.push((Step::End(number), ended));
    };
    end(Status::Succeeded, world.hosts_lost, world.exits);
    if let Some(left) = world.hosts_lost.checked_sub(1) {
        end(Status::HostLost, left, world.exits);
    }
    if let Some(left) = world.exits.checked_sub(1) {
        end(Status::Exited, world.hosts_lost, left);
    }
}

/// A claim expires, and its quarantine passes, by when its request has taken effect or never will, and
/// what it made is listed. With late requests, one that has not is a fault like others. A claim in use expires by
/// [`Step::Hang`] alone; only protocols to whom it makes a difference see the time in between.
fn time(world: &World, scope: &Scope, protocol: &Protocol, next: &mut Vec<(Step, World)>) {
    let in_two = protocol.no_quarantine || protocol.takes_over_unasked;
    for (at, age) in world.ages.iter().enumerate() {
        let claim = u8::try_from(at + 1).unwrap_or(u8::MAX);
        let refused = |frame: &Frame| matches!(frame, Frame::Refused { claim: own, .. } if *own == claim);
        let in_use = world.stacks.iter().filter_map(|stack| stack.last()).any(refused);
        let under_way = world.requests.contains_key(&claim);
        let older = match age {
            Age::Live if in_use => continue,
            Age::Live if in_two => Age::Expired,
            Age::Live | Age::Expired if under_way && !(scope.late_requests && world.faults > 0) => continue,
            Age::Live | Age::Expired => Age::Over,
            Age::Over => continue,
        };
        let mut later = world.clone();
        later.ages[at] = older;
        if older == Age::Over && under_way {
            later.faults -= 1;
            later.requests.insert(claim, true);
            next.push((Step::Late(claim), later));
        } else {
            next.push((Step::Time(claim), later));
        }
    }
}
