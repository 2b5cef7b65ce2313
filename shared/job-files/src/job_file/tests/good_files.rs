//! Files that are read.

use super::{entries, gzip, long_lines, now};
use crate::domain::JobSpec;
use crate::job_file::open;

fn jobs(content: &[u8], name: &str) -> Vec<JobSpec> {
    let entries = now(entries(content, name)).unwrap_or_else(|error| panic!("{error}"));
    entries.into_iter().map(|entry| entry.job.unwrap()).collect()
}

fn names(content: &[u8], name: &str) -> Vec<String> {
    jobs(content, name).into_iter().map(|job| job.job_name.to_string()).collect()
}

const A: &str = r#"{"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}"#;
const B: &str = r#"{"jobName": "b", "jobQueue": "q", "jobDefinition": "d"}"#;

#[test]
fn the_forms_are_told_by_their_content() {
    let yaml =
        "- {jobName: a, jobQueue: q, jobDefinition: d}\n- jobName: b\n  jobQueue: q\n  jobDefinition: d\n";
    let parts =
        "defaults:\n  jobQueue: q\njobs:\n- {jobName: a, jobDefinition: d}\n- {jobName: b, jobDefinition: d}";
    for (content, name) in [
        (format!("[{A}, {B}]"), "x.json"),
        (format!("[{A}, {B}]"), "x.yaml"),
        (format!("[{A}, {B}]"), "x.jsonl"),
        (format!("{{\"jobs\": [{A}, {B}]}}"), "x"),
        (format!("{A}\n{B}\n"), "x.jsonl"),
        (format!("{A}\r\n\r\n  \n{B}"), "x.ndjson"),
        (format!("{A}\n{B}"), "x.json"),
        (format!("\n{A}\n{B}"), "x"),
        (format!("\u{feff}{A}\n{B}"), "x"),
        (yaml.to_owned(), "x.yml"),
        (yaml.to_owned(), "x"),
        (format!("\u{feff}{parts}"), "X.YAML"),
    ] {
        assert_eq!(names(content.as_bytes(), name), ["a", "b"], "{name}: {content}");
        let packed = gzip(content.as_bytes());
        assert_eq!(names(&packed, &format!("{name}.gz")), ["a", "b"], "{name}.gz");
        assert_eq!(names(&packed, name), ["a", "b"], "gzip is told by its first bytes");
    }
    assert_eq!(names(A.replace(", ", ",\n").as_bytes(), "x.jsonl"), ["a"], "one job over several lines");
}

#[test]
fn gzip_of_several_members_is_read_to_its_end() {
    let both = [gzip(format!("{A}\n").as_bytes()), gzip(B.as_bytes())].concat();
    assert_eq!(names(&both, "x.jsonl.gz"), ["a", "b"]);
}

#[test]
fn content_that_comes_in_small_pieces_is_read_alike() {
    let text = format!("\u{feff}{A}\r\n{B}\n");
    for content in [text.clone().into_bytes(), gzip(text.as_bytes())] {
        let pieces = tokio::io::BufReader::with_capacity(1, &content[..]);
        let mut file = now(open(pieces, "x")).unwrap();
        assert_eq!(now(file.next()).unwrap().unwrap().line, 1);
        assert_eq!(now(file.next()).unwrap().unwrap().job.unwrap().job_name.as_str(), "b");
        assert_eq!(now(file.next()).unwrap(), None);
    }
    let lines = long_lines("");
    let pieces = tokio::io::BufReader::with_capacity(7, lines.as_bytes());
    let mut file = now(open(pieces, "x")).unwrap();
    let mut line = 0;
    while let Some(entry) = now(file.next()).unwrap() {
        line += 1;
        assert_eq!((entry.line, entry.job.is_ok()), (line, true));
    }
    assert_eq!(line, 12_000);
}

#[test]
fn json_lines_of_exactly_a_mebibyte_are_checked_as_a_whole() {
    let lines = long_lines("");
    let cut = lines[..crate::domain::limits::WHOLE_LINES_MAX_BYTES].rfind('\n').unwrap();
    let mut content = lines[..cut].to_owned();
    content += &"\n".repeat(crate::domain::limits::WHOLE_LINES_MAX_BYTES - cut);
    assert!(now(open(content.as_bytes(), "x.jsonl")).unwrap().is_checked());
    content.push('\n');
    assert!(!now(open(content.as_bytes(), "x.jsonl")).unwrap().is_checked());
}

#[test]
fn reading_may_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&open(A.as_bytes(), "x"));
    let mut file = now(open(A.as_bytes(), "x")).unwrap();
    is_send(&file.next());
}

#[test]
fn a_file_for_the_aws_command_line_is_a_job_file() {
    let content = br#"{
        "jobName": "example", "jobQueue": "HighPriority", "jobDefinition": "sleep30:4",
        "containerOverrides": {"environment": [{"name": "varName", "value": "varVal"}]}
    }"#;
    assert_eq!(names(content, "submit.json"), ["example"]);
}

