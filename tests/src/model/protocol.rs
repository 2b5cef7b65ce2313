//! What the four processes may do next: `submit`, `record_state` and `reconcile`, a store's or the
//! service's answer at a time.

use batchwright::domain::retry::Next;
use batchwright::domain::{ClaimOutcome, RecordOutcome};

use super::network;
use super::rules::Rules;
use super::world::{ACTORS, Actor, Age, ClaimNo, Frame, Head, Item, JobNo, Protocol, Scope, Status, World};

/// One step, for people and for what may be counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A submitter takes up the file.
    Deliver,
    /// An event arrives: of this submission, with its end.
    Event(u8, bool),
    /// The reconciler looks into the claim that expired.
    LookInto(u8),
    /// The reconciler asks about a silent submission, or follows an end.
    Ask(u8),
    /// A process does what comes next (actor, depth of its stack).
    Act(u8, u8),
    /// A process hangs with a claim just granted, and wakes up when it has expired.
    Hang(u8),
    /// A process is killed, or a call of it fails and it gives up.
    Crash(u8),
    /// The submission takes effect.
    Effect(u8),
    /// The answer arrives, and is written down.
    Answer(u8),
    /// The answer is lost after the effect.
    AnswerLost(u8),
    /// The caller waits no longer; the request is still on its way.
    TimeOut(u8),
    /// The request is refused for the moment, without effect.
    Throttle(u8),
    /// A request that nobody waits for is lost.
    Vanish(u8),
    /// A claim grows older: it expires, or its quarantine passes.
    Time(u8),
    /// A claim's quarantine passes, and its request is still under way: the residual window.
    Late(u8),
    /// A submission ends.
    End(u8),
    /// Another program submits a job of that name.
    Foreign,
}

impl Step {
    /// Whether it is neither a fault nor a stroke of luck: what happens if nobody does anything more than
    /// the reconciler, the service and time. Events may be lost, submissions may run on.
    pub fn is_certain(&self) -> bool {
        !matches!(
            self,
            Self::Event(..)
                | Self::Crash(_)
                | Self::Hang(_)
                | Self::AnswerLost(_)
                | Self::TimeOut(_)
                | Self::Throttle(_)
                | Self::Late(_)
                | Self::End(_)
                | Self::Foreign
        )
    }
}

/// Everything that may happen next.
pub(super) fn steps(world: &World, scope: &Scope, protocol: &Protocol, rules: &Rules) -> Vec<(Step, World)> {
    let mut next = Vec::new();
    for actor in ACTORS {
        let mut process = Process { actor, protocol, rules, next: &mut next };
        match world.stacks[actor as usize].last() {
            None => process.begin(world),
            Some(frame) => {
                process.act(world, frame);
                process.crash(world);
            }
        }
    }
    network::steps(world, scope, protocol, rules, &mut next);
    next
}

struct Process<'a> {
    actor: Actor,
    protocol: &'a Protocol,
    rules: &'a Rules,
    next: &'a mut Vec<(Step, World)>,
}

