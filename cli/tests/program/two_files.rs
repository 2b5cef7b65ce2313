//! Two job files that share a state folder: each run starts, waits for and tells of its own jobs.

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ended, Folder};

/// `a1` runs until the file `go` is there, and `a2` after it. Each start is written down with its folder and a variable.
fn a_file(folder: &Folder, local: &str) -> String {
    let here = folder.path("").display().to_string();
    format!(
        r#"
{local}
defaults: {{jobQueue: q, jobDefinition: d}}
jobs:
  - {{jobName: a1, command: ["sh", "-c", "echo $PWD ${{E-unset}} $PPID >> {here}a1; until test -e {here}go; do sleep 0.05; done"]}}
  - {{jobName: a2, dependsOn: [{{jobName: a1}}], command: ["sh", "-c", "echo $PWD ${{E-unset}} >> {here}a2; rm -f *.txt"]}}
"#
    )
}

const B: &str = r#"[{"jobName": "b", "jobQueue": "q", "jobDefinition": "d", "command": ["true"]}]"#;

/// Runs `a.yaml` until its first job has started, and leaves it.
fn leave(folder: &Folder, args: &[&str]) {
    let mut process = folder.start(&[&["run", "a.yaml", "--local"], args].concat());
    folder.wait_until("both are submitted and one runs", |folder| {
        folder.lines("a1") == 1 && folder.job("a2")["status"] == "PENDING"
    });
    process.kill().unwrap();
    process.wait().unwrap();
}

fn pid_of_the_attendant(folder: &Folder) -> Pid {
    let line = std::fs::read_to_string(folder.path("a1")).unwrap();
    Pid::from_raw(line.split_whitespace().nth(2).unwrap().parse().unwrap()).unwrap()
}

