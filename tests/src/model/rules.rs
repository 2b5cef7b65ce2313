//! The product's rules on the model's words: asked once for each of their inputs, and remembered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

use batchwright::domain::claims;
use batchwright::domain::plan::{Plan, plan};
use batchwright::domain::retry::{Next, next};
use batchwright::domain::transition::{Transition, transition};
use batchwright::domain::{
    Claim, ClaimOutcome, FollowUp, Job, JobHead, JobId, JobName, JobSpec, JobState, JobStatus, NewClaim,
    NewSubmission, Newer, Nonce, RecordOutcome, RunId, Submission, Timestamp,
};

use super::world::{ClaimNo, Head, JobNo, Scope, Status};

/// As many claims and submissions as any path makes.
const NUMBERS: u8 = 24;

/// Head, what it replaces, what it takes over, whether a person asks.
type Wish = (Option<Head>, Option<JobNo>, Option<ClaimNo>, bool);

/// Head, what is known of the latest submission, whether a person asks.
type Look = (Option<Head>, Option<Status>, bool);

/// The job's names and numbers, and what the rules said so far.
#[derive(Debug)]
pub struct Rules {
    spec: JobSpec,
    /// The run that a delivery of the file is of, or goes on with.
    asking: RunId,
    ids: Vec<JobId>,
    nonces: Vec<Nonce>,
    claims: Memory<Wish, (ClaimOutcome, Option<Head>)>,
    releases: Memory<(Head, ClaimNo), (bool, Head)>,
    records: Memory<(Head, Option<ClaimNo>, JobNo), (RecordOutcome, Head)>,
    plans: Memory<Look, Option<Option<JobNo>>>,
    nexts: Memory<(Head, Status), Next>,
    newer: Memory<(Status, Status), bool>,
}

#[derive(Debug)]
struct Memory<K, V>(RefCell<HashMap<K, V>>);

impl<K: Hash + Eq + Clone, V: Clone> Memory<K, V> {
    fn new() -> Self {
        Self(RefCell::new(HashMap::new()))
    }

    fn of(&self, key: K, ask: impl FnOnce(&K) -> V) -> V {
        if let Some(known) = self.0.borrow().get(&key) {
            return known.clone();
        }
        let answer = ask(&key);
        self.0.borrow_mut().insert(key, answer.clone());
        answer
    }
}

impl Rules {
    /// The rules for the job of a scope.
    pub fn new(scope: &Scope) -> Self {
        let max_tries = scope.max_tries;
        let name = JobName::parse("job").expect("the name is valid");
        let id = |number| JobId::parse(&format!("id-{number}")).expect("the id is valid");
        Self {
            ids: (0..NUMBERS).map(id).collect(),
            nonces: (0..=NUMBERS).map(|number| Nonce::derive(&name, &seed(), number.into())).collect(),
            asking: if scope.one_run { run() } else { RunId::derive("file", "2", "0") },
            spec: JobSpec::new(name, "queue", "definition").with(|spec| spec.max_tries = max_tries),
            claims: Memory::new(),
            releases: Memory::new(),
            records: Memory::new(),
            plans: Memory::new(),
            nexts: Memory::new(),
            newer: Memory::new(),
        }
    }

    /// `JobStore::claim`.
    pub(super) fn claim(
        &self,
        head: Option<&Head>,
        replaces: Option<JobNo>,
        takes_over: Option<ClaimNo>,
        by_person: bool,
    ) -> (ClaimOutcome, Option<Head>) {
        self.claims.of((head.cloned(), replaces, takes_over, by_person), |_| {
            let mut real = head.map(|head| self.head(head));
            let claim = NewClaim {
                spec: self.spec.clone(),
                run_id: run(),
                replaces: replaces.map(|job| self.id(job)),
                replaced_end: None,
                job_queue: None,
                takes_over: takes_over.map(|claim| self.nonce(claim)),
                resets_budget: by_person,
                on_sheet: false,
                now: Timestamp::default(),
                expires_at: Timestamp::default(),
            };
            let outcome = claims::claim(&mut real, &claim);
            (outcome, real.map(|real| self.words(&real)))
        })
    }

    /// `JobStore::release`.
    pub(super) fn release(&self, head: &Head, claim: ClaimNo) -> (bool, Head) {
        self.releases.of((head.clone(), claim), |_| {
            let mut real = self.head(head);
            let stood = claims::release(&mut real, &self.nonce(claim), None, Timestamp::default());
            (stood, self.words(&real))
        })
    }

    /// `JobStore::record_submission`, with the nonce that the submission carries.
    pub(super) fn record(&self, head: &Head, claim: ClaimNo, job: JobNo) -> (RecordOutcome, Head) {
        self.records.of((head.clone(), Some(claim), job), |_| {
            let mut real = self.head(head);
            let submission = NewSubmission {
                job_name: self.spec.job_name.clone(),
                nonce: self.nonce(claim),
                job_id: self.id(job),
                now: Timestamp::default(),
            };
            let outcome = claims::record(Some(&mut real), &submission);
            (outcome, self.words(&real))
        })
    }

