//! What is wrong is said, with its place and remedy, and the exit code tells its kind.

use crate::support::Folder;

#[test]
fn a_wrong_job_file_is_rejected_before_anything_is_submitted() {
    let folder = Folder::new();
    folder.write(
        "jobs.yaml",
        "jobs:\n  - jobName: good\n    jobQueue: q\n    jobDefinition: d\n    command: [touch, made]\n  - jobName: bad\n    jobQueu: q\n    jobDefinition: d\n",
    );
    let ended = folder.run(&["run", "jobs.yaml", "--local"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("jobs.yaml: "), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("line 7: jobs[1].jobQueu: unknown field; the nearest known one is \"jobQueue\""),
        "{ended:?}"
    );
    assert!(!folder.path("made").exists());
    let status = folder.run(&["status", "--local", "--output", "json"]);
    assert_eq!(status.json()["total"], 0);
}

#[test]
fn usage_errors_have_their_own_exit_code() {
    let folder = Folder::new();
    folder.write("jobs.yaml", "{jobName: job, jobQueue: q, jobDefinition: d, command: [\"true\"]}");
    for args in [
        &["run", "jobs.yaml"][..],
        &["run", "jobs.yaml", "--local", "--vcpus", "0"],
        &["jobs", "--local", "--status", "DONE"],
        &["jobs", "a b", "--local"],
        &["fly"],
    ] {
        let ended = folder.run(args);
        assert_eq!(ended.code, Some(2), "{args:?}: {ended:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = Folder::new();
    for command in ["run", "plan"] {
        let ended = folder.run(&[command, "nothing.yaml", "--local"]);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stderr.contains("nothing.yaml: No such file"), "{ended:?}");
    }
}

#[test]
fn looking_before_anything_ran_says_how_to_begin() {
    let folder = Folder::new();
    for args in [&["jobs", "--local"][..], &["status", "--local"], &["logs", "job", "--local"]] {
        let ended = folder.run(args);
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!(ended.stderr.contains("state.db"), "{ended:?}");
    }
}

#[test]
fn a_job_that_nobody_knows_is_named() {
    let folder = Folder::new();
    folder.write("jobs.yaml", "{jobName: job, jobQueue: q, jobDefinition: d, command: [\"true\"]}");
    folder.run(&["run", "jobs.yaml", "--local"]);
    for command in ["logs", "explain", "watch", "rerun", "report", "jobs", "status", "cancel", "terminate"] {
        let ended = folder.run(&[command, "other", "--local"]);
        let said = "batchwright: no job, run or job file is named other\n";
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(4), said));
        let ended = folder.run(&[command, "other-*", "--local"]);
        let said = "batchwright: no job's name matches other-*\n";
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(4), said));
    }
}

#[test]
fn a_command_that_cannot_be_found_fails_its_job_and_says_why() {
    let folder = Folder::new();
    folder.write("jobs.yaml", "{jobName: job, jobQueue: q, jobDefinition: d, command: [no-such-program]}");
    let ended = folder.run(&["run", "jobs.yaml", "--local"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("Task failed to start; CannotStartContainerError: "), "{ended:?}");
    assert!(ended.stdout.contains("no-such-program"), "{ended:?}");
}
