//! What jobs get of this machine, and what a machine may do to a run.

use std::fs;

use serde_json::json;

use crate::support::{Ended, Folder};

fn job(name: &str, script: &str) -> String {
    json!({"jobName": name, "jobQueue": "q", "jobDefinition": "d", "command": ["sh", "-c", script]})
        .to_string()
}

#[test]
fn jobs_run_in_a_folder_of_their_own_and_the_way_into_the_callers_is_told() {
    let folder = Folder::new();
    folder.write("a.txt", "here\n");
    folder.write("job.json", job("reads", "cat a.txt; exit $?"));
    let alone = folder.run(&["run", "job.json", "--local"]);
    assert_eq!(alone.code, Some(1), "{alone:?}");
    assert!(
        alone.stdout.contains("\"a.txt\" is in ") && alone.stdout.contains("give --workdir "),
        "{alone:?}"
    );

    let there = folder.run(&["run", "job.json", "--local", "--workdir", "."]);
    assert_eq!(there.code, Some(0), "{there:?}");
    let absent = folder.run(&["run", "job.json", "--local", "--workdir", "nowhere"]);
    assert_eq!(absent.code, Some(3), "{absent:?}");
    assert!(
        absent.stderr.contains("--workdir: nowhere is no folder; make it, or name another"),
        "{absent:?}"
    );
}