    /// What a submitter of the file, or a retry, would do: `Some(replaces)` where it would submit.
    pub(super) fn plan(
        &self,
        head: Option<&Head>,
        known: Option<Status>,
        by_person: bool,
    ) -> Option<Option<JobNo>> {
        self.plans.of((head.cloned(), known, by_person), |_| {
            let asking = by_person.then_some(&self.asking);
            let job = head.map(|head| self.job(head, known));
            match plan(&self.spec, job.as_ref(), false, asking) {
                Plan::Submit { replaces } => Some(replaces.map(|id| self.number(&id))),
                Plan::Skip(_) => None,
            }
        })
    }

    /// What follows from the latest submission's end.
    pub(super) fn next(&self, head: &Head, ended: Status) -> Next {
        self.nexts.of((head.clone(), ended), |_| {
            let job = self.job(head, Some(ended));
            job.state().map_or(Next::Done, |state| next(&job, state))
        })
    }

    /// Whether a status takes the place of the one known.
    pub(super) fn is_newer(&self, known: Status, arrived: Status) -> bool {
        self.newer.of((known, arrived), |_| {
            transition(Some(&self.state(0, known)), &self.state(0, arrived)) == Transition::Apply
        })
    }

    /// Whether an end is kept in view until it has been followed up.
    pub(super) fn may_be_tried_again(&self, status: Status) -> bool {
        self.state(0, status).may_be_tried_again()
    }

    fn id(&self, job: JobNo) -> JobId {
        self.ids[usize::from(job)].clone()
    }

    fn number(&self, id: &JobId) -> JobNo {
        let at = self.ids.iter().position(|known| known == id).expect("the id is the model's");
        u8::try_from(at).expect("the numbers are few")
    }

    fn nonce(&self, claim: ClaimNo) -> Nonce {
        self.nonces[usize::from(claim)].clone()
    }

    fn head(&self, head: &Head) -> JobHead {
        let claim = head.claim.map(|claim| self.nonce(claim));
        JobHead {
            spec: self.spec.clone(),
            run_id: run(),
            claims: head.claims.into(),
            nonce_seed: seed(),
            claim: claim.map(|nonce| Claim {
                nonce,
                expires_at: Timestamp::default(),
                job_queue: None,
                on_sheet: false,
            }),
            job_id: head.latest().map(|job| self.id(job)),
            job_tries: head.tries.iter().map(|&job| self.id(job)).collect(),
            tries: Vec::new(),
            earlier_tries: 0,
            tries_before: head.tries_before.into(),
            refusal: None,
            submitted_at: None,
            updated_at: Timestamp::default(),
            newer: Newer::default(),
        }
    }

    fn words(&self, real: &JobHead) -> Head {
        let number = |nonce: &Nonce| self.nonces.iter().position(|known| known == nonce);
        let claim = real.claim.as_ref().and_then(|claim| number(&claim.nonce));
        let small = |number: usize| u8::try_from(number).expect("the numbers are few");
        Head {
            claims: small(real.claims as usize),
            claim: claim.map(small),
            tries: real.job_tries.iter().map(|id| self.number(id)).collect(),
            tries_before: small(real.tries_before as usize),
        }
    }

    fn job(&self, head: &Head, known: Option<Status>) -> Job {
        let latest = head.latest().zip(known).map(|(job, status)| Submission {
            state: self.state(job, status),
            logs: None,
            updated_at: Timestamp::default(),
            follow_up: FollowUp::Open,
        });
        Job { head: self.head(head), latest }
    }

    fn state(&self, job: JobNo, status: Status) -> JobState {
        let mut state = JobState::submitted(self.spec.job_name.clone(), self.id(job), None);
        let (status, reason) = match status {
            Status::Submitted => (JobStatus::Submitted, None),
            Status::Running => (JobStatus::Running, None),
            Status::Succeeded => (JobStatus::Succeeded, None),
            Status::Exited => (JobStatus::Failed, Some("Essential container in task exited")),
            Status::HostLost => (JobStatus::Failed, Some("Host EC2 (instance i-1) terminated.")),
            Status::Terminated => (JobStatus::Failed, Some("surplus submission")),
        };
        state.status = status;
        state.status_reason = reason.map(str::to_owned);
        state.exit_code = (status == JobStatus::Failed).then_some(1);
        state.is_terminated = reason == Some("surplus submission");
        state
    }
}

fn run() -> RunId {
    RunId::derive("file", "1", "0")
}

fn seed() -> String {
    Nonce::seed(&run(), Timestamp::default())
}
