//! What is asked of a deployment, how its jobs fare, and how all of it must end.

use std::time::Duration;

use batchwright::domain::{JobId, JobStatus};
use batchwright::engine::Scene;
use serde_json::{Value, json};

use super::network::Passage;
use crate::world::{Ending, Ends, exits, loses_host, succeeds};

/// A story, told from an upload or a call to the last archived log.
#[derive(Clone)]
pub struct Scenario {
    /// What it is about.
    pub name: &'static str,
    /// Job files: keys in the bucket, with their content.
    pub files: Vec<(&'static str, String)>,
    /// What wakes the submitter.
    pub calls: Vec<Value>,
    /// How attempts end.
    pub script: fn(&Scene<'_>) -> Ends,
    /// How each job ends.
    pub jobs: Vec<Expected>,
    /// Lines of files that hold no valid job.
    pub invalid_lines: usize,
    /// No event of Batch's is delivered.
    pub events_lost: bool,
    /// Every event is delivered twice.
    pub events_doubled: bool,
    /// Events come again to a function after the one before has died: nothing else finds what they tell.
    pub needs_events: bool,
    /// The most submissions that are one too many, and are found and ended.
    pub surplus: usize,
    /// Seconds that an invocation of the submitter has, its margin of sixty among them.
    pub seconds: u32,
    /// Submissions a second, where the submitter keeps to a pace; they come one after another then.
    pub pace: Option<f64>,
    /// The first calls of one function by another that are refused.
    pub invocations_refused: usize,
    /// What becomes of some calls of `SubmitJob`.
    pub passages: Vec<(usize, Passage)>,
    /// The ids of Batch's first jobs, where another has numbered them.
    pub ids: Vec<JobId>,
    /// A value in the environment and the parameters of every job, which is in no other place than Batch and the job file.
    pub secret: Option<&'static str>,
}

/// How a job ends.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Its name.
    pub name: &'static str,
    /// Its last status; `None` where it is never submitted.
    pub status: Option<JobStatus>,
    /// The fewest submissions of it.
    pub least: usize,
    /// The most submissions of it.
    pub most: usize,
    /// It stands in the report of its run: every job does but those that run an array's children again.
    pub reported: bool,
}

/// The name of the bucket.
pub const BUCKET: &str = "bucket";

/// The notification of an upload.
pub fn uploaded(key: &str) -> Value {
    json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {
        "bucket": {"name": BUCKET}, "object": {"key": key, "sequencer": "01"},
    }})
}

/// A job of a file.
pub fn job(name: &str) -> Value {
    json!({"jobName": name, "jobQueue": "queue", "jobDefinition": "definition",
        "containerOverrides": {"command": ["true"]}})
}

/// What [`Scenario::sealed`] keeps to itself.
const SECRET: &str = "hunter2-5ca1ab1e";

/// A job of a file whose environment and parameters are sealed, and hold a secret.
pub fn sealed(mut job: Value, secret: &str) -> Value {
    job["sealed"] = json!(true);
    job["parameters"] = json!({"token": secret});
    job["containerOverrides"]["environment"] = json!([{"name": "PASSWORD", "value": secret}]);
    job
}

/// A job of a file that depends on another.
pub fn after(name: &str, dependency: &str) -> Value {
    let mut job = job(name);
    job["dependsOn"] = json!([{"jobName": dependency}]);
    job
}

const fn once(name: &'static str) -> Expected {
    Expected { name, status: Some(JobStatus::Succeeded), least: 1, most: 1, reported: true }
}

const fn tried(name: &'static str, least: usize, most: usize) -> Expected {
    Expected { name, status: Some(JobStatus::Succeeded), least, most, reported: true }
}

fn all_succeed(_: &Scene<'_>) -> Ends {
    succeeds()
}

fn first_loses_host(scene: &Scene<'_>) -> Ends {
    if scene.submission == 1 && !scene.job_name.as_str().starts_with("next") {
        loses_host()
    } else {
        succeeds()
    }
}

fn long(_: &Scene<'_>) -> Ends {
    Ends::success_after(Duration::from_secs(3_000))
}

