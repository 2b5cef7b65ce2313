//! Jobs run again by choice, explained, and reported on a page.

use serde_json::{Value, json};

use crate::support::{Ended, Folder};

/// One job that succeeds, one that fails until the file `mended` is there, one that needs it, one array.
const JOBS: &str = r#"
local: {workdir: .}
defaults: {jobQueue: q, jobDefinition: d}
jobs:
  - {jobName: good, command: ["sh", "-c", "echo good >> ran"]}
  - {jobName: flawed, dependsOn: [{jobName: good}], command: ["sh", "-c", "echo flawed >> ran; echo no input here; test -e mended || exit 3"]}
  - {jobName: after, dependsOn: [{jobName: flawed}], command: ["sh", "-c", "echo after >> ran"]}
  - {jobName: tiles, arrayProperties: {size: 12}, command: ["sh", "-c", "test $AWS_BATCH_JOB_ARRAY_INDEX != 7 || exit 9"]}
"#;

fn first_run(folder: &Folder) -> String {
    folder.write("jobs.yaml", JOBS);
    let ended = folder.run(&["run", "jobs.yaml", "--local"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("1 of 12 children FAILED: 7 (exit code 9)"), "{ended:?}");
    let runs = folder.run(&["runs", "--local", "--output", "json"]).json();
    runs["runs"][0]["runId"].as_str().unwrap().to_owned()
}

fn ran(folder: &Folder) -> Vec<String> {
    let text = std::fs::read_to_string(folder.path("ran")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn failed_children_of_an_array_run_again_alone_where_the_job_allows_it() {
    let folder = Folder::new();
    folder.write(
        "jobs.yaml",
        r#"
local: {workdir: .}
defaults: {jobQueue: q, jobDefinition: d, arrayProperties: {size: 4}}
jobs:
  - jobName: tiles
    resubmitChildren: true
    command: ["sh", "-c", "i=${BATCHWRIGHT_ARRAY_INDEX:-$AWS_BATCH_JOB_ARRAY_INDEX}; echo $i >> ran; test $i = 0 || test $i = 3 || test -e mended || exit $i"]
  - jobName: whole
    command: ["sh", "-c", "echo whole >> ran; test -e mended || exit 1"]
"#,
    );
    assert_eq!(folder.run(&["run", "jobs.yaml", "--local"]).code, Some(1));
    assert_eq!(folder.lines("ran"), 8);
    let again = ["rerun", "tiles", "--failed", "--children", "--local"];
    assert_eq!(folder.run(&again).code, Some(1), "they fail once more");
    folder.write("mended", "");
    let mended = folder.run(&again);
    assert_eq!(mended.code, Some(0), "{mended:?}");
    assert!(mended.stderr.contains("2 jobs to run again"), "{mended:?}");
    let mut children = ran(&folder).split_off(10);
    children.sort();
    assert_eq!(children, ["1", "2"], "each knows its index");
    assert_eq!(folder.job("tiles-child-2")["status"], "SUCCEEDED");
    assert_eq!(folder.job("tiles")["status"], "FAILED", "the array stays as it ended");
    let done = folder.run(&again);
    assert_eq!(done.stdout, "no job is to be run again\n", "{done:?}");

    let whole = folder.run(&["rerun", "jobs.yaml", "--failed", "--children", "--name", "whole", "--local"]);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    assert!(whole.stderr.contains("whole: all of it runs again"), "{whole:?}");
    assert_eq!(folder.lines("ran"), 16);
    let alone = folder.run(&["rerun", "tiles", "--children", "--local"]);
    assert_eq!(alone.code, Some(2), "{alone:?}");
}

#[test]
fn only_chosen_jobs_are_run_again_and_their_history_stays() {
    let folder = Folder::new();
    let run_id = first_run(&folder);
    assert_eq!(ran(&folder), ["good", "flawed"]);
    folder.write("mended", "");
    let none = folder.run(&["rerun", &run_id, "--cause", "HOST_LOST", "--local"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), "no job is to be run again\n"), "{none:?}");

    let again = folder.run(&[
        "rerun",
        &run_id,
        "--failed",
        "--name",
        "[!t]*",
        "--local",
        "--output",
        "json",
        "--workdir",
        ".",
    ]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(again.json()["counts"]["SUCCEEDED"], 2, "{again:?}");
    assert_eq!(ran(&folder), ["good", "flawed", "flawed", "after"], "dependencies first, and nothing else");
    let flawed = folder.job("flawed");
    assert_eq!((&flawed["status"], flawed["jobTries"].as_array().unwrap().len()), (&json!("SUCCEEDED"), 2));
    let runs = folder.run(&["runs", "--local", "--output", "json"]).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
    assert_ne!(flawed["runId"], run_id.as_str(), "it belongs to the run that ran it last");

    // What the file says now of jobs that were never submitted.
    folder.write(
        "jobs.yaml",
        format!("{JOBS}  - {{jobName: new, command: [\"sh\", \"-c\", \"echo new >> ran\"]}}\n"),
    );
    let missing = folder.run(&["rerun", "jobs.yaml", "--missing", "--local"]);
    assert_eq!(missing.code, Some(0), "{missing:?}");
    assert_eq!(ran(&folder).last().unwrap(), "new", "in the folder that the file names");
    assert_eq!(ran(&folder).len(), 5);
    let plan = folder.run(&["plan", "jobs.yaml", "--local"]);
    assert!(
        plan.stdout.ends_with("1 job to submit (as processes of this machine), 4 to skip, 0 to reject\n"),
        "{plan:?}"
    );
}

#[test]
fn a_job_is_explained_with_its_evidence_and_what_to_do() {
    let folder = Folder::new();
    let run_id = first_run(&folder);
    let told = folder.run(&["explain", "flawed", "--local"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    for part in [
        "flawed is FAILED (EXIT_CODE). The program itself ended with an exit code other than 0.",
        "exit code 3",
        "good: SUCCEEDED",
        "  | no input here",
        "what to do: Read the end of its log",
        "again: it is not submitted again: its retryOn does not name EXIT_CODE",
    ] {
        assert!(told.stdout.contains(part), "{part}: {told:?}");
    }
    let after = folder.run(&["explain", "after", "--local", "--output", "json"]).json();
    assert_eq!(
        (&after["situation"], &after["again"]),
        (
            &json!("DEPENDENCY"),
            &json!("it is not submitted again: a job that it depends on is not, or its next try was refused")
        )
    );
    assert!(
        after["evidence"]
            .as_array()
            .unwrap()
            .contains(&json!({"of": "depends on", "says": "flawed: FAILED (EXIT_CODE)"})),
        "{after}"
    );
    let tiles = folder.run(&["explain", "tiles", "--local"]);
    assert!(
        tiles.stdout.contains("11 SUCCEEDED, 1 FAILED; 1 of 12 children FAILED: 7 (exit code 9)"),
        "{tiles:?}"
    );
    let all = folder.run(&["explain", &run_id, "--local", "--output", "json"]).json();
    let situations: Vec<&Value> =
        all["situations"].as_array().unwrap().iter().map(|one| &one["situation"]).collect();
    assert_eq!(situations, ["CHILD", "DEPENDENCY", "EXIT_CODE", "SUCCEEDED"]);
}

#[test]
fn a_waiting_job_without_a_process_says_so() {
    let folder = Folder::new();
    folder.write("jobs.yaml", "jobs:\n  - {jobName: a, jobQueue: q, jobDefinition: d, command: [sleep, '600']}\n  - {jobName: b, jobQueue: q, jobDefinition: d, command: [sleep, '600']}\n");
    let mut running = folder.start(&["run", "jobs.yaml", "--local", "--vcpus", "1"]);
    let situation = |folder: &Folder, job: &str| {
        let told = folder.run(&["explain", job, "--local", "--output", "json"]);
        if told.code == Some(0) { told.json()["situation"].clone() } else { Value::Null }
    };
    folder.wait_until("a runs and b waits", |folder| {
        situation(folder, "a") == "RUNNING" && situation(folder, "b") == "WAITS_FOR_CAPACITY"
    });
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(situation(&folder, "b"), "UNATTENDED");
    assert_eq!(folder.run(&["terminate", "*", "--local", "--yes"]).code, Some(0));
    assert_eq!(situation(&folder, "b"), "TERMINATED");
}

#[test]
fn a_report_is_one_file_with_all_jobs() {
    let folder = Folder::new();
    let run_id = first_run(&folder);
    let told = folder.run(&["report", &run_id, "--local", "--out", "page.html"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(0), "page.html: 4 jobs\n"), "{told:?}");
    let page = std::fs::read_to_string(folder.path("page.html")).unwrap();
    for part in ["\"flawed\"", "no input here", "1 of 12 children FAILED", &run_id] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing is asked of a network");
    let streamed = folder.run(&["report", "good", "--local", "--out", "-"]);
    assert!(streamed.stdout.starts_with("<!doctype html>") && streamed.stdout.ends_with("</html>\n"));
    for place in ["no/such/folder.html", "/dev/full"] {
        let refused = folder.run(&["report", "--local", "--out", place]);
        assert_eq!(refused.code, Some(3), "{refused:?}");
        assert!(refused.stderr.starts_with(&format!("batchwright: {place}: ")), "{refused:?}");
    }
}

#[test]
fn the_answer_to_a_program_is_of_the_word_and_not_of_how_many_match() {
    let folder = Folder::new();
    first_run(&folder);
    for (word, member) in [("good", "jobName"), ("goo*", "situations")] {
        let explained = folder.run(&["explain", word, "--local", "--output", "json"]).json();
        assert!(explained.get(member).is_some(), "{word}: {explained}");
    }
    let counted = folder.run(&["status", "goo*", "--local", "--output", "json"]).json();
    assert!(counted.get("jobName").is_none(), "{counted}");
    let told = folder.run(&["status", "goo*", "--local"]);
    assert!(told.stdout.contains("good"), "a person sees the job: {told:?}");
}

#[test]
fn jobs_of_files_with_and_without_a_workdir_do_not_run_again_together() {
    let folder = Folder::new();
    folder.write(
        "here.yaml",
        "local: {workdir: .}\njobs: [{jobName: here, jobQueue: q, jobDefinition: d, command: ['true']}]",
    );
    folder.write("apart.yaml", "[{jobName: apart, jobQueue: q, jobDefinition: d, command: [touch, stray]}]");
    for file in ["here.yaml", "apart.yaml"] {
        assert_eq!(folder.run(&["run", file, "--local"]).code, Some(0));
    }
    let both = folder.run(&["rerun", "here", "apart", "--local"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    assert!(
        both.stderr.contains("local.workdir is ") && both.stderr.contains("one after the other"),
        "{both:?}"
    );
    assert_eq!(folder.run(&["rerun", "apart", "--local"]).code, Some(0));
    assert!(!folder.path("stray").exists(), "in a folder of its own");
    let none = folder.run(&["rerun", "*", "--failed", "--local", "--output", "json"]);
    assert_eq!((none.code, none.json()), (Some(0), json!({"jobs": []})), "{none:?}");
}

#[test]
fn what_was_simulated_is_not_taken_for_run() {
    let folder = Folder::new();
    folder.write("jobs.yaml", "[{jobName: one, jobQueue: q, jobDefinition: d, command: ['true']}]");
    let simulate = ["run", "jobs.yaml", "--local", "--simulate", "1", "--state-dir", "simulated"];
    assert_eq!(folder.run(&simulate).code, Some(0));
    assert_eq!(folder.run(&simulate).code, Some(0), "it goes on with a simulation");
    let real = folder.run(&["run", "jobs.yaml", "--local", "--state-dir", "simulated"]);
    assert!(real.code == Some(3) && real.stderr.contains("holds a simulation"), "{real:?}");
    assert_eq!(folder.run(&["run", "jobs.yaml", "--local"]).code, Some(0));
    let mixed = folder.run(&[&simulate[..6], &[".batchwright"]].concat());
    assert!(mixed.code == Some(3) && mixed.stderr.contains("holds jobs that ran"), "{mixed:?}");
}

#[test]
fn jobs_run_again_as_their_job_file_says_now_from_any_folder_and_however_often() {
    let folder = Folder::new();
    let says = |command: &str| {
        let definition =
            format!("{{jobDefinitionName: d, containerProperties: {{command: [sh, -c, '{command}']}}}}");
        let jobs = "jobs: [{jobName: one, jobQueue: q, jobDefinition: d}]";
        folder.write("jobs.yaml", format!("local: {{workdir: ., jobDefinitions: [{definition}]}}\n{jobs}"));
    };
    std::fs::create_dir(folder.path("elsewhere")).unwrap();
    let again = |folder: &Folder, word: &str| {
        let place = ["--local", "--state-dir", "../.batchwright"];
        let mut command = folder.command(&[&["rerun", word][..], &place].concat());
        let ended = Ended::from(command.current_dir(folder.path("elsewhere")).output().unwrap());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stderr
    };
    says("echo first >> ran");
    assert_eq!(folder.run(&["run", "jobs.yaml", "--local"]).code, Some(0));
    for text in ["second", "third", "fourth"] {
        says(&format!("echo {text} >> ran"));
        again(&folder, "one");
    }
    assert_eq!(ran(&folder), ["first", "second", "third", "fourth"], "in the folder of the job file");
    std::fs::rename(folder.path("jobs.yaml"), folder.path("away.yaml")).unwrap();
    let told = again(&folder, "one");
    assert!(told.contains("jobs.yaml is not there") && told.contains("when they last ran again"), "{told}");
    assert_eq!(ran(&folder)[4..], ["fourth"], "as it last ran");
    std::fs::rename(folder.path("away.yaml"), folder.path("jobs.yaml")).unwrap();
    says("echo back >> ran");
    again(&folder, "one");
    again(&folder, "../jobs.yaml");
    again(&folder, "one");
    assert_eq!(ran(&folder)[5..], ["back", "back", "back"]);
    let runs = folder.run(&["runs", "--local"]);
    assert!(runs.stdout.contains(" jobs.yaml"), "{runs:?}");
    for entry in std::fs::read_dir(folder.path(".batchwright/reruns")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().ends_with(".files.json") {
            std::fs::write(path, "[").unwrap();
        }
    }
    let broken = folder.run(&["rerun", "one", "--local"]);
    assert!(broken.code == Some(4) && broken.stderr.contains(".files.json can't be read"), "{broken:?}");
}

#[test]
fn why_lines_were_rejected_is_explained_and_reported() {
    let folder = Folder::new();
    let long = "x".repeat(20_000);
    let line = |name: &str, more: &str| {
        format!("{{\"jobName\": \"{name}\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"{more}}}\n")
    };
    let runs = ", \"command\": [\"true\"]";
    let padded = format!("{runs}, \"parameters\": {{\"unused\": \"{long}\"}}");
    let mut jobs: String = (0..60).map(|number| line(&format!("job-{number}"), &padded)).collect();
    jobs.push_str(&line("early", &format!("{runs}, \"dependsOn\": [{{\"jobName\": \"late\"}}]")));
    jobs.push_str(&line("late", runs));
    jobs.push_str("{\"jobName\": \"torn\"\n");
    jobs.push_str(&line("bare", ""));
    folder.write("jobs.jsonl", jobs);
    let state = ["--local", "--state-dir", "state"];
    let ran = folder.run(&[&["run", "jobs.jsonl", "--simulate", "7"], &state[..]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let run_id = folder.run(&[&["runs", "--output", "json"], &state[..]].concat()).json();
    let run_id = run_id["runs"][0]["runId"].as_str().unwrap().to_owned();
    let reasons =
        ["line 61 (early): it depends on late, which was never submitted", "line 63: ", "line 64 (bare): "];
    for word in ["jobs.jsonl", &run_id] {
        let told = folder.run(&[&["explain", word], &state[..]].concat());
        assert!(told.stdout.contains("3 lines rejected, as the run's report says:"), "{told:?}");
        for reason in reasons {
            assert!(told.stdout.contains(reason), "{reason}: {told:?}");
        }
        let told = folder.run(&[&["explain", word, "--output", "json"], &state[..]].concat()).json();
        assert_eq!(
            (&told["rejected"]["count"], &told["rejected"]["lines"][0]["line"]),
            (&json!(3), &json!(61))
        );
        assert!(
            told["situations"].as_array().unwrap().iter().all(|one| one["situation"] != "NEVER_SUBMITTED")
        );
        let page = folder.run(&[&["report", word, "--out", "-"], &state[..]].concat());
        assert!(
            page.stdout.contains("[\"early\",7,null,null,null,\"rejected: it depends on late"),
            "{page:?}"
        );
        assert!(page.stdout.contains("[\"line 63\",7,") && page.stdout.contains("no command"), "{page:?}");
        assert_eq!(page.stdout.matches("\"bare\"").count(), 1, "each job stands once");
    }
    let clean = folder.run(&[&["explain", "job-0"], &state[..]].concat());
    assert!(!clean.stdout.contains("rejected"), "{clean:?}");
}
