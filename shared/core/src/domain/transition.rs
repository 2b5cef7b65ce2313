//! Which of two states of a submission stands. Events come twice, late and in any order.

use super::job::JobState;

/// The place of a state in a submission's life: (attempts that have ended, rank of the status) as one
/// integer. A terminal state is above every other, and all terminal states are equal, so that a
/// submission that has ended never changes again.
///
/// `time` of an event is not used: its resolution is one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(i64);

impl OrderKey {
    const TERMINAL: i64 = 1_000_000_000;

    /// The key of a state.
    pub fn of(state: &JobState) -> OrderKey {
        if state.status.is_terminal() {
            return OrderKey(Self::TERMINAL);
        }
        let attempts = i64::try_from(state.attempts.len()).unwrap_or(i64::MAX).min(1_000_000);
        OrderKey(attempts * 10 + i64::from(state.status.rank()))
    }

    /// Whether a store's integer is that of a state which is final.
    pub const fn is_of_an_end(key: i64) -> bool {
        key >= Self::TERMINAL
    }

    /// The integer that a store compares.
    pub fn as_i64(self) -> i64 {
        self.0
    }
}

/// What is to be done with a state that has just arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It is newer than what is known.
    Apply,
    /// It is not.
    Ignore(Stale),
}

/// Why a state is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// The submission has ended.
    Ended,
    /// The same state was known.
    Same,
    /// A later state was known.
    Older,
}

/// Decides between the state that is known and the one that arrived.
pub fn transition(known: Option<&JobState>, arrived: &JobState) -> Transition {
    let Some(known) = known else { return Transition::Apply };
    if known.status.is_terminal() {
        return Transition::Ignore(Stale::Ended);
    }
    match OrderKey::of(arrived).cmp(&OrderKey::of(known)) {
        std::cmp::Ordering::Greater => Transition::Apply,
        // Batch says why a RUNNABLE job can't start long after it said that it is RUNNABLE.
        std::cmp::Ordering::Equal if has_new_reason(known, arrived) => Transition::Apply,
        std::cmp::Ordering::Equal => Transition::Ignore(Stale::Same),
        std::cmp::Ordering::Less => Transition::Ignore(Stale::Older),
    }
}

fn has_new_reason(known: &JobState, arrived: &JobState) -> bool {
    arrived.status_reason.is_some() && arrived.status_reason != known.status_reason
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;
    use crate::domain::job::Attempt;
    use crate::domain::{JobId, JobName, JobStatus};

    fn state(attempts: usize, status: JobStatus) -> JobState {
        let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap();
        let mut state = JobState::submitted(JobName::parse("job").unwrap(), id, None);
        state.status = status;
        state.attempts = vec![Attempt::default(); attempts];
        state
    }

    /// A submission with two retries by Batch, and its end.
    fn history(end: JobStatus) -> Vec<JobState> {
        use JobStatus::{Pending, Runnable, Running, Starting};
        let mut states = vec![state(0, Pending)];
        for attempt in 0..3 {
            states.extend([Runnable, Starting, Running].map(|status| state(attempt, status)));
        }
        states.push(state(3, end));
        states
    }

    fn settle<'a>(arrivals: impl IntoIterator<Item = &'a JobState>) -> Option<JobState> {
        arrivals.into_iter().fold(None, |known, arrived| match transition(known.as_ref(), arrived) {
            Transition::Apply => Some(arrived.clone()),
            Transition::Ignore(_) => known,
        })
    }

    #[test]
    fn a_retry_by_batch_goes_back_to_runnable_and_counts_as_later() {
        let (running, runnable) = (state(0, JobStatus::Running), state(1, JobStatus::Runnable));
        assert_eq!(transition(Some(&running), &runnable), Transition::Apply);
        assert_eq!(transition(Some(&runnable), &running), Transition::Ignore(Stale::Older));
        assert_eq!(transition(Some(&runnable), &runnable), Transition::Ignore(Stale::Same));
    }

    #[test]
    fn a_reason_that_comes_later_is_kept_while_the_submission_is_in_flight() {
        let because = |reason: &str| {
            let status_reason = (!reason.is_empty()).then(|| reason.to_owned());
            JobState { status_reason, ..state(0, JobStatus::Runnable) }
        };
        for (known, arrived, expected) in [
            ("", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", Transition::Apply),
            ("CAPACITY", "MISCONFIGURATION", Transition::Apply),
            ("CAPACITY", "CAPACITY", Transition::Ignore(Stale::Same)),
            ("CAPACITY", "", Transition::Ignore(Stale::Same)),
        ] {
            assert_eq!(
                transition(Some(&because(known)), &because(arrived)),
                expected,
                "{known:?} {arrived:?}"
            );
        }
        let starting = state(0, JobStatus::Starting);
        assert_eq!(transition(Some(&starting), &because("late")), Transition::Ignore(Stale::Older));
    }

    #[test]
    fn a_late_running_event_does_not_reopen_a_succeeded_job() {
        let ended = state(1, JobStatus::Succeeded);
        for late in history(JobStatus::Failed) {
            assert_eq!(transition(Some(&ended), &late), Transition::Ignore(Stale::Ended));
        }
    }

    #[test]
    fn the_key_alone_decides_as_the_transition_does() {
        let states: Vec<_> =
            history(JobStatus::Failed).into_iter().chain([state(0, JobStatus::Failed)]).collect();
        for known in &states {
            for arrived in &states {
                let by_key = OrderKey::of(arrived) > OrderKey::of(known);
                assert_eq!(
                    transition(Some(known), arrived) == Transition::Apply,
                    by_key,
                    "{known:?} {arrived:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn any_order_and_number_of_deliveries_converges(
            mut order in Just((0..11usize).flat_map(|i| [i, i, i]).collect::<Vec<_>>()).prop_shuffle()
                .prop_flat_map(|all| subsequence(all, 11..=33)),
            succeeded: bool,
        ) {
            let states = history(if succeeded { JobStatus::Succeeded } else { JobStatus::Failed });
            order.push(7);
            let settled = settle(order.iter().map(|&index| &states[index])).unwrap();
            let newest = order.iter().max().unwrap();
            prop_assert_eq!(&settled, &states[*newest]);
        }
    }
}