impl Process<'_> {
    fn begin(&mut self, world: &World) {
        match self.actor {
            Actor::First | Actor::Second if world.deliveries > 0 => {
                let mut next = world.clone();
                next.deliveries -= 1;
                self.look(&mut next, true);
                self.next.push((Step::Deliver, next));
            }
            Actor::First | Actor::Second => {}
            Actor::Handler => {
                for (number, job) in (0..).zip(&world.jobs) {
                    let known = world.item(number);
                    // What is older than what is known is not delivered: `apply` would do nothing.
                    if known.is_none_or(|known| self.rules.is_newer(known.status, Status::Running)) {
                        self.take_up(world, Step::Event(number, false), number, Status::Running);
                    }
                    if job.status.has_ended() {
                        self.take_up(world, Step::Event(number, true), number, job.status);
                    }
                }
            }
            Actor::Reconciler => self.reconcile(world),
        }
    }

    fn take_up(&mut self, world: &World, step: Step, job: JobNo, status: Status) {
        let mut next = world.clone();
        self.record_state(&mut next, job, status);
        self.next.push((step, next));
    }

    /// One thing that a pass finds: the passes are many.
    fn reconcile(&mut self, world: &World) {
        let head = world.head.as_ref();
        if let Some((head, claim)) = head.and_then(|head| Some((head, head.claim?))) {
            let age = world.age(claim);
            if age == Age::Over || (self.protocol.no_quarantine && age == Age::Expired) {
                let list = Frame::List { claim, known: head.tries.clone() };
                let mut next = world.clone();
                next.stacks[self.actor as usize] = match self.protocol {
                    Protocol { releases_before_list: true, .. } => vec![list, Frame::Release { claim }],
                    Protocol { releases_before_claim: true, .. } => vec![Frame::Release { claim }, list],
                    _ => vec![Frame::TakeOver { claim }, list],
                };
                self.next.push((Step::LookInto(claim), next));
            }
        }
        for (number, item) in (0..).zip(&world.items) {
            let Some(item) = item else { continue };
            let now = world.job(number).status;
            if (!item.status.has_ended() && now != item.status) || item.unsettled {
                self.take_up(world, Step::Ask(number), number, now);
            }
        }
    }

    fn crash(&mut self, world: &World) {
        if world.faults == 0 {
            return;
        }
        let mut next = world.clone();
        next.faults -= 1;
        give_up(&mut next, self.actor);
        self.next.push((Step::Crash(self.actor as u8), next));
    }

    /// What is on top of the stack is done.
    fn act(&mut self, world: &World, frame: &Frame) {
        let mut next = world.clone();
        next.stack(self.actor).pop();
        match frame {
            Frame::Look { by_person } => self.look(&mut next, *by_person),
            Frame::Claim { by_person, replaces, takes_over } => {
                self.claim(&mut next, *by_person, *replaces, *takes_over);
            }
            Frame::Start { claim, keeps } => self.start(&mut next, *claim, *keeps),
            // What it waits for is a step of the network.
            Frame::Wait { .. } => return,
            Frame::Refused { claim, keeps } => {
                let mut again = next.clone();
                self.start(&mut again, *claim, *keeps);
                self.done(world, again);
                self.defer(&mut next, *claim, *keeps);
            }
            Frame::EndSurplus { job } => {
                let job = &mut next.jobs[usize::from(*job)];
                if !job.status.has_ended() && !self.protocol.spares_surplus {
                    job.status = Status::Terminated;
                }
            }
            Frame::Follow { job } => self.follow(&mut next, *job),
            Frame::Settle { job } => {
                if let Some(item) = &mut next.items[usize::from(*job)] {
                    item.unsettled = false;
                }
            }
            Frame::List { claim, known } => {
                for listed in self.listed(world, &next, *claim, known) {
                    self.done(world, listed);
                }
                return;
            }
            Frame::Adopt { claim, job, status } => {
                if record(self.rules, &mut next, *claim, *job) {
                    self.apply(&mut next, *job, *status);
                } else if !status.has_ended() {
                    self.push(&mut next, Frame::EndSurplus { job: *job });
                }
            }
            Frame::TakeOver { claim } => {
                if let Some(head) = next.head.as_ref().filter(|head| head.claim == Some(*claim)) {
                    let (replaces, takes_over) = (head.latest(), Some(*claim));
                    self.push(&mut next, Frame::Claim { by_person: false, replaces, takes_over });
                }
            }
            Frame::Release { claim } => {
                if release(self.rules, &mut next, *claim) {
                    self.push(&mut next, Frame::Look { by_person: false });
                }
            }
        }
        self.done(world, next);
    }

    fn done(&mut self, before: &World, next: World) {
        let depth = u8::try_from(before.stacks[self.actor as usize].len()).unwrap_or(u8::MAX);
        self.next.push((Step::Act(self.actor as u8, depth), next));
    }

    fn push(&self, world: &mut World, frame: Frame) {
        world.stack(self.actor).push(frame);
    }

    fn look(&self, next: &mut World, by_person: bool) {
        match self.rules.plan(next.head.as_ref(), next.known(), by_person) {
            Some(replaces) => self.push(next, Frame::Claim { by_person, replaces, takes_over: None }),
            None => undecided(next, self.actor, self.protocol),
        }
    }

    /// Calls `SubmitJob`, unless the claim is too old.
    fn start(&self, next: &mut World, claim: ClaimNo, keeps: bool) {
        if next.age(claim) == Age::Live || self.protocol.starts_late {
            next.requests.insert(claim, false);
            self.push(next, Frame::Wait { claim, keeps });
        } else {
            self.defer(next, claim, keeps);
        }
    }

    /// `ListJobs` may leave out what was made before the claim's quarantine was over, and what was made
    /// after it: every way to do so.
    fn listed(&self, world: &World, next: &World, claim: ClaimNo, known: &[JobNo]) -> Vec<World> {
        let mut ways = vec![next.clone()];
        for (job, made) in (0..).zip(&world.jobs) {
            let looked_for = made.claim.is_some() || self.protocol.adopts_by_name;
            if !looked_for || known.contains(&job) {
                continue;
            }
            let claim = made.claim.unwrap_or(claim);
            let surely = !made.late && made.claim.is_none_or(|claim| world.age(claim) == Age::Over);
            let without = if surely { Vec::new() } else { ways.clone() };
            for way in &mut ways {
                self.push(way, Frame::Adopt { claim, job, status: made.status });
            }
            ways.extend(without);
        }
        ways
    }

    fn claim(
        &mut self,
        next: &mut World,
        by_person: bool,
        replaces: Option<JobNo>,
        takes_over: Option<ClaimNo>,
    ) {
        let mut known = next.head.clone();
        if let Some(head) = &mut known
            && self.protocol.takes_over_unasked
            && head.claim.is_some_and(|claim| next.age(claim) != Age::Live)
        {
            head.claim = None;
        }
        let latest = known.as_ref().and_then(Head::latest);
        let expected = if self.protocol.ignores_replaced { latest } else { replaces };
        let (outcome, head) = self.rules.claim(known.as_ref(), expected, takes_over, by_person);
        match outcome {
            ClaimOutcome::Granted(_) => {
                let claim = head.as_ref().map_or(0, |head| head.claims);
                next.head = head;
                next.ages.push(Age::Live);
                let keeps = takes_over.is_some();
                if next.faults > 0 {
                    let mut hangs = next.clone();
                    hangs.faults -= 1;
                    hangs.ages[usize::from(claim) - 1] = Age::Expired;
                    self.push(&mut hangs, Frame::Start { claim, keeps });
                    self.next.push((Step::Hang(claim), hangs));
                }
                self.start(next, claim, keeps);
            }
            ClaimOutcome::Replaced if takes_over.is_none() => self.push(next, Frame::Look { by_person }),
            ClaimOutcome::Replaced | ClaimOutcome::Held => undecided(next, self.actor, self.protocol),
        }
    }

    /// Not now: the claim is given up, and who called is told, and comes again. A claim that took the
    /// place of a dead one stands: nobody would come again.
    fn defer(&self, next: &mut World, claim: ClaimNo, keeps: bool) {
        if !keeps {
            release(self.rules, next, claim);
        }
        give_up(next, self.actor);
    }

    fn record_state(&self, next: &mut World, job: JobNo, status: Status) {
        let ours = match (next.item(job), next.job(job).claim) {
            (Some(_), _) => true,
            (None, None) => return,
            (None, Some(claim)) => record(self.rules, next, claim, job),
        };
        if ours {
            self.apply(next, job, status);
        } else if !status.has_ended() {
            self.push(next, Frame::EndSurplus { job });
        }
    }

    fn apply(&self, next: &mut World, job: JobNo, status: Status) {
        let newer = next.item(job).is_none_or(|known| self.rules.is_newer(known.status, status));
        if newer {
            let unsettled = self.rules.may_be_tried_again(status);
            next.items[usize::from(job)] = Some(Item { status, unsettled });
        }
        if status.has_ended() {
            self.push(next, Frame::Follow { job });
        }
    }

    fn follow(&self, next: &mut World, job: JobNo) {
        let Some(status) = next.item(job).map(|item| item.status) else { return };
        let head = next.head.as_ref().filter(|head| head.latest() == Some(job));
        let follows = head.map_or(Next::Done, |head| self.rules.next(head, status));
        if follows == Next::Undecided && !self.protocol.settles_undecided {
            return;
        }
        let look = matches!(follows, Next::Resubmit(_)).then_some(Frame::Look { by_person: false });
        let settle = self.rules.may_be_tried_again(status).then_some(Frame::Settle { job });
        let order = if self.protocol.settles_first { [look, settle] } else { [settle, look] };
        next.stack(self.actor).extend(order.into_iter().flatten());
    }
}

