//! Each example does what the README says of it.

use serde_json::json;

use crate::support::{Folder, example};

#[test]
fn hello_runs_five_jobs_and_the_second_time_none() {
    let folder = Folder::new();
    let file = example("hello.yaml");
    let first = folder.run(&["run", &file, "--local"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stdout.starts_with("JOB "), "{first:?}");
    assert!(first.stdout.ends_with("5 jobs: 5 SUCCEEDED; 5 submitted, 0 skipped\n"), "{first:?}");
    assert!(first.stderr.contains("hello-1 RUNNING\n"), "a line a change: {first:?}");

    let before = folder.job("hello-3");
    let second = folder.run(&["run", &file, "--local"]);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.stdout.ends_with("5 jobs: 5 SUCCEEDED; 0 submitted, 5 skipped\n"), "{second:?}");
    assert_eq!(second.stderr, "", "nothing happened");
    assert_eq!(folder.job("hello-3"), before);

    let logs = folder.run(&["logs", "hello-3", "--local"]);
    assert_eq!((logs.code, logs.stdout.as_str()), (Some(0), "Hello\nBye\n"));
}

#[test]
fn the_pipeline_shows_dependencies_arrays_retries_and_failures() {
    let folder = Folder::new();
    let file = example("pipeline.yaml");
    let ended = folder.run(&["run", &file, "--local", "--output", "json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = ended.json();
    assert_eq!(told["counts"]["SUCCEEDED"], 5);
    assert_eq!(told["counts"]["FAILED"], 2);
    assert_eq!(told["run"], json!({"submitted": 7, "skipped": 0, "changed": 0, "rejected": 0, "unknown": 0}));

    let broken = folder.job("broken");
    assert_eq!((&broken["exitCode"], &broken["cause"]), (&json!(3), &json!("EXIT_CODE")));
    let after = folder.job("after-broken");
    assert_eq!(
        (&after["statusReason"], &after["cause"]),
        (&json!("Dependent Job failed"), &json!("DEPENDENCY"))
    );
    assert_eq!(folder.job("flaky")["attempts"], 2);
    assert_eq!(folder.job("tiles")["arraySize"], 20);

    let tiles = folder.run(&["logs", "tiles", "--local"]);
    let expected: String = (0..20).map(|index| format!("tile {index} of 20\n")).collect();
    assert_eq!(tiles.stdout, expected, "every child, in the order of its index");
    let mosaic = folder.run(&["logs", "mosaic", "--local"]);
    assert_eq!(mosaic.stdout, "a mosaic of 20 tiles\n", "a parameter was put in");
    let flaky = folder.run(&["logs", "flaky", "--local", "--output", "json"]);
    assert_eq!(flaky.json()["events"][0]["message"], "attempt 2");

    let children = folder.run(&["jobs", "tiles", "--local", "--submissions", "--output", "ndjson"]);
    assert_eq!(children.stdout.lines().count(), 21, "the job and its children");
    let status = folder.run(&["status", "--local", "--output", "json"]);
    assert_eq!((&status.json()["counts"]["FAILED"], &status.json()["total"]), (&json!(2), &json!(7)));
    let failed = folder.run(&["jobs", "--local", "--status", "FAILED", "--output", "json"]);
    assert_eq!(failed.json()["jobs"].as_array().unwrap().len(), 2);

    let plan = folder.run(&["plan", &file, "--local", "--output", "json"]);
    assert_eq!((&plan.json()["submit"], &plan.json()["skip"]), (&json!(2), &json!(5)));
    assert_eq!(
        folder.run(&["status", "--local", "--output", "json"]).stdout,
        status.stdout,
        "a plan submits nothing"
    );
}

#[test]
fn retries_are_made_for_the_causes_that_a_job_names_and_can_be_seen() {
    let folder = Folder::new();
    let file = example("retries.yaml");
    let ended = folder.run(&["run", &file, "--local", "--workdir", "."]);
    assert_eq!(ended.code, Some(1), "one is hopeless: {ended:?}");
    assert!(
        ended
            .stderr
            .contains("second-time FAILED EXIT_CODE (exit code 1), submitted again: EXIT_CODE, try 2 of 3\n"),
        "{ended:?}"
    );
    assert!(
        ended.stderr.contains("hopeless FAILED EXIT_CODE (exit code 3)\n"),
        "the second is the last: {ended:?}"
    );
    let all = "5 jobs: 4 SUCCEEDED, 1 FAILED; 5 submitted, 0 skipped; 3 submitted again (DEPENDENCY 1, EXIT_CODE 2)\n";
    assert!(ended.stdout.ends_with(all), "{ended:?}");
    let row = |name: &str| ended.stdout.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(row("second-time").contains("2 (EXIT_CODE)"), "{ended:?}");

    let told = folder.run(&["status", "hopeless", "--local", "--output", "json"]).json();
    assert_eq!(
        (&told["status"], &told["cause"], &told["maxTries"]),
        (&json!("FAILED"), &json!("EXIT_CODE"), &json!(4))
    );
    let tries = told["tries"].as_array().unwrap();
    assert_eq!(tries.len(), 2);
    for (tried, job_id) in tries.iter().zip(told["jobTries"].as_array().unwrap()) {
        assert_eq!((&tried["jobId"], &tried["jobQueue"]), (job_id, &json!("local")));
        assert_eq!((&tried["status"], &tried["cause"]), (&json!("FAILED"), &json!("EXIT_CODE")));
        let moment = |name: &str| tried[name].as_i64().unwrap();
        assert!(moment("submittedAt") > 0 && moment("startedAt") <= moment("stoppedAt"), "{tried}");
    }
    let shown = folder.run(&["status", "after-second-time", "--local"]);
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert!(lines[3].starts_with("TRY  JOB ID "), "{shown:?}");
    assert!(lines[4].contains(" local  FAILED     DEPENDENCY "), "{shown:?}");
    assert!(lines[5].contains(" local  SUCCEEDED  - "), "{shown:?}");
    let unknown = folder.run(&["status", "nobody", "--local"]);
    assert!(unknown.stderr.contains("no job, run or job file is named nobody"), "{unknown:?}");
    assert_eq!(folder.run(&["logs", "second-time", "--local"]).stdout, "done\n");
}

#[test]
fn a_file_for_the_aws_cli_and_json_lines_run_as_they_are() {
    let folder = Folder::new();
    for (name, jobs) in [("submit-job.json", 1), ("hello.jsonl", 2)] {
        let ended = folder.run(&["run", &example(name), "--local", "--output", "json"]);
        assert_eq!((ended.code, &ended.json()["run"]["submitted"]), (Some(0), &json!(jobs)), "{ended:?}");
    }
    assert_eq!(folder.run(&["logs", "as-for-the-aws-cli", "--local"]).stdout, "Hello\n");
}

#[test]
fn what_succeeded_runs_again_only_when_asked_and_a_changed_job_is_told() {
    let folder = Folder::new();
    let job = |text: &str| {
        format!(
            r#"{{"jobName": "job", "jobQueue": "q", "jobDefinition": "d", "command": ["echo", "{text}"]}}"#
        )
    };
    folder.write("job.json", job("one"));
    assert_eq!(folder.run(&["run", "job.json", "--local"]).code, Some(0));
    folder.write("job.json", job("two"));
    let changed = folder.run(&["run", "job.json", "--local"]);
    assert_eq!(changed.code, Some(0));
    assert!(changed.stderr.contains("job skipped: it SUCCEEDED with another spec"), "{changed:?}");
    let rerun = folder.run(&["run", "job.json", "--local", "--rerun"]);
    assert_eq!(rerun.code, Some(0), "{rerun:?}");
    assert_eq!(folder.job("job")["jobTries"].as_array().unwrap().len(), 2);
    assert_eq!(folder.run(&["logs", "job", "--local"]).stdout, "one\ntwo\n", "the logs of every try");
}

#[test]
fn a_simulation_runs_nothing_and_leaves_nothing() {
    let folder = Folder::new();
    folder.write("jobs.yaml", "{jobName: job, jobQueue: q, jobDefinition: d, command: [touch, made]}");
    let ended = folder.run(&["run", "jobs.yaml", "--local", "--simulate", "7", "--output", "json"]);
    assert_eq!(ended.json()["jobs"][0]["jobName"], "job", "{ended:?}");
    assert!(!folder.path("made").exists());
    assert!(!folder.path(".batchwright").exists());
}
