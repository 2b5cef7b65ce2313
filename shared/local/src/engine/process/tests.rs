//! Real processes under a real engine, killed and started again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal as UnixSignal, kill_process_group};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::domain::spec::{ContainerOverrides, JobTimeout, KeyValuePair, RetryStrategy};
use crate::domain::{JobId, JobSpec, JobStatus, LogStream, SubmitJobRequest};
use crate::engine::core::tests::{command, spec};
use crate::engine::{Durability, EngineConfig, LocalEngine, SqliteBooks};
use crate::events::{JobDetail, JobStateChange};
use crate::ports::{JobEngine, LogSource, LogSourceError, SystemClock};

struct Bench {
    state: tempfile::TempDir,
    engine: Option<LocalEngine>,
    events: UnboundedReceiver<JobStateChange>,
}

/// Waits until a condition holds that no event tells of.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}

async fn open(state: &Path) -> (LocalEngine, UnboundedReceiver<JobStateChange>) {
    let (sender, events) = unbounded_channel();
    let mut runner = None;
    until("the engine before this one has let go of its files", || {
        runner = ProcessRunner::open(state, state, SystemClock).ok();
        runner.is_some()
    })
    .await;
    let books = SqliteBooks::open(&state.join("state.db"), Durability::Program).unwrap();
    let config = EngineConfig { kill_grace: Duration::from_millis(200), ..EngineConfig::with_vcpus(4) };
    let engine = LocalEngine::start(config, books, runner.unwrap(), SystemClock, sender).await.unwrap();
    (engine, events)
}

impl Bench {
    async fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let (engine, events) = open(state.path()).await;
        Self { state, engine: Some(engine), events }
    }

    /// The engine dies without a word, and another takes its place.
    async fn replace_engine(&mut self) {
        drop(self.engine.take());
        let (engine, events) = open(self.state.path()).await;
        (self.engine, self.events) = (Some(engine), events);
    }

    fn engine(&self) -> &LocalEngine {
        self.engine.as_ref().unwrap()
    }

    async fn submit(&self, spec: JobSpec) -> JobId {
        self.engine().submit_job(&SubmitJobRequest::verbatim(spec)).await.unwrap()
    }

    async fn sh(&self, script: &str) -> JobId {
        self.submit(sh(script)).await
    }

    async fn wait_for(&mut self, job_id: &JobId, status: JobStatus) {
        while let Some(event) = self.events.recv().await {
            if &event.detail.job_id == job_id && event.detail.status == status {
                return;
            }
        }
        panic!("{job_id} never came to {status}");
    }

    async fn describe(&self, job_id: &JobId) -> JobDetail {
        self.engine().describe_jobs(std::slice::from_ref(job_id)).await.unwrap().remove(0)
    }

    /// The job's description once no job is left.
    async fn end(&self, job_id: &JobId) -> JobDetail {
        tokio::time::timeout(Duration::from_secs(60), self.engine().idle()).await.expect("jobs end");
        self.describe(job_id).await
    }

    async fn log(&self, job_id: &JobId) -> Result<Vec<String>, LogSourceError> {
        let name = self.describe(job_id).await.container.unwrap().log_stream_name.unwrap();
        let stream = LogStream { group: None, name, container: None };
        let (mut messages, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.engine().log_events(&stream, cursor.as_ref()).await?;
            messages.extend(page.events.into_iter().map(|event| event.message));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(messages);
            }
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.state.path().join(name)
    }

    fn lines(&self, name: &str) -> usize {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().count()
    }
}

fn sh(script: &str) -> JobSpec {
    JobSpec { container_overrides: Some(command(&["sh", "-c", script])), ..spec("job") }
}

fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

fn exit_code(detail: &JobDetail) -> Option<i32> {
    detail.container.as_ref().and_then(|container| container.exit_code)
}

#[tokio::test]
async fn exit_codes_are_those_of_a_container_runtime() {
    let bench = Bench::new().await;
    for (script, status, code) in [
        ("exit 0", JobStatus::Succeeded, 0),
        ("exit 42", JobStatus::Failed, 42),
        ("exit 127", JobStatus::Failed, 127),
        ("kill -KILL $$", JobStatus::Failed, 137),
        ("kill -SEGV $$", JobStatus::Failed, 139),
    ] {
        let job = bench.sh(script).await;
        let detail = bench.end(&job).await;
        assert_eq!((detail.status, exit_code(&detail)), (status, Some(code)), "{script}");
        assert_eq!(detail.status_reason.as_deref(), Some("Essential container in task exited"));
    }
    until("the files of ended attempts are gone", || {
        fs::read_dir(bench.path("attempts")).unwrap().count() == 0
    })
    .await;
}