#[test]
fn defaults_and_definitions_are_read() {
    let content = br#"
defaults: &d
  jobQueue: q
  jobDefinition: hello
  tags: {team: maps}
  maxTries: 2
jobs:
- jobName: a
  command: ["echo", "1"]
- jobName: b
  tags: {part: "2"}
local:
  jobDefinitions:
  - jobDefinitionName: hello
    containerProperties: {image: busybox, command: [echo, hi]}
"#;
    let file = now(open(&content[..], "x.yaml")).unwrap();
    assert_eq!(file.local().job_definitions[0].command, ["echo", "hi"]);
    assert_eq!((file.is_checked(), file.len_hint()), (true, Some(2)));
    let jobs = jobs(content, "x.yaml");
    assert_eq!((jobs[0].max_tries, jobs[1].max_tries), (2, 2));
    assert_eq!(jobs[0].container_overrides.as_ref().unwrap().command.as_deref().unwrap(), ["echo", "1"]);
    assert_eq!(jobs[1].tags.len(), 2);
}

#[test]
fn dependencies_by_name_come_first() {
    let content = r#"[
        {"jobName": "c", "jobQueue": "q", "jobDefinition": "d", "dependsOn": [{"jobName": "b"}, {"jobId": "x"}]},
        {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"},
        {"jobName": "b", "jobQueue": "q", "jobDefinition": "d", "dependsOn": [{"jobName": "a"}]}
    ]"#;
    let entries = now(entries(content.as_bytes(), "x.json")).unwrap();
    let order: Vec<_> = entries.iter().map(|entry| entry.line).collect();
    assert_eq!(order, [3, 4, 2]);
}

#[test]
fn a_long_file_is_streamed_and_a_bad_line_stands_alone() {
    let bad = "{\"jobName\": \"x\"}\n\n{\"jobName\": \"y\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"dependsOn\": [{\"jobName\": \"elsewhere\"}]}\n";
    let content = long_lines(&format!("{A}\n{bad}"));
    let file = now(open(content.as_bytes(), "x.jsonl")).unwrap();
    assert_eq!((file.is_checked(), file.len_hint()), (false, None));
    for content in [content.clone().into_bytes(), gzip(content.as_bytes())] {
        let entries = now(entries(&content, "x")).unwrap();
        assert_eq!(entries.len(), 12_003);
        assert!(entries.is_sorted_by_key(|entry| entry.line));
        assert_eq!(entries[1].line, 2);
        let problems = entries[1].job.as_ref().unwrap_err();
        assert_eq!(problems[0].to_string(), "line 2: jobQueue: is missing; it is required");
        assert!(entries[2].job.is_ok(), "a name is looked for when the job is submitted");
        assert_eq!(entries.iter().filter(|entry| entry.job.is_err()).count(), 1);
        assert_eq!(entries.last().unwrap().line, 12_004);
    }
}

#[test]
fn json_and_yaml_over_a_mebibyte_are_checked_as_a_whole() {
    let lines = long_lines("");
    let list = format!("[{}]", lines.trim_end().replace('\n', ",\n"));
    let parts = format!("{{\n\"jobs\": {list}}}");
    for content in [&list, &parts] {
        let file = now(open(content.as_bytes(), "x")).unwrap();
        assert_eq!((file.is_checked(), file.len_hint()), (true, Some(12_000)));
    }
    let yaml = lines.lines().fold(String::new(), |yaml, line| yaml + "- " + line + "\n");
    assert_eq!(now(open(yaml.as_bytes(), "x.yaml")).unwrap().len_hint(), Some(12_000));
}

#[test]
fn what_says_nothing_is_taken_as_batch_takes_it() {
    let plain = jobs(A.as_bytes(), "x.json");
    for members in [
        r#""arrayProperties": {}, "parameters": {}, "tags": {}"#,
        r#""tags": null, "timeout": null, "maxTries": null, "command": null"#,
        r#""dependsOn": [], "retryStrategy": {"evaluateOnExit": []}, "timeout": {}"#,
        r#""containerOverrides": {"command": [], "environment": null}, "nodeOverrides": {}"#,
        r#""ecsPropertiesOverride": {"taskProperties": []}, "eksPropertiesOverride": {"podProperties": {}}"#,
    ] {
        let job = A.replacen('{', &format!("{{{members}, "), 1);
        assert_eq!(jobs(job.as_bytes(), "x.json"), plain, "{members}");
        assert_eq!(jobs(job.as_bytes(), "x.yaml"), plain, "{members}");
    }
    let yaml = "defaults:\nlocal:\njobs:\n- {jobName: a, jobQueue: q, jobDefinition: d, tags: }\n";
    assert_eq!(jobs(yaml.as_bytes(), "x.yaml"), plain);
    let undone = br#"{"defaults": {"jobQueue": "q", "timeout": {"attemptDurationSeconds": 60}},
        "jobs": [{"jobName": "a", "jobDefinition": "d", "timeout": null}]}"#;
    assert_eq!(jobs(undone, "x.json"), plain, "null undoes a default");
}

#[test]
fn overrides_are_measured_with_the_parameters_of_the_definition_beside_them() {
    let file = |length: usize| {
        format!(
            r#"{{"local": {{"jobDefinitions": [{{"jobDefinitionName": "d", "command": ["printf", "%s", "Ref::p"]}}]}},
            "jobs": [{{"jobName": "a", "jobQueue": "q", "jobDefinition": "d", "parameters": {{"p": "{}"}}}}]}}"#,
            "x".repeat(length)
        )
    };
    assert_eq!(names(file(7_000).as_bytes(), "x.json"), ["a"]);
    let error = now(entries(file(8_192).as_bytes(), "x.json")).unwrap_err().to_string();
    assert!(error.starts_with("x.json: line 2: jobs[0].parameters: makes overrides of 8"), "{error}");
}