fn long_after_lost_host(scene: &Scene<'_>) -> Ends {
    if scene.submission == 1 { loses_host() } else { long(scene) }
}

fn first_of_a_loses_host(scene: &Scene<'_>) -> Ends {
    if scene.submission == 1 && scene.job_name.as_str() == "a" { loses_host() } else { long(scene) }
}

fn second_child_loses_host(scene: &Scene<'_>) -> Ends {
    if scene.array_index == Some(1) { loses_host() } else { succeeds() }
}

fn short_after_lost_host(scene: &Scene<'_>) -> Ends {
    let short = Ends::success_after(Duration::from_millis(1));
    if scene.submission == 1 { short.ending(Ending::HostLost) } else { short }
}

fn fails(_: &Scene<'_>) -> Ends {
    exits(3)
}

impl Scenario {
    /// One file, uploaded once; its jobs succeed.
    pub fn of_file(name: &'static str, jobs: &[Value], expected: &[Expected]) -> Self {
        Self::of_text(name, "jobs/file.json", json!(jobs).to_string(), expected)
    }

    fn of_text(name: &'static str, key: &'static str, text: String, expected: &[Expected]) -> Self {
        Self {
            name,
            files: vec![(key, text)],
            calls: vec![uploaded(key)],
            script: all_succeed,
            jobs: expected.to_vec(),
            invalid_lines: 0,
            events_lost: false,
            events_doubled: false,
            needs_events: false,
            surplus: 0,
            seconds: 900,
            pace: None,
            invocations_refused: 0,
            passages: Vec::new(),
            ids: Vec::new(),
            secret: None,
        }
    }

    /// One job that succeeds.
    pub fn one_job() -> Self {
        Self::of_file("one job", &[job("a")], &[once("a")])
    }

    /// One job whose host is lost.
    pub fn lost_host() -> Self {
        let scenario = Self::of_file("a lost host", &[job("a")], &[tried("a", 2, 2)]);
        Self { script: first_loses_host, ..scenario }
    }

    /// A job whose host is lost, and one that depends on it.
    pub fn dependant() -> Self {
        let jobs = [job("a"), after("next", "a")];
        let scenario = Self::of_file("a dependant", &jobs, &[tried("a", 2, 2), tried("next", 1, 2)]);
        Self { script: first_loses_host, ..scenario }
    }

    /// The same, and no event comes.
    pub fn dependant_in_silence() -> Self {
        Self { name: "a dependant in silence", events_lost: true, ..Self::dependant() }
    }

    /// A file that takes several invocations, each called by the one before.
    pub fn continued() -> Self {
        let names = ["a", "b", "c", "d"];
        let scenario = Self::of_file("a continued run", &names.map(job), &names.map(once));
        Self { seconds: 61, pace: Some(1.0), ..scenario }
    }

    /// The same, where no invocation can call the next: the reconciler does.
    pub fn continued_by_the_reconciler() -> Self {
        Self { name: "a run that the reconciler continues", invocations_refused: 2, ..Self::continued() }
    }

    /// Jobs that come with a call.
    pub fn direct_call() -> Self {
        let calls = vec![json!({"jobs": [job("a"), job("b")]})];
        let scenario = Self::of_file("a direct call", &[], &[once("a"), once("b")]);
        Self { files: Vec::new(), calls, ..scenario }
    }

    /// A file that is refused as a whole.
    pub fn refused_file() -> Self {
        let text = json!([job("a b")]).to_string();
        let scenario = Self::of_text("a refused file", "jobs/bad.json", text, &[]);
        Self { invalid_lines: 1, ..scenario }
    }

    /// A file that is not there.
    pub fn missing_file() -> Self {
        let scenario = Self::of_text("a missing file", "jobs/gone.json", String::new(), &[]);
        Self { files: Vec::new(), invalid_lines: 1, ..scenario }
    }

