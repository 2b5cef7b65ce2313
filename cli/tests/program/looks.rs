//! Logs, states and the machine, looked at while jobs run and after.

use crate::support::{Ended, Folder};

/// Jobs that write three lines; the last when the file `go` is there.
const WRITING: &str = r#"
defaults:
  jobQueue: q
  jobDefinition: d
  command: ["sh", "-c", "echo one; echo two >&2; until test -e go; do sleep 0.05; done; echo three"]
jobs:
  - {jobName: tile-1}
  - {jobName: tile-2}
  - {jobName: parts, arrayProperties: {size: 2}, command: ["sh", "-c", "echo part $AWS_BATCH_JOB_ARRAY_INDEX"]}
"#;

const RUN: &[&str] = &["run", "jobs.yaml", "--local", "--vcpus", "4", "--workdir", "."];

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn logs_are_followed_until_the_jobs_have_ended() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WRITING);
    let running = folder.start(RUN);
    folder.wait_until("the jobs have written", |folder| {
        sorted(&folder.run(&["logs", "tile-*", "--local"]).stdout).len() == 4
    });
    let following = folder.start(&["logs", "tile-1", "tile-2", "--local", "--follow"]);
    let watching = folder.start(&["watch", "jobs.yaml", "--local"]);
    folder.write("go", "");
    let followed = Ended::of(following);
    assert_eq!(followed.code, Some(0), "{followed:?}");
    let expected =
        ["one", "three", "two"].map(|word| ["tile-1", "tile-2"].map(|job| format!("{job} | {word}")));
    let mut expected: Vec<String> = expected.into_iter().flatten().collect();
    expected.sort_unstable();
    assert_eq!(sorted(&followed.stdout), expected, "each line once");
    let watched = Ended::of(watching);
    assert_eq!((watched.code, watched.stdout.as_str()), (Some(0), "3 jobs: 3 SUCCEEDED\n"), "{watched:?}");
    assert_eq!(Ended::of(running).code, Some(0));
}

#[test]
fn logs_are_chosen_by_text_child_time_and_written_into_files() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WRITING);
    folder.write("go", "");
    assert_eq!(folder.run(RUN).code, Some(0));
    let logs = |args: &[&str]| folder.run(&[&["logs"], args, &["--local"]].concat());
    assert_eq!(sorted(&logs(&["tile-*", "--grep", "thr"]).stdout), ["tile-1 | three", "tile-2 | three"]);
    assert_eq!(logs(&["parts", "--child", "1"]).stdout, "part 1\n");
    let parts = folder.run(&["status", "parts", "--local", "--output", "json"]).json();
    let job_id = parts["jobId"].as_str().unwrap_or_else(|| panic!("{parts}")).to_owned();
    for word in [job_id.clone(), format!("{job_id}:1")] {
        let by_id = logs(&[&word]);
        assert_eq!(by_id.code, Some(4), "{by_id:?}");
        let remedy = format!("{word} is the id of a submission of parts: give the job's name");
        assert!(by_id.stderr.contains(&remedy), "{by_id:?}");
    }
    assert_eq!(logs(&["parts", "--job-id", &format!("{job_id}:1")]).stdout, "part 1\n");
    assert_eq!(logs(&["tile-1", "--attempt", "2"]).stdout, "");
    assert_eq!(logs(&["tile-1", "--since", "1h", "--attempt", "1"]).stdout.lines().count(), 3);
    assert_eq!(logs(&["tile-1", "--since", "soon"]).code, Some(2));
    let json = logs(&["tile-1", "--output", "json"]).json();
    assert_eq!((&json["jobName"], json["events"].as_array().unwrap().len()), (&"tile-1".into(), 3));
    // The second call writes what the first has written, and no line twice.
    for _ in 0..2 {
        let written = logs(&["jobs.yaml", "--out", "logs"]);
        assert_eq!((written.code, written.stdout.as_str()), (Some(0), "logs: 5 files\n"), "{written:?}");
    }
    let files = std::fs::read_dir(folder.path("logs/parts")).unwrap();
    let texts: Vec<String> = files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .filter(|text| !text.is_empty())
        .collect();
    assert_eq!(sorted(&texts.concat()), ["part 0", "part 1"]);
}