/// Folder and variable of a job's latest start.
fn started(folder: &Folder, job: &str) -> (String, String) {
    let text = std::fs::read_to_string(folder.path(job)).unwrap();
    let mut words = text.lines().last().unwrap().split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

fn assert_nothing_is_kept_of_ended_runs(folder: &Folder) {
    let kept = std::fs::read_dir(folder.path(".batchwright/setups")).unwrap();
    assert_eq!(kept.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn whoever_takes_a_job_up_starts_it_as_its_own_run_said() {
    /// What the first run is given, what the next one is, whether the jobs run in the folder, and what they see of `E`.
    type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], bool, &'a str);
    let cases: [Case<'_>; 3] = [
        ("", &[], &["--workdir", ".", "--env", "E=theirs"], false, "unset"),
        ("local: {workdir: .}", &["--env", "E=mine"], &[], true, "mine"),
        ("", &["--workdir", "."], &["--env", "E=theirs"], true, "unset"),
    ];
    for (local, first, next, is_here, variable) in cases {
        for is_lost in [false, true] {
            let folder = Folder::new();
            folder.write("a.yaml", a_file(&folder, local));
            folder.write("b.json", B);
            leave(&folder, first);
            if is_lost {
                kill_process(pid_of_the_attendant(&folder), Signal::KILL).unwrap();
            }
            folder.write("go", "");
            folder.write("precious.txt", "");
            for _ in 0..2 {
                let ended = folder.run(&[&["run", "b.json", "--local"], next].concat());
                assert_eq!(ended.code, Some(0), "{ended:?}");
            }
            folder.wait_until("the next one has taken both up", |folder| {
                folder.run(&[&["run", "b.json", "--local"], next].concat());
                folder.job("a2")["status"] == "SUCCEEDED"
            });
            let here = std::fs::canonicalize(folder.path("")).unwrap().display().to_string();
            for job in if is_lost { &["a1", "a2"][..] } else { &["a2"] } {
                let (place, seen) = started(&folder, job);
                assert_eq!(
                    (place == here, seen.as_str()),
                    (is_here, variable),
                    "{job} in {place}, {first:?}"
                );
            }
            assert_eq!(folder.lines("a1"), 1 + usize::from(is_lost));
            assert_eq!(folder.path("precious.txt").exists(), !is_here);
            // The next run sees that the first has ended.
            folder.run(&["run", "b.json", "--local"]);
            assert_nothing_is_kept_of_ended_runs(&folder);
        }
    }
}

#[test]
fn the_same_file_with_other_options_starts_what_is_left_of_it_by_these() {
    let folder = Folder::new();
    folder.write("a.yaml", a_file(&folder, ""));
    leave(&folder, &["--env", "E=first"]);
    folder.write("go", "");
    let ended = folder.run(&["run", "a.yaml", "--local", "--workdir", ".", "--env", "E=second"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let here = std::fs::canonicalize(folder.path("")).unwrap().display().to_string();
    assert_eq!(started(&folder, "a2"), (here, "second".into()));
    assert_nothing_is_kept_of_ended_runs(&folder);
}

#[test]
fn a_job_whose_setup_was_removed_is_started_by_no_other() {
    let folder = Folder::new();
    folder.write("a.yaml", a_file(&folder, ""));
    folder.write("b.json", B);
    leave(&folder, &[]);
    std::fs::remove_dir_all(folder.path(".batchwright/setups")).unwrap();
    folder.write("go", "");
    folder.wait_until("it has ended", |folder| {
        folder.run(&["run", "b.json", "--local", "--workdir", "."]);
        folder.job("a2")["status"] == "FAILED"
    });
    folder.run(&["run", "b.json", "--local", "--workdir", "."]);
    let reason = folder.job("a2")["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("run its job file again"), "{}", folder.job("a2"));
    assert!(!folder.path("a2").exists());
}

#[test]
fn a_run_waits_for_its_own_jobs_and_says_what_it_leaves() {
    let folder = Folder::new();
    folder.write("a.yaml", a_file(&folder, ""));
    folder.write("b.json", B);
    leave(&folder, &[]);
    let ended = folder.run(&["run", "b.json", "--local"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let left = "left to others: 2 jobs of other files (a.yaml) not ended; what runs goes on by itself";
    assert!(ended.stderr.contains(left), "{ended:?}");

    // A job that it names itself is its own, whoever has submitted it.
    folder.write(
        "c.json",
        r#"[{"jobName": "a1", "jobQueue": "q", "jobDefinition": "d", "command": ["true"]}]"#,
    );
    let taking_up = folder.start(&["run", "c.json", "--local", "--output", "json"]);
    folder.wait_until("its file is read", |folder| {
        let runs = folder.run(&["runs", "--local", "--output", "json"]).json();
        let runs = runs["runs"].as_array().unwrap().iter();
        runs.filter(|run| run["source"].as_str().unwrap().ends_with("/c.json") && run["state"] == "SUBMITTED")
            .count()
            == 1
    });
    folder.write("go", "");
    let ended = Ended::of(taking_up);
    assert_eq!((ended.code, &ended.json()["counts"]["SUCCEEDED"]), (Some(0), &1.into()), "{ended:?}");

    let ended = folder.run(&["run", "a.yaml", "--local"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("left to others"), "{ended:?}");
    assert_eq!((folder.lines("a1"), folder.lines("a2")), (1, 1));
}

#[test]
fn a_job_of_another_file_that_can_not_fit_blocks_no_run() {
    let folder = Folder::new();
    folder.write(
        "a.json",
        r#"[{"jobName": "large", "jobQueue": "q", "jobDefinition": "d", "command": ["true"], "arrayProperties": {"size": 3},
            "containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "64"}]}}]"#,
    );
    folder.write("b.json", B);
    let ended = folder.run(&["run", "a.json", "--local", "--vcpus", "2"]);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("blocked: 1 job not ended"), "an array is one: {ended:?}");
    let ended = folder.run(&["run", "b.json", "--local", "--vcpus", "2"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("left to others: 1 job of other files (a.json) not ended"), "{ended:?}");
    let ended = folder.run(&["run", "a.json", "--local", "--vcpus", "64"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn what_is_left_of_arrays_is_counted_by_jobs() {
    let folder = Folder::new();
    folder.write(
        "a.json",
        r#"[{"jobName": "tiles", "jobQueue": "q", "jobDefinition": "d", "arrayProperties": {"size": 3},
            "command": ["sh", "-c", "echo >> started; until test -e go; do sleep 0.05; done"]}]"#,
    );
    let run = &["run", "a.json", "--local", "--vcpus", "3", "--workdir", "."];
    let first = folder.start(run);
    folder.wait_until("all children run", |folder| folder.lines("started") == 3);
    kill_process(Pid::from_raw(first.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    let ended = Ended::of(first);
    assert!(ended.stderr.contains("interrupted: 1 job not ended;"), "{ended:?}");
    folder.write("go", "");
    assert_eq!(folder.run(run).code, Some(0));
}

#[test]
fn a_blocked_run_does_not_wait_for_jobs_of_other_files() {
    let folder = Folder::new();
    folder.write("a.yaml", a_file(&folder, ""));
    leave(&folder, &[]);
    let large = r#"{"jobName": "large", "jobQueue": "q", "jobDefinition": "d", "command": ["true"],
        "containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "64"}]}}"#;
    let job = |name: &str, needs: &str| {
        format!(
            r#"{{"jobName": "{name}", "jobQueue": "q", "jobDefinition": "d", "command": ["true"], "dependsOn": [{{"jobName": "{needs}"}}]}}"#
        )
    };
    folder.write("b.json", format!("[{large}, {}]", job("after", "large")));
    let blocked = folder.run(&["run", "b.json", "--local", "--vcpus", "2"]);
    assert_eq!(blocked.code, Some(5), "{blocked:?}");
    assert!(blocked.stderr.contains("blocked: 2 jobs not ended"), "{blocked:?}");
    assert!(
        blocked.stderr.contains("left to others: 2 jobs of other files (a.yaml) not ended"),
        "{blocked:?}"
    );
    assert_eq!(folder.job("a1")["status"], "RUNNING", "it goes on");
    folder.write("go", "");
    assert_eq!(folder.run(&["run", "a.yaml", "--local", "--vcpus", "2"]).code, Some(0));
}