/// What a process was about is forgotten; a file that was not dealt with is delivered again.
fn give_up(world: &mut World, actor: Actor) {
    world.stack(actor).clear();
    if matches!(actor, Actor::First | Actor::Second) {
        world.deliveries += 1;
    }
}

/// An end that led to no submission of this process is not settled by it.
pub(super) fn undecided(world: &mut World, actor: Actor, protocol: &Protocol) {
    let stack = world.stack(actor);
    if matches!(stack.last(), Some(Frame::Settle { .. })) && !protocol.settles_undecided {
        stack.pop();
    }
}

fn release(rules: &Rules, world: &mut World, claim: ClaimNo) -> bool {
    let Some(head) = &world.head else { return false };
    let (stood, head) = rules.release(head, claim);
    world.head = Some(head);
    stood
}

/// Whether the submission is the job's.
pub(super) fn record(rules: &Rules, world: &mut World, claim: ClaimNo, job: JobNo) -> bool {
    let Some(head) = &world.head else { return false };
    let (outcome, head) = rules.record(head, claim, job);
    world.head = Some(head);
    let item = &mut world.items[usize::from(job)];
    if outcome == RecordOutcome::Recorded && item.is_none() {
        *item = Some(Item { status: Status::Submitted, unsettled: false });
    }
    matches!(outcome, RecordOutcome::Recorded | RecordOutcome::Known)
}