#[test]
fn the_doctor_says_what_is_missing_and_how_to_mend_it() {
    let folder = Folder::new();
    let ill = folder.run(&["doctor", "--local"]);
    assert_eq!(ill.code, Some(1), "{ill:?}");
    assert!(ill.stdout.contains("→ run a job file: the first run makes the folder"), "{ill:?}");
    folder.write("jobs.yaml", WRITING);
    folder.write("go", "");
    folder.run(RUN);
    let well = folder.run(&["doctor", "--local", "--output", "json"]);
    assert_eq!((well.code, &well.json()["isWell"]), (Some(0), &true.into()), "{well:?}");
}

#[test]
fn jobs_are_exported_with_all_of_their_submissions_and_forgotten() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WRITING);
    folder.write("go", "");
    folder.run(RUN);
    let exported = folder.run(&["store", "export", "--local"]);
    let lines: Vec<serde_json::Value> =
        exported.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    let parts = lines.iter().find(|line| line["head"]["spec"]["jobName"] == "parts").unwrap();
    assert_eq!(parts["submissions"].as_array().unwrap().len(), 3, "the array and its children");
    let asked = folder.run(&["store", "remove", "tile-*", "--local"]);
    assert_eq!(asked.code, Some(2), "{asked:?}");
    let removed = folder.run(&["store", "remove", "tile-*", "--local", "--yes"]);
    assert_eq!(removed.stdout, "2 jobs removed, 0 under way left alone\n", "{removed:?}");
    assert_eq!(folder.run(&["status", "--local", "--output", "json"]).json()["total"], 1);
}

#[test]
fn shells_and_man_learn_of_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.run(&["completions", shell]);
        assert!(script.code == Some(0) && script.stdout.contains("terminate"), "{shell}");
    }
    let man = folder.run(&["man", "pages"]);
    assert_eq!(man.code, Some(0), "{man:?}");
    assert!(folder.path("pages/batchwright-rerun.1").exists() && folder.path("pages/batchwright.1").exists());
}

/// Every way to end.
const ENDING: &str = r#"
defaults: {jobQueue: q, jobDefinition: d}
jobs:
  - {jobName: well, command: ["true"]}
  - {jobName: failing, command: ["false"]}
  - {jobName: parts, arrayProperties: {size: 2}, command: ["true"]}
"#;

