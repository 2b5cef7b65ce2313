//! The claim: the right of one submitter to submit a job, and the heart of "once".
//!
//! Every store decides by these rules: it reads the head, lets a rule change it, and writes it in one step, on
//! condition that nobody has changed the head since. So all stores grant, release and record alike, and none of
//! them holds a rule of its own.

use super::children::Children;
use super::ids::{JobId, JobName, Nonce, RunId};
use super::job::{Claim, JobHead, JobState};
use super::newer::Newer;
use super::spec::JobSpec;
use super::times::Timestamp;
use super::tries::{Try, TryEnd};

/// What a submitter asks for: the right to submit a job.
#[derive(Debug, Clone)]
pub struct NewClaim {
    /// The job to submit.
    pub spec: JobSpec,
    /// The run that asks.
    pub run_id: RunId,
    /// The latest submission when the decision was made. The claim is granted only while it still is.
    pub replaces: Option<JobId>,
    /// How that submission ended. The head keeps it from now on, because the submission's item may be removed.
    pub replaced_end: Option<TryEnd>,
    /// Where the submission goes; `None`: into the spec's own queue.
    pub job_queue: Option<String>,
    /// An expired claim, once Batch was asked about it. The new claim takes its place in the same step, so a
    /// pending submission always has a claim. Granted only while the expired one stands.
    pub takes_over: Option<Nonce>,
    /// A person asks for the job, so the budget of `maxTries` starts anew.
    pub resets_budget: bool,
    /// An open sheet names the job, and says no earlier moment than `expires_at`: the reconciler finds the claim by the
    /// sheet. Else the store lists the claim by itself.
    pub on_sheet: bool,
    /// The present moment.
    pub now: Timestamp,
    /// From when on the reconciler may look into the claim.
    pub expires_at: Timestamp,
}

/// A sheet: the names of jobs that are about to be claimed, written down before the first of them is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SheetId(pub String);

/// Whether a claim was granted.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimOutcome {
    /// It was granted: submit with this nonce.
    Granted(Nonce),
    /// It was not: another claim stands, live or expired, or the claim to take over stands no longer.
    Held,
    /// It was not: by now another submission is the latest. Look at the job again.
    Replaced,
}

/// A submission that took effect.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// The job.
    pub job_name: JobName,
    /// The nonce of the claim under which it was made.
    pub nonce: Nonce,
    /// The id that Batch gave it.
    pub job_id: JobId,
    /// The present moment.
    pub now: Timestamp,
}

impl NewSubmission {
    /// Its state until Batch tells more.
    pub fn state(&self) -> JobState {
        JobState::submitted(self.job_name.clone(), self.job_id.clone(), Some(self.nonce.clone()))
    }
}

/// What became of a submission that was to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOutcome {
    /// The claim stood. The submission is the job's latest now, and the claim is gone.
    Recorded,
    /// It was recorded before.
    Known,
    /// The claim stands no longer and the submission is not the job's, so it is one too many.
    Surplus,
    /// The job is not known, or never issued the nonce: the submission belongs to another store.
    Unknown,
}

/// Grants a claim if no other stands than the one that it takes over, and the latest submission is the one that
/// was looked at. The head changes only then.
///
/// An expired claim still stands: its `SubmitJob` may have taken effect unseen, so only the reconciler may replace
/// it, after it has asked Batch.
pub fn claim(head: &mut Option<JobHead>, claim: &NewClaim) -> ClaimOutcome {
    let standing = head.as_ref().and_then(|head| head.claim.as_ref()).map(|claim| &claim.nonce);
    match (standing, &claim.takes_over) {
        (None, None) => {}
        (None, Some(_)) => return ClaimOutcome::Replaced,
        (Some(standing), Some(expired)) if standing == expired => {}
        (Some(_), _) => return ClaimOutcome::Held,
    }
    if head.as_ref().and_then(|head| head.job_id.as_ref()) != claim.replaces.as_ref() {
        return ClaimOutcome::Replaced;
    }
    let claims = head.as_ref().map_or(0, |head| head.claims).saturating_add(1);
    let nonce_seed = match head.as_mut() {
        Some(head) => std::mem::take(&mut head.nonce_seed),
        None => Nonce::seed(&claim.run_id, claim.now),
    };
    let nonce = Nonce::derive(&claim.spec.job_name, &nonce_seed, claims);
    let tries = head.as_mut().map(|head| ended_tries(head, claim)).unwrap_or_default();
    let job_tries = head.as_mut().map(|head| std::mem::take(&mut head.job_tries)).unwrap_or_default();
    let tries_before = if claim.resets_budget {
        u32::try_from(job_tries.len()).unwrap_or(u32::MAX)
    } else {
        head.as_ref().map_or(0, |head| head.tries_before)
    };
    let newer = head.as_mut().map(|head| std::mem::take(&mut head.newer)).unwrap_or_default();
    let mut claimed = JobHead {
        spec: claim.spec.as_kept(),
        run_id: claim.run_id.clone(),
        claims,
        nonce_seed,
        claim: Some(Claim {
            nonce: nonce.clone(),
            expires_at: claim.expires_at,
            job_queue: claim.job_queue.clone(),
            on_sheet: claim.on_sheet,
        }),
        job_id: claim.replaces.clone(),
        job_tries,
        earlier_tries: head.as_ref().map_or(0, |head| head.earlier_tries),
        tries,
        tries_before,
        refusal: None,
        submitted_at: head.as_ref().and_then(|head| head.submitted_at),
        updated_at: claim.now,
        newer,
    };
    claimed.leave_early_tries_out();
    *head = Some(claimed);
    ClaimOutcome::Granted(nonce)
}