#[tokio::test]
async fn arguments_and_environment_arrive_as_they_are() {
    let bench = Bench::new().await;
    let argument = "a  b'\"$HOME\n*";
    let print = "printf '%s|' \"$1\" \"$OWN\" \"$AWS_BATCH_JOB_ATTEMPT\" \"$AWS_BATCH_JQ_NAME\"; \
                 echo; echo $AWS_BATCH_JOB_ID; test -n \"$PATH\"; readlink /proc/self/fd/* | grep -c state.db";
    let environment = vec![KeyValuePair { name: Some("OWN".into()), value: Some("x y".into()) }];
    let overrides = ContainerOverrides { environment, ..command(&["sh", "-c", print, "sh", argument]) };
    let job = bench.submit(JobSpec { container_overrides: Some(overrides), ..spec("job") }).await;
    bench.end(&job).await;
    let log = bench.log(&job).await.unwrap().join("\n");
    assert_eq!(log, format!("{argument}|x y|1|queue|\n{job}\n0"));
}

#[tokio::test]
async fn a_command_that_can_not_be_started_says_why_and_has_no_log() {
    let bench = Bench::new().await;
    let overrides = Some(command(&["no-such-program-here"]));
    let job = bench.submit(JobSpec { container_overrides: overrides, ..spec("job") }).await;
    let detail = bench.end(&job).await;
    assert_eq!(detail.status_reason.as_deref(), Some("Task failed to start"));
    let container = detail.container.unwrap();
    assert_eq!(
        container.reason.as_deref(),
        Some("CannotStartContainerError: exec: \"no-such-program-here\": executable file not found in $PATH")
    );
    assert_eq!(container.exit_code, None);
    assert!(matches!(bench.log(&job).await, Err(LogSourceError::StreamMissing(_))));
}

#[tokio::test]
async fn all_of_the_log_is_there_when_the_job_has_ended() {
    let mut bench = Bench::new().await;
    let job = bench.sh("seq 1 50000; echo problem >&2; printf 'no line break'").await;
    bench.wait_for(&job, JobStatus::Succeeded).await;
    let log = bench.log(&job).await.unwrap();
    assert_eq!(log.len(), 50_002);
    assert_eq!(log[49_999..], ["50000", "problem", "no line break"]);
}

#[tokio::test]
async fn terminate_reaches_every_process_of_the_job() {
    let bench = Bench::new().await;
    let job = bench.sh("trap '' TERM; sh -c 'echo $$ >child.new; mv child.new child; while :; do sleep 1; done' & wait; wait").await;
    until("the grandchild runs", || bench.path("child").exists()).await;
    let child = fs::read_to_string(bench.path("child")).unwrap();
    assert!(alive(&child));
    bench.engine().terminate_job(&job, "enough").await.unwrap();
    bench.engine().terminate_job(&job, "again").await.unwrap();
    let detail = bench.end(&job).await;
    assert_eq!(
        (detail.status, detail.status_reason.as_deref(), detail.is_terminated, exit_code(&detail)),
        (JobStatus::Failed, Some("enough"), Some(true), Some(137))
    );
    until("the grandchild is gone", || !alive(&child)).await;
}

#[tokio::test]
async fn what_a_job_leaves_behind_ends_with_it() {
    let bench = Bench::new().await;
    let job = bench.sh("sleep 600 & echo $! >left; exit 3").await;
    assert_eq!(exit_code(&bench.end(&job).await), Some(3));
    let left = fs::read_to_string(bench.path("left")).unwrap();
    until("the background process is gone", || !alive(&left)).await;
}

