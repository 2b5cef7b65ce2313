//! What others wrote can't act on a terminal, and a reader that has gone is no reason to panic.

use std::process::Stdio;

use crate::support::Folder;

const ESCAPES: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}";

/// A job that prints escapes, and one whose program, which is not there, is named by them.
fn folder_with_escapes() -> Folder {
    let folder = Folder::new();
    let jobs = serde_json::json!([
        {"jobName": "prints", "jobQueue": "q", "jobDefinition": "d", "command": ["printf", "%s\\n", ESCAPES]},
        {"jobName": "missing", "jobQueue": "q", "jobDefinition": "d", "command": [format!("{ESCAPES}\nfake")]},
    ]);
    folder.write("jobs.json", jobs.to_string());
    folder.run(&["run", "jobs.json", "--local"]);
    folder
}

#[test]
fn reasons_and_logs_are_shown_harmless_and_raw_in_json() {
    let folder = folder_with_escapes();
    for args in [&["jobs", "--local"][..], &["status", "missing", "--local"], &["logs", "prints", "--local"]]
    {
        let ended = folder.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        assert!(ended.stdout.contains("\\u{1b}[2J") || args[1] == "missing", "{args:?}: {ended:?}");
        assert!(!ended.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{args:?}: {ended:?}");
        assert!(!ended.stdout.contains("\nfake"), "{args:?}: {ended:?}");
    }
    let ended = folder.run(&["logs", "prints", "--local", "--output", "json"]);
    assert_eq!(ended.json()["events"][0]["message"], ESCAPES);
}

#[test]
fn errors_quote_others_harmless() {
    let folder = Folder::new();
    let ended = folder.run(&["plan", &format!("{ESCAPES}.yaml"), "--local"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("\\u{1b}[2J") && !ended.stderr.contains('\u{1b}'), "{ended:?}");
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let folder = folder_with_escapes();
    for args in [
        &["jobs", "--local"][..],
        &["jobs", "--local", "--output", "ndjson"],
        &["jobs", "--local", "--output", "json"],
        &["logs", "prints", "--local"],
        &["plan", "jobs.json", "--local"],
        &["status", "--local"],
        &["s3", "validate", "jobs.json"],
    ] {
        let mut child = folder.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(141), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("stdout"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_closed_stderr_does_not_stop_a_run() {
    let folder = Folder::new();
    folder.write("jobs.yaml", "{jobName: a, jobQueue: q, jobDefinition: d, command: [touch, made]}");
    let run = ["run", "jobs.yaml", "--local"];
    let mut child = folder.command(&run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}
