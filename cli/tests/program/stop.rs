//! Runs and jobs that a person stops, from another process.

use std::io::{BufRead, BufReader};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Ended, Folder};

/// Jobs that write a line when they start, and end when the file `go` is there.
const WAITING: &str = r#"
defaults:
  jobQueue: q
  jobDefinition: d
  command: ["sh", "-c", "echo $AWS_BATCH_JOB_ID >> started; until test -e go; do sleep 0.05; done"]
jobs:
  - {jobName: tile-1}
  - {jobName: tile-2}
  - {jobName: tile-3}
  - {jobName: other}
  - {jobName: after, dependsOn: [{jobName: tile-3}]}
"#;

const RUN: &[&str] = &["run", "jobs.yaml", "--local", "--vcpus", "2", "--output", "json", "--workdir", "."];

fn only_run(folder: &Folder) -> Value {
    let runs = folder.run(&["runs", "--local", "--output", "json"]).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs}");
    runs["runs"][0].clone()
}

fn causes(folder: &Folder, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| folder.job(name)["cause"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until two jobs run and all are known.
fn wait_until_under_way(folder: &Folder) {
    folder.wait_until("two jobs run and all are submitted", |folder| {
        folder.lines("started") == 2
            && folder.run(&["status", "--local", "--output", "json"]).json()["total"] == 5
            && folder.job("after")["status"] == "PENDING"
    });
}

#[test]
fn a_run_is_terminated_while_another_process_runs_it() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let running = folder.start(RUN);
    wait_until_under_way(&folder);
    let run = only_run(&folder);
    let run_id = run["runId"].as_str().unwrap();
    let source = folder.path("jobs.yaml");
    assert_eq!((run["source"].as_str(), &run["counts"]["submitted"]), (source.to_str(), &5.into()), "{run}");

    let asked = folder.run(&["terminate", run_id, "--local", "--yes", "--reason", "no longer wanted"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let said = format!(
        "run {run_id} is cancelled: it submits nothing more\n5 jobs asked to stop, 0 not under way, 0 run on, 0 not stopped\n"
    );
    assert_eq!(asked.stdout, said, "{asked:?}");

    let ended = Ended::of(running);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&format!("the run {run_id} was cancelled: no longer wanted")), "{ended:?}");
    assert_eq!(only_run(&folder)["state"], "CANCELLED");
    assert_eq!(folder.lines("started"), 2, "what waited was never started");
    let names = ["tile-1", "tile-2", "tile-3", "other", "after"];
    assert_eq!(causes(&folder, &names), ["TERMINATED"; 5]);
    assert_eq!(folder.job("tile-1")["statusReason"], "no longer wanted");
    let counts = folder.run(&["status", run_id, "--local", "--output", "json"]).json();
    assert_eq!((&counts["counts"]["FAILED"], &counts["total"]), (&5.into(), &5.into()), "{counts}");
}

#[test]
fn a_cancelled_run_lets_its_running_jobs_go_on_and_submits_nothing_more() {
    let folder = Folder::new();
    // More than the engine takes at once: the rest waits to be submitted.
    let job = |number| {
        format!(
            r#"{{"jobName": "job-{number}", "jobQueue": "q", "jobDefinition": "d", "command": ["sh", "-c", "echo >> started; until test -e go; do sleep 0.05; done"]}}"#
        )
    };
    folder.write("jobs.jsonl", (0..1_300).map(job).collect::<Vec<_>>().join("\n"));
    let running = folder.start(&["run", "jobs.jsonl", "--local", "--vcpus", "2", "--workdir", "."]);
    folder.wait_until("a thousand jobs are submitted", |folder| {
        folder.lines("started") == 2
            && folder.run(&["status", "--local", "--output", "json"]).json()["counts"]["RUNNABLE"]
                .as_u64()
                .is_some_and(|runnable| runnable >= 998)
    });
    let run = only_run(&folder);
    assert_eq!(run["state"], "SUBMITTING");
    let run_id = run["runId"].as_str().unwrap();

    let asked = folder.run(&["cancel", run_id, "--local", "--yes"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert!(asked.stdout.contains("it is RUNNING; terminate stops it"), "{asked:?}");
    folder.write("go", "");
    let ended = Ended::of(running);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(folder.lines("started"), 2, "the others were cancelled, or never submitted");
    let run = only_run(&folder);
    assert_eq!(run["state"], "CANCELLED", "{run}");
    let known = folder.run(&["status", run_id, "--local", "--output", "json"]).json();
    assert_eq!(known["counts"]["SUCCEEDED"], 2, "{known}");
    assert!(known["total"].as_u64().unwrap() < 1_300, "{known}");
}

#[test]
fn what_a_killed_process_left_is_terminated_and_nothing_else_is_started() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let mut running = folder.start(RUN);
    wait_until_under_way(&folder);
    running.kill().unwrap();
    running.wait().unwrap();

    let asked = folder.run(&["terminate", "jobs.yaml", "--local", "--yes", "--output", "json"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert_eq!(asked.json()["counts"]["requested"], 5, "{asked:?}");
    assert_eq!(folder.lines("started"), 2);
    assert_eq!(causes(&folder, &["tile-1", "other", "after"]), ["TERMINATED"; 3]);
    let again = folder.run(&["terminate", "tile-*", "--local", "--yes", "--output", "json"]).json();
    assert_eq!(
        again["counts"],
        serde_json::json!({"requested": 0, "ended": 3, "runsOn": 0, "notStopped": 0})
    );
}

#[test]
fn ctrl_c_cancels_a_run_that_was_started_so() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let running = folder.start(&[RUN, &["--on-interrupt", "cancel"]].concat());
    wait_until_under_way(&folder);
    let pid = Pid::from_raw(running.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ended = Ended::of(running);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("cancelling the run run-"), "{ended:?}");
    assert!(ended.stderr.contains("was cancelled: interrupted with Ctrl-C"), "{ended:?}");
    assert_eq!(ended.json()["counts"]["FAILED"], 5, "{ended:?}");
    let run = only_run(&folder);
    assert_eq!((&run["state"], &run["end"]["outcome"]), (&"CANCELLED".into(), &"CANCELLED".into()), "{run}");
}

#[test]
fn a_run_that_is_cancelled_without_a_process_has_its_end_at_once() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let mut running = folder.start(RUN);
    wait_until_under_way(&folder);
    running.kill().unwrap();
    running.wait().unwrap();
    let run_id = only_run(&folder)["runId"].as_str().unwrap().to_owned();
    let asked = folder.run(&["terminate", &run_id, "--local", "--yes"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let run = only_run(&folder);
    assert_eq!((&run["state"], &run["end"]["failed"]), (&"CANCELLED".into(), &5.into()), "{run}");
}

#[test]
fn jobs_are_chosen_by_patterns_and_causes() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let running = folder.start(RUN);
    wait_until_under_way(&folder);
    let asked = folder.run(&["cancel", "tile-[23]", "after", "--local", "--yes", "--output", "ndjson"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let none = folder.run(&["terminate", "--cause", "HOST_LOST", "--local", "--yes"]);
    assert!(none.stdout.starts_with("0 jobs asked to stop, 0 not under way"), "{none:?}");
    let one = folder.run(&["terminate", "jobs.yaml", "--cause", "cancelled", "--local", "--yes"]);
    assert!(one.stdout.contains("not under way, 0 run on, 0 not stopped"), "{one:?}");
    folder.write("go", "");
    let ended = Ended::of(running);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let cancelled = ["tile-2", "tile-3"].map(|name| folder.job(name)["cause"] == "CANCELLED");
    assert_eq!(ended.json()["counts"]["FAILED"], 1 + u64::from(cancelled[0]) + u64::from(cancelled[1]));
}

#[test]
fn a_running_endpoint_takes_requests_and_nobody_is_asked_without_a_terminal() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let running = folder.start(RUN);
    wait_until_under_way(&folder);
    let asked = folder.run(&["terminate", "tile-1", "--local"]);
    assert_eq!(asked.code, Some(2), "{asked:?}");
    assert!(asked.stderr.contains("terminate asks before it acts; give --yes"), "{asked:?}");
    let pid = Pid::from_raw(running.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    Ended::of(running);

    let mut endpoint = folder.start(&["serve", "--local", "--vcpus", "2", "--output", "json"]);
    // It says where it listens when the folder is its own. A run that began before would take the folder.
    let mut stdout = BufReader::new(endpoint.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    let refused = folder.run(&["run", "jobs.yaml", "--local"]);
    assert!(refused.stderr.contains("is in use by process"), "{refused:?}");
    let asked = folder.run(&["terminate", "jobs.yaml", "--local", "--yes"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert!(asked.stdout.starts_with("5 jobs asked to stop"), "{asked:?}");
    endpoint.kill().unwrap();
    endpoint.wait().unwrap();
    folder.write("go", "");
    let ended = folder.run(RUN);
    assert_eq!(folder.lines("started"), 2 + 5, "{ended:?}");
}

#[test]
fn a_try_that_ended_while_nobody_looked_is_not_run_again_once_its_job_was_asked_to_stop() {
    let folder = Folder::new();
    folder.write(
        "jobs.yaml",
        r#"
local: {workdir: .}
defaults: {jobQueue: q, jobDefinition: d}
jobs:
  - {jobName: flawed, command: ["sh", "-c", "echo ran >> did; until test -e go; do sleep 0.1; done; echo end >> did; exit 1"], retryOn: [EXIT_CODE], maxTries: 3}
"#,
    );
    let mut running = folder.start(&["run", "jobs.yaml", "--local"]);
    folder.wait_until("it runs", |folder| folder.lines("did") == 1);
    running.kill().unwrap();
    running.wait().unwrap();
    folder.write("go", "");
    folder.wait_until("it has ended", |folder| folder.lines("did") == 2);
    let asked = folder.run(&["terminate", "flawed", "--local", "--yes"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert_eq!(folder.job("flawed")["status"], "FAILED");
    folder.write("other.yaml", "[{jobName: other, jobQueue: q, jobDefinition: d, command: ['true']}]");
    assert_eq!(folder.run(&["run", "other.yaml", "--local"]).code, Some(0));
    assert_eq!(folder.lines("did"), 2, "it ran once");
}

#[test]
fn ctrl_c_cancels_what_the_run_took_up_too() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let mut first = folder.start(RUN);
    wait_until_under_way(&folder);
    first.kill().unwrap();
    first.wait().unwrap();
    let again = folder.start(&[RUN, &["--on-interrupt", "cancel"]].concat());
    folder.wait_until("the other run is there", |folder| {
        let runs = folder.run(&["runs", "--local", "--output", "json"]).json();
        runs["runs"].as_array().is_some_and(|runs| runs.len() == 2)
    });
    kill_process(Pid::from_raw(again.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    let ended = Ended::of(again);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(folder.lines("started"), 2, "nothing was started anew");
    assert_eq!(causes(&folder, &["tile-1", "tile-2"]), ["TERMINATED"; 2]);
}
