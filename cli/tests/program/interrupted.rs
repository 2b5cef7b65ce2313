//! Killed, interrupted, or started twice: no job runs a second time, and all end.

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ended, Folder};

/// Jobs that write a line when they start, and end when the file `go` is there.
const WAITING: &str = r#"
defaults:
  jobQueue: q
  jobDefinition: d
  command: ["sh", "-c", "echo $NAME >> started; until test -e go; do sleep 0.05; done; echo $NAME >> done"]
jobs:
  - {jobName: a, containerOverrides: {environment: [{name: NAME, value: a}]}}
  - {jobName: b, containerOverrides: {environment: [{name: NAME, value: b}]}}
  - {jobName: c, containerOverrides: {environment: [{name: NAME, value: c}]}}
  - {jobName: d, containerOverrides: {environment: [{name: NAME, value: d}]}}
  - {jobName: e, dependsOn: [{jobName: d}], containerOverrides: {environment: [{name: NAME, value: e}]}}
"#;

const RUN: &[&str] = &["run", "jobs.yaml", "--local", "--vcpus", "2", "--output", "json", "--workdir", "."];

fn assert_each_ran_once(folder: &Folder, ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.json()["counts"]["SUCCEEDED"], 5, "{ended:?}");
    for file in ["started", "done"] {
        let text = std::fs::read_to_string(folder.path(file)).unwrap();
        let mut names: Vec<&str> = text.lines().collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "c", "d", "e"], "{file}");
    }
}

fn assert_each_was_submitted_once(folder: &Folder) {
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(folder.job(name)["jobTries"].as_array().unwrap().len(), 1, "{name}");
    }
}

#[test]
fn killed_with_sigkill_and_run_again_every_job_runs_once() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let mut first = folder.start(RUN);
    folder.wait_until("two jobs run", |folder| folder.lines("started") == 2);
    first.kill().unwrap();
    first.wait().unwrap();

    let second = folder.start(RUN);
    folder.write("go", "");
    assert_each_ran_once(&folder, &Ended::of(second));
    assert_each_was_submitted_once(&folder);
}

#[test]
fn what_ended_while_nobody_watched_is_settled_with_its_own_exit_code() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let mut first = folder.start(RUN);
    folder.wait_until("two jobs run", |folder| folder.lines("started") == 2);
    first.kill().unwrap();
    first.wait().unwrap();
    folder.write("go", "");
    folder.wait_until("both have ended", |folder| folder.lines("done") == 2);

    assert_each_ran_once(&folder, &folder.run(RUN));
    assert_each_was_submitted_once(&folder);
}

#[test]
fn killed_again_and_again_every_job_still_runs_once() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    folder.write("go", "");
    for kills in 1..=8 {
        let mut process = folder.start(RUN);
        folder.wait_until("something has happened", |folder| {
            folder.lines("started") >= kills / 2 && folder.path(".batchwright/state.db").exists()
        });
        process.kill().unwrap();
        process.wait().unwrap();
    }
    // Killed between writing down that a job starts and starting it, the engine finds its host lost:
    // then it is submitted again, though its command runs once.
    assert_each_ran_once(&folder, &folder.run(RUN));
}

#[test]
fn ctrl_c_kills_nothing_and_says_how_to_go_on() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let first = folder.start(RUN);
    folder.wait_until("two jobs run and all are submitted", |folder| {
        folder.lines("started") == 2
            && folder.run(&["status", "--local", "--output", "json"]).json()["total"] == 5
            && folder.job("e")["status"] == "PENDING"
    });
    let pid = Pid::from_raw(first.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ended = Ended::of(first);
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(ended.stderr.contains("interrupted: 5 jobs not ended; what runs goes on by itself"), "{ended:?}");

    folder.write("go", "");
    assert_each_ran_once(&folder, &folder.run(RUN));
}

#[test]
fn a_second_process_on_the_same_state_is_refused_and_can_look() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let first = folder.start(RUN);
    folder.wait_until("two jobs run", |folder| folder.lines("started") == 2);
    let second = folder.run(RUN);
    assert_eq!(second.code, Some(3), "{second:?}");
    assert!(second.stderr.contains(&format!("is in use by process {}", first.id())), "{second:?}");
    folder.wait_until("the state shows them", |folder| {
        folder.run(&["status", "--local", "--output", "json"]).json()["counts"]["RUNNING"] == 2
    });
    folder.write("go", "");
    assert_each_ran_once(&folder, &Ended::of(first));
}