#[test]
fn old_jobs_and_runs_are_forgotten_and_nothing_else() {
    let folder = Folder::new();
    folder.write("jobs.yaml", ENDING);
    folder.run(&["run", "jobs.yaml", "--local"]);
    let run = folder.run(&["runs", "--local", "--output", "json"]).json()["runs"][0].clone();
    let end = &run["end"];
    assert_eq!(
        (&end["outcome"], &end["succeeded"], &end["failed"]),
        (&"FAILED".into(), &2.into(), &1.into())
    );
    let shown = folder.run(&["runs", "--local"]).stdout;
    assert!(shown.contains("SUCCEEDED") && shown.contains("ENDED"), "{shown}");
    let asked = folder.run(&["prune", "--older-than", "30d", "--local"]);
    assert_eq!(asked.code, Some(2), "nobody can answer: {asked:?}");
    let recent = folder.run(&["prune", "--older-than", "30d", "--local", "--yes"]);
    assert_eq!(recent.code, Some(0), "{recent:?}");
    assert!(recent.stdout.starts_with("0 jobs and 0 runs forgotten"), "{recent:?}");
    let before = folder.run(&["status", "--local", "--output", "json"]).json()["total"].as_u64().unwrap();
    let pruned = folder.run(&["prune", "--older-than", "0h", "--local", "--yes"]);
    assert!(pruned.stdout.starts_with(&format!("{before} jobs and 1 run forgotten")), "{pruned:?}");
    assert_eq!(folder.run(&["status", "--local", "--output", "json"]).json()["total"], 0);
    assert_eq!(folder.run(&["runs", "--local"]).stdout, "no runs\n");
    let wrong = folder.run(&["prune", "--older-than", "30", "--local"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("as in 10m or 30d"), "{wrong:?}");
    // A forgotten name is a new one.
    let again = folder.run(&["run", "jobs.yaml", "--local", "--output", "json"]).json();
    assert_eq!(again["run"]["skipped"], 0, "{again}");
}

const WITH_A_SLOW_ONE: &str = r#"
defaults: {jobQueue: q, jobDefinition: d}
jobs:
  - {jobName: slow, command: [sleep, "60"]}
  - {jobName: quick, command: ["true"]}
  - {jobName: after, command: ["true"], dependsOn: [{jobName: slow}]}
"#;

#[test]
fn what_a_run_that_goes_on_still_needs_is_not_forgotten() {
    let folder = Folder::new();
    folder.write("jobs.yaml", WITH_A_SLOW_ONE);
    let running = folder.start(&["run", "jobs.yaml", "--local"]);
    folder.wait_until("all are submitted", |folder| {
        let status = folder.run(&["status", "--local", "--output", "json"]);
        status.code == Some(0) && status.json()["total"] == 3
    });
    folder.wait_until("one has ended", |folder| folder.job("quick")["status"] == "SUCCEEDED");
    let pruned = folder.run(&["prune", "--older-than", "0h", "--local", "--yes"]);
    assert!(pruned.stdout.starts_with("0 jobs and 0 runs forgotten"), "{pruned:?}");
    folder.run(&["terminate", "jobs.yaml", "--local", "--yes"]);
    Ended::of(running);
    let pruned = folder.run(&["prune", "--older-than", "0h", "--local", "--yes"]);
    assert!(pruned.stdout.starts_with("3 jobs and 1 run forgotten"), "{pruned:?}");
}

#[test]
fn a_job_is_forgotten_also_where_it_can_not_be_read() {
    let folder = Folder::new();
    folder.write("jobs.yaml", ENDING);
    folder.run(&["run", "jobs.yaml", "--local"]);
    let database = rusqlite::Connection::open(folder.path(".batchwright/state.db")).unwrap();
    database.execute("UPDATE jobs SET spec = '{' WHERE job_name = 'well'", []).unwrap();
    drop(database);
    let listed = folder.run(&["jobs", "--local"]);
    assert!(listed.stderr.contains("`batchwright forget well` removes"), "{listed:?}");
    let shown = folder.run(&["explain", "well", "--local"]);
    assert!(shown.code == Some(4) && shown.stderr.contains("well: "), "{shown:?}");
    let forgotten = folder.run(&["forget", "well", "failing", "nobody", "--local"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
    assert!(forgotten.stdout.contains("well: forgotten, with"), "{forgotten:?}");
    assert!(forgotten.stdout.contains("nobody: nothing is known of it"), "{forgotten:?}");
    assert_eq!(folder.run(&["status", "--local", "--output", "json"]).json()["total"], 1);
}

#[test]
fn where_words_overlap_each_job_counts_once() {
    let folder = Folder::new();
    folder.write("jobs.yaml", ENDING);
    folder.run(&["run", "jobs.yaml", "--local"]);
    let twice = folder.run(&["jobs", "well", "*", "jobs.yaml", "--local", "--output", "json"]).json();
    assert_eq!(twice["jobs"].as_array().unwrap().len(), 3, "{twice}");
}

#[test]
fn a_job_file_that_can_be_read_only_once_is_refused() {
    let folder = Folder::new();
    let mut command = folder.command(&["run", "/dev/stdin", "--local"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let process = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let ended = Ended::of(process);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("write the jobs into a file first"), "{ended:?}");
}

#[test]
fn a_reader_that_goes_away_ends_the_completions_quietly() {
    let folder = Folder::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = folder.command(&["completions", "bash"]);
    let process = command.stdout(full).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let ended = Ended::of(process);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn a_folder_that_is_not_there_and_one_that_is_out_of_reach_are_told_apart() {
    let folder = Folder::new();
    let absent = folder.run(&["reconcile", "--local", "--state-dir", "typo"]);
    assert!(absent.code == Some(4) && absent.stderr.contains("holds no state yet"), "{absent:?}");
    assert!(!folder.path("typo").exists(), "none is made");
    // As of a folder that one may not enter, which a test that runs as root can't make.
    let out_of_reach = "x".repeat(300);
    for args in [&["jobs"][..], &["prune", "--older-than", "1d", "--yes"], &["doctor"]] {
        let ended = folder.run(&[args, &["--local", "--state-dir", &out_of_reach]].concat());
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert!(told.contains("can't be looked at") && !told.contains("run a job file"), "{ended:?}");
    }
}

#[test]
fn a_plan_is_made_for_the_machine_that_run_would_use() {
    let folder = Folder::new();
    folder.write(
        "jobs.yaml",
        "[{jobName: wide, jobQueue: q, jobDefinition: render, containerOverrides: {resourceRequirements: [{type: VCPU, value: '900'}]}}]",
    );
    folder.write(
        "definitions.yaml",
        "[{jobDefinitionName: render, type: container, containerProperties: {command: ['true']}}]",
    );
    let options = ["--job-definitions", "definitions.yaml", "--vcpus", "1000"];
    let planned = |options: &[&str]| folder.run(&[&["plan", "jobs.yaml", "--local"], options].concat());
    let bare = planned(&[]);
    assert!(bare.code == Some(1) && bare.stdout.contains("there is no command to run"), "{bare:?}");
    let small = planned(&options[..2]);
    assert!(small.stdout.contains("it will stay RUNNABLE"), "{small:?}");
    let large = planned(&options);
    assert!(large.code == Some(0) && !large.stdout.contains("RUNNABLE"), "{large:?}");
    for wrong in ["", "=x"] {
        let ended = folder.run(&["run", "jobs.yaml", "--local", "--env", wrong]);
        assert!(ended.code == Some(2) && ended.stderr.contains("a variable has a name"), "{ended:?}");
    }
}

#[test]
fn a_plan_rejects_what_run_rejects() {
    let folder = Folder::new();
    folder.write(
        "jobs.yaml",
        r#"
local:
  jobDefinitions:
    - jobDefinitionName: task
      ecsProperties: {taskProperties: [{containers: [{name: a, command: ["true"]}]}]}
    - jobDefinitionName: nodes
      nodeProperties: {numNodes: 2, mainNode: 0, nodeRangeProperties: [{targetNodes: "0:", container: {command: ["true"]}}]}
defaults: {jobQueue: q}
jobs:
  - {jobName: good, jobDefinition: task}
  - {jobName: of-task, jobDefinition: task, command: ["true"]}
  - {jobName: of-nodes, jobDefinition: nodes, containerOverrides: {command: ["true"]}}
  - {jobName: after, jobDefinition: task, dependsOn: [{jobName: of-task}]}
  - {jobName: bare, jobDefinition: d}
"#,
    );
    let planned = folder.run(&["plan", "jobs.yaml", "--local", "--output", "json"]);
    assert_eq!(planned.code, Some(1), "{planned:?}");
    let planned = planned.json();
    assert_eq!((&planned["submit"], &planned["reject"]), (&1.into(), &4.into()), "{planned}");
    for (row, why) in [
        (1, "has ecsProperties: give ecsPropertiesOverride"),
        (2, "has nodeProperties: give nodeOverrides"),
        (3, "it depends on of-task, which is rejected"),
        (4, "there is no command to run"),
    ] {
        assert!(planned["plan"][row]["reason"].as_str().unwrap().contains(why), "{planned}");
    }
    let ran = folder.run(&["run", "jobs.yaml", "--local", "--output", "json"]).json();
    assert_eq!((&ran["run"]["submitted"], &ran["run"]["rejected"]), (&1.into(), &4.into()), "{ran}");
}

#[test]
fn submissions_are_told_apart_and_what_is_not_there_is_said() {
    let folder = Folder::new();
    folder.write(
        "jobs.yaml",
        "defaults: {jobQueue: q, jobDefinition: d}\njobs:\n  - {jobName: bad, command: ['false']}\n  - {jobName: parts, arrayProperties: {size: 2}, command: [echo, part]}\n",
    );
    for _ in 0..2 {
        assert_eq!(folder.run(&["run", "jobs.yaml", "--local"]).code, Some(1));
    }
    let ids = folder.job("bad")["jobTries"].clone();
    let table = folder.run(&["jobs", "bad", "parts", "--local", "--submissions"]).stdout;
    let row =
        |number: usize| -> Vec<&str> { table.lines().nth(number).unwrap().split_whitespace().collect() };
    assert_eq!(row(0)[..5], ["JOB", "JOB", "ID", "STATUS", "EXIT"]);
    assert_eq!(row(1)[..5], ["bad", ids[1].as_str().unwrap(), "FAILED", "1", "2"]);
    assert_eq!(row(2)[..5], ["bad", ids[0].as_str().unwrap(), "FAILED", "1", "#1"]);
    assert_eq!((row(4)[0], row(4)[4]), ("parts:0", "#1"), "{table}");
    let told = folder.run(&["jobs", "bad", "--local", "--submissions", "--output", "json"]).json();
    assert_eq!((&told["jobs"][0]["try"], &told["jobs"][1]["try"]), (&serde_json::Value::Null, &1.into()));

    for (args, why) in [
        (["parts", "--child", "2"], "parts: children have the indices 0 to 1, and none has 2"),
        (["bad", "--child", "0"], "bad: no array, and so without a child 0"),
        (["bad", "--attempt", "2"], "bad: no submission has an attempt 2; 1 attempt so far"),
        (["*", "--child", "7"], "2 jobs: children have the indices 0 to 1, and none has 7"),
    ] {
        let told = folder.run(&[&["logs", "--local"], &args[..]].concat());
        assert!(told.code == Some(4) && told.stderr.contains(why), "{told:?}");
    }
    let there = folder.run(&["logs", "parts", "--local", "--child", "1", "--attempt", "1"]);
    assert_eq!((there.code, there.stdout.as_str()), (Some(0), "part\n"), "{there:?}");
    let some = folder.run(&["logs", "*", "--local", "--child", "1"]);
    assert_eq!((some.code, some.stdout.as_str()), (Some(0), "parts:1 | part\n"), "{some:?}");
}

#[test]
fn the_last_line_of_a_watch_comes_once_and_a_file_is_no_seed() {
    let folder = Folder::new();
    folder.write("jobs.yaml", "[{jobName: a, jobQueue: q, jobDefinition: d, command: ['true']}]");
    let simulated = folder.run(&["run", "--local", "--simulate", "jobs.yaml"]);
    assert_eq!(simulated.code, Some(2), "{simulated:?}");
    assert!(simulated.stderr.contains("goes first: batchwright run jobs.yaml --simulate"), "{simulated:?}");
    assert_eq!(folder.run(&["run", "jobs.yaml", "--local"]).code, Some(0));
    let watched = folder.run(&["watch", "--local"]);
    assert_eq!(
        (watched.stdout.as_str(), watched.stderr.as_str()),
        ("1 job: 1 SUCCEEDED\n", ""),
        "{watched:?}"
    );
}