/// Returns the head's tries, the replaced one with its end. A try that an older version submitted was not written
/// down then, so it is now.
fn ended_tries(head: &mut JobHead, claim: &NewClaim) -> Vec<Try> {
    let mut tries = std::mem::take(&mut head.tries);
    let (Some(replaced), Some(end)) = (&claim.replaces, claim.replaced_end) else { return tries };
    match tries.iter_mut().find(|known| known.job_id == *replaced) {
        Some(known) => known.end = known.end.or(Some(end)),
        None => tries.push(Try {
            job_id: replaced.clone(),
            job_queue: head.spec.job_queue.clone(),
            submitted_at: head.submitted_at,
            end: Some(end),
            children: None,
            newer: Newer::default(),
        }),
    }
    tries
}

/// Clears the claim of that nonce if it stands, and returns whether it stood.
pub fn release(head: &mut JobHead, nonce: &Nonce, refusal: Option<&str>, now: Timestamp) -> bool {
    let stands = head.claim.as_ref().is_some_and(|claim| claim.nonce == *nonce);
    if stands {
        head.claim = None;
        head.refusal = refusal.map(str::to_owned);
        head.updated_at = now;
    }
    stands
}

/// Turns the claim into the latest submission. The head changes only if the answer is `Recorded`.
///
/// A nonce that the head never issued is `Unknown` rather than `Surplus`: it comes from another stack in the same
/// account, or from before the job was removed, and a surplus submission is terminated.
pub fn record(head: Option<&mut JobHead>, submission: &NewSubmission) -> RecordOutcome {
    let Some(head) = head else { return RecordOutcome::Unknown };
    if head.job_tries.contains(&submission.job_id) {
        return RecordOutcome::Known;
    }
    if !head.has_issued(&submission.nonce) {
        return RecordOutcome::Unknown;
    }
    if head.claim.as_ref().is_none_or(|claim| claim.nonce != submission.nonce) {
        return RecordOutcome::Surplus;
    }
    head.tries.push(Try {
        job_id: submission.job_id.clone(),
        job_queue: head.claimed_queue().to_owned(),
        submitted_at: Some(submission.now),
        end: None,
        children: head.spec.resubmit_children.then(Children::default),
        newer: Newer::default(),
    });
    head.claim = None;
    head.job_id = Some(submission.job_id.clone());
    head.job_tries.push(submission.job_id.clone());
    head.submitted_at = Some(submission.now);
    head.updated_at = submission.now;
    RecordOutcome::Recorded
}

