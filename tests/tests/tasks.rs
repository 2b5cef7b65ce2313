//! Several containers in one task and multi-node jobs, under a real engine: as processes, and as containers where
//! this machine has podman.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::time::Duration;

use batchwright::domain::{JobName, JobSpec, JobStatus, SubmitJobRequest};
use batchwright::engine::{EngineConfig, LocalEngine, ProcessSettings};
use batchwright::events::{JobDetail, JobStateChange, TaskContainerDetails};
use batchwright::job_file::check_definition;
use batchwright::ports::JobEngine;
use batchwright_tests::podman::{IMAGE, Podman};
use batchwright_tests::processes::{describe, log_lines, open, settings};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

struct Bench {
    state: tempfile::TempDir,
    podman: Option<Podman>,
    engine: LocalEngine,
    events: UnboundedReceiver<JobStateChange>,
}

/// An engine that runs processes, and one that runs containers.
async fn benches() -> Vec<Bench> {
    let mut benches = vec![Bench::new(None).await];
    if let Some(podman) = Podman::find() {
        benches.push(Bench::new(Some(podman)).await);
    }
    benches
}

impl Bench {
    async fn new(podman: Option<Podman>) -> Self {
        let state = tempfile::tempdir().unwrap();
        let containers = podman.as_ref().map(|podman| podman.runtime().unwrap());
        let settings = ProcessSettings { containers, ..settings(state.path(), None).unwrap() };
        let (engine, events) = open(state.path(), &settings, EngineConfig::with_vcpus(8)).await.unwrap();
        Self { state, podman, engine, events }
    }

    /// Runs a job of a definition to its end.
    async fn run(&mut self, definition: Value) -> JobDetail {
        self.engine.define(check_definition(definition).unwrap()).await.unwrap();
        let spec = JobSpec::new(JobName::parse("a").unwrap(), "queue", "d");
        let job = self.engine.submit_job(&SubmitJobRequest::verbatim(spec)).await.unwrap();
        loop {
            let detail = describe(&self.engine, &job).await.unwrap();
            if detail.status.is_terminal() {
                if let Some(podman) = &self.podman {
                    assert_eq!(podman.containers_of(self.state.path()).unwrap(), Vec::<String>::new());
                }
                return detail;
            }
            let event = tokio::time::timeout(Duration::from_secs(120), self.events.recv());
            event.await.unwrap().unwrap();
        }
    }

    async fn log(&self, name: Option<&str>) -> Vec<String> {
        log_lines(&self.engine, name.unwrap()).await.unwrap()
    }
}

fn container(name: &str, script: &str, more: Value) -> Value {
    let mut container = json!({
        "name": name, "image": IMAGE, "command": ["sh", "-c", script],
        "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "32"}],
    });
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    container
}

fn task(containers: Value) -> Value {
    let tasks = json!({"taskProperties": [{"containers": containers}]});
    json!({"jobDefinitionName": "d", "type": "container", "ecsProperties": tasks})
}

fn after(name: &str, condition: &str) -> Value {
    json!({"dependsOn": [{"containerName": name, "condition": condition}]})
}

fn containers(detail: &JobDetail) -> &[TaskContainerDetails] {
    &detail.ecs_properties.as_ref().unwrap().task_properties[0].containers
}

#[tokio::test]
async fn a_container_starts_when_what_it_waits_for_has_come() {
    for bench in &mut benches().await {
        for (condition, code) in [("SUCCESS", 0), ("COMPLETE", 7)] {
            let first = container("first", &format!("echo one; exit {code}"), json!({"essential": false}));
            // The main container is listed first: the order is that of the dependencies.
            let detail = bench
                .run(task(json!([container("main", "echo two", after("first", condition)), first])))
                .await;
            let [main, first] = containers(&detail) else { panic!("{detail:?}") };
            assert_eq!(
                (detail.status, main.exit_code, first.exit_code),
                (JobStatus::Succeeded, Some(0), Some(code))
            );
            assert_eq!(bench.log(main.log_stream_name.as_deref()).await, ["two"]);
            assert_eq!(bench.log(first.log_stream_name.as_deref()).await, ["one"]);
        }
    }
}

#[tokio::test]
async fn a_container_whose_dependency_failed_does_not_run_and_fails_the_job() {
    for bench in &mut benches().await {
        let first = container("first", "exit 4", json!({"essential": false}));
        let detail =
            bench.run(task(json!([first, container("main", "echo two", after("first", "SUCCESS"))]))).await;
        let [first, main] = containers(&detail) else { panic!("{detail:?}") };
        assert_eq!((detail.status, first.exit_code, main.exit_code), (JobStatus::Failed, Some(4), None));
        assert_eq!(main.reason.as_deref(), Some("DependencyFailed: container first ended with exit code 4"));
    }
}

#[tokio::test]
async fn what_is_not_essential_ends_with_what_is_and_decides_nothing() {
    for bench in &mut benches().await {
        let sidecar = "trap 'exit 3' TERM; while :; do sleep 0.1; done";
        let detail = bench
            .run(task(json!([
                container("main", "sleep 0.5; exit 0", after("sidecar", "START")),
                container("sidecar", sidecar, json!({"essential": false})),
                container("short", "exit 9", json!({"essential": false})),
            ])))
            .await;
        let [main, sidecar, short] = containers(&detail) else { panic!("{detail:?}") };
        assert_eq!((detail.status, main.exit_code), (JobStatus::Succeeded, Some(0)));
        assert!(sidecar.exit_code.is_some_and(|code| code != 0), "it was ended: {sidecar:?}");
        assert_eq!(short.exit_code, Some(9));
    }
}

