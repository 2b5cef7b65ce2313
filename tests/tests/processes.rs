//! Real processes under a real engine, killed and started again.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use batchwright::domain::spec::{
    ArrayProperties, ContainerOverrides, JobTimeout, KeyValuePair, RetryStrategy,
};
use batchwright::domain::{JobId, JobName, JobSpec, JobStatus, SubmitJobRequest};
use batchwright::engine::{
    AttendantProgram, EngineConfig, LocalEngine, ProcessRunner, ProcessRunnerError, ProcessSettings,
    job_environment,
};
use batchwright::events::{JobDetail, JobStateChange};
use batchwright::ports::{JobEngine, LogSourceError, SystemClock};
use batchwright_tests::processes::{describe, log_lines, open, settings, until};
use rustix::process::{Pid, Signal as UnixSignal, kill_process, kill_process_group};
use tokio::sync::mpsc::UnboundedReceiver;

struct Bench {
    state: tempfile::TempDir,
    settings: ProcessSettings,
    engine: Option<LocalEngine>,
    events: UnboundedReceiver<JobStateChange>,
}

fn config() -> EngineConfig {
    EngineConfig { kill_grace: Duration::from_millis(200), ..EngineConfig::with_vcpus(4) }
}

impl Bench {
    /// Jobs run in the state folder, so that tests see what they write.
    async fn new() -> Self {
        Self::with(|state| settings(state, Some(state)).unwrap()).await
    }

    async fn with(settings: impl FnOnce(&Path) -> ProcessSettings) -> Self {
        let state = tempfile::tempdir().unwrap();
        let settings = settings(state.path());
        let (engine, events) = open(state.path(), &settings, config()).await.unwrap();
        Self { state, settings, engine: Some(engine), events }
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
        describe(self.engine(), job_id).await.unwrap()
    }

    /// The job's description once no job is left.
    async fn end(&self, job_id: &JobId) -> JobDetail {
        tokio::time::timeout(Duration::from_secs(60), self.engine().idle()).await.expect("jobs end");
        self.describe(job_id).await
    }

    async fn log(&self, job_id: &JobId) -> Result<Vec<String>, LogSourceError> {
        let name = self.describe(job_id).await.container.unwrap().log_stream_name.unwrap();
        log_lines(self.engine(), &name).await
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.state.path().join(name)
    }

    fn lines(&self, name: &str) -> usize {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().count()
    }
}

fn spec() -> JobSpec {
    JobSpec::new(JobName::parse("job").unwrap(), "queue", "definition")
}

fn command(arguments: &[&str]) -> ContainerOverrides {
    let command = arguments.iter().map(|&argument| argument.to_owned()).collect();
    ContainerOverrides::default().with(|it| it.command = Some(command))
}

fn sh(script: &str) -> JobSpec {
    spec().with(|spec| spec.container_overrides = Some(command(&["sh", "-c", script])))
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
    .await
    .unwrap();
}

#[tokio::test]
async fn arguments_and_environment_arrive_as_they_are() {
    let bench = Bench::new().await;
    let argument = "a  b'\"$HOME\n*";
    let print = "printf '%s|' \"$1\" \"$OWN\" \"$AWS_BATCH_JOB_ATTEMPT\" \"$AWS_BATCH_JQ_NAME\"; \
                 echo; echo $AWS_BATCH_JOB_ID; test -n \"$PATH\"; readlink /proc/self/fd/* | grep -c state.db";
    let environment = vec![KeyValuePair::new("OWN", "x y")];
    let overrides = command(&["sh", "-c", print, "sh", argument]).with(|it| it.environment = environment);
    let job = bench.submit(spec().with(|spec| spec.container_overrides = Some(overrides))).await;
    bench.end(&job).await;
    let log = bench.log(&job).await.unwrap().join("\n");
    assert_eq!(log, format!("{argument}|x y|1|queue|\n{job}\n0"));
}

