//! A model answer for each situation, as `docs/causes.md` has them: `UPDATE_ANSWERS=1 cargo test --lib model_answers`
//! writes them anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use batchwright::domain::explain::Situation;
use batchwright::domain::queue::{ComputeEnvironment, InFront};
use batchwright::domain::{
    Cause, Job, JobHead, JobId, JobName, JobQueue, JobStatus, Run, RunId, StatusCounts, Submission, Timestamp,
};
use batchwright::local::StateDir;
use batchwright::ports::{Clock, Cursor, JobQueries, Page, PortError, QueueSource, RunStore};
use batchwright::use_cases::explain::{Explanation, Logs, explain as explain_job};
use serde_json::{Value, json};

use super::told;

const ID: &str = "4c7599ae-0a82-49aa-ba5a-4727fcce14a8";
const HEADING: &str = "## Model answers\n";
const NOW: i64 = 1_795_944_244_000;

/// Everything that is known: some jobs with their children, and a queue.
struct Known {
    jobs: Vec<Job>,
    children: Vec<Submission>,
    queue: Option<JobQueue>,
}

impl Known {
    fn all(&self) -> impl Iterator<Item = Submission> + '_ {
        self.jobs.iter().filter_map(|job| job.latest.clone()).chain(self.children.iter().cloned())
    }

    fn of(&self, name: &JobName) -> Option<Job> {
        self.jobs.iter().find(|job| job.name() == name).cloned()
    }
}

impl JobQueries for Known {
    async fn job(&self, name: &JobName) -> Result<Option<Job>, PortError> {
        Ok(self.of(name))
    }

    async fn jobs_named(&self, names: &[JobName]) -> Result<Vec<Option<Job>>, PortError> {
        Ok(names.iter().map(|name| self.of(name)).collect())
    }

    async fn submission(&self, id: &JobId) -> Result<Option<Submission>, PortError> {
        Ok(self.all().find(|submission| submission.state.job_id == *id))
    }

    async fn submission_of(&self, _: &JobName, id: &JobId) -> Result<Option<Submission>, PortError> {
        self.submission(id).await
    }

    async fn submissions(&self, name: &JobName, _: Option<&Cursor>) -> Result<Page<Submission>, PortError> {
        Ok(Page::new(self.all().filter(|submission| submission.state.job_name == *name).collect(), None))
    }

    async fn submissions_with_status(
        &self,
        status: JobStatus,
        _: Option<&Cursor>,
    ) -> Result<Page<Submission>, PortError> {
        Ok(Page::new(self.all().filter(|submission| submission.state.status == status).collect(), None))
    }

    async fn jobs(&self, _: Option<&RunId>, _: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        Ok(Page::new(self.jobs.clone(), None))
    }

    async fn jobs_with_status(&self, status: JobStatus, _: Option<&Cursor>) -> Result<Page<Job>, PortError> {
        let jobs = self.jobs.iter().filter(|job| job.status() == Some(status));
        Ok(Page::new(jobs.cloned().collect(), None))
    }

    async fn count_by_status(&self) -> Result<StatusCounts, PortError> {
        let mut counts = StatusCounts::default();
        self.jobs.iter().filter_map(Job::status).for_each(|status| counts[status] += 1);
        Ok(counts)
    }
}

/// No run is known.
impl RunStore for Known {
    async fn create_run(&self, _: &Run) -> Result<Option<Run>, PortError> {
        Ok(None)
    }

    async fn save_run(&self, _: &Run) -> Result<bool, PortError> {
        Ok(false)
    }

    async fn run(&self, _: &RunId) -> Result<Option<Run>, PortError> {
        Ok(None)
    }

    async fn runs(&self, _: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        Ok(Page::new(Vec::new(), None))
    }

    async fn unfinished_runs(&self, _: Timestamp, _: Option<&Cursor>) -> Result<Page<Run>, PortError> {
        Ok(Page::new(Vec::new(), None))
    }
}