    /// A file of lines, one job of which is refused by Batch.
    pub fn refused_job() -> Self {
        let mut refused = job("refused");
        refused["containerOverrides"] = json!({});
        let text = format!("{}\n{refused}\n", job("a"));
        let expected =
            [once("a"), Expected { name: "refused", status: None, least: 0, most: 0, reported: true }];
        Self::of_text("a refused job", "jobs/lines.jsonl", text, &expected)
    }

    /// A job that runs for long while the reconciler passes, and one that fails.
    pub fn long_job() -> Self {
        Self { script: long, events_lost: true, ..Self::of_file("a long job", &[job("a")], &[once("a")]) }
    }

    /// A job that fails by its own fault is not submitted again.
    pub fn failed() -> Self {
        let expected =
            Expected { name: "a", status: Some(JobStatus::Failed), least: 1, most: 1, reported: true };
        Self { script: fails, ..Self::of_file("a failed job", &[job("a")], &[expected]) }
    }

    /// One long job whose calls of `SubmitJob` fare as they are told to. `retried`: its host is lost first.
    pub fn late(passages: &[(usize, Passage)], retried: bool, events_lost: bool) -> Self {
        let passages = passages.to_vec();
        if retried {
            let script = long_after_lost_host;
            return Self {
                name: "a late retry",
                script,
                passages,
                events_lost,
                surplus: 1,
                ..Self::lost_host()
            };
        }
        Self { name: "a late submission", passages, events_lost, surplus: 1, ..Self::long_job() }
    }

    /// A submission that takes effect when the reconciler has made another.
    pub fn surplus() -> Self {
        let late = Passage::EffectAfterGivenUp(Duration::from_secs(1_300));
        Self { needs_events: true, ..Self::late(&[(1, late)], false, false) }
    }

    /// One job whose host is lost, and every event comes twice.
    pub fn doubled_events() -> Self {
        Self { name: "events that come twice", events_doubled: true, ..Self::lost_host() }
    }

    /// An array, one child of which loses its host and is run again, and a job that depends on the array.
    pub fn array() -> Self {
        let mut array = job("a");
        array["arrayProperties"] = json!({"size": 2});
        array["resubmitChildren"] = json!(true);
        let child = Expected { reported: false, ..once("a--bw-child-1") };
        let jobs = [array, after("next", "a")];
        let scenario = Self::of_file("an array", &jobs, &[once("a"), child, tried("next", 1, 2)]);
        Self { script: second_child_loses_host, ..scenario }
    }

    /// The same, and no event comes.
    pub fn array_in_silence() -> Self {
        Self { name: "an array in silence", events_lost: true, ..Self::array() }
    }

    /// Jobs behind jobs behind an array, one child of which loses its host and is run again.
    pub fn lattice() -> Self {
        let mut array = job("a");
        array["arrayProperties"] = json!({"size": 2});
        array["resubmitChildren"] = json!(true);
        let mut last = after("next-last", "next-left");
        last["dependsOn"] = json!([{"jobName": "next-left"}, {"jobName": "next-right"}]);
        let jobs = [array, after("next-left", "a"), after("next-right", "a"), last];
        let child = Expected { reported: false, ..once("a--bw-child-1") };
        let behind = ["next-left", "next-right", "next-last"].map(|name| tried(name, 1, 2));
        let scenario = Self::of_file("a lattice over an array", &jobs, &[once("a"), child]);
        let jobs = scenario.jobs.into_iter().chain(behind).collect();
        Self { script: second_child_loses_host, jobs, ..scenario }
    }

    /// The same, and no event comes.
    pub fn lattice_in_silence() -> Self {
        Self { name: "a lattice in silence", events_lost: true, ..Self::lattice() }
    }

    /// A chain, the first job of which loses its host, and of which another is an array.
    pub fn chain() -> Self {
        let mut array = after("next", "a");
        array["arrayProperties"] = json!({"size": 2});
        let jobs = [job("a"), array, after("next-last", "next")];
        let expected = [tried("a", 2, 2), tried("next", 1, 2), tried("next-last", 1, 2)];
        Self { script: first_loses_host, ..Self::of_file("a chain", &jobs, &expected) }
    }

