//! The core's rules, without runtime, clock or I/O.

use super::*;
use crate::domain::reasons::TIMED_OUT;
use crate::domain::spec::{
    ArrayProperties, ContainerOverrides, Dependency, DependencyType, EvaluateOnExit, JobTimeout, RetryAction,
    RetryStrategy,
};
use crate::domain::{JobName, JobSpec, SubmitJobRequest};
use crate::events::JobDetail;

const EXITED: &str = "Essential container in task exited";

pub(crate) fn spec(name: &str) -> JobSpec {
    let mut spec = JobSpec::new(JobName::parse(name).unwrap(), "queue", "definition");
    spec.container_overrides = Some(command(&["true"]));
    spec
}

pub(crate) fn command(arguments: &[&str]) -> ContainerOverrides {
    let command = arguments.iter().map(|&argument| argument.to_owned()).collect();
    ContainerOverrides::default().with(|it| it.command = Some(command))
}

pub(crate) fn detail(id: &str, name: &str) -> JobDetail {
    admission::describe(&spec(name), None, JobId::parse(id).unwrap(), at(1)).unwrap().0
}

pub(crate) fn described(spec: &JobSpec) -> JobDetail {
    admission::describe(spec, None, JobIds::seeded(1).nth(1), at(1)).unwrap().0
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A core whose every effect is written down.
struct Bench {
    core: Core,
    now: i64,
    events: Vec<JobDetail>,
    running: Vec<AttemptId>,
    signals: Vec<(AttemptId, Signal)>,
    books: Finished,
}

impl Bench {
    fn with_vcpus(vcpus: u32) -> Self {
        let core = Core::new(MilliVcpus::whole(vcpus), 30_000, JobIds::seeded(1), 0);
        let (events, running, signals) = (Vec::new(), Vec::new(), Vec::new());
        Self { core, now: 1_000, events, running, signals, books: Finished::new() }
    }

    fn drain(&mut self) {
        let effects = self.core.take_effects();
        self.events.extend(effects.events);
        self.running.extend(effects.starts.into_iter().map(|launch| launch.attempt));
        self.signals.extend(effects.signals);
        self.books.extend(effects.saves.into_iter().map(|record| (record.job_id().clone(), record)));
    }

    fn try_submit(&mut self, spec: JobSpec) -> Result<JobId, Refusal> {
        let request = SubmitJobRequest::verbatim(spec);
        let answer = self.core.submit(&request, &self.books, at(self.now));
        self.drain();
        answer
    }

    fn submit(&mut self, spec: JobSpec) -> JobId {
        self.try_submit(spec).unwrap()
    }

    /// Ends the running attempt of a job.
    fn end(&mut self, job_id: &JobId, end: AttemptEnd) {
        let at_index = self.running.iter().position(|attempt| &attempt.job_id == job_id);
        let attempt = self.running.remove(at_index.unwrap_or_else(|| panic!("{job_id} does not run")));
        self.core.attempt_started(&attempt, at(self.now));
        self.core.attempt_ended(&attempt, end, at(self.now));
        self.drain();
    }

    fn exit(&mut self, job_id: &JobId, code: i32) {
        self.end(job_id, AttemptEnd::Exit(code));
    }

    fn tick(&mut self, millis: i64) {
        self.now += millis;
        self.core.tick(at(self.now));
        self.drain();
    }

    fn runs(&self, job_id: &JobId) -> bool {
        self.running.iter().any(|attempt| &attempt.job_id == job_id)
    }

    /// The statuses that a job's events told of, shortened.
    fn story(&self, job_id: &JobId) -> String {
        let told = self.events.iter().filter(|detail| &detail.job_id == job_id);
        told.map(|detail| detail.status.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn record(&self, job_id: &JobId) -> &JobRecord {
        &self.books[job_id]
    }

    fn reason(&self, job_id: &JobId) -> &str {
        self.record(job_id).detail.status_reason.as_deref().unwrap_or_default()
    }
}

fn after(job_id: &JobId) -> Dependency {
    Dependency::default().with(|it| it.job_id = Some(job_id.clone()))
}

fn array(name: &str, size: u32) -> JobSpec {
    spec(name).with(|spec| spec.array_properties = Some(ArrayProperties::new(size)))
}

fn attempts(spec: JobSpec, attempts: u32, rules: Vec<EvaluateOnExit>) -> JobSpec {
    let strategy = RetryStrategy::default().with(|it| {
        it.attempts = Some(attempts);
        it.evaluate_on_exit = rules;
    });
    spec.with(|spec| spec.retry_strategy = Some(strategy))
}

fn sized(name: &str, vcpus: i32) -> JobSpec {
    let overrides = command(&["true"]).with(|it| it.vcpus = Some(vcpus));
    spec(name).with(|spec| spec.container_overrides = Some(overrides))
}

#[test]
fn a_job_goes_through_its_statuses_and_is_forgotten() {
    let mut bench = Bench::with_vcpus(1);
    let job = bench.submit(spec("a"));
    assert_eq!(bench.record(&job).status(), JobStatus::Starting);
    bench.exit(&job, 0);
    assert_eq!(bench.story(&job), "RUNNABLE STARTING RUNNING SUCCEEDED");
    let detail = &bench.record(&job).detail;
    assert_eq!(detail.status_reason.as_deref(), Some(EXITED));
    assert_eq!(detail.container.as_ref().unwrap().exit_code, Some(0));
    assert_eq!(detail.attempts.len(), 1);
    assert_eq!((bench.core.unfinished(), bench.core.jobs.len()), (0, 0));
    assert!(bench.core.dependants.is_empty() && bench.core.timers.is_empty());
}

#[test]
fn ends_are_told_as_batch_tells_them() {
    let mut bench = Bench::with_vcpus(1);
    let ends = [
        (AttemptEnd::Exit(3), EXITED, Some(3)),
        (AttemptEnd::HostLost, "Host EC2 (instance i-", None),
        (AttemptEnd::StartFailure("CannotStartContainerError: x".into()), "Task failed to start", None),
    ];
    for (end, reason, code) in ends {
        let job = bench.submit(spec("a"));
        bench.end(&job, end);
        assert!(bench.reason(&job).starts_with(reason), "{}", bench.reason(&job));
        assert_eq!(bench.record(&job).detail.container.as_ref().unwrap().exit_code, code);
        assert_eq!(bench.record(&job).status(), JobStatus::Failed);
    }
}

#[test]
fn a_retry_goes_back_to_runnable_with_one_more_attempt_and_a_log_stream_of_its_own() {
    let mut bench = Bench::with_vcpus(1);
    let job = bench.submit(attempts(spec("a"), 3, vec![]));
    bench.exit(&job, 1);
    bench.end(&job, AttemptEnd::HostLost);
    bench.exit(&job, 0);
    let once = "RUNNABLE STARTING RUNNING";
    assert_eq!(bench.story(&job), format!("{once} {once} {once} SUCCEEDED"));
    let attempts = &bench.record(&job).detail.attempts;
    let streams: HashSet<_> =
        attempts.iter().map(|attempt| attempt.container.clone().unwrap().log_stream_name).collect();
    assert_eq!((attempts.len(), streams.len()), (3, 3));
    let second: Vec<_> = bench.events.iter().filter(|detail| detail.attempts.len() == 1).collect();
    assert_eq!(second[0].status, JobStatus::Runnable);
}

#[test]
fn an_exit_rule_ends_the_retries() {
    let mut bench = Bench::with_vcpus(1);
    let rule = EvaluateOnExit::new(RetryAction::Exit).with(|it| {
        it.on_exit_code = Some("42".into());
        it.on_reason = None;
        it.on_status_reason = None;
    });
    let job = bench.submit(attempts(spec("a"), 5, vec![rule]));
    bench.exit(&job, 1);
    bench.exit(&job, 42);
    assert_eq!(bench.record(&job).status(), JobStatus::Failed);
    assert_eq!(bench.record(&job).detail.attempts.len(), 2);
}

#[test]
fn reports_that_come_twice_or_late_change_nothing() {
    let mut bench = Bench::with_vcpus(1);
    let job = bench.submit(attempts(spec("a"), 2, vec![]));
    let first = bench.running[0].clone();
    bench.exit(&job, 1);
    for end in [AttemptEnd::Exit(0), AttemptEnd::HostLost] {
        bench.core.attempt_ended(&first, end, at(bench.now));
        bench.core.attempt_started(&first, at(bench.now));
    }
    bench.drain();
    assert_eq!(bench.record(&job).status(), JobStatus::Starting);
    assert_eq!(bench.core.running.vcpus, bench.core.capacity.vcpus);
}

#[test]
fn a_dependant_waits_and_follows() {
    let mut bench = Bench::with_vcpus(4);
    let first = bench.submit(spec("a"));
    let second = bench.submit(spec("b"));
    let job = bench.submit(spec("c").with(|spec| spec.depends_on = vec![after(&first), after(&second)]));
    bench.exit(&first, 0);
    assert_eq!(bench.story(&job), "PENDING");
    bench.exit(&second, 0);
    assert_eq!(bench.story(&job), "PENDING RUNNABLE STARTING");
    let at_once = bench.submit(spec("d").with(|spec| spec.depends_on = vec![after(&first)]));
    assert!(bench.runs(&at_once), "a dependency that has succeeded is satisfied");
}

#[test]
fn a_failure_fails_all_that_depend_on_it() {
    let mut bench = Bench::with_vcpus(4);
    let first = bench.submit(spec("a"));
    let second = bench.submit(spec("b").with(|spec| spec.depends_on = vec![after(&first)]));
    let third = bench.submit(array("c", 2).with(|spec| spec.depends_on = vec![after(&second)]));
    bench.exit(&first, 1);
    let late = bench.submit(spec("d").with(|spec| spec.depends_on = vec![after(&third)]));
    for job in [&second, &third, &third.array_child(0), &third.array_child(1), &late] {
        assert_eq!(bench.record(job).status(), JobStatus::Failed);
        assert_eq!(bench.reason(job), "Dependent Job failed");
    }
    assert_eq!(bench.core.unfinished(), 0);
}

#[test]
fn an_array_ends_with_its_last_child() {
    let mut bench = Bench::with_vcpus(2);
    let job = bench.submit(array("a", 3));
    let children: Vec<JobId> = (0..3).map(|index| job.array_child(index)).collect();
    assert_eq!(bench.record(&job).status(), JobStatus::Pending);
    let summary = &bench.record(&job).detail.array_properties.as_ref().unwrap().status_summary;
    assert_eq!((summary["STARTING"], summary["RUNNABLE"], summary["SUBMITTED"]), (2, 1, 0));
    for child in &children {
        bench.exit(child, 0);
    }
    assert_eq!(bench.story(&job), "PENDING SUCCEEDED");
    assert_eq!(bench.story(&children[2]), "RUNNABLE STARTING RUNNING SUCCEEDED");
    let child = bench.record(&children[1]);
    assert_eq!((child.array_index(), child.array_size()), (Some(1), None));

    let job = bench.submit(array("b", 2));
    bench.exit(&job.array_child(0), 1);
    bench.exit(&job.array_child(1), 0);
    assert_eq!(
        (bench.story(&job).as_str(), bench.reason(&job)),
        ("PENDING FAILED", "Array Child Job failed")
    );
}

#[test]
fn sequential_children_run_one_by_one_and_a_failure_ends_a_long_chain() {
    let mut bench = Bench::with_vcpus(8);
    let sequential = Dependency::default().with(|it| it.kind = Some(DependencyType::Sequential));
    let job = bench.submit(array("a", 10_000).with(|spec| spec.depends_on = vec![sequential]));
    bench.exit(&job.array_child(0), 0);
    assert_eq!(bench.running.len(), 1);
    bench.exit(&job.array_child(1), 1);
    assert_eq!(bench.reason(&job.array_child(9_999)), "Dependent Job failed");
    assert_eq!(bench.record(&job).status(), JobStatus::Failed);
    assert_eq!(bench.core.unfinished(), 0);
}

#[test]
fn n_to_n_pairs_children_by_index_also_with_an_array_that_has_ended() {
    let mut bench = Bench::with_vcpus(8);
    let n_to_n = |job: &JobId| after(job).with(|it| it.kind = Some(DependencyType::NToN));
    let first = bench.submit(array("a", 2));
    let second = bench.submit(array("b", 2).with(|spec| spec.depends_on = vec![n_to_n(&first)]));
    bench.exit(&first.array_child(1), 0);
    assert!(bench.runs(&second.array_child(1)) && !bench.runs(&second.array_child(0)));
    bench.exit(&first.array_child(0), 1);
    assert_eq!(bench.reason(&second.array_child(0)), "Dependent Job failed");
    let late = bench.submit(array("c", 2).with(|spec| spec.depends_on = vec![n_to_n(&first)]));
    assert!(bench.runs(&late.array_child(1)));
    assert_eq!(bench.record(&late.array_child(0)).status(), JobStatus::Failed);
    let error = bench.try_submit(array("d", 3).with(|spec| spec.depends_on = vec![n_to_n(&first)]));
    assert!(error.unwrap_err().to_string().contains("equal size"));
}

#[test]
fn a_timed_out_attempt_gets_sigterm_then_sigkill_and_no_retry() {
    let mut bench = Bench::with_vcpus(1);
    let timeout = Some(JobTimeout::default().with(|it| it.attempt_duration_seconds = Some(60)));
    let job = bench.submit(attempts(spec("a").with(|spec| spec.timeout = timeout), 3, vec![]));
    let attempt = bench.running[0].clone();
    assert_eq!(bench.core.next_wakeup(), None, "the time counts from the start");
    bench.core.attempt_started(&attempt, at(1_000));
    bench.tick(59_999);
    assert!(bench.signals.is_empty());
    bench.tick(1);
    assert_eq!(bench.signals, [(attempt.clone(), Signal::Terminate)]);
    bench.tick(30_000);
    assert_eq!(bench.signals[1..], [(attempt, Signal::Kill)]);
    assert_eq!(bench.core.next_wakeup(), None);
    bench.exit(&job, 137);
    assert_eq!(bench.record(&job).status(), JobStatus::Failed);
    assert_eq!(bench.reason(&job), "Job attempt duration exceeded timeout");
}

#[test]
fn a_clock_that_is_set_neither_hastens_nor_delays_a_time_out() {
    for jump in [3_600_000, -3_600_000] {
        let mut bench = Bench::with_vcpus(1);
        let timeout = Some(JobTimeout::default().with(|it| it.attempt_duration_seconds = Some(60)));
        bench.submit(spec("a").with(|spec| spec.timeout = timeout));
        let attempt = bench.running[0].clone();
        bench.core.attempt_started(&attempt, at(1_000));
        bench.tick(30_000);
        bench.now += jump;
        bench.core.clock_jumped(jump);
        bench.tick(29_999);
        assert!(bench.signals.is_empty());
        bench.tick(1);
        assert_eq!(bench.signals, [(attempt.clone(), Signal::Terminate)]);
        bench.now += jump;
        bench.core.clock_jumped(jump);
        bench.tick(29_999);
        assert_eq!(bench.signals.len(), 1);
        bench.tick(1);
        assert_eq!(bench.signals[1..], [(attempt, Signal::Kill)]);
    }
}

#[test]
fn log_streams_have_names_that_a_file_can_have() {
    let stream = |definition: &str| {
        let mut bench = Bench::with_vcpus(1);
        let mut spec = spec("a");
        spec.job_definition = definition.to_owned();
        let job = bench.submit(spec);
        bench.record(&job).detail.container.clone().unwrap().log_stream_name.unwrap()
    };
    let long = "d".repeat(300);
    for (definition, begins) in [
        ("hello:3", "hello/default/"),
        ("arn:aws:batch:us-east-1:123456789012:job-definition/hello:3", "hello/default/"),
        ("..", "__/default/"),
        (&long[..128], &format!("{}/default/", &long[..128])),
        (&long[..129], &format!("{}-", &long[..111])),
    ] {
        let name = stream(definition);
        assert!(name.starts_with(begins), "{name}");
        assert!(name.split('/').all(|part| part.len() <= 128), "{name}");
    }
    let definition = |name: &str| stream(name).split_once('/').unwrap().0.to_owned();
    assert_ne!(definition(&(long.clone() + "a")), definition(&(long + "b")));
}

#[test]
fn a_hint_is_for_people_and_no_rule_sees_it() {
    let mut bench = Bench::with_vcpus(1);
    let rule = EvaluateOnExit::new(RetryAction::Exit).with(|it| {
        it.on_reason = Some("\"a.py*".into());
        it.on_exit_code = None;
        it.on_status_reason = None;
    });
    let job = bench.submit(attempts(spec("a"), 2, vec![rule]));
    let reason = "\"a.py\" is elsewhere".to_owned();
    bench.end(&job, AttemptEnd::FileMisplaced { exit_code: 2, reason: reason.clone() });
    let told = bench.record(&job).detail.attempts[0].container.clone().unwrap();
    assert_eq!((told.exit_code, told.reason), (Some(2), Some(reason)));
    assert_eq!(bench.record(&job).status(), JobStatus::Starting, "no rule matches, so it is retried");
}

#[test]
fn cancel_ends_only_what_has_not_started() {
    let mut bench = Bench::with_vcpus(1);
    let running = bench.submit(spec("a"));
    let waiting = bench.submit(spec("b"));
    let dependant = bench.submit(spec("c").with(|spec| spec.depends_on = vec![after(&waiting)]));
    for _ in 0..2 {
        assert_eq!(bench.core.cancel(&running, "no", at(2)), Reach::Held);
        bench.core.cancel(&waiting, "not needed", at(2));
        bench.drain();
    }
    assert!(bench.signals.is_empty());
    assert_eq!(bench.reason(&waiting), "not needed");
    assert_eq!(bench.record(&waiting).detail.is_cancelled, Some(true));
    assert_eq!(bench.reason(&dependant), "Dependent Job failed");
    assert_eq!(bench.story(&waiting), "RUNNABLE FAILED");
    bench.exit(&running, 0);
    assert_eq!(bench.record(&running).status(), JobStatus::Succeeded);
    assert_eq!(bench.core.cancel(&JobId::parse("x").unwrap(), "no", at(2)), Reach::Absent);
}

#[test]
fn terminate_stops_what_runs_and_ends_what_waits() {
    let mut bench = Bench::with_vcpus(1);
    let job = bench.submit(attempts(array("a", 2), 3, vec![]));
    let (runs, waits) = (job.array_child(0), job.array_child(1));
    for _ in 0..2 {
        bench.core.terminate(&job, "enough", at(bench.now));
        bench.drain();
    }
    assert_eq!(bench.signals.len(), 1, "told once");
    assert_eq!(bench.reason(&waits), "enough");
    bench.tick(30_000);
    assert_eq!(bench.signals[1].1, Signal::Kill);
    bench.exit(&runs, 137);
    for id in [&job, &runs, &waits] {
        let detail = &bench.record(id).detail;
        assert_eq!((detail.status, detail.is_terminated), (JobStatus::Failed, Some(true)), "{id}");
        assert_eq!(bench.reason(id), "enough");
    }
}

#[test]
fn a_job_larger_than_the_machine_stays_runnable_and_lets_others_pass() {
    let mut bench = Bench::with_vcpus(2);
    let job = bench.submit(sized("a", 3));
    assert_eq!(bench.story(&job), "RUNNABLE");
    assert!(bench.reason(&job).starts_with("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - "));
    assert!(bench.reason(&job).contains("needs 3 vCPUs, and 2 may be used"));
    let after = bench.submit(spec("after").with(|spec| spec.depends_on = vec![after(&job)]));
    assert!(!bench.core.is_moving());
    let small = bench.submit(spec("b"));
    assert!(bench.core.is_moving());
    bench.exit(&small, 0);
    assert!(!bench.core.is_moving());
    assert_eq!(bench.core.unfinished(), 2);
    let records: Vec<_> =
        bench.books.values().filter(|record| !record.status().is_terminal()).cloned().collect();
    bench.core = Core::new(MilliVcpus::whole(3), 30_000, JobIds::seeded(1), 3);
    bench.core.resume(records, at(2_000));
    bench.drain();
    assert!(bench.runs(&job), "a larger machine takes it up");
    bench.exit(&job, 0);
    bench.exit(&after, 0);
    assert_eq!(bench.core.unfinished(), 0);
}

#[test]
fn what_is_waited_for_moves_as_long_as_it_or_what_it_waits_on_can() {
    let mut bench = Bench::with_vcpus(2);
    let other = bench.submit(spec("other"));
    let large = bench.submit(sized("large", 3));
    let behind = bench.submit(spec("behind").with(|spec| spec.depends_on = vec![after(&large)]));
    let moves = |bench: &mut Bench, names: &[&str]| {
        let names = names.iter().map(|name| JobName::parse(name).unwrap()).collect();
        bench.core.wait_for(std::collections::HashSet::new(), names);
        bench.core.waited_for_moves()
    };
    assert!(bench.core.is_moving() && bench.runs(&other));
    assert!(!moves(&mut bench, &["large", "behind"]), "what moves is another's");
    assert!(moves(&mut bench, &["large", "other"]));
    let follows =
        bench.submit(spec("follows").with(|spec| spec.depends_on = vec![after(&other), after(&behind)]));
    assert!(moves(&mut bench, &["large", "follows"]), "where the other fails, so does this");
    bench.exit(&other, 0);
    assert!(!moves(&mut bench, &["large", "follows"]), "it waits for what does not come");
    assert_eq!(bench.record(&follows).status(), JobStatus::Pending);
}

#[test]
fn a_stuck_job_is_cancelled_like_any_other() {
    let mut bench = Bench::with_vcpus(2);
    let array_properties = Some(ArrayProperties::new(2));
    let job = bench.submit(sized("a", 3).with(|spec| spec.array_properties = array_properties));
    assert!(!bench.core.is_moving());
    bench.core.cancel(&job, "too large", at(2));
    bench.drain();
    assert_eq!((bench.record(&job).status(), bench.core.unfinished()), (JobStatus::Failed, 0));
}

#[test]
fn overrides_that_are_too_long_fail_when_the_job_is_dispatched() {
    let mut bench = Bench::with_vcpus(1);
    bench.core.define(JobDefinition {
        job_definition_name: "definition".into(),
        command: vec!["echo".into(), "Ref::who".into()],
        ..JobDefinition::default()
    });
    let running = bench.submit(spec("running"));
    let mut long = array("a", 2).with(|spec| spec.container_overrides = None);
    long.parameters.insert("who".into(), "x".repeat(9_000));
    long.depends_on = vec![after(&running)];
    let job = bench.submit(long);
    assert_eq!(bench.record(&job).status(), JobStatus::Pending, "it is taken");
    bench.exit(&running, 0);
    let child = job.array_child(1);
    assert_eq!(bench.story(&child), "PENDING RUNNABLE FAILED");
    assert_eq!(bench.reason(&child), "Container Overrides length must be at most 8192");
    assert_eq!(bench.reason(&job), "Array Child Job failed");
}

#[test]
fn an_arrays_summary_has_every_status_from_the_start() {
    let mut bench = Bench::with_vcpus(1);
    let job = bench.submit(array("a", 3));
    let summary = &bench.record(&job).detail.array_properties.as_ref().unwrap().status_summary;
    assert_eq!(summary.len(), 7);
    assert_eq!((summary["SUCCEEDED"], summary["FAILED"], summary["STARTING"]), (0, 0, 1));
}

#[test]
fn small_jobs_do_not_starve_a_large_one() {
    let mut bench = Bench::with_vcpus(2);
    let small = bench.submit(spec("a"));
    let large = bench.submit(sized("b", 2));
    let next = bench.submit(spec("c"));
    assert!(bench.runs(&small) && !bench.runs(&large) && !bench.runs(&next));
    bench.exit(&small, 0);
    assert!(bench.runs(&large) && !bench.runs(&next));
    bench.exit(&large, 0);
    assert!(bench.runs(&next));
}

#[test]
fn higher_priority_goes_first_then_the_order_of_submission() {
    let mut bench = Bench::with_vcpus(1);
    let first = bench.submit(spec("a"));
    let low = bench.submit(spec("b"));
    let later = bench.submit(spec("c"));
    let high = bench.submit(spec("d").with(|spec| spec.scheduling_priority_override = Some(9)));
    let mut order = Vec::new();
    for _ in 0..4 {
        let job = bench.running[0].job_id.clone();
        bench.exit(&job, 0);
        order.push(job);
    }
    assert_eq!(order, [first, high, low, later]);
}

#[test]
fn what_can_not_be_run_here_is_refused_with_the_reason() {
    let mut bench = Bench::with_vcpus(1);
    let unknown = after(&JobId::parse("nobody").unwrap());
    let n_to_n = unknown.clone().with(|it| it.kind = Some(DependencyType::NToN));
    let bare = spec("a").with(|spec| spec.container_overrides = None);
    for (spec, expected) in [
        (bare, "job \"a\": there is no command to run: give containerOverrides.command"),
        (
            spec("a").with(|spec| spec.node_overrides = Some(Default::default())),
            "nodeOverrides is given, and job definition \"definition\" has no",
        ),
        (
            spec("a").with(|spec| spec.depends_on = vec![unknown.clone()]),
            "dependsOn[0]: job nobody is not known",
        ),
        (spec("a").with(|spec| spec.depends_on = vec![n_to_n]), "allowed for array jobs only"),
        (spec("a").with(|spec| spec.depends_on = vec![unknown; 21]), "21 entries"),
        (array("a", 1), "arrayProperties.size is 1"),
        (array("a", 10_001), "arrayProperties.size is 10001"),
        (sized("a", 0), "VCPU \"0\" is not a number above 0"),
    ] {
        let error = bench.try_submit(spec).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!((bench.core.unfinished(), bench.core.sequence), (0, 0));
}

#[test]
fn a_definition_gives_what_the_job_leaves_out_and_the_nonce_comes_back_on_children() {
    let mut bench = Bench::with_vcpus(4);
    bench.core.define(JobDefinition {
        job_definition_name: "definition".into(),
        command: vec!["echo".into(), "Ref::who".into()],
        parameters: BTreeMap::from([("who".into(), "all".into())]).into_iter().collect(),
        ..JobDefinition::default()
    });
    let mut spec = array("a", 2).with(|spec| spec.container_overrides = None);
    spec.parameters.insert("batchwright.nonce".into(), "n".into());
    let job = bench.submit(spec);
    let detail = &bench.record(&job.array_child(1)).detail;
    assert_eq!(detail.container.as_ref().unwrap().command, ["echo", "all"]);
    assert_eq!(detail.parameters["batchwright.nonce"], "n");
    assert_eq!(detail.job_definition, "arn:aws:batch:local:000000000000:job-definition/definition:1");
}

#[test]
fn a_restart_takes_up_every_job_where_it_was() {
    let mut bench = Bench::with_vcpus(1);
    let running = bench.submit(spec("a"));
    let queued = bench.submit(spec("b"));
    let pending = bench.submit(array("c", 2).with(|spec| spec.depends_on = vec![after(&queued)]));
    let records: Vec<_> =
        bench.books.values().filter(|record| !record.status().is_terminal()).cloned().collect();
    bench.core = Core::new(MilliVcpus::whole(1), 30_000, JobIds::seeded(1), 3);
    let begun = bench.core.resume(records, at(2_000));
    bench.drain();
    assert_eq!(begun.iter().map(|launch| &launch.attempt.job_id).collect::<Vec<_>>(), [&running]);
    assert_eq!(bench.running.len(), 1, "nothing is started twice: {:?}", bench.running);
    for job in [&running, &queued, &pending.array_child(0), &pending.array_child(1)] {
        bench.exit(job, 0);
    }
    assert_eq!(bench.record(&pending).status(), JobStatus::Succeeded);
    assert_eq!(bench.core.unfinished(), 0);
    assert_ne!(bench.submit(spec("d")), running, "ids are not given twice");
}

#[test]
fn a_time_limit_that_passed_while_no_engine_ran_counts_only_for_what_still_runs() {
    for still_runs in [false, true] {
        let mut bench = Bench::with_vcpus(1);
        let timeout = Some(JobTimeout::default().with(|it| it.attempt_duration_seconds = Some(60)));
        let job = bench.submit(spec("a").with(|spec| spec.timeout = timeout));
        let attempt = bench.running[0].clone();
        bench.core.attempt_started(&attempt, at(bench.now));
        bench.drain();
        bench.core = Core::new(MilliVcpus::whole(1), 30_000, JobIds::seeded(1), 1);
        bench.now += 3_600_000;
        bench.core.resume(vec![bench.books[&job].clone()], at(bench.now));
        bench.tick(0);
        assert!(bench.signals.is_empty());
        if still_runs {
            bench.core.attempt_started(&attempt, at(bench.now));
            bench.tick(0);
            assert_eq!(bench.signals, [(attempt, Signal::Terminate)]);
        } else {
            bench.exit(&job, 0);
            assert_eq!(bench.record(&job).status(), JobStatus::Succeeded);
            assert!(bench.core.timers.is_empty() && bench.core.sought.is_empty());
        }
    }
}

fn define(bench: &mut Bench, properties: &str, value: serde_json::Value) {
    let more = serde_json::Map::from_iter([(properties.to_owned(), value)]);
    let definition =
        JobDefinition { job_definition_name: "definition".into(), more, ..JobDefinition::default() };
    bench.core.define(definition);
}

fn three_nodes(bench: &mut Bench) -> JobSpec {
    let container = serde_json::json!({"image": "i", "command": ["x"], "vcpus": 1});
    let ranges = serde_json::json!([{"targetNodes": "0:", "container": container}]);
    let nodes = serde_json::json!({"numNodes": 3, "mainNode": 1, "nodeRangeProperties": ranges});
    define(bench, "nodeProperties", nodes);
    spec("a").with(|spec| spec.container_overrides = None)
}

fn ended(codes: &[(i32, bool)]) -> AttemptEnd {
    let end = |&(code, was_stopped): &(i32, bool)| ContainerEnd {
        exit_code: Some(code),
        reason: None,
        was_stopped,
    };
    AttemptEnd::Task(codes.iter().map(end).collect())
}

#[test]
fn nodes_go_where_their_job_goes_and_the_main_node_decides() {
    let mut bench = Bench::with_vcpus(3);
    let spec = three_nodes(&mut bench);
    let job = bench.submit(spec.clone());
    assert_eq!(bench.core.unfinished_submissions(), std::slice::from_ref(&job));
    assert_eq!(bench.record(&job).detail.node_properties.as_ref().unwrap().num_nodes, Some(3));
    bench.end(&job, ended(&[(143, true), (0, false), (1, false)]));
    for id in [job.clone(), job.node(0), job.node(1), job.node(2)] {
        assert_eq!(bench.story(&id), "RUNNABLE STARTING RUNNING SUCCEEDED", "{id}");
    }
    let node = &bench.record(&job.node(2)).detail;
    assert_eq!(node.container.as_ref().unwrap().exit_code, Some(1));
    assert_eq!(node.attempts[0].container.as_ref().unwrap().exit_code, Some(1));
    assert_eq!(node.node_details.as_ref().unwrap().is_main_node, Some(false));
    let failed = bench.submit(spec);
    bench.end(&failed, ended(&[(0, false), (7, false), (0, false)]));
    assert_eq!(bench.story(&failed.node(0)), "RUNNABLE STARTING RUNNING FAILED");
    assert_eq!(bench.record(&failed).detail.attempts[0].container.as_ref().unwrap().exit_code, Some(7));
    assert_eq!((bench.core.unfinished(), bench.core.jobs.len()), (0, 0));
}

#[test]
fn nodes_need_room_together_and_end_together() {
    let mut bench = Bench::with_vcpus(3);
    let spec = three_nodes(&mut bench);
    let (first, second) = (bench.submit(spec.clone()), bench.submit(spec));
    assert!(bench.runs(&first) && !bench.runs(&second), "three nodes take three vCPUs");
    bench.core.terminate(&second.node(2), "enough", at(2_000));
    bench.drain();
    for id in [second.clone(), second.node(0)] {
        assert_eq!((bench.story(&id).as_str(), bench.reason(&id)), ("RUNNABLE FAILED", "enough"));
    }
}

#[test]
fn nodes_are_told_who_they_are() {
    let mut bench = Bench::with_vcpus(3);
    let spec = three_nodes(&mut bench);
    let job = bench.submit(spec);
    let launch = bench.core.current_launch(&job).unwrap();
    let told = |node: usize, name: &str| {
        let environment = &launch.containers[node].environment;
        environment.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    assert_eq!(told(2, "AWS_BATCH_JOB_ID"), Some(job.node(2).to_string()));
    for (name, value) in [("NODE_INDEX", "2"), ("NUM_NODES", "3"), ("MAIN_NODE_INDEX", "1")] {
        assert_eq!(told(2, &format!("AWS_BATCH_JOB_{name}")).as_deref(), Some(value));
    }
    let address = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS";
    assert_eq!((told(2, address).as_deref(), told(1, address)), (Some("127.0.0.1"), None));
    let streams: Vec<_> = launch.containers.iter().map(|node| &node.log_stream).collect();
    assert!(streams[0].starts_with("definition/default/") && streams[0] != streams[1], "{streams:?}");
}

#[test]
fn a_restart_takes_up_a_multi_node_job_once() {
    let mut bench = Bench::with_vcpus(3);
    let spec = three_nodes(&mut bench);
    let (first, second) = (bench.submit(spec.clone()), bench.submit(spec));
    let mut again = Core::new(MilliVcpus::whole(3), 30_000, JobIds::seeded(1), 2);
    let unfinished = bench.books.values().filter(|record| !record.status().is_terminal()).cloned().collect();
    let begun = again.resume(unfinished, at(2_000));
    assert_eq!(begun.iter().map(|launch| &launch.attempt.job_id).collect::<Vec<_>>(), [&first]);
    again.attempt_ended(&begun[0].attempt, AttemptEnd::HostLost, at(2_000));
    let starts = again.take_effects().starts;
    assert_eq!(starts.iter().map(|launch| &launch.attempt.job_id).collect::<Vec<_>>(), [&second]);
}

#[test]
fn a_tasks_containers_are_described_and_its_retries_see_the_one_that_decided() {
    let mut bench = Bench::with_vcpus(3);
    let containers = serde_json::json!([
        {"name": "main", "image": "i", "command": ["x"]},
        {"name": "side", "image": "i", "command": ["y"], "essential": false},
    ]);
    define(&mut bench, "ecsProperties", serde_json::json!({"taskProperties": [{"containers": containers}]}));
    let strategy = RetryStrategy::default().with(|it| {
        it.attempts = Some(2);
        it.evaluate_on_exit = Vec::new();
    });
    let spec = spec("a").with(|spec| {
        spec.container_overrides = None;
        spec.retry_strategy = Some(strategy);
    });
    let job = bench.submit(spec);
    bench.end(&job, ended(&[(3, false), (143, true)]));
    bench.end(&job, ended(&[(0, false), (1, false)]));
    let detail = &bench.record(&job).detail;
    assert_eq!((detail.status, detail.container.as_ref()), (JobStatus::Succeeded, None));
    let codes = |attempt: usize| -> Vec<Option<i32>> {
        let containers = &detail.attempts[attempt].task_properties[0].containers;
        containers.iter().map(|container| container.exit_code).collect()
    };
    assert_eq!((codes(0), codes(1)), (vec![Some(3), Some(143)], vec![Some(0), Some(1)]));
    let described = &detail.ecs_properties.as_ref().unwrap().task_properties[0].containers[1];
    assert_eq!((described.exit_code, described.essential), (Some(1), Some(false)));
    assert!(described.log_stream_name.as_ref().unwrap().starts_with("definition/side/"));
}

#[test]
fn an_end_that_nobody_saw_has_its_own_time() {
    // When it ended, of an attempt that began at 1,000 and is heard of at 9,000; what is written down.
    for (ended_at, written) in [(Some(1_500), 1_500), (None, 9_000), (Some(9_500), 9_000), (Some(500), 1_000)]
    {
        let mut bench = Bench::with_vcpus(1);
        let job = bench.submit(spec("a"));
        let attempt = bench.running[0].clone();
        bench.core.attempt_started(&attempt, at(1_000));
        let ended = Ended { end: AttemptEnd::Exit(0), at: ended_at.map(at), timed_out: false };
        bench.core.attempt_ended(&attempt, ended, at(9_000));
        bench.drain();
        let detail = &bench.record(&job).detail;
        assert_eq!((detail.started_at, detail.stopped_at), (Some(1_000), Some(written)), "{ended_at:?}");
        assert_eq!(detail.attempts[0].stopped_at, Some(written), "{ended_at:?}");
    }
}

#[test]
fn an_array_ends_with_the_last_of_its_children_in_whatever_order_they_are_heard_of() {
    let mut bench = Bench::with_vcpus(2);
    let job = bench.submit(array("a", 2));
    for (child, ended_at) in [(1, 2_000), (0, 1_800)] {
        let attempt = AttemptId { job_id: job.array_child(child), number: 1 };
        bench.core.attempt_started(&attempt, at(1_000));
        let ended = Ended { end: AttemptEnd::Exit(0), at: Some(at(ended_at)), timed_out: false };
        bench.core.attempt_ended(&attempt, ended, at(9_000));
    }
    bench.drain();
    assert_eq!(bench.record(&job).detail.stopped_at, Some(2_000));
    assert!(bench.core.latest_ends.is_empty());
}

#[test]
fn an_attempt_that_was_ended_for_its_time_while_no_engine_ran_timed_out() {
    let mut bench = Bench::with_vcpus(1);
    let job = bench.submit(attempts(spec("a"), 3, Vec::new()));
    let attempt = bench.running[0].clone();
    let ended = Ended { end: AttemptEnd::Exit(143), at: None, timed_out: true };
    bench.core.attempt_ended(&attempt, ended, at(9_000));
    bench.drain();
    assert_eq!((bench.record(&job).status(), bench.reason(&job)), (JobStatus::Failed, TIMED_OUT));
    assert_eq!(bench.record(&job).detail.attempts.len(), 1, "it is not retried");
}

#[test]
fn overrides_of_a_container_are_refused_where_the_definition_has_several() {
    let node = serde_json::json!({"targetNodes": "0:", "container": {"image": "i", "command": ["true"]}});
    let container = serde_json::json!({"name": "c", "image": "i", "command": ["true"]});
    for (properties, value, instead) in [
        (
            "nodeProperties",
            serde_json::json!({"numNodes": 2, "mainNode": 0, "nodeRangeProperties": [node]}),
            "nodeOverrides",
        ),
        (
            "ecsProperties",
            serde_json::json!({"taskProperties": [{"containers": [container]}]}),
            "ecsPropertiesOverride",
        ),
    ] {
        let mut bench = Bench::with_vcpus(4);
        let definition = serde_json::json!({"jobDefinitionName": "definition", properties: value});
        bench.core.define(serde_json::from_value(definition).unwrap());
        let refused = bench.try_submit(spec("a")).unwrap_err().to_string();
        assert!(refused.contains("containerOverrides (or command) is given"), "{refused}");
        assert!(refused.ends_with(&format!("has {properties}: give {instead}")), "{refused}");
        let empty = Some(ContainerOverrides::default());
        bench.submit(spec("b").with(|spec| spec.container_overrides = empty));
        bench.submit(spec("c").with(|spec| spec.container_overrides = None));
    }
}