/// Makes a submission of another program the latest of its job, in one step: no claim is left behind by a process that is
/// killed. Nothing was submitted under the claim that is asked for here, so nobody could ask Batch about it.
///
/// `Surplus` where that claim would not be granted: another stands, or another submission is the latest by now. The head
/// changes only if the answer is `Recorded`.
pub fn take_in(head: &mut Option<JobHead>, wanted: &NewClaim, job_id: &JobId) -> RecordOutcome {
    if head.as_ref().is_some_and(|head| head.job_tries.contains(job_id)) {
        return RecordOutcome::Known;
    }
    let ClaimOutcome::Granted(nonce) = claim(head, wanted) else { return RecordOutcome::Surplus };
    let (job_name, job_id) = (wanted.spec.job_name.clone(), job_id.clone());
    record(head.as_mut(), &NewSubmission { job_name, nonce, job_id, now: wanted.now })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Cause, JobStatus};

    fn id(text: &str) -> JobId {
        JobId::parse(text).unwrap()
    }

    fn wish(replaces: Option<&str>, resets_budget: bool) -> NewClaim {
        NewClaim {
            spec: JobSpec::new(JobName::parse("job").unwrap(), "q", "d"),
            run_id: RunId::parse("run-1").unwrap(),
            replaces: replaces.map(id),
            replaced_end: None,
            job_queue: None,
            takes_over: None,
            resets_budget,
            on_sheet: false,
            now: Timestamp::from_millis(1),
            expires_at: Timestamp::from_millis(2),
        }
    }

    fn nonce(claim: u32) -> Nonce {
        let NewClaim { spec, run_id, now, .. } = wish(None, false);
        Nonce::derive(&spec.job_name, &Nonce::seed(&run_id, now), claim)
    }

    fn submission(nonce: &Nonce, job_id: &str) -> NewSubmission {
        let (job_name, now) = (JobName::parse("job").unwrap(), Timestamp::from_millis(3));
        NewSubmission { job_name, nonce: nonce.clone(), job_id: id(job_id), now }
    }

    /// A head with these tries.
    fn tried(tries: &[&str]) -> Option<JobHead> {
        let mut head = None;
        let mut latest = None;
        for &next in tries {
            let ClaimOutcome::Granted(nonce) = claim(&mut head, &wish(latest, false)) else {
                panic!("{next} was not granted");
            };
            assert_eq!(record(head.as_mut(), &submission(&nonce, next)), RecordOutcome::Recorded);
            latest = Some(next);
        }
        head
    }

    #[test]
    fn a_claim_is_numbered_and_stands_until_it_is_released_or_recorded() {
        let mut head = None;
        let first = nonce(1);
        assert_eq!(claim(&mut head, &wish(None, false)), ClaimOutcome::Granted(first.clone()));
        assert_eq!(claim(&mut head, &wish(None, false)), ClaimOutcome::Held);
        let now = Timestamp::from_millis(9);
        assert!(!release(head.as_mut().unwrap(), &nonce(2), None, now));
        assert!(release(head.as_mut().unwrap(), &first, Some("no such queue"), now));
        assert_eq!(head.as_ref().unwrap().refusal.as_deref(), Some("no such queue"));
        assert_eq!(claim(&mut head, &wish(None, false)), ClaimOutcome::Granted(nonce(2)));
        assert_eq!(head.unwrap().refusal, None);
    }

    #[test]
    fn a_claim_takes_over_the_one_that_it_names_and_no_other() {
        let [first, second, third] = [1, 2, 3].map(nonce);
        let over = |nonce: &Nonce| NewClaim { takes_over: Some(nonce.clone()), ..wish(None, false) };
        let mut head = None;
        assert_eq!(claim(&mut head, &over(&first)), ClaimOutcome::Replaced, "a claim that never was");
        claim(&mut head, &wish(None, false));
        assert_eq!(claim(&mut head, &over(&second)), ClaimOutcome::Held);
        assert_eq!(claim(&mut head, &over(&first)), ClaimOutcome::Granted(second.clone()));
        assert_eq!(claim(&mut head, &over(&first)), ClaimOutcome::Held, "it stands no longer");
        assert_eq!(record(head.as_mut(), &submission(&first, "a")), RecordOutcome::Surplus);
        assert_eq!(claim(&mut head, &over(&second)), ClaimOutcome::Granted(third));
    }

    #[test]
    fn a_claim_that_expects_another_latest_submission_changes_nothing() {
        for (tries, replaces) in [(&["a"][..], None), (&["a", "b"], Some("a")), (&[], Some("a"))] {
            let mut head = tried(tries);
            let before = head.clone();
            assert_eq!(claim(&mut head, &wish(replaces, true)), ClaimOutcome::Replaced, "{tries:?}");
            assert_eq!(head, before);
        }
    }

    #[test]
    fn the_budget_starts_anew_when_a_person_asks() {
        let mut head = tried(&["a", "b"]);
        assert_eq!(head.as_ref().unwrap().tries_used(), 2);
        claim(&mut head, &wish(Some("b"), true));
        assert_eq!(head.unwrap().tries_used(), 0);
    }

    #[test]
    fn a_head_stays_small_however_often_a_person_asks() {
        let (mut head, mut latest) = (None, None);
        let lost = TryEnd { status: JobStatus::Failed, cause: Some(Cause::HostLost) };
        for number in 1..=2_000_u32 {
            let again = NewClaim { replaces: latest.clone(), replaced_end: Some(lost), ..wish(None, true) };
            let ClaimOutcome::Granted(nonce) = claim(&mut head, &again) else { panic!("not granted") };
            let next = format!("4c7599ae-0a82-49aa-ba5a-{number:012}");
            assert_eq!(record(head.as_mut(), &submission(&nonce, &next)), RecordOutcome::Recorded);
            latest = Some(id(&next));
            let known = head.as_ref().unwrap();
            assert_eq!((known.tries_in_all(), known.tries_used()), (u64::from(number), 1));
        }
        let head = head.unwrap();
        assert_eq!(
            (head.job_tries.len(), head.tries.len()),
            (JobHead::TRIES_KEPT + 1, JobHead::TRIES_KEPT + 1)
        );
        assert_eq!(head.job_id, head.job_tries.last().cloned());
        let bytes = serde_json::to_string(&head).unwrap().len();
        assert!(bytes < 30_000, "{bytes}");
    }

    #[test]
    fn tries_since_a_person_asked_are_all_kept() {
        let names: Vec<String> = (0..150).map(|number| format!("try-{number}")).collect();
        let mut head = tried(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(head.as_ref().unwrap().tries_used(), 150);
        claim(&mut head, &wish(Some("try-149"), true));
        let head = head.unwrap();
        assert_eq!((head.tries_used(), head.job_tries.len(), head.earlier_tries), (0, 100, 50));
    }

    #[test]
    fn a_try_is_kept_with_its_queue_and_how_it_ended() {
        const LOST: TryEnd = TryEnd { status: JobStatus::Failed, cause: Some(Cause::HostLost) };
        let mut head = tried(&["a"]);
        head.as_mut().unwrap().tries.clear();
        let elsewhere = Some("elsewhere".to_owned());
        let again = NewClaim { replaced_end: Some(LOST), job_queue: elsewhere, ..wish(Some("a"), false) };
        let ClaimOutcome::Granted(nonce) = claim(&mut head, &again) else { panic!("not granted") };
        assert_eq!(head.as_ref().unwrap().claimed_queue(), "elsewhere");
        record(head.as_mut(), &submission(&nonce, "b"));
        let kept = |head: &JobHead| -> Vec<_> {
            head.tries.iter().map(|known| (known.job_queue.clone(), known.end)).collect()
        };
        let both = [("q".to_owned(), Some(LOST)), ("elsewhere".to_owned(), None)];
        assert_eq!(kept(head.as_ref().unwrap()), both, "also of one that an older version submitted");
        assert!(head.as_mut().unwrap().forget(&id("a")));
        assert_eq!(kept(&head.unwrap()), both[1..]);
    }

    #[test]
    fn recording_tells_known_surplus_and_unknown_apart() {
        let mut head = tried(&["a"]);
        let nonce = nonce(1);
        assert_eq!(record(head.as_mut(), &submission(&nonce, "a")), RecordOutcome::Known);
        assert_eq!(record(head.as_mut(), &submission(&nonce, "b")), RecordOutcome::Surplus);
        assert_eq!(record(None, &submission(&nonce, "a")), RecordOutcome::Unknown);
        let theirs = Nonce::derive(&JobName::parse("job").unwrap(), "another store's", 1);
        assert_eq!(record(head.as_mut(), &submission(&theirs, "b")), RecordOutcome::Unknown);
    }

    #[test]
    fn a_submission_of_another_program_is_taken_in_at_once_or_changes_nothing() {
        let mut head = None;
        assert_eq!(take_in(&mut head, &wish(None, true), &id("theirs")), RecordOutcome::Recorded);
        let taken = head.clone().unwrap();
        assert_eq!((taken.tries_used(), taken.claim, taken.job_id), (1, None, Some(id("theirs"))));
        assert_eq!(take_in(&mut head, &wish(None, true), &id("theirs")), RecordOutcome::Known);
        let before = head.clone();
        assert_eq!(take_in(&mut head, &wish(None, true), &id("other")), RecordOutcome::Surplus, "replaced");
        assert_eq!(head, before);
        claim(&mut head, &wish(Some("theirs"), false));
        let claimed = head.clone();
        let held = take_in(&mut head, &wish(Some("theirs"), true), &id("other"));
        assert_eq!((held, head), (RecordOutcome::Surplus, claimed));
    }

    #[test]
    fn forgetting_a_try_keeps_the_budget_that_is_left() {
        for (forgotten, latest, used) in [("a", Some("c"), 1), ("c", Some("b"), 0), ("x", Some("c"), 1)] {
            let mut head = tried(&["a", "b", "c"]).unwrap();
            head.tries_before = 2;
            assert_eq!(head.forget(&id(forgotten)), forgotten != "x");
            assert_eq!((head.job_id.clone(), head.tries_used()), (latest.map(id), used), "{forgotten}");
        }
        let mut head = tried(&["a"]).unwrap();
        head.forget(&id("a"));
        assert_eq!((head.job_id, head.job_tries), (None, vec![]));
    }
}
