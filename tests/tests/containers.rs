//! Real containers under a real engine, killed and started again.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use batchwright::domain::spec::{ContainerOverrides, KeyValuePair};
use batchwright::domain::{JobDefinition, JobId, JobName, JobSpec, JobStatus, SubmitJobRequest};
use batchwright::engine::{EngineConfig, LocalEngine, ProcessSettings, passed_environment};
use batchwright::events::{JobDetail, JobStateChange};
use batchwright::job_file::check_definition;
use batchwright::ports::JobEngine;
use batchwright_tests::podman::{IMAGE, Podman, SPEAKING_IMAGE};
use batchwright_tests::processes::{describe, log_lines, open, settings, until};
use batchwright_tests::stack::built;
use rustix::process::{Pid, Signal as UnixSignal, kill_process};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

/// What a job may use where the test says nothing.
const SMALL: &str = "32";

struct Bench {
    podman: Podman,
    state: tempfile::TempDir,
    settings: ProcessSettings,
    engine: Option<LocalEngine>,
    events: UnboundedReceiver<JobStateChange>,
}

fn config() -> EngineConfig {
    EngineConfig { kill_grace: Duration::from_secs(20), ..EngineConfig::with_vcpus(8) }
}

fn definition(name: &str, image: &str, properties: Value) -> JobDefinition {
    let mut container = json!({
        "image": image,
        "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": SMALL}],
    });
    container.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
    check_definition(
        json!({"jobDefinitionName": name, "type": "container", "containerProperties": container}),
    )
    .unwrap()
}

impl Bench {
    async fn new() -> Option<Self> {
        let podman = Podman::find()?;
        let state = tempfile::tempdir().unwrap();
        let caller = [("FROM_CALLER".into(), "yes".into()), ("SECRET".into(), "no".into())];
        let settings = ProcessSettings {
            containers: Some(podman.runtime().unwrap()),
            container_environment: passed_environment(&caller, &["FROM_CALLER".into()]),
            ..settings(state.path(), None).unwrap()
        };
        let (engine, events) = open(state.path(), &settings, config()).await.unwrap();
        let bench = Self { podman, state, settings, engine: Some(engine), events };
        bench.define("plain", IMAGE, json!({})).await;
        Some(bench)
    }

    async fn define(&self, name: &str, image: &str, properties: Value) {
        self.engine().define(definition(name, image, properties)).await.unwrap();
    }

    /// The engine dies without a word, and another takes its place.
    async fn replace_engine(&mut self) {
        drop(self.engine.take());
        let (engine, events) = open(self.state.path(), &self.settings, config()).await.unwrap();
        (self.engine, self.events) = (Some(engine), events);
    }

    fn engine(&self) -> &LocalEngine {
        self.engine.as_ref().unwrap()
    }

    async fn submit(&self, definition: &str, command: Option<&[&str]>) -> JobId {
        let mut spec = JobSpec::new(JobName::parse("a").unwrap(), "queue", definition);
        let command = command.map(|command| command.iter().map(|&argument| argument.to_owned()).collect());
        let own = KeyValuePair::new("a.b", "1 '2'\n3");
        spec.container_overrides = Some(ContainerOverrides::default().with(|it| {
            it.command = command;
            it.environment = vec![own];
        }));
        self.engine().submit_job(&SubmitJobRequest::verbatim(spec)).await.unwrap()
    }

    async fn sh(&self, definition: &str, script: &str) -> JobId {
        self.submit(definition, Some(&["sh", "-c", script])).await
    }

    async fn wait_for(&mut self, job_id: &JobId, status: JobStatus) -> JobDetail {
        loop {
            let detail = describe(self.engine(), job_id).await.unwrap();
            if detail.status == status || detail.status.is_terminal() {
                assert_eq!(detail.status, status, "{detail:?}");
                return detail;
            }
            let event = tokio::time::timeout(Duration::from_secs(120), self.events.recv());
            event.await.unwrap().unwrap();
        }
    }

    async fn log(&self, detail: &JobDetail) -> Vec<String> {
        let name = detail.container.as_ref().unwrap().log_stream_name.as_deref().unwrap();
        log_lines(self.engine(), name).await.unwrap()
    }