#[test]
fn a_job_file_may_name_the_folder_beside_itself() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("flow/data")).unwrap();
    folder.write("flow/data/a.txt", "here\n");
    let file = |workdir: &str| {
        format!("{{\"local\": {{\"workdir\": \"{workdir}\"}}, \"jobs\": [{}]}}", job("reads", "cat a.txt"))
    };
    folder.write("flow/jobs.json", file("data"));
    let ended = folder.run(&["run", "flow/jobs.json", "--local"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    folder.write("flow/jobs.json", file("absent"));
    let ended = folder.run(&["run", "flow/jobs.json", "--local"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("flow/jobs.json: local.workdir: flow/absent is no folder"), "{ended:?}");
    folder.write("flow/jobs.json", file(""));
    let ended = folder.run(&["run", "flow/jobs.json", "--local"]);
    assert!(ended.stderr.contains("local.workdir: must be the path of a folder"), "{ended:?}");
}

#[test]
fn the_callers_variables_are_passed_on_by_name() {
    let folder = Folder::new();
    folder.write("job.json", job("prints", "echo \"[$TOKEN] [$GIVEN] [$OTHER] $HOME\""));
    let mut command = folder.command(&[
        "run",
        "job.json",
        "--local",
        "--env",
        "TOKEN",
        "--env",
        "GIVEN=b c",
        "--env",
        "HOME=/h",
    ]);
    let ended = Ended::from(command.env("TOKEN", "a").env("OTHER", "x").output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(folder.run(&["logs", "prints", "--local"]).stdout, "[a] [b c] [] /h\n");
}

#[test]
fn folders_that_are_kept_are_told_of() {
    let folder = Folder::new();
    folder.write("job.json", job("makes", "echo made >made"));
    let ended = folder.run(&["run", "job.json", "--local", "--keep-workdirs"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = ended.stderr.lines().find(|line| line.starts_with("makes SUCCEEDED, ran in ")).unwrap();
    let kept = folder.path(line.rsplit(' ').next().unwrap());
    assert_eq!(fs::read_to_string(kept.join("made")).unwrap(), "made\n");
}

#[test]
fn a_damaged_log_is_told_of_and_holds_nothing_up() {
    let folder = Folder::new();
    let waits = job("damaged", "echo one; until test -e go; do sleep 0.05; done; echo two");
    folder.write("jobs.jsonl", format!("{waits}\n{}\n", job("sound", "echo fine")));
    let args = &["run", "jobs.jsonl", "--local", "--workdir", ".", "--vcpus", "2"];
    let running = folder.start(args);
    let log = |folder: &Folder| {
        let mut logs = fs::read_dir(folder.path(".batchwright/logs/d/default")).ok()?.flatten();
        logs.find(|log| fs::read_to_string(log.path()).is_ok_and(|text| text.contains("\"one\"")))
            .map(|log| log.path())
    };
    folder.wait_until("the first line is in the log", |folder| log(folder).is_some());
    fs::write(log(&folder).unwrap(), "\0\0\0 not a log any more\n").unwrap();
    folder.write("go", "");
    let ended = Ended::of(running);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("a log stream can't be read"), "{ended:?}");
    let logs = &folder.job("damaged")["logs"];
    assert_eq!(logs["complete"], false, "{logs}");
    let manifest = folder.path(".batchwright/bucket").join(logs["manifestKey"].as_str().unwrap());
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let why = manifest["streams"][0]["missing"].as_str().unwrap();
    assert!(why.contains("the line at byte 0 is damaged"), "{manifest}");
    assert_eq!(folder.job("sound")["logs"]["complete"], true);
    assert_eq!(folder.run(&["logs", "sound", "--local"]).stdout, "fine\n");

    let again = folder.run(args);
    assert_eq!(again.code, Some(0), "it does not block the folder: {again:?}");
}

#[test]
fn output_that_can_not_be_logged_is_kept_until_it_can() {
    let folder = Folder::new();
    folder.write("job.json", job("job", "echo hello"));
    fs::create_dir_all(folder.path(".batchwright")).unwrap();
    folder.write(".batchwright/logs", "a file where the folder of logs would be");
    let ended = folder.run(&["run", "job.json", "--local"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("output could not be taken into the log"), "{ended:?}");
    assert_eq!(folder.job("job")["logs"]["complete"], false);

    fs::remove_file(folder.path(".batchwright/logs")).unwrap();
    let again = folder.run(&["run", "job.json", "--local"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(folder.run(&["logs", "job", "--local"]).stdout, "hello\n");
    assert_eq!(fs::read_dir(folder.path(".batchwright/attempts")).unwrap().count(), 0, "nothing is left");
}

#[test]
fn a_definition_with_an_overlong_name_has_a_log_all_the_same() {
    let folder = Folder::new();
    let long = "d".repeat(300);
    let line = job("long", "echo hello log")
        .replace("\"jobDefinition\":\"d\"", &format!("\"jobDefinition\":\"{long}\""));
    assert!(line.contains(&long));
    folder.write("job.json", line);
    let ended = folder.run(&["run", "job.json", "--local"]);
    if ended.code != Some(0) {
        // Refused by name, as Batch refuses it: then there is no log to lose.
        assert!(ended.code == Some(3) && ended.stderr.contains("jobDefinition"), "{ended:?}");
        return;
    }
    assert_eq!(folder.run(&["logs", "long", "--local"]).stdout, "hello log\n");
}

#[test]
fn a_state_folder_that_is_removed_under_a_run_is_told_of() {
    let folder = Folder::new();
    folder.write("job.json", job("waits", "echo up >up; until test -e go; do sleep 0.05; done"));
    let running = folder.start(&["run", "job.json", "--local", "--workdir", "."]);
    folder.wait_until("the job runs", |folder| folder.path("up").exists());
    // The engine goes on making files in it meanwhile.
    while folder.path(".batchwright").exists() {
        let _ = fs::remove_dir_all(folder.path(".batchwright"));
    }
    folder.write("go", "");
    let ended = Ended::of(running);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(
        ended.stderr.contains("engine.db was removed or replaced while the engine was running"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("the job engine has stopped"), "{ended:?}");
}

#[test]
fn a_state_on_a_read_only_medium_can_be_looked_at() {
    let folder = Folder::new();
    folder.write("job.json", job("job", "echo hello"));
    assert_eq!(folder.run(&["run", "job.json", "--local"]).code, Some(0));
    // In a mount namespace of its own, where that is allowed: permissions alone don't stop root.
    let script = "mount --bind . . && mount -o remount,bind,ro . && cd \"$PWD\" || exit 77; \
                  for command in jobs status 'logs job' 'plan job.json'; do \"$0\" $command --local || exit 1; done; \
                  \"$0\" run job.json --local; test $? = 3";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", script, env!("CARGO_BIN_EXE_batchwright")]);
    let ended = command.current_dir(folder.path("")).output().map(Ended::from);
    match ended {
        Ok(ended) if ended.code != Some(77) && !ended.stderr.contains("unshare: ") => {
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(
                ended.stdout.contains("hello\n")
                    && ended.stdout.contains("0 jobs to submit (as processes of this machine)"),
                "{ended:?}"
            );
            assert!(ended.stderr.contains("Read-only file system"), "{ended:?}");
        }
        refused => eprintln!("SKIPPED: this machine allows no mount namespaces: {refused:?}"),
    }
}

#[test]
fn a_full_disk_is_told_of_and_what_ran_is_settled_when_there_is_room() {
    let folder = Folder::new();
    // The job fills the disk of its own state, and ends. The first run stops there and says so; the second, with
    // room again, finds how the job ended.
    let script = "head -c 100000000 /dev/zero >../../../filler; true";
    folder.write("job.json", job("fills", script));
    let script = "mkdir -p .batchwright && mount -t tmpfs -o size=2m tmpfs .batchwright || exit 77; \
                  \"$0\" run job.json --local; echo first $? >&2; \
                  rm -f .batchwright/filler; \"$0\" run job.json --local; echo second $? >&2";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", script, env!("CARGO_BIN_EXE_batchwright")]);
    let ended = command.current_dir(folder.path("")).output().map(Ended::from);
    match ended {
        Ok(ended) if ended.code != Some(77) && !ended.stderr.contains("unshare: ") => {
            assert!(ended.stderr.contains("first 4") && ended.stderr.contains("full"), "{ended:?}");
            assert!(ended.stderr.contains("second 0"), "{ended:?}");
            assert!(ended.stdout.contains("1 job: 1 SUCCEEDED"), "{ended:?}");
        }
        refused => eprintln!("SKIPPED: this machine allows no mount namespaces: {refused:?}"),
    }
}

#[test]
fn an_arrays_progress_can_be_seen_while_it_runs() {
    let folder = Folder::new();
    let script = "test $AWS_BATCH_JOB_ARRAY_INDEX != 1 || until test -e go; do sleep 0.05; done";
    let spec = job("tiles", script).replacen('{', "{\"arrayProperties\": {\"size\": 3},", 1);
    folder.write("job.json", spec);
    let running = folder.start(&["run", "job.json", "--local", "--workdir", ".", "--vcpus", "1"]);
    folder.wait_until("one child has ended", |folder| {
        folder.path(".batchwright/state.db").exists()
            && folder.run(&["jobs", "--local"]).stdout.contains("PENDING 1/3")
    });
    assert_eq!(folder.job("tiles")["children"]["counts"]["SUCCEEDED"], 1);
    folder.write("go", "");
    let ended = Ended::of(running);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(folder.job("tiles")["children"]["counts"]["SUCCEEDED"], 3);
}

#[test]
fn the_plan_says_what_would_be_a_process_and_what_a_container() {
    let folder = Folder::new();
    let definition = json!({"jobDefinitionName": "imaged", "image": "busybox"});
    let with = |name: &str, task: serde_json::Value| {
        let ranges =
            json!([{"targetNodes": "0:", "ecsProperties": {"taskProperties": [{"containers": task}]}}]);
        let nodes = json!({"numNodes": 2, "mainNode": 0, "nodeRangeProperties": ranges});
        json!({"jobDefinitionName": name, "type": "multinode", "nodeProperties": nodes})
    };
    let nodes = with("nodes", json!([{"name": "a", "image": "busybox"}, {"name": "b", "image": "busybox"}]));
    let mixed = with("mixed", json!([{"name": "a", "image": "busybox"}, {"name": "b", "command": ["true"]}]));
    let imaged = json!({"jobName": "b", "jobQueue": "q", "jobDefinition": "imaged", "command": ["true"]});
    let file = |containers: &str| {
        let plain: serde_json::Value = serde_json::from_str(&job("a", "true")).unwrap();
        let of = |name: &str| json!({"jobName": name, "jobQueue": "q", "jobDefinition": name});
        let local = json!({"containers": containers, "jobDefinitions": [definition, nodes, mixed]});
        json!({"local": local, "jobs": [plain, imaged, of("nodes"), of("mixed")]}).to_string()
    };
    folder.write("jobs.json", file("auto"));
    fs::create_dir(folder.path("bin")).unwrap();
    let planned = |args: &[&str]| -> Ended {
        let mut command = folder.command(args);
        command.env("PATH", folder.path("bin"));
        command.output().unwrap().into()
    };
    for args in [&["plan", "jobs.json", "--local"][..], &["run", "jobs.json", "--local"]] {
        let absent = planned(args);
        assert_eq!(absent.code, Some(3), "{absent:?}");
        assert!(absent.stderr.contains("docker is not in PATH; podman is not in PATH"), "{absent:?}");
    }
    // A runtime that answers is all that a plan asks for.
    std::os::unix::fs::symlink("/bin/true", folder.path("bin/podman")).unwrap();
    let plan = planned(&["plan", "jobs.json", "--local"]);
    let expected =
        "4 jobs to submit (2 in podman containers, 2 as processes of this machine), 0 to skip, 0 to reject\n";
    assert!(plan.stdout.ends_with(expected), "{plan:?}");
    let rows = planned(&["plan", "jobs.json", "--local", "--output", "json"]).json();
    let runs_by = |row: usize| rows["plan"][row]["runsBy"].clone();
    assert_eq!([0, 1, 2, 3].map(runs_by), ["process", "podman", "podman", "process"], "{rows}");
    folder.write("jobs.json", file("rkt"));
    let wrong = planned(&["plan", "jobs.json", "--local"]);
    assert!(wrong.stderr.contains("local.containers: must be docker, podman or auto"), "{wrong:?}");
}
