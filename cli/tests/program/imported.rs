//! Jobs taken into a folder's state: what an export wrote, and what aio-aws kept.

use serde_json::{Value, json};

use crate::support::Folder;

const JOBS: &str = r#"
defaults: {jobQueue: q, jobDefinition: d}
jobs:
  - {jobName: well, command: [echo, hi]}
  - {jobName: failing, command: ["false"]}
  - {jobName: parts, arrayProperties: {size: 2}, command: ["true"]}
"#;

const RUN: &[&str] = &["run", "jobs.yaml", "--local"];

fn exported(folder: &Folder) -> Vec<Value> {
    let ended = folder.run(&["store", "export", "--local"]);
    let mut lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["head"]["spec"]["jobName"].to_string());
    lines
}

#[test]
fn an_export_is_put_back_as_it_was() {
    let (folder, other) = (Folder::new(), Folder::new());
    folder.write("jobs.yaml", JOBS);
    assert_eq!(folder.run(RUN).code, Some(1));
    assert_eq!(folder.run(RUN).code, Some(1), "failing has a second try");
    let file = other.path("jobs.jsonl");
    folder.run(&["store", "export", "--local", "--out", file.to_str().unwrap()]);
    for _ in 0..2 {
        let imported = other.run(&["store", "import", "jobs.jsonl", "--local"]);
        assert_eq!(imported.stdout, "4 submissions taken in, 0 refused\n", "{imported:?}");
        assert_eq!(imported.code, Some(0));
    }
    let (before, after) = (exported(&folder), exported(&other));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        for member in ["spec", "jobId", "jobTries", "triesBefore", "runId", "submittedAt", "updatedAt"] {
            assert_eq!(before["head"][member], after["head"][member]);
        }
        let count = |line: &Value| line["submissions"].as_array().unwrap().len();
        assert_eq!(count(before), count(after));
        for number in 0..count(before) {
            for member in ["state", "logs", "followUp", "updatedAt"] {
                assert_eq!(before["submissions"][number][member], after["submissions"][number][member]);
            }
        }
    }
    let unread = other.run(&["logs", "well", "--local"]);
    assert_eq!(unread.code, Some(4), "its log did not travel: {unread:?}");
    assert!(unread.stderr.contains("manifest.json: it is not there"), "{unread:?}");
    // What SUCCEEDED is skipped, and what FAILED is submitted again.
    other.write("jobs.yaml", JOBS);
    assert_eq!(other.run(RUN).code, Some(1));
    let tries: Vec<usize> =
        exported(&other).iter().map(|line| line["head"]["jobTries"].as_array().unwrap().len()).collect();
    assert_eq!(tries, [3, 1, 1], "failing, parts, well");
}

fn kept(name: &str, job_id: &str, status: &str) -> Value {
    json!({
        "job_id": job_id, "job_name": name, "job_queue": "q", "job_definition": "d", "command": ["true"],
        "status": status, "job_tries": [job_id], "num_tries": 1, "max_tries": 4,
    })
}

#[test]
fn what_aio_aws_kept_is_taken_in_where_it_has_ended() {
    let folder = Folder::new();
    let table = json!({"aws-batch-jobs": {
        "1": kept("well", "a-1", "SUCCEEDED"), "2": kept("going", "a-2", "RUNNING"),
    }});
    folder.write("aio.json", table.to_string());
    let imported = folder.run(&["store", "import", "aio.json", "--local"]);
    assert_eq!(
        imported.stdout,
        "going a-2: it has no end, and no engine of this folder runs it\n1 submission taken in, 1 refused\n"
    );
    assert_eq!(imported.code, Some(1), "{imported:?}");
    assert_eq!(folder.job("well")["status"], "SUCCEEDED");
    folder.write("jobs.yaml", JOBS);
    folder.run(RUN);
    assert_eq!(folder.job("well")["jobId"], "a-1", "it was skipped");
}

#[test]
fn an_export_of_no_jobs_is_taken_in() {
    let folder = Folder::new();
    folder.write("none.jsonl", "");
    let imported = folder.run(&["store", "import", "none.jsonl", "--local"]);
    assert_eq!((imported.code, imported.stdout.as_str()), (Some(0), "0 submissions taken in, 0 refused\n"));
}

#[test]
fn what_is_neither_is_refused_by_its_place() {
    let folder = Folder::new();
    folder.write("cut.jsonl", "{\"head\": {}}\n");
    folder.write("other.json", "{\"other\": {}}");
    for (from, why) in [
        ("cut.jsonl", "cut.jsonl, line 1: missing field"),
        ("other.json", "other.json can't be imported: it has no table of aio-aws's"),
        ("none.json", "none.json: No such file"),
        ("redis://127.0.0.1:1/0", "edis"),
    ] {
        let refused = folder.run(&["store", "import", from, "--local"]);
        let is_unread = from.starts_with("redis") && !cfg!(feature = "redis");
        assert_eq!(refused.code, Some(if is_unread { 2 } else { 3 }), "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
}