    /// The gate of a job that waits is opened, and the job ends as if nothing had happened to those around it.
    async fn goes_on_to_its_end(&mut self, job_id: &JobId, gate: &Path) {
        fs::write(gate.join("open"), "").unwrap();
        let detail = self.wait_for(job_id, JobStatus::Failed).await;
        assert_eq!(
            (exit_code(&detail), self.log(&detail).await),
            (Some(5), vec!["before".into(), "after".into()])
        );
        self.assert_nothing_is_left();
    }

    fn assert_nothing_is_left(&self) {
        assert_eq!(self.podman.containers_of(self.state.path()).unwrap(), Vec::<String>::new());
    }

    fn attendant(&self) -> Pid {
        let folder = fs::read_dir(self.state.path().join("attempts")).unwrap().next().unwrap().unwrap();
        let text = fs::read_to_string(folder.path().join("pid")).unwrap();
        // Behind the order.
        Pid::from_raw(text.lines().nth(1).unwrap().parse().unwrap()).unwrap()
    }
}

fn exit_code(detail: &JobDetail) -> Option<i32> {
    detail.container.as_ref().unwrap().exit_code
}

fn reason(detail: &JobDetail) -> &str {
    detail.container.as_ref().unwrap().reason.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn a_job_runs_in_its_image_with_the_jobs_environment_and_nothing_of_the_callers() {
    let Some(mut bench) = Bench::new().await else { return };
    let script = "busybox ls /; echo to stderr >&2; exit 3";
    let (job, plain) =
        (bench.sh("plain", script).await, bench.submit("plain", Some(&["busybox", "env"])).await);
    let cut = bench.sh("plain", "printf 'no line break'").await;
    let detail = bench.wait_for(&job, JobStatus::Failed).await;
    assert_eq!((exit_code(&detail), reason(&detail)), (Some(3), ""));
    assert_eq!(detail.status_reason.as_deref(), Some("Essential container in task exited"));
    let log = bench.log(&detail).await;
    assert!(log.iter().any(|line| line == "to stderr"), "{log:?}");
    assert!(!log.iter().any(|line| line == "root" || line == "home"), "{log:?}");
    let detail = bench.wait_for(&plain, JobStatus::Succeeded).await;
    let log = bench.log(&detail).await;
    for line in ["a.b=1 '2'", "3", "FROM_CALLER=yes", "PATH=/bin", "AWS_BATCH_JOB_ATTEMPT=1"] {
        assert!(log.iter().any(|known| known == line), "{line}: {log:?}");
    }
    assert!(!log.iter().any(|line| line.starts_with("SECRET") || line.starts_with("TMPDIR")), "{log:?}");
    let detail = bench.wait_for(&cut, JobStatus::Succeeded).await;
    assert_eq!(bench.log(&detail).await, ["no line break"]);
    bench.assert_nothing_is_left();
}

#[tokio::test]
async fn an_image_may_say_what_it_runs() {
    let Some(mut bench) = Bench::new().await else { return };
    bench.define("speaking", SPEAKING_IMAGE, json!({})).await;
    let silent = bench.submit("speaking", None).await;
    let told = bench.submit("speaking", Some(&["echo", "told"])).await;
    for (job, expected) in [(silent, "the image speaks"), (told, "told")] {
        let detail = bench.wait_for(&job, JobStatus::Succeeded).await;
        assert_eq!(bench.log(&detail).await, [expected]);
    }
}

#[tokio::test]
async fn what_the_definition_says_of_the_container_holds() {
    let Some(mut bench) = Bench::new().await else { return };
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("given"), "from the host\n").unwrap();
    let properties = json!({
        "user": "1000:1000",
        "readonlyRootFilesystem": true,
        "ulimits": [
            {"name": "nofile", "softLimit": 512, "hardLimit": 512},
            {"name": "nproc", "softLimit": 1024, "hardLimit": 1024},
        ],
        "linuxParameters": {
            "sharedMemorySize": 8,
            "tmpfs": [{"containerPath": "/scratch", "size": 4, "mountOptions": ["mode=1777"]}],
        },
        "volumes": [{"name": "data", "host": {"sourcePath": data.path()}}, {"name": "own"}],
        "mountPoints": [
            {"sourceVolume": "data", "containerPath": "/data", "readOnly": true},
            {"sourceVolume": "own", "containerPath": "/own"},
        ],
    });
    bench.define("told", IMAGE, properties).await;
    // The shell's own messages are left out: a runtime mixes them into the middle of lines.
    let script = "busybox id -u; ulimit -n; busybox cat /data/given; \
        { echo x > /a; } 2>/dev/null || echo root is read-only; \
        { echo x > /data/b; } 2>/dev/null || echo data is read-only; \
        echo x > /scratch/c && echo scratch is writable; \
        busybox df -m | busybox awk '$NF == \"/scratch\" || $NF == \"/dev/shm\" {print $NF, $2}'; \
        busybox test -d /own && echo own is there";
    let job = bench.sh("told", script).await;
    let detail = bench.wait_for(&job, JobStatus::Succeeded).await;
    let log = bench.log(&detail).await;
    let said = |line: &&str| log.iter().any(|known| known == line);
    let expected = [
        "1000",
        "512",
        "from the host",
        "root is read-only",
        "data is read-only",
        "scratch is writable",
        "/scratch 4",
        "/dev/shm 8",
        "own is there",
    ];
    assert_eq!(
        expected.iter().filter(|line| !said(line)).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "{log:?}"
    );
    let volumes = bench.podman.call(["volume", "ls", "--quiet", "--filter", "dangling=true"]).unwrap();
    assert_eq!(String::from_utf8_lossy(&volumes.stdout), "", "a volume of its own ends with the container");
}