impl QueueSource for Known {
    async fn job_queue(&self, _: &str) -> Result<Option<JobQueue>, PortError> {
        Ok(self.queue.clone())
    }
}

/// One moment.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW)
    }
}

/// A head with the given fields in place of the usual ones.
fn head(name: &str, spec: Value, fields: Value) -> JobHead {
    let mut head = json!({
        "spec": {"jobName": name, "jobQueue": "spot", "jobDefinition": "tile:7", "maxTries": 4},
        "runId": "run-60fc47430140c804e1ab14b6", "claims": 1, "nonceSeed": "4f20607cebbf9ca6", "claim": null,
        "jobId": ID, "jobTries": [ID], "tries": [{"jobId": ID, "jobQueue": "spot", "submittedAt": NOW - 1_800_000}],
        "triesBefore": 0, "refusal": null, "submittedAt": NOW - 1_800_000, "updatedAt": NOW,
    });
    put(&mut head["spec"], spec);
    put(&mut head, fields);
    serde_json::from_value(head).unwrap()
}

fn submission(name: &str, id: &str, status: &str, fields: Value) -> Submission {
    let mut state = json!({"jobName": name, "jobId": id, "status": status, "jobQueue": "spot",
        "jobDefinition": "tile:7", "createdAt": NOW - 1_800_000});
    put(&mut state, fields);
    let submission = json!({"state": state, "logs": null, "updatedAt": NOW, "followUp": "settled"});
    serde_json::from_value(submission).unwrap()
}

fn put(value: &mut Value, fields: Value) {
    for (name, field) in fields.as_object().unwrap() {
        value[name] = field.clone();
    }
}

fn job(status: &str, fields: Value) -> Job {
    let head = head("tile-7", json!({}), json!({}));
    Job { head, latest: Some(submission("tile-7", ID, status, fields)) }
}

/// A job that others depend on.
fn prepare(status: &str, fields: Value) -> Job {
    let id = "5d89737d-5fd6-44d6-b8b9-2747ccbd76da";
    Job {
        head: head("prepare", json!({}), json!({"jobId": id, "jobTries": [id], "tries": []})),
        latest: Some(submission("prepare", id, status, fields)),
    }
}

fn never(fields: Value) -> Job {
    let none = json!({"jobId": null, "jobTries": [], "tries": [], "submittedAt": null});
    let mut all = none;
    put(&mut all, fields);
    Job { head: head("tile-7", json!({}), all), latest: None }
}

fn queue(state: &str, environment: Value, front: Value) -> JobQueue {
    let text = |name: &str, usual: &str| environment[name].as_str().unwrap_or(usual).to_owned();
    let environment = ComputeEnvironment {
        compute_environment_name: "spot-eu-west-1".to_owned(),
        state: text("state", "ENABLED"),
        status: text("status", "VALID"),
        status_reason: environment["statusReason"].as_str().map(ToOwned::to_owned),
        max_vcpus: Some(256),
        desired_vcpus: Some(i32::try_from(environment["desired"].as_i64().unwrap_or(8)).unwrap()),
    };
    let first = front
        .as_str()
        .map(|arn| InFront { job_arn: arn.to_owned(), since: Some(Timestamp::from_millis(NOW - 1_200_000)) });
    JobQueue {
        job_queue_name: "spot".to_owned(),
        state: state.to_owned(),
        status: "VALID".to_owned(),
        status_reason: None,
        compute_environments: vec![environment],
        front: first.into_iter().collect(),
    }
}

