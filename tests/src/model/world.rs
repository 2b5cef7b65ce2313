//! A state of the model.

use std::collections::BTreeMap;

/// The number of a claim, from 1.
pub(super) type ClaimNo = u8;

/// The number of a submission in Batch's books, from 0.
pub(super) type JobNo = u8;

/// What is explored: how much happens, and what the world may do.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Deliveries of the job file's notification.
    pub deliveries: u8,
    /// They are one run, which goes on; otherwise each is a run of its own.
    pub one_run: bool,
    /// Crashes, processes that hang, lost answers, time-outs, throttles and late requests, all told.
    pub faults: u8,
    /// `maxTries` of the job.
    pub max_tries: u32,
    /// Submissions that lose their host, all told.
    pub hosts_lost: u8,
    /// Submissions that fail by themselves, all told.
    pub exits: u8,
    /// Another program submits a job of the same name, once.
    pub foreign: bool,
    /// The residual window: a request may take effect after its claim's quarantine.
    pub late_requests: bool,
}

/// How the protocol goes about it. The default is what the code does; each field is a way to do it wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Protocol {
    /// A claim that expired is no obstacle to another.
    pub takes_over_unasked: bool,
    /// The claim is given up before Batch is asked what became of it.
    pub releases_before_list: bool,
    /// The claim is given up, and the next one asked for in a second step.
    pub releases_before_claim: bool,
    /// An expired claim is looked into at once.
    pub no_quarantine: bool,
    /// Whatever has the job's name is adopted.
    pub adopts_by_name: bool,
    /// The claim does not ask whether the latest submission is still the one that was looked at.
    pub ignores_replaced: bool,
    /// `SubmitJob` is repeated when its answer is lost.
    pub repeats_ambiguous: bool,
    /// `SubmitJob` is called however old the claim is.
    pub starts_late: bool,
    /// An end is settled before what follows from it is done.
    pub settles_first: bool,
    /// An end is settled while another's claim stands.
    pub settles_undecided: bool,
    /// A surplus submission is left alone.
    pub spares_surplus: bool,
}

/// A status, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Status {
    Submitted,
    Running,
    Succeeded,
    /// FAILED by itself.
    Exited,
    /// FAILED with its host.
    HostLost,
    /// FAILED because it was terminated.
    Terminated,
}

impl Status {
    pub(super) fn has_ended(self) -> bool {
        self >= Status::Succeeded
    }
}

/// How old a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Age {
    Live,
    /// Expired, and in quarantine.
    Expired,
    /// The quarantine is over.
    Over,
}

/// The head of the job, in the model's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Head {
    pub(super) claims: ClaimNo,
    pub(super) claim: Option<ClaimNo>,
    pub(super) tries: Vec<JobNo>,
    pub(super) tries_before: u8,
}

impl Head {
    pub(super) fn latest(&self) -> Option<JobNo> {
        self.tries.last().copied()
    }
}

/// A submission in Batch's books.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct BatchJob {
    /// Under which claim; `None`: by another program.
    pub(super) claim: Option<ClaimNo>,
    pub(super) status: Status,
    /// It was made after its claim's quarantine, by a request from before: the residual window.
    pub(super) late: bool,
}

/// What the store knows of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Item {
    pub(super) status: Status,
    pub(super) unsettled: bool,
}

/// Where a process is. It does what is on top of its stack. There is a frame wherever another process, a
/// crash or time in between makes a difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Frame {
    Look { by_person: bool },
    Claim { by_person: bool, replaces: Option<JobNo>, takes_over: Option<ClaimNo> },
    Start { claim: ClaimNo, keeps: bool },
    Wait { claim: ClaimNo, keeps: bool },
    Refused { claim: ClaimNo, keeps: bool },
    EndSurplus { job: JobNo },
    Follow { job: JobNo },
    Settle { job: JobNo },
    List { claim: ClaimNo, known: Vec<JobNo> },
    Adopt { claim: ClaimNo, job: JobNo, status: Status },
    TakeOver { claim: ClaimNo },
    Release { claim: ClaimNo },
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Actor {
    First,
    Second,
    Handler,
    Reconciler,
}

pub(super) const ACTORS: [Actor; 4] = [Actor::First, Actor::Second, Actor::Handler, Actor::Reconciler];

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub(super) head: Option<Head>,
    /// By the number of the claim, less one.
    pub(super) ages: Vec<Age>,
    pub(super) jobs: Vec<BatchJob>,
    /// By the number of the submission.
    pub(super) items: Vec<Option<Item>>,
    /// Requests under way, by their claims, and whether the quarantine has passed over them.
    pub(super) requests: BTreeMap<ClaimNo, bool>,
    pub(super) stacks: [Vec<Frame>; 4],
    pub(super) deliveries: u8,
    pub(super) faults: u8,
    pub(super) hosts_lost: u8,
    pub(super) exits: u8,
    pub(super) foreign: bool,
}

impl World {
    /// Nothing has happened yet.
    pub fn first(scope: &Scope) -> Self {
        Self {
            head: None,
            ages: Vec::new(),
            jobs: Vec::new(),
            items: Vec::new(),
            requests: BTreeMap::new(),
            stacks: [const { Vec::new() }; 4],
            deliveries: scope.deliveries,
            faults: scope.faults,
            hosts_lost: scope.hosts_lost,
            exits: scope.exits,
            foreign: scope.foreign,
        }
    }

    pub(super) fn age(&self, claim: ClaimNo) -> Age {
        self.ages[usize::from(claim) - 1]
    }

    pub(super) fn job(&self, job: JobNo) -> &BatchJob {
        &self.jobs[usize::from(job)]
    }

    pub(super) fn item(&self, job: JobNo) -> Option<Item> {
        self.items[usize::from(job)]
    }

    /// What the store says of the job's latest submission.
    pub(super) fn known(&self) -> Option<Status> {
        let latest = self.head.as_ref()?.latest()?;
        Some(self.item(latest).map_or(Status::Submitted, |item| item.status))
    }

    pub(super) fn stack(&mut self, actor: Actor) -> &mut Vec<Frame> {
        &mut self.stacks[actor as usize]
    }

    /// Our own submissions, by their numbers.
    pub(super) fn own(&self) -> impl Iterator<Item = (JobNo, &BatchJob)> + Clone {
        (0..).zip(&self.jobs).filter(|(_, job)| job.claim.is_some())
    }

    /// The same state in one form: two submitters of a file are alike, and nobody asks for the age of a
    /// claim of which nothing is left.
    pub(super) fn normal(mut self) -> Self {
        if self.stacks[0] > self.stacks[1] {
            self.stacks.swap(0, 1);
        }
        let standing = self.head.as_ref().and_then(|head| head.claim);
        for number in 1..=u8::try_from(self.ages.len()).unwrap_or(u8::MAX) {
            let held = |frame: &Frame| {
                matches!(frame, Frame::Start { claim, .. } | Frame::Wait { claim, .. }
                    | Frame::Refused { claim, .. } if *claim == number)
            };
            let lives = standing == Some(number)
                || self.requests.contains_key(&number)
                || self.stacks.iter().flatten().any(held);
            if !lives {
                self.ages[usize::from(number) - 1] = Age::Over;
            }
        }
        self
    }
}