#[tokio::test]
async fn a_timed_out_attempt_may_tidy_up_and_is_not_retried() {
    let bench = Bench::new().await;
    let timeout = Some(JobTimeout { attempt_duration_seconds: Some(1) });
    let retry_strategy = Some(RetryStrategy { attempts: Some(3), ..RetryStrategy::default() });
    let script = sh("trap 'echo tidied; exit 9' TERM; while :; do sleep 0.05; done");
    let job = bench.submit(JobSpec { timeout, retry_strategy, ..script }).await;
    let detail = bench.end(&job).await;
    assert_eq!(detail.status_reason.as_deref(), Some("Job attempt duration exceeded timeout"));
    assert_eq!((exit_code(&detail), detail.attempts.len()), (Some(9), 1));
    assert_eq!(bench.log(&job).await.unwrap().last().unwrap(), "tidied");
}

#[tokio::test]
async fn a_second_engine_in_the_same_directory_is_refused() {
    let bench = Bench::new().await;
    let second = ProcessRunner::open(bench.state.path(), bench.state.path(), SystemClock);
    assert!(matches!(second, Err(ProcessRunnerError::InUse(_))));
}

#[tokio::test]
async fn a_job_that_ends_while_no_engine_runs_is_settled_once_with_its_exit_code() {
    let mut bench = Bench::new().await;
    let job = bench
        .sh("echo run >>runs; echo first; while [ ! -e go ]; do sleep 0.02; done; echo last; exit 7")
        .await;
    bench.wait_for(&job, JobStatus::Running).await;
    bench.replace_engine().await;
    bench.replace_engine().await;
    fs::write(bench.path("go"), "").unwrap();
    let detail = bench.end(&job).await;
    assert_eq!((detail.status, exit_code(&detail)), (JobStatus::Failed, Some(7)));
    assert_eq!((detail.attempts.len(), bench.lines("runs")), (1, 1));
    assert_eq!(bench.log(&job).await.unwrap(), ["first", "last"]);
    bench.replace_engine().await;
    assert_eq!(bench.describe(&job).await, detail, "an end is not settled again");
}

#[tokio::test]
async fn an_engine_that_is_killed_at_any_point_runs_nothing_twice() {
    let mut bench = Bench::new().await;
    let mut jobs = Vec::new();
    for number in 0..12 {
        jobs.push(bench.sh(&format!("echo {number} >>runs; sleep 0.0{number}; exit 0")).await);
        if number % 3 == 0 {
            bench.replace_engine().await;
        }
    }
    let mut lost = 0;
    for job in &jobs {
        let detail = bench.end(job).await;
        let reason = detail.status_reason.unwrap_or_default();
        let is_lost = reason.starts_with("Host EC2 (instance i-");
        lost += usize::from(is_lost);
        assert!(is_lost || detail.status == JobStatus::Succeeded, "{reason}");
    }
    assert_eq!(bench.lines("runs") + lost, jobs.len(), "a lost attempt has not run");
}

#[tokio::test]
async fn a_killed_shim_is_a_lost_host_and_its_command_is_ended() {
    for by_a_later_engine in [false, true] {
        let mut bench = Bench::new().await;
        let job = bench.sh("echo $PPID $$ >pids.new; mv pids.new pids; while :; do sleep 0.1; done").await;
        until("the command runs", || bench.path("pids").exists()).await;
        let pids = fs::read_to_string(bench.path("pids")).unwrap();
        let (shim, own) = pids.trim().split_once(' ').unwrap();
        let shim = Pid::from_raw(shim.parse().unwrap()).unwrap();
        if by_a_later_engine {
            bench.replace_engine().await;
        }
        rustix::process::kill_process(shim, UnixSignal::KILL).unwrap();
        let detail = bench.end(&job).await;
        assert!(detail.status_reason.unwrap().starts_with("Host EC2 (instance i-"));
        assert!(!alive(own), "the command must be gone before its end is told");
        // Nothing is left in the group; where something were, the test would not leave it behind.
        let _ = kill_process_group(shim, UnixSignal::KILL);
    }
}

#[tokio::test]
async fn a_later_engine_terminates_what_an_earlier_one_started() {
    let mut bench = Bench::new().await;
    let job = bench.sh("trap '' TERM; echo up >>up; while :; do sleep 0.05; done").await;
    until("the command runs", || bench.lines("up") == 1).await;
    bench.replace_engine().await;
    bench.engine().terminate_all("shutting down").await.unwrap();
    let detail = bench.end(&job).await;
    assert_eq!((detail.status_reason.as_deref(), exit_code(&detail)), (Some("shutting down"), Some(137)));
}
