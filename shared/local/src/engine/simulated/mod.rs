//! A runner that runs nothing: a script says how each attempt ends, and tokio's clock when.

mod script;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::task::{AbortHandle, JoinSet};

pub use script::{AttemptOutcome, Ending, Scene, Script, SeededScript};

use super::LogDirectory;
use super::core::{AttemptEnd, AttemptId, Launch, Signal};
use super::runner::{Report, Reports, Runner};

/// How a command ends that SIGTERM reaches: 128 + 15.
const TERMINATED: i32 = 143;

/// How a command ends that SIGKILL reaches: 128 + 9.
const KILLED: i32 = 137;

/// Plays attempts by a script. With tokio's clock paused, hours pass at once.
pub struct SimulatedRunner<S> {
    script: S,
    running: HashMap<AttemptId, (AbortHandle, Reports)>,
    tasks: JoinSet<()>,
    /// By a hash of the name: how often it was submitted, and a hash of the latest submission's id. Names that the
    /// script has only let succeed are not kept, because a simulation may have millions of them.
    submissions: HashMap<u64, (u32, u64)>,
}

impl<S: Script> SimulatedRunner<S> {
    /// Plays by this script.
    pub fn new(script: S) -> Self {
        Self { script, running: HashMap::new(), tasks: JoinSet::new(), submissions: HashMap::new() }
    }

    /// What the script says of an attempt.
    fn outcome(&mut self, launch: &Launch) -> AttemptOutcome {
        let (name, root) = (hash(&launch.job_name), hash(&launch.attempt.job_id.root()));
        let submission = match self.submissions.get(&name) {
            Some(&(count, latest)) if latest == root => count,
            Some((count, _)) => count + 1,
            None => 1,
        };
        let outcome = self.script.outcome(&Scene {
            job_name: &launch.job_name,
            array_index: launch.array_index,
            submission,
            attempt: launch.attempt.number,
        });
        if submission > 1 || outcome.end != Ending::Exit(0) {
            self.submissions.insert(name, (submission, root));
        }
        outcome
    }
}

impl<S: Script> Runner for SimulatedRunner<S> {
    fn start(&mut self, launch: Launch, reports: &Reports) {
        while self.tasks.try_join_next().is_some() {}
        let outcome = self.outcome(&launch);
        let (attempt, reports) = (launch.attempt, reports.clone());
        let task = self.tasks.spawn(play(attempt.clone(), outcome, reports.clone()));
        self.running.insert(attempt, (task, reports));
    }

    /// A simulation's attempts are gone with the program that played them.
    fn resume(&mut self, launches: Vec<Launch>, reports: &Reports) {
        for launch in launches {
            // Nobody listens any more where the engine has stopped.
            let _ = reports.send(Report::Ended(launch.attempt, AttemptEnd::HostLost.into()));
        }
    }

    fn logs(&self) -> Option<LogDirectory> {
        None
    }

    fn signal(&mut self, attempt: &AttemptId, signal: Signal) {
        let Some((task, reports)) = self.running.get(attempt) else { return };
        let code = match signal {
            Signal::Terminate => TERMINATED,
            Signal::Kill => KILLED,
        };
        task.abort();
        // As above.
        let _ = reports.send(Report::Ended(attempt.clone(), AttemptEnd::Exit(code).into()));
    }

    fn settled(&mut self, attempt: &AttemptId) {
        self.running.remove(attempt);
    }
}

async fn play(attempt: AttemptId, outcome: AttemptOutcome, reports: Reports) {
    tokio::time::sleep(outcome.start_delay).await;
    let end = match outcome.end {
        Ending::StartFailure(reason) => AttemptEnd::StartFailure(reason),
        Ending::Exit(_) | Ending::HostLost => {
            // Nobody listens any more where the engine has stopped.
            let _ = reports.send(Report::Started(attempt.clone()));
            tokio::time::sleep(outcome.duration).await;
            match outcome.end {
                Ending::Exit(code) => AttemptEnd::Exit(code),
                _ => AttemptEnd::HostLost,
            }
        }
    };
    let _ = reports.send(Report::Ended(attempt, end.into()));
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