    /// The same, where the first job fails by its own fault.
    pub fn failed_chain() -> Self {
        let failed = |job: Expected| Expected { status: Some(JobStatus::Failed), least: 1, most: 1, ..job };
        let chain = Self::chain();
        let jobs = chain.jobs.into_iter().map(failed).collect();
        Self { name: "a failed chain", script: fails, jobs, ..chain }
    }

    /// The same, and no event comes.
    pub fn failed_chain_in_silence() -> Self {
        Self { name: "a failed chain in silence", events_lost: true, ..Self::failed_chain() }
    }

    /// An array that succeeds, and no event of its children comes.
    pub fn unheard_children() -> Self {
        let mut array = job("a");
        array["arrayProperties"] = json!({"size": 2});
        let scenario = Self::of_file("unheard children", &[array], &[once("a")]);
        Self { events_lost: true, ..scenario }
    }

    /// Sealed jobs, the first of which loses its host; the last depends on it.
    pub fn sealed() -> Self {
        let jobs = [job("a"), job("next-b"), after("next", "a")].map(|job| sealed(job, SECRET));
        let expected = [tried("a", 2, 2), once("next-b"), tried("next", 1, 2)];
        let scenario = Self::of_file("sealed jobs", &jobs, &expected);
        Self { script: first_loses_host, secret: Some(SECRET), ..scenario }
    }

    /// A sealed job of a call, of which nothing is submitted under its first claim: nobody but its run can tell how it goes on.
    pub fn sealed_call() -> Self {
        let calls = vec![json!({"jobs": [sealed(job("a"), SECRET)]})];
        let scenario = Self::of_file("a lost request of a sealed job", &[], &[once("a")]);
        let passages = vec![(1, Passage::RequestLost)];
        Self { files: Vec::new(), calls, passages, secret: Some(SECRET), ..scenario }
    }

    /// One job whose host is lost, in no time.
    pub fn short_lost_host() -> Self {
        Self { script: short_after_lost_host, ..Self::lost_host() }
    }

    /// `SubmitJob` fares badly; the events of what it did are lost, too.
    pub fn of_passages(name: &'static str, passages: &[Passage], events_lost: bool) -> Self {
        let passages = passages.iter().copied().enumerate().map(|(at, passage)| (at + 1, passage)).collect();
        Self { passages, events_lost, ..Self::of_file(name, &[job("a")], &[once("a")]) }
    }

    /// Jobs that run for long, the first of which loses its host before, and one that depends on it: for a run
    /// that is cancelled meanwhile.
    pub fn long_run() -> Self {
        let jobs = [job("a"), job("b"), after("next", "a")];
        let scenario = Self::of_file("a long run", &jobs, &["a", "b", "next"].map(once));
        Self { script: first_of_a_loses_host, ..scenario }
    }

    /// All of them, the smaller ones first.
    pub fn all() -> Vec<Self> {
        use Passage::{AnswerLost, RequestLost, Throttled};
        vec![
            Self::missing_file(),
            Self::refused_file(),
            Self::one_job(),
            Self::failed(),
            Self::refused_job(),
            Self::direct_call(),
            Self::lost_host(),
            Self::long_job(),
            Self::of_passages("a throttled submission", &[Throttled; 3], false),
            Self::of_passages("a submission given up", &[Throttled; 8], false),
            Self::of_passages("a lost request", &[RequestLost], false),
            Self::of_passages("a lost answer", &[AnswerLost], false),
            Self::of_passages("a lost answer in silence", &[AnswerLost], true),
            Self::of_passages("two lost requests in silence", &[RequestLost, RequestLost], true),
            Self::surplus(),
            Self::doubled_events(),
            Self::dependant(),
            Self::dependant_in_silence(),
            Self::sealed(),
            Self::sealed_call(),
            Self::array(),
            Self::array_in_silence(),
            Self::unheard_children(),
            Self::chain(),
            Self::failed_chain(),
            Self::failed_chain_in_silence(),
            Self::lattice(),
            Self::lattice_in_silence(),
            Self::continued(),
            Self::continued_by_the_reconciler(),
        ]
    }
}