#[tokio::test]
async fn a_container_that_runs_out_of_memory_says_so_as_ecs_does() {
    let Some(mut bench) = Bench::new().await else { return };
    bench.define("tight", IMAGE, json!({"linuxParameters": {"maxSwap": 0}})).await;
    let job = bench.sh("tight", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done").await;
    let detail = bench.wait_for(&job, JobStatus::Failed).await;
    assert_eq!(exit_code(&detail), Some(137));
    assert_eq!(reason(&detail), "OutOfMemoryError: Container killed due to memory usage");
    bench.assert_nothing_is_left();
}

#[tokio::test]
async fn a_container_that_can_not_run_says_why_as_ecs_does() {
    let Some(mut bench) = Bench::new().await else { return };
    bench.define("absent", "localhost:1/absent:1", json!({})).await;
    bench
        .define("unmountable", IMAGE, json!({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}))
        .await;
    let pulled = bench.submit("absent", Some(&["true"])).await;
    let started = bench.submit("plain", Some(&["nosuch"])).await;
    let created = bench.submit("unmountable", Some(&["true"])).await;
    for (job, begin, part) in [
        (pulled, "CannotPullContainerError: Error response from daemon: ", "localhost:1"),
        (
            started,
            "CannotStartContainerError: Error response from daemon: ",
            "executable file not found in $PATH",
        ),
        (created, "CannotCreateContainerError: ", "Unknown volume 'v'"),
    ] {
        let detail = bench.wait_for(&job, JobStatus::Failed).await;
        assert!(reason(&detail).starts_with(begin) && reason(&detail).contains(part), "{detail:?}");
        assert_eq!((exit_code(&detail), detail.started_at), (None, None), "it never was RUNNING");
        assert_eq!(detail.status_reason.as_deref(), Some("Task failed to start"));
    }
    bench.assert_nothing_is_left();
}

#[tokio::test]
async fn a_terminated_container_may_tidy_up() {
    let Some(mut bench) = Bench::new().await else { return };
    let job = bench
        .sh("plain", "trap 'echo tidy; exit 9' TERM; echo up; while :; do busybox sleep 0.1; done")
        .await;
    bench.wait_for(&job, JobStatus::Running).await;
    let attempts = bench.state.path().join("attempts");
    until("the trap is set", || {
        let folders = fs::read_dir(&attempts).unwrap().flatten();
        folders
            .map(|folder| fs::read(folder.path().join("output")).unwrap_or_default())
            .any(|text| text == b"up\n")
    })
    .await
    .unwrap();
    bench.engine().terminate_job(&job, "enough").await.unwrap();
    let detail = bench.wait_for(&job, JobStatus::Failed).await;
    assert_eq!((exit_code(&detail), detail.status_reason.as_deref()), (Some(9), Some("enough")));
    assert_eq!(bench.log(&detail).await, ["up", "tidy"]);
    bench.assert_nothing_is_left();
}

/// A container that waits until a file is there.
async fn waiting(bench: &Bench, gate: &Path) -> JobId {
    let properties = json!({
        "volumes": [{"name": "gate", "host": {"sourcePath": gate}}],
        "mountPoints": [{"sourceVolume": "gate", "containerPath": "/gate"}],
    });
    bench.define("waiting", IMAGE, properties).await;
    bench
        .sh(
            "waiting",
            "echo before; until busybox test -e /gate/open; do busybox sleep 0.1; done; echo after; exit 5",
        )
        .await
}

#[tokio::test]
async fn a_container_outlives_its_engine_and_is_found_again() {
    let Some(mut bench) = Bench::new().await else { return };
    let gate = tempfile::tempdir().unwrap();
    let job = waiting(&bench, gate.path()).await;
    bench.wait_for(&job, JobStatus::Running).await;
    bench.replace_engine().await;
    bench.goes_on_to_its_end(&job, gate.path()).await;
}

#[tokio::test]
async fn a_container_outlives_its_attendant_and_is_found_by_its_name() {
    let Some(mut bench) = Bench::new().await else { return };
    let gate = tempfile::tempdir().unwrap();
    let job = waiting(&bench, gate.path()).await;
    bench.wait_for(&job, JobStatus::Running).await;
    let attendant = bench.attendant();
    drop(bench.engine.take());
    kill_process(attendant, UnixSignal::KILL).unwrap();
    bench.replace_engine().await;
    bench.goes_on_to_its_end(&job, gate.path()).await;
}

#[tokio::test]
async fn a_container_that_somebody_removed_is_a_lost_host() {
    let Some(mut bench) = Bench::new().await else { return };
    let gate = tempfile::tempdir().unwrap();
    let job = waiting(&bench, gate.path()).await;
    bench.wait_for(&job, JobStatus::Running).await;
    let name = bench.podman.containers_of(bench.state.path()).unwrap().remove(0);
    bench.podman.call(["rm", "--force", "--time", "0", &name]).unwrap();
    let detail = bench.wait_for(&job, JobStatus::Failed).await;
    assert!(detail.status_reason.as_deref().unwrap_or_default().starts_with("Host EC2"), "{detail:?}");
    bench.assert_nothing_is_left();
}

#[tokio::test]
async fn a_container_that_nobody_knows_is_removed_when_an_engine_starts() {
    let Some(mut bench) = Bench::new().await else { return };
    let label = format!("batchwright.state={}", bench.state.path().display());
    let made = bench.podman.call(["create", "--label", &label, IMAGE, "sh"]).unwrap();
    assert!(made.status.success(), "{made:?}");
    bench.replace_engine().await;
    bench.assert_nothing_is_left();
}

/// The program with podman, its state in a folder.
fn program_with(podman: &Podman, folder: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(built("batchwright").unwrap());
    command.args(arguments).current_dir(folder).env_clear();
    command.envs(podman.environment().iter().map(|(name, value)| (name, value)));
    command.output().unwrap()
}

#[tokio::test]
async fn the_program_runs_a_file_in_containers() {
    let Some(podman) = Podman::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = |arguments: &[&str]| program_with(&podman, folder.path(), arguments);
    let size = json!([{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": SMALL}]);
    let container = json!({"image": IMAGE, "resourceRequirements": size});
    let imaged =
        json!({"jobDefinitionName": "imaged", "type": "container", "containerProperties": container});
    let job = |name: &str, definition: &str, script: &str| {
        let command = ["sh", "-c", script];
        json!({"jobName": name, "jobQueue": "q", "jobDefinition": definition, "command": command})
    };
    // An image from scratch has no /usr; this machine has.
    let where_am_i = "test -d /usr && echo machine || echo image";
    let jobs =
        [job("in", "imaged", where_am_i), job("out", "plain", where_am_i), job("fails", "imaged", "exit 7")];
    let file = json!({"local": {"jobDefinitions": [imaged]}, "jobs": jobs});
    fs::write(folder.path().join("jobs.json"), file.to_string()).unwrap();
    let ran = program(&["run", "jobs.json", "--local", "--containers", "podman"]);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    for (name, expected) in [("in", "image"), ("out", "machine")] {
        let logs = program(&["logs", name, "--local", "--output", "json"]);
        let logs: Value = serde_json::from_slice(&logs.stdout).unwrap();
        assert_eq!(logs["events"][0]["message"], expected, "{name}: {logs}");
    }
    let failed = program(&["status", "fails", "--local"]);
    assert!(String::from_utf8_lossy(&failed.stdout).contains("fails  FAILED  7 "), "{failed:?}");
    let state = fs::canonicalize(folder.path()).unwrap().join(".batchwright");
    assert_eq!(podman.containers_of(&state).unwrap(), Vec::<String>::new());
}