#[tokio::test]
async fn a_command_that_can_not_be_started_says_why_and_has_no_log() {
    let bench = Bench::new().await;
    let overrides = Some(command(&["no-such-program-here"]));
    let job = bench.submit(spec().with(|spec| spec.container_overrides = overrides)).await;
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
    until("the grandchild runs", || bench.path("child").exists()).await.unwrap();
    let child = fs::read_to_string(bench.path("child")).unwrap();
    assert!(alive(&child));
    bench.engine().terminate_job(&job, "enough").await.unwrap();
    bench.engine().terminate_job(&job, "again").await.unwrap();
    let detail = bench.end(&job).await;
    assert_eq!(
        (detail.status, detail.status_reason.as_deref(), detail.is_terminated, exit_code(&detail)),
        (JobStatus::Failed, Some("enough"), Some(true), Some(137))
    );
    until("the grandchild is gone", || !alive(&child)).await.unwrap();
}

#[tokio::test]
async fn what_a_job_leaves_behind_ends_with_it() {
    let bench = Bench::new().await;
    let job = bench.sh("sleep 600 & echo $! >left; exit 3").await;
    assert_eq!(exit_code(&bench.end(&job).await), Some(3));
    let left = fs::read_to_string(bench.path("left")).unwrap();
    until("the background process is gone", || !alive(&left)).await.unwrap();
}

#[tokio::test]
async fn a_timed_out_attempt_may_tidy_up_and_is_not_retried() {
    let bench = Bench::new().await;
    let timeout = Some(JobTimeout::default().with(|it| it.attempt_duration_seconds = Some(1)));
    let retry_strategy = Some(RetryStrategy::default().with(|it| it.attempts = Some(3)));
    let script = sh("trap 'echo tidied; exit 9' TERM; while :; do sleep 0.05; done");
    let job = bench
        .submit(script.with(|spec| {
            spec.timeout = timeout;
            spec.retry_strategy = retry_strategy;
        }))
        .await;
    let detail = bench.end(&job).await;
    assert_eq!(detail.status_reason.as_deref(), Some("Job attempt duration exceeded timeout"));
    assert_eq!((exit_code(&detail), detail.attempts.len()), (Some(9), 1));
    assert_eq!(bench.log(&job).await.unwrap().last().unwrap(), "tidied");
}

/// A job's attendant has ended all of it, and nobody has taken that in.
async fn ended_by_itself(bench: &Bench, job: &JobId) {
    let folder = bench.path("attempts").join(format!("{job}.1"));
    until("the attendant has ended", || folder.join("exit").exists()).await.unwrap();
}

fn limited(script: &str) -> JobSpec {
    let timeout = Some(JobTimeout::default().with(|it| it.attempt_duration_seconds = Some(1)));
    sh(script).with(|spec| spec.timeout = timeout)
}

#[tokio::test]
async fn a_time_out_is_kept_while_no_engine_runs_and_told_with_its_own_time() {
    let mut bench = Bench::new().await;
    let job = bench.submit(limited("trap 'echo tidied; exit 9' TERM; while :; do sleep 0.05; done")).await;
    bench.wait_for(&job, JobStatus::Running).await;
    drop(bench.engine.take());
    ended_by_itself(&bench, &job).await;
    let ended =
        fs::metadata(bench.path("attempts").join(format!("{job}.1/exit"))).unwrap().modified().unwrap();
    let ended = ended.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    bench.replace_engine().await;
    let detail = bench.end(&job).await;
    assert_eq!(detail.status_reason.as_deref(), Some("Job attempt duration exceeded timeout"));
    assert_eq!((detail.status, exit_code(&detail)), (JobStatus::Failed, Some(9)));
    assert_eq!(detail.stopped_at.and_then(|at| u128::try_from(at).ok()), Some(ended));
    assert_eq!(bench.log(&job).await.unwrap(), ["tidied"]);
}

#[tokio::test]
async fn what_does_not_end_at_its_time_out_while_no_engine_runs_is_killed_after_the_grace() {
    let mut bench = Bench::new().await;
    let job = bench.submit(limited("trap '' TERM; while :; do sleep 0.05; done")).await;
    bench.wait_for(&job, JobStatus::Running).await;
    drop(bench.engine.take());
    ended_by_itself(&bench, &job).await;
    bench.replace_engine().await;
    let detail = bench.end(&job).await;
    assert_eq!(detail.status_reason.as_deref(), Some("Job attempt duration exceeded timeout"));
    assert_eq!(exit_code(&detail), Some(137));
}