/// What has to be known for a situation, and whether somebody runs the jobs.
fn case(situation: Situation) -> (Known, bool) {
    let of = |job: Job, queue: Option<JobQueue>| Known { jobs: vec![job], children: Vec::new(), queue };
    let usual = || Some(queue("ENABLED", json!({}), json!(null)));
    let known = match situation {
        Situation::NeverSubmitted => of(never(json!({})), None),
        Situation::Refused => {
            let refusal = "ClientException: JobQueue spto not found.";
            of(never(json!({"refusal": refusal})), None)
        }
        Situation::BeingSubmitted => {
            let claim = json!({"nonce": "1-0251eb405b97c95e", "expiresAt": NOW + 120_000});
            of(never(json!({"claim": claim})), None)
        }
        Situation::Unattended => return (of(job("RUNNABLE", json!({})), None), false),
        Situation::WaitsForJobs => {
            let mut waits = job("PENDING", json!({}));
            waits.head = head("tile-7", json!({"dependsOn": [{"jobName": "prepare"}]}), json!({}));
            Known { jobs: vec![waits, prepare("RUNNING", json!({}))], children: Vec::new(), queue: usual() }
        }
        Situation::JustSubmitted => of(job("SUBMITTED", json!({})), usual()),
        Situation::QueueDisabled => {
            of(job("RUNNABLE", json!({})), Some(queue("DISABLED", json!({}), json!(null))))
        }
        Situation::EnvironmentBroken => {
            let why = "CLIENT_ERROR - You are not authorized to perform this operation.";
            let broken = json!({"status": "INVALID", "statusReason": why});
            of(job("RUNNABLE", json!({})), Some(queue("ENABLED", broken, json!(null))))
        }
        Situation::DoesNotFit => {
            let why = batchwright::domain::reasons::TOO_LARGE;
            of(job("RUNNABLE", json!({"statusReason": why})), usual())
        }
        Situation::QueueBlocked => {
            let other = "arn:aws:batch:eu-west-1:123456789012:job/a44737a1-4b89-4a8e-bf62-9599a1fd9cde";
            of(job("RUNNABLE", json!({})), Some(queue("ENABLED", json!({}), json!(other))))
        }
        Situation::AtMaximum => {
            of(job("RUNNABLE", json!({})), Some(queue("ENABLED", json!({"desired": 256}), json!(null))))
        }
        Situation::WaitsForCapacity => of(job("RUNNABLE", json!({})), usual()),
        Situation::Starting => of(job("STARTING", json!({})), usual()),
        Situation::Running => of(job("RUNNING", json!({"startedAt": NOW - 600_000})), usual()),
        Situation::Recovering => {
            let (mut known, _) = case(Situation::Failed(Cause::Child));
            let lost = json!({"statusReason": "Host EC2 (instance i-0737c70432d64f82a) terminated."});
            known.children[7] = submission("tile-7", &format!("{ID}:7"), "FAILED", lost);
            let spec = json!({"arrayProperties": {"size": 12}, "resubmitChildren": true});
            let tries = json!([{"jobId": ID, "jobQueue": "spot", "submittedAt": NOW - 1_800_000,
                "children": {"indices": [7]}}]);
            known.jobs[0].head = head("tile-7", spec, json!({"tries": tries}));
            known
        }
        Situation::Succeeded => {
            let attempt = json!({"startedAt": NOW - 600_000, "stoppedAt": NOW, "exitCode": 0});
            let times = json!({"startedAt": NOW - 600_000, "stoppedAt": NOW, "exitCode": 0,
                "statusReason": "Essential container in task exited", "attempts": [attempt]});
            of(job("SUCCEEDED", times), usual())
        }
        Situation::Failed(Cause::Child) => {
            let mut array = job("FAILED", json!({"statusReason": "Array Child Job failed", "arraySize": 12}));
            array.head = head("tile-7", json!({"arrayProperties": {"size": 12}}), json!({}));
            let failed = json!({"statusReason": "Essential container in task exited", "exitCode": 1});
            let child = |index: u32| match index {
                7 => submission("tile-7", &format!("{ID}:7"), "FAILED", failed.clone()),
                index => submission("tile-7", &format!("{ID}:{index}"), "SUCCEEDED", json!({"exitCode": 0})),
            };
            Known { jobs: vec![array], children: (0..12).map(child).collect(), queue: usual() }
        }
        Situation::Failed(Cause::Dependency) => {
            let mut waited = job("FAILED", text_of(Cause::Dependency));
            waited.head = head("tile-7", json!({"dependsOn": [{"jobName": "prepare"}]}), json!({}));
            Known {
                jobs: vec![waited, prepare("FAILED", text_of(Cause::ExitCode))],
                children: Vec::new(),
                queue: usual(),
            }
        }
        Situation::Failed(cause) => of(job("FAILED", text_of(cause)), usual()),
    };
    (known, true)
}

