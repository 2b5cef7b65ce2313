//! What happens in a history, all of it from its seed.

use std::time::Duration;

use batchwright::domain::JobSpec;
use batchwright::domain::spec::{ArrayProperties, Dependency, RetryStrategy};
use batchwright::engine::{AttemptOutcome, Ending, EventFaults, FaultPlan, Scene};
use batchwright_tests::dice::Dice;
use batchwright_tests::world::{after, spec};

use crate::nodes::MULTI_NODE;

pub(crate) struct Plan {
    pub(crate) jobs: Vec<JobSpec>,
    pub(crate) calls: FaultPlan,
    pub(crate) events: EventFaults,
    /// Store calls that fail, in 1,000, half of them after they took effect.
    pub(crate) store_permille: u64,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let mut jobs: Vec<JobSpec> = Vec::new();
        for number in 0..=dice.below(5) {
            let kind = dice.one_of(&["single", "single", "single", "array", MULTI_NODE]);
            let name = format!("{kind}-{number}");
            let mut job = match jobs.last() {
                Some(before) if dice.permille(400) => after(&name, before.job_name.as_str()),
                _ => spec(&name),
            };
            // Now and then on several: chains, and lattices.
            if let ([.., earlier, _], false) = (jobs.as_slice(), job.depends_on.is_empty())
                && dice.permille(500)
            {
                let job_name = Some(earlier.job_name.clone());
                job.depends_on.push(Dependency::default().with(|it| it.job_name = job_name));
            }
            if kind != "single" {
                let size = 2 + u32::try_from(dice.below(2)).expect("small");
                job.array_properties = Some(ArrayProperties::new(size));
                job.resubmit_children = kind == "array" && dice.permille(500);
            }
            if dice.permille(300) {
                let attempts = Some(2 + u32::try_from(dice.below(2)).expect("small"));
                job.retry_strategy = Some(RetryStrategy::default().with(|it| it.attempts = attempts));
            }
            job.max_tries = 1 + u32::try_from(dice.below(4)).expect("small");
            jobs.push(job);
        }
        let calls = FaultPlan {
            seed,
            throttled_permille: dice.one_of(&[0, 100]),
            refused_permille: dice.one_of(&[0, 50]),
            answer_lost_permille: dice.one_of(&[0, 100]),
            read_failed_permille: dice.one_of(&[0, 50]),
            list_delay: Duration::from_secs(dice.one_of(&[0, 1, 60])),
        };
        let events = EventFaults {
            seed,
            dropped_permille: dice.below(301),
            doubled_permille: dice.one_of(&[0, 300, 800]),
            copies_max: 2 + dice.below(4),
            delayed_permille: dice.one_of(&[0, 300, 900]),
            delay_max: Duration::from_secs(dice.one_of(&[60, 600, 3_600])),
        };
        Self { jobs, calls, events, store_permille: dice.one_of(&[0, 0, 30, 100]) }
    }
}

/// How attempts end: often by the loss of their host, which leads to another submission.
pub(crate) fn script(seed: u64) -> impl FnMut(&Scene<'_>) -> AttemptOutcome + Send + 'static {
    move |scene: &Scene<'_>| {
        let add = |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte));
        let name = scene.job_name.as_str().bytes().fold(0, add);
        let parts =
            [name, scene.array_index.map_or(0, u64::from), scene.submission.into(), scene.attempt.into()];
        let mut dice =
            Dice::new(seed, parts.iter().fold(2, |hash: u64, part| hash.wrapping_mul(1_009) + part));
        let outcome = AttemptOutcome::success_after(Duration::from_secs(1 + dice.below(120)));
        match dice.below(10) {
            0..=3 => outcome.ending(Ending::HostLost),
            4 => outcome.ending(Ending::Exit(1)),
            5 => outcome.ending(Ending::StartFailure("CannotPullContainerError: no".to_owned())),
            _ => outcome,
        }
    }
}