#[tokio::test]
async fn neither_a_job_nor_its_attendant_has_what_the_caller_left_open() {
    let bench = Bench::new().await;
    let secret = fs::File::create(bench.path("held-open")).unwrap();
    // As a shell's `7>held-open` leaves it.
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).unwrap();
    let job = bench.sh("ls -l /proc/self/fd/ /proc/$PPID/fd/").await;
    bench.end(&job).await;
    let open = bench.log(&job).await.unwrap();
    assert!(open.iter().any(|line| line.contains("/dev/null")), "{open:?}");
    assert!(!open.iter().any(|line| line.contains("held-open")), "{open:?}");
    drop(secret);
}

#[tokio::test]
async fn a_second_engine_in_the_same_directory_is_refused() {
    let bench = Bench::new().await;
    let second = ProcessRunner::open(bench.state.path(), bench.settings.clone(), SystemClock);
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

/// Attempts are attended by a script of `sh`, which finds the real program as `$attendant` and the state folder as `$state`.
fn attended_by(state: &Path, script: &str) -> ProcessSettings {
    let own = std::env::current_exe().unwrap();
    let attendant = own.parent().and_then(Path::parent).unwrap().join("attendant");
    let path = state.join("script");
    let (state, attendant) = (state.display(), attendant.display());
    fs::write(&path, format!("#!/bin/sh\nstate='{state}' attendant='{attendant}'\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let state = path.parent().unwrap();
    ProcessSettings { attendant: AttendantProgram::at(&path), ..settings(state, Some(state)).unwrap() }
}

#[tokio::test]
async fn an_attendant_that_says_late_who_it_is_is_waited_for() {
    let slow = "echo up >>\"$state/up\"; sleep 0.3; exec \"$attendant\" \"$@\"";
    let mut bench = Bench::with(|state| attended_by(state, slow)).await;
    let job = bench.sh("echo run >>runs").await;
    until("it is started", || bench.lines("up") == 1).await.unwrap();
    assert_eq!(bench.lines("runs"), 0);
    bench.replace_engine().await;
    let detail = bench.end(&job).await;
    assert_eq!(
        (detail.status, exit_code(&detail)),
        (JobStatus::Succeeded, Some(0)),
        "{:?}",
        detail.status_reason
    );
    assert_eq!((detail.attempts.len(), bench.lines("runs")), (1, 1));
}

/// A job's script that says who started its attendant, and ends with 7 when there is a file `go`.
const WAITING: &str = "trap 'exit 9' TERM; cut -d' ' -f 4 /proc/$PPID/stat >starter.new; echo run >>runs
    mv starter.new starter; until test -e go; do sleep 0.02; done; exit 7";

impl Bench {
    /// The process that started the attendant of a job that runs [`WAITING`].
    async fn starter(&self) -> Pid {
        until("the command runs", || self.path("starter").exists()).await.unwrap();
        let pid = fs::read_to_string(self.path("starter")).unwrap();
        fs::remove_file(self.path("starter")).unwrap();
        Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
    }
}

fn is_gone(pid: Pid) -> bool {
    !alive(&pid.as_raw_nonzero().to_string())
}

#[tokio::test]
async fn attempts_go_on_and_others_begin_when_the_process_that_starts_them_is_killed() {
    let bench = Bench::new().await;
    let first = bench.sh(WAITING).await;
    let starter = bench.starter().await;
    kill_process(starter, UnixSignal::KILL).unwrap();
    // The engine, which runs in this thread, has no moment to hear of it.
    while !is_gone(starter) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = bench.sh(WAITING).await;
    let another = bench.starter().await;
    assert_ne!(another, starter);
    let third = bench.sh(WAITING).await;
    assert_eq!(bench.starter().await, another, "one starts them all");
    fs::write(bench.path("go"), "").unwrap();
    for job in [first, second, third] {
        let detail = bench.end(&job).await;
        assert_eq!((detail.attempts.len(), exit_code(&detail)), (1, Some(7)), "{:?}", detail.status_reason);
    }
    assert_eq!(bench.lines("runs"), 3);
}

#[tokio::test]
async fn an_attempt_that_was_asked_for_in_vain_has_not_run() {
    let bench = Bench::new().await;
    let first = bench.sh(WAITING).await;
    let starter = bench.starter().await;
    kill_process(starter, UnixSignal::STOP).unwrap();
    let second = bench.sh("echo run >>runs").await;
    let is_ordered = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path().join("order").exists();
    let ordered = || fs::read_dir(bench.path("attempts")).unwrap().map(is_ordered);
    until("it is asked for", || ordered().filter(|&is_ordered| is_ordered).count() == 2).await.unwrap();
    kill_process(starter, UnixSignal::KILL).unwrap();
    fs::write(bench.path("go"), "").unwrap();
    let (first, second) = (bench.end(&first).await, bench.end(&second).await);
    assert_eq!(exit_code(&first), Some(7));
    assert!(second.status_reason.unwrap().starts_with("Host EC2 (instance i-"));
    assert_eq!(bench.lines("runs"), 1);
}

#[tokio::test]
async fn a_signal_that_was_not_passed_on_reaches_the_attempt() {
    let bench = Bench::new().await;
    let job = bench.sh(WAITING).await;
    let starter = bench.starter().await;
    kill_process(starter, UnixSignal::STOP).unwrap();
    bench.engine().terminate_job(&job, "enough").await.unwrap();
    kill_process(starter, UnixSignal::KILL).unwrap();
    let detail = bench.end(&job).await;
    let end = (detail.status_reason.as_deref(), exit_code(&detail));
    assert!(matches!(end, (Some("enough"), Some(9 | 137))), "{end:?}");
}

#[tokio::test]
async fn the_process_that_starts_attendants_ends_with_its_engine() {
    let mut bench = Bench::new().await;
    let job = bench.sh(WAITING).await;
    let starter = bench.starter().await;
    bench.replace_engine().await;
    until("it is gone", || is_gone(starter)).await.unwrap();
    fs::write(bench.path("go"), "").unwrap();
    let detail = bench.end(&job).await;
    assert_eq!((detail.attempts.len(), exit_code(&detail), bench.lines("runs")), (1, Some(7), 1));
}

#[tokio::test]
async fn a_process_that_the_system_does_not_make_is_a_failure_to_start() {
    let full = "read word name; echo \"refused $name no room (os error 11)\"; cat >/dev/null";
    let bench = Bench::with(|state| attended_by(state, full)).await;
    let job = bench.sh("true").await;
    let detail = bench.end(&job).await;
    let reason = detail.container.unwrap().reason.unwrap_or_default();
    assert_eq!(reason, "CannotCreateContainerError: no room (os error 11)");
}

#[tokio::test]
async fn a_killed_attendant_is_a_lost_host_and_its_command_is_ended() {
    for by_a_later_engine in [false, true] {
        let mut bench = Bench::new().await;
        let job = bench.sh("echo $PPID $$ >pids.new; mv pids.new pids; while :; do sleep 0.1; done").await;
        until("the command runs", || bench.path("pids").exists()).await.unwrap();
        let pids = fs::read_to_string(bench.path("pids")).unwrap();
        let (attendant, own) = pids.trim().split_once(' ').unwrap();
        let attendant = Pid::from_raw(attendant.parse().unwrap()).unwrap();
        if by_a_later_engine {
            bench.replace_engine().await;
        }
        kill_process(attendant, UnixSignal::KILL).unwrap();
        let detail = bench.end(&job).await;
        assert!(detail.status_reason.unwrap().starts_with("Host EC2 (instance i-"));
        assert!(!alive(own), "the command must be gone before its end is told");
        // Nothing is left in the group; where something were, the test would not leave it behind.
        let _ = kill_process_group(attendant, UnixSignal::KILL);
    }
}

#[tokio::test]
async fn a_later_engine_terminates_what_an_earlier_one_started() {
    let mut bench = Bench::new().await;
    let job = bench.sh("trap '' TERM; echo up >>up; while :; do sleep 0.05; done").await;
    until("the command runs", || bench.lines("up") == 1).await.unwrap();
    bench.replace_engine().await;
    bench.engine().terminate_all("shutting down").await.unwrap();
    let detail = bench.end(&job).await;
    assert_eq!((detail.status_reason.as_deref(), exit_code(&detail)), (Some("shutting down"), Some(137)));
}

/// Each job in an empty folder of its own, as in a container.
async fn isolated() -> Bench {
    Bench::with(|state| settings(state, None).unwrap()).await
}

fn pair(name: &str, value: &str) -> KeyValuePair {
    KeyValuePair::new(name, value)
}

#[tokio::test]
async fn attempts_at_once_do_not_see_each_others_files() {
    let bench = isolated().await;
    let script = |number| {
        format!(
            "test -z \"$(ls -A)$(ls -A $HOME)$(ls -A $TMPDIR)\" || exit 9; echo {number} >.task; echo x >$HOME/y; \
             echo z >$TMPDIR/z; sleep 0.1; test \"$(cat .task)\" = {number} && pwd"
        )
    };
    let mut jobs = Vec::new();
    for number in 0..4 {
        jobs.push(bench.sh(&script(number)).await);
    }
    let mut folders = std::collections::BTreeSet::new();
    for job in &jobs {
        assert_eq!(bench.end(job).await.status, JobStatus::Succeeded);
        folders.extend(bench.log(job).await.unwrap());
    }
    assert_eq!(folders.len(), 4, "{folders:?}");
    until("their folders are gone", || fs::read_dir(bench.path("attempts")).unwrap().count() == 0)
        .await
        .unwrap();
    assert!(folders.iter().all(|folder| !folder.contains(':') && !Path::new(folder).exists()));
}

#[tokio::test]
async fn folders_are_kept_where_that_is_asked_for() {
    let bench =
        Bench::with(|state| ProcessSettings { keep_workdirs: true, ..settings(state, None).unwrap() }).await;
    let job = bench.sh("echo made >made").await;
    bench.end(&job).await;
    let kept = batchwright::local::StateDir::new(bench.state.path()).kept_workdir(&job, 1);
    until("the folder is kept", || kept.join("made").exists()).await.unwrap();
    assert_eq!(fs::read_dir(bench.path("attempts")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_environment_is_the_jobs_own_byte_for_byte() {
    let caller =
        [("PATH", "/usr/bin:/bin"), ("TZ", "Asia/Tokyo"), ("SECRET", "x"), ("AWS_BATCH_JOB_ID", "y")];
    let caller = caller.map(|(name, value)| (name.into(), value.into()));
    let bench = Bench::with(|state| ProcessSettings {
        environment: job_environment(caller, &["PASSED=1".into()]),
        ..settings(state, None).unwrap()
    })
    .await;
    // What shells read, change, or refuse; what an attendant could name so itself; what is in daily use.
    let given = [
        ("folder", "s3://bucket/prefix"),
        ("start", "2020-01-01"),
        ("boot", "b"),
        ("code", "EPSG4326"),
        ("my-var", "dash"),
        ("spring.profiles.active", "prod"),
        ("discovery.type", "single-node"),
        ("IFS", ","),
        ("PS4", "p"),
        ("OPTIND", "x"),
        ("ENV", "/nowhere/.shrc"),
        ("BASH_ENV", "/nowhere/.bashrc"),
        ("POSIXLY_CORRECT", "1"),
        ("EMPTY", ""),
        ("1abc", "digit"),
        ("PWD", "/nowhere"),
        ("OLDPWD", "/nowhere"),
        ("_", "underscore"),
        ("SHLVL", "7"),
        ("LD_LIBRARY_PATH", "/nowhere"),
        ("RUST_BACKTRACE", "full"),
        ("TZ", "UTC"),
        ("equals", "a=b=c"),
        ("quotes", "\"'`$(id) *"),
        ("umlaut", "äöü"),
    ];
    let environment = given.iter().map(|(name, value)| pair(name, value)).collect();
    let overrides = command(&["env"]).with(|it| it.environment = environment);
    let job = bench.submit(spec().with(|spec| spec.container_overrides = Some(overrides))).await;
    assert_eq!(bench.end(&job).await.status, JobStatus::Succeeded);
    let log = bench.log(&job).await.unwrap();
    let mut seen: BTreeMap<&str, &str> = log.iter().map(|line| line.split_once('=').unwrap()).collect();
    for (name, folder) in [("HOME", "/home"), ("TMPDIR", "/tmp")] {
        let value = seen.remove(name).unwrap_or_default();
        assert!(value.ends_with(folder) && value.contains(job.as_str()), "{name}={value}");
    }
    let mut expected = BTreeMap::from(given);
    expected.extend([
        ("PATH", "/usr/bin:/bin"),
        ("PASSED", "1"),
        ("AWS_BATCH_JOB_ID", job.as_str()),
        ("AWS_BATCH_JOB_ATTEMPT", "1"),
        ("AWS_BATCH_JQ_NAME", "queue"),
        ("AWS_BATCH_CE_NAME", "local"),
    ]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn lines_in_values_and_what_a_job_sets_over_the_callers_arrive() {
    let bench = isolated().await;
    let environment =
        vec![pair("LINES_", "a\nb\n"), pair("PATH", "/nowhere:/bin:/usr/bin"), pair("HOME", "/x")];
    let print = "printf '%s|%s|%s' \"$LINES_\" \"$PATH\" \"$HOME\"";
    let overrides = command(&["sh", "-c", print]).with(|it| it.environment = environment);
    let job = bench.submit(spec().with(|spec| spec.container_overrides = Some(overrides))).await;
    bench.end(&job).await;
    assert_eq!(bench.log(&job).await.unwrap().join("\n"), "a\nb\n|/nowhere:/bin:/usr/bin|/x");
}

#[tokio::test]
async fn array_children_know_their_index_and_the_size() {
    let bench = isolated().await;
    let array_properties = Some(ArrayProperties::new(3));
    let script = sh("echo $AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE");
    let job = bench.submit(script.with(|spec| spec.array_properties = array_properties)).await;
    bench.end(&job).await;
    for index in 0..3 {
        assert_eq!(bench.log(&job.array_child(index)).await.unwrap(), [format!("{index} of 3")]);
    }
    let single = bench.sh("env | grep -c AWS_BATCH_JOB_ARRAY").await;
    bench.end(&single).await;
    assert_eq!(bench.log(&single).await.unwrap(), ["0"]);
}

/// Ways out of a process group, each of which leaves a process behind that has written its id to `left`.
const WAYS_OUT: [&str; 6] = [
    "sleep 600 & echo $! >left",
    "setsid sh -c 'echo $$ >left; exec sleep 600' & until test -s left; do sleep 0.01; done",
    "set -m; sleep 600 & echo $! >left",
    "(setsid sh -c 'sleep 600 & echo $! >left' &); until test -s left; do sleep 0.01; done",
    "timeout 500 sh -c 'echo $$ >left; sleep 600' & until test -s left; do sleep 0.01; done",
    "env -i setsid sh -c 'trap \"\" TERM HUP INT; echo $$ >left; while :; do sleep 1; done' & \
     until test -s left; do sleep 0.01; done",
];

#[tokio::test]
async fn nothing_of_an_attempt_outlives_it_however_it_left_the_group() {
    for way_out in WAYS_OUT {
        let bench = Bench::new().await;
        let job = bench.sh(&format!("{way_out}; exit 3")).await;
        assert_eq!(exit_code(&bench.end(&job).await), Some(3), "{way_out}");
        let left = fs::read_to_string(bench.path("left")).unwrap();
        assert!(!alive(&left), "told as ended before it was: {way_out}");
    }
}

#[tokio::test]
async fn nothing_of_an_attempt_outlives_its_time_out() {
    for way_out in WAYS_OUT {
        let bench = Bench::new().await;
        let timeout = Some(JobTimeout::default().with(|it| it.attempt_duration_seconds = Some(1)));
        let script = sh(&format!("trap '' TERM; {way_out}; while :; do sleep 0.05; done"));
        let job = bench.submit(script.with(|spec| spec.timeout = timeout)).await;
        let detail = bench.end(&job).await;
        assert_eq!(exit_code(&detail), Some(137), "{way_out}");
        let left = fs::read_to_string(bench.path("left")).unwrap();
        assert!(!alive(&left), "told as ended before it was: {way_out}");
    }
}

#[tokio::test]
async fn sigterm_reaches_the_first_process_alone() {
    let bench = Bench::new().await;
    let job = bench
        .sh("sh -c 'trap \"echo child told\" TERM; echo $$ >child; while :; do sleep 0.02; done' & \
             trap 'echo first told; sleep 0.1; exit 5' TERM; wait")
        .await;
    until("the child runs", || bench.lines("child") == 1).await.unwrap();
    bench.engine().terminate_job(&job, "enough").await.unwrap();
    assert_eq!(exit_code(&bench.end(&job).await), Some(5));
    assert_eq!(bench.log(&job).await.unwrap(), ["first told"]);
}

#[tokio::test]
async fn a_failed_command_whose_file_is_in_the_callers_folder_is_told_how_to_get_there() {
    let bench = isolated().await;
    fs::create_dir(bench.path("scripts")).unwrap();
    fs::write(bench.path("scripts/a.sh"), "echo ran").unwrap();
    let caller = bench.state.path().display();
    let told = |detail: &JobDetail| detail.container.clone().unwrap().reason.unwrap_or_default();
    let submit = async |words: &[&str]| {
        let overrides = Some(command(words));
        let retry_strategy = Some(RetryStrategy::default().with(|it| it.attempts = Some(2)));
        let job = bench
            .submit(spec().with(|spec| {
                spec.container_overrides = overrides;
                spec.retry_strategy = retry_strategy;
            }))
            .await;
        bench.end(&job).await
    };
    let remedy = format!("give --workdir {caller} to run jobs there");
    let failed = submit(&["sh", "scripts/a.sh"]).await;
    assert!(told(&failed).contains("\"scripts/a.sh\" is in") && told(&failed).ends_with(&remedy));
    assert_eq!(failed.status_reason.as_deref(), Some("Essential container in task exited"));
    assert_eq!(failed.attempts.len(), 2, "what follows from the end is what would follow on AWS");
    let not_started = submit(&["scripts/a.sh"]).await;
    assert!(
        told(&not_started).starts_with("CannotStartContainerError: exec: \"scripts/a.sh\": no such file")
    );
    assert!(told(&not_started).ends_with(&remedy));
    assert_eq!(told(&submit(&["sh", "-c", "exit 1"]).await), "");
}

#[tokio::test]
async fn a_program_that_the_system_can_not_execute_is_a_failure_to_start() {
    let bench = Bench::new().await;
    fs::write(bench.path("nonsense"), "\0no program").unwrap();
    fs::set_permissions(bench.path("nonsense"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let overrides = Some(command(&["./nonsense"]));
    let job = bench.submit(spec().with(|spec| spec.container_overrides = overrides)).await;
    let detail = bench.end(&job).await;
    assert_eq!(detail.status_reason.as_deref(), Some("Task failed to start"));
    let reason = detail.container.unwrap().reason.unwrap();
    assert!(
        reason.starts_with("CannotStartContainerError: exec: \"./nonsense\": Exec format error"),
        "{reason}"
    );
}

#[tokio::test]
async fn jobs_have_no_terminal_and_a_session_of_their_own() {
    let bench = isolated().await;
    // Fields of proc_pid_stat(5): process id, group, session.
    let job = bench.sh("sed 's/.*) //' /proc/$$/stat | cut -d' ' -f 3,4; echo $$ $PPID; : </dev/tty").await;
    let detail = bench.end(&job).await;
    assert_ne!(exit_code(&detail), Some(0), "there is no terminal to open");
    let log = bench.log(&job).await.unwrap();
    assert_eq!(log[0], log[1], "a group of its own, in the attendant's session");
}