#[tokio::test]
async fn the_main_node_ends_all_nodes_and_decides() {
    for bench in &mut benches().await {
        let node = |target: &str, script: &str| json!({"targetNodes": target, "container": container("n", script, json!({}))});
        let ranges = json!([
            node("0", "echo main; sleep 0.5; exit 5"),
            node("1:", "trap 'exit 0' TERM; while :; do sleep 0.1; done"),
        ]);
        let nodes = json!({"numNodes": 3, "mainNode": 0, "nodeRangeProperties": ranges});
        let definition = json!({"jobDefinitionName": "d", "type": "multinode", "nodeProperties": nodes});
        let detail = bench.run(definition).await;
        assert_eq!(detail.status, JobStatus::Failed);
        assert_eq!(detail.attempts[0].container.as_ref().unwrap().exit_code, Some(5));
        let main = describe(&bench.engine, &detail.job_id.node(0)).await.unwrap();
        let main_container = main.container.as_ref().unwrap();
        assert_eq!((main.status, main_container.exit_code), (JobStatus::Failed, Some(5)));
        assert_eq!(bench.log(main_container.log_stream_name.as_deref()).await, ["main"]);
        let other = describe(&bench.engine, &detail.job_id.node(2)).await.unwrap();
        assert!(other.container.unwrap().exit_code.is_some(), "it ran, and was ended");
    }
}

#[tokio::test]
async fn a_node_may_be_a_task_which_ends_with_its_own_essential_container() {
    for bench in &mut benches().await {
        let shared = tempfile::tempdir().unwrap();
        let told = shared.path().join("told");
        let path = shared.path().to_str().unwrap();
        let more = |more: Value| {
            let mut all = json!({"mountPoints": [{"sourceVolume": "shared", "containerPath": path}]});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let node = |target: &str, containers: Value| {
            let volumes = json!([{"name": "shared", "host": {"sourcePath": path}}]);
            let tasks = json!([{"containers": containers, "volumes": volumes}]);
            json!({"targetNodes": target, "ecsProperties": {"taskProperties": tasks}})
        };
        let told = told.display();
        // The main node goes on until the other node's side container was told to end, which its own node must do.
        let waits = format!("until test -e {told}; do sleep 0.1; done; exit 5");
        let side = format!("trap 'touch {told}; exit 3' TERM; while :; do sleep 0.1; done");
        let ranges = json!([
            node(
                "0",
                json!([
                    container("main", &waits, more(after("first", "SUCCESS"))),
                    container("first", "echo first", more(json!({"essential": false}))),
                ])
            ),
            node(
                "1",
                json!([
                    container("main", "sleep 0.5; echo other", more(after("side", "START"))),
                    container("side", &side, more(json!({"essential": false}))),
                ])
            ),
        ]);
        let nodes = json!({"numNodes": 2, "mainNode": 0, "nodeRangeProperties": ranges});
        let detail =
            bench.run(json!({"jobDefinitionName": "d", "type": "multinode", "nodeProperties": nodes})).await;
        assert_eq!(detail.status, JobStatus::Failed);
        assert_eq!(detail.attempts[0].container.as_ref().unwrap().exit_code, Some(5));
        let codes =
            |node: &JobDetail| -> Vec<_> { containers(node).iter().map(|one| one.exit_code).collect() };
        let main = describe(&bench.engine, &detail.job_id.node(0)).await.unwrap();
        assert_eq!(codes(&main), [Some(5), Some(0)]);
        assert_eq!(bench.log(containers(&main)[1].log_stream_name.as_deref()).await, ["first"]);
        let other = describe(&bench.engine, &detail.job_id.node(1)).await.unwrap();
        assert_eq!((codes(&other), other.container.is_none()), (vec![Some(0), Some(3)], true));
        assert_eq!(other.attempts[0].task_properties[0].containers[1].exit_code, Some(3));
        assert_eq!(bench.log(containers(&other)[0].log_stream_name.as_deref()).await, ["other"]);
    }
}

#[tokio::test]
async fn what_a_node_leaves_that_does_not_end_when_asked_is_killed_after_the_grace() {
    let mut bench = Bench::new(None).await;
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let pid = pid.display();
    // The main node goes on until the other node's stubborn process is gone, which nothing but SIGKILL ends.
    let waits =
        format!("until test -s {pid}; do sleep 0.1; done; while kill -0 $(cat {pid}); do sleep 0.1; done");
    let stubborn = format!("trap '' TERM; echo $$ > {pid}; while :; do sleep 0.1; done");
    let task = json!({"taskProperties": [{"containers": [
        container("main", &format!("until test -s {pid}; do sleep 0.1; done"), json!({})),
        container("stubborn", &stubborn, json!({"essential": false})),
    ]}]});
    let ranges = json!([
        {"targetNodes": "0", "container": container("n", &waits, json!({}))},
        {"targetNodes": "1", "ecsProperties": task},
    ]);
    let nodes = json!({"numNodes": 2, "mainNode": 0, "nodeRangeProperties": ranges});
    let detail =
        bench.run(json!({"jobDefinitionName": "d", "type": "multinode", "nodeProperties": nodes})).await;
    assert_eq!(detail.status, JobStatus::Succeeded);
    let other = describe(&bench.engine, &detail.job_id.node(1)).await.unwrap();
    assert_eq!(containers(&other)[1].exit_code, Some(137));
}