#[test]
fn a_job_whose_processes_were_killed_with_the_engine_is_submitted_again() {
    let folder = Folder::new();
    folder.write(
        "jobs.yaml",
        r#"{jobName: job, jobQueue: q, jobDefinition: d,
            command: ["sh", "-c", "echo $PPID >> attendant; until test -e go; do sleep 0.05; done"]}"#,
    );
    let mut first = folder.start(RUN);
    folder.wait_until("the job runs", |folder| folder.lines("attendant") == 1);
    first.kill().unwrap();
    first.wait().unwrap();
    let attendant: i32 = std::fs::read_to_string(folder.path("attendant")).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(attendant).unwrap(), Signal::KILL).unwrap();
    folder.write("go", "");

    let ended = folder.run(RUN);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(folder.lines("attendant"), 2, "it ran again");
    let tries = folder.run(&["jobs", "job", "--local", "--submissions", "--output", "json"]).json();
    assert_eq!(tries["jobs"][1]["cause"], "HOST_LOST", "{tries}");
    assert_eq!(tries["jobs"][0]["jobTries"].as_array().unwrap().len(), 2);
}

#[test]
fn a_child_whose_processes_were_killed_is_run_again_alone_with_its_index() {
    let folder = Folder::new();
    folder.write(
        "jobs.yaml",
        r#"{jobName: tiles, jobQueue: q, jobDefinition: d, arrayProperties: {size: 3}, resubmitChildren: true,
            command: ["sh", "-c", "index=${BATCHWRIGHT_ARRAY_INDEX:-$AWS_BATCH_JOB_ARRAY_INDEX};
                echo $index >> started; test $index != 1 || echo $PPID >> attendant; until test -e go; do sleep 0.05; done;
                echo $index of ${BATCHWRIGHT_ARRAY_SIZE:-many} >> done"]}"#,
    );
    let run = &["run", "jobs.yaml", "--local", "--vcpus", "3", "--workdir", "."];
    let mut first = folder.start(run);
    folder.wait_until("all children run", |folder| {
        folder.lines("started") == 3 && folder.lines("attendant") == 1
    });
    first.kill().unwrap();
    first.wait().unwrap();
    let attendant: i32 = std::fs::read_to_string(folder.path("attendant")).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(attendant).unwrap(), Signal::KILL).unwrap();
    folder.write("go", "");

    let ended = folder.run(run);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.ends_with("1 job: 1 SUCCEEDED; 0 submitted, 1 skipped\n"), "{ended:?}");
    assert_eq!(folder.job("tiles--bw-child-1")["jobTries"].as_array().unwrap().len(), 1);
    let text = std::fs::read_to_string(folder.path("done")).unwrap();
    let mut done: Vec<&str> = text.lines().filter(|line| !line.starts_with("1 of many")).collect();
    done.sort_unstable();
    assert_eq!(done, ["0 of many", "1 of 3", "2 of many"], "the others ran once");
    let array = folder.job("tiles");
    assert_eq!(
        (&array["status"], &array["cause"]),
        (&"SUCCEEDED".into(), &serde_json::Value::Null),
        "{array}"
    );
    let tries = folder.run(&["status", "tiles", "--local", "--output", "json"]).json();
    assert_eq!(
        (&tries["tries"][0]["status"], &tries["tries"][0]["cause"]),
        (&"FAILED".into(), &"CHILD".into())
    );

    let again = folder.run(run);
    assert!(again.stdout.ends_with("1 job: 1 SUCCEEDED; 0 submitted, 1 skipped\n"), "{again:?}");
    assert_eq!(folder.lines("started"), 4);
}

#[test]
fn a_pass_of_the_reconciler_settles_what_ended_meanwhile_and_starts_nothing() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WAITING);
    let mut first = folder.start(RUN);
    folder.wait_until("two jobs run", |folder| folder.lines("started") == 2);
    let refused = folder.run(&["reconcile", "--local"]);
    assert!(refused.stderr.contains("is in use by process"), "{refused:?}");
    first.kill().unwrap();
    first.wait().unwrap();
    folder.write("go", "");
    folder.wait_until("both are settled", |folder| {
        let pass = folder.run(&["reconcile", "--local", "--output", "json"]);
        assert_eq!((pass.code, &pass.json()["lost"]), (Some(0), &0.into()), "{pass:?}");
        folder.run(&["status", "--local", "--output", "json"]).json()["counts"]["SUCCEEDED"] == 2
    });
    assert_eq!(folder.lines("started"), 2);
    let again = folder.run(&["reconcile", "--local"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stdout.starts_with("0 claims adopted, 0 released"), "{again:?}");
}
