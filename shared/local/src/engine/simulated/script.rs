//! How simulated attempts end.

use std::time::Duration;

use crate::domain::JobName;
use crate::engine::seed::Dice;

/// Which attempt is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scene<'a> {
    /// The job's name.
    pub job_name: &'a JobName,
    /// The index of an array child.
    pub array_index: Option<u32>,
    /// 1 for the first submission of that name. One whose attempts were all to succeed is not counted.
    pub submission: u32,
    /// 1 for the first attempt of the submission.
    pub attempt: u32,
}

/// What an attempt does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptOutcome {
    /// From STARTING to RUNNING, or to the failure to start.
    pub start_delay: Duration,
    /// From RUNNING to the end.
    pub duration: Duration,
    /// How it ends.
    pub end: Ending,
}

/// How a simulated attempt ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With an exit code.
    Exit(i32),
    /// Its host goes away.
    HostLost,
    /// It can't be started, and why.
    StartFailure(String),
}

impl AttemptOutcome {
    /// Runs so long and succeeds.
    pub fn success_after(duration: Duration) -> Self {
        Self { start_delay: Duration::ZERO, duration, end: Ending::Exit(0) }
    }

    /// The same with another end.
    #[must_use]
    pub fn ending(self, end: Ending) -> Self {
        Self { end, ..self }
    }
}

/// Says how attempts end. Closures are scripts.
pub trait Script: Send + 'static {
    /// What the attempt does.
    fn outcome(&mut self, scene: &Scene<'_>) -> AttemptOutcome;
}

impl<F: FnMut(&Scene<'_>) -> AttemptOutcome + Send + 'static> Script for F {
    fn outcome(&mut self, scene: &Scene<'_>) -> AttemptOutcome {
        self(scene)
    }
}

/// A script by a seed: most attempts succeed. The same attempt does the same, in whatever order
/// attempts are asked about.
#[derive(Debug, Clone)]
pub struct SeededScript {
    /// Tells two simulations apart.
    pub seed: u64,
    /// Of 1,000 attempts, so many lose their host.
    pub host_lost_permille: u64,
    /// Of 1,000 attempts, so many exit with 1.
    pub failed_permille: u64,
}

impl SeededScript {
    /// 2% lose their host and 1% fail.
    pub fn new(seed: u64) -> Self {
        Self { seed, host_lost_permille: 20, failed_permille: 10 }
    }
}

impl Script for SeededScript {
    fn outcome(&mut self, scene: &Scene<'_>) -> AttemptOutcome {
        let index = scene.array_index.map_or(String::new(), |index| index.to_string());
        let numbers = format!("{}/{}", scene.submission, scene.attempt);
        let mut dice = Dice::for_parts(self.seed, &[scene.job_name.as_str(), &index, &numbers]);
        let start_delay = Duration::from_millis(dice.below(30_000));
        let duration = Duration::from_millis(1_000 + dice.below(600_000));
        let draw = dice.below(1_000);
        let end = if draw < self.host_lost_permille {
            Ending::HostLost
        } else if draw < self.host_lost_permille + self.failed_permille {
            Ending::Exit(1)
        } else {
            Ending::Exit(0)
        };
        AttemptOutcome { start_delay, duration, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_script_repeats_itself_and_tells_attempts_apart() {
        let job_name = JobName::parse("tile").unwrap();
        let scene = Scene { job_name: &job_name, array_index: None, submission: 1, attempt: 1 };
        let first = SeededScript::new(1).outcome(&scene);
        assert_eq!(first, SeededScript::new(1).outcome(&scene));
        assert_ne!(first, SeededScript::new(2).outcome(&scene));
        assert_ne!(first, SeededScript::new(1).outcome(&Scene { attempt: 2, ..scene }));
    }
}