/// What is said of such a failure: by Batch, in the first of its public texts, or by the reconciler.
fn text_of(cause: Cause) -> Value {
    match cause {
        Cause::Lost => {
            let why = "Batch no longer knows this job; it was RUNNING when it was last heard of";
            return json!({"statusReason": why});
        }
        // The text is whatever its caller wrote.
        Cause::Terminated => return json!({"statusReason": "the input was wrong", "isTerminated": true}),
        _ => {}
    }
    let fixtures = include_str!("../../../../tests/fixtures/causes.json");
    let fixtures: Vec<Value> = serde_json::from_str(fixtures).unwrap();
    let mut text = fixtures.into_iter().find(|text| text["cause"] == cause.as_str()).unwrap();
    let fields = text.as_object_mut().unwrap();
    fields.retain(|name, value| !matches!(name.as_str(), "cause" | "source") && !value.is_null());
    let has_run = matches!(cause, Cause::HostLost | Cause::Timeout | Cause::OutOfMemory | Cause::ExitCode);
    let mut attempt = if has_run {
        json!({"startedAt": NOW - 600_000, "stoppedAt": NOW})
    } else {
        json!({"stoppedAt": NOW})
    };
    for name in ["exitCode", "reason", "statusReason"] {
        if let Some(value) = fields.get(name) {
            attempt[name] = value.clone();
        }
    }
    // What was never started has no attempt.
    if !matches!(cause, Cause::Dependency | Cause::Capacity | Cause::Cancelled) {
        fields.insert("attempts".to_owned(), json!([attempt]));
    }
    text
}

async fn answer(situation: Situation) -> Explanation {
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::new(folder.path());
    let (known, is_attended) = case(situation);
    let logs = Logs { source: &dir.logs(), archive: &dir.bucket() };
    explain_job(&known, &known, &logs, &Standing, &known.jobs[0], is_attended).await.unwrap()
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/causes.md")
}

#[expect(clippy::disallowed_methods, reason = "asked for by hand, where the page is to be rewritten")]
fn asked_to_rewrite() -> bool {
    std::env::var("UPDATE_ANSWERS").is_ok_and(|value| value == "1")
}

#[tokio::test]
async fn the_page_of_causes_has_a_model_answer_for_each_situation() {
    let mut answers = format!(
        "{HEADING}\nWhat `batchwright explain tile-7` says, for each cause and for each reason to wait.\n"
    );
    let mut seen = BTreeSet::new();
    for situation in Cause::ALL.map(Situation::Failed).into_iter().chain(Situation::OTHERS) {
        let explained = answer(situation).await;
        assert_eq!(explained.situation, situation);
        let told = told(&explained);
        assert!(seen.insert(told.clone()), "{situation} is told as another");
        answers.push_str(&format!("\n### {situation}\n\n```text\n{told}\n```\n"));
    }
    let written = std::fs::read_to_string(page()).unwrap();
    let before = written.split(HEADING).next().unwrap();
    let expected = format!("{before}{answers}");
    if asked_to_rewrite() {
        std::fs::write(page(), &expected).unwrap();
        return;
    }
    assert!(
        written == expected,
        "docs/causes.md does not say what the program says: `UPDATE_ANSWERS=1 cargo test --lib model_answers`"
    );
}
