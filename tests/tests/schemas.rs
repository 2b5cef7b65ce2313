//! The JSON Schemas beside the code: as the types make them, and as examples and refusals tell.

use std::path::PathBuf;

use batchwright::events::{Announcement, JobEnded, RunEnded, Told};
use batchwright::job_file::{JobDocument, check_job};
use batchwright::schema::{of_answer, of_call};
use batchwright_tests::schema::{Checker, conforms};
use proptest::prelude::*;
use serde_json::{Value, json};

const REWRITE: &str = "UPDATE_SCHEMAS=1 cargo test -p batchwright-tests --test schemas";

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn job_file() -> Value {
    of_call::<JobDocument>("A job file")
}

fn generated() -> Vec<(&'static str, Value)> {
    vec![
        ("shared/schemas/job-file.json", job_file()),
        ("functions/submitter/schemas/call.json", submitter::schema::call()),
        ("functions/submitter/schemas/answer.json", submitter::schema::answer()),
        ("functions/state-handler/schemas/call.json", state_handler::schema::call()),
        ("functions/state-handler/schemas/answer.json", state_handler::schema::answer()),
        ("functions/log-collector/schemas/call.json", log_collector::schema::call()),
        ("functions/log-collector/schemas/answer.json", log_collector::schema::answer()),
        ("functions/fan-out/schemas/call.json", fan_out::schema::call()),
        ("functions/fan-out/schemas/answer.json", fan_out::schema::answer()),
        ("functions/reconciler/schemas/call.json", reconciler::schema::call()),
        ("functions/reconciler/schemas/answer.json", reconciler::schema::answer()),
        ("functions/s3-serializer/schemas/call.json", s3_serializer::schema::call()),
        ("functions/s3-serializer/schemas/answer.json", s3_serializer::schema::answer()),
        (
            "shared/schemas/job-state-change.json",
            of_answer::<Told<'static, JobEnded>>("The detail of Job State Change"),
        ),
        (
            "shared/schemas/run-state-change.json",
            of_answer::<Told<'static, RunEnded>>("The detail of Run State Change"),
        ),
    ]
}

#[expect(clippy::disallowed_methods, reason = "asked for by hand, where the files are to be rewritten")]
fn asked_to_rewrite() -> bool {
    std::env::var("UPDATE_SCHEMAS").is_ok_and(|value| value == "1")
}

#[test]
fn the_checked_in_schemas_are_those_of_the_types() {
    for (name, schema) in generated() {
        let path = root().join(name);
        if asked_to_rewrite() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, format!("{schema:#}\n")).unwrap();
        }
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{name}: {error}; write it by `{REWRITE}`"));
        let found: Value = serde_json::from_str(&text).unwrap();
        assert!(found == schema, "{name} is not what the types say; rewrite it by `{REWRITE}`");
    }
}

fn all_conform(schema: &Value, values: impl IntoIterator<Item = Value>) {
    for value in values {
        assert!(conforms(schema, &value), "{value:#} does not conform to {}", schema["title"]);
    }
}

fn none_conforms(schema: &Value, values: impl IntoIterator<Item = Value>) {
    for value in values {
        assert!(!conforms(schema, &value), "{value:#} conforms to {}", schema["title"]);
    }
}

#[test]
fn the_examples_conform() {
    let read = |name: &str| std::fs::read_to_string(root().join("examples").join(name)).unwrap();
    let yaml = ["hello.yaml", "pipeline.yaml", "retries.yaml"]
        .map(|name| serde_saphyr::from_str(&read(name)).unwrap());
    all_conform(&job_file(), yaml);
    all_conform(&job_file(), [serde_json::from_str(&read("submit-job.json")).unwrap()]);
    all_conform(&job_file(), read("hello.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()));
}

#[test]
fn a_job_is_refused_by_the_schema_where_the_check_refuses_a_field() {
    let job = json!({"jobName": "a", "jobQueue": "q", "jobDefinition": "d"});
    for (field, good, bad) in [
        ("jobQueue", json!("q"), json!("")),
        ("maxTries", json!(100), json!(101)),
        ("fallbackQueue", json!({"jobQueue": "od", "afterLosses": 1}), json!({"afterLosses": 1})),
        ("retryOn", json!(["TIMEOUT", {"cause": "EXIT_CODE", "maxTries": 2}]), json!([7])),
        ("retryOn", json!([{"cause": "LOST"}]), json!([{"cause": "LOST", "maxTries": 0}])),
        ("propagateTags", json!(true), json!("true")),
        ("arrayProperties", json!({"size": 2}), json!({"size": 1})),
        ("arrayProperties", json!({"size": 10_000}), json!({"size": 10_001})),
        ("arrayProperties", json!({}), json!([2])),
        ("timeout", Value::Null, json!(60)),
        ("jobQueue", json!("arn:aws:batch:eu-west-1:123456789012:job-queue/q"), json!("my queue!")),
        ("jobDefinition", json!("d:1"), json!("d:latest")),
        ("jobName", json!("a"), Value::Null),
        ("command", json!(["a", "b"]), json!("a")),
        ("command", json!(["a"]), json!(["a", ""])),
        ("tags", json!({"k": "v"}), json!({"k": 1})),
        ("timeout", json!({"attemptDurationSeconds": 60}), json!({"attemptDurationSeconds": 59})),
        ("dependsOn", json!([{"jobName": "b"}]), json!(vec![json!({"jobName": "b"}); 21])),
        ("parameters", Value::Null, json!({"p": null})),
        (
            "containerOverrides",
            json!({"resourceRequirements": [{"type": "GPU", "value": "1"}]}),
            json!({"resourceRequirements": [{"type": "gpu", "value": "1"}]}),
        ),
        ("containerOverrides", json!({"vcpus": 1}), json!({"vCpus": 1})),
    ] {
        let with = |value: Value| {
            let mut job = job.clone();
            job[field] = value;
            job
        };
        for (value, fits) in [(with(good), true), (with(bad), false)] {
            assert_eq!(check_job(value.clone()).is_ok(), fits, "the check of {value}");
            assert_eq!(conforms(&job_file(), &value), fits, "the schema of {value}");
        }
    }
}

/// A job with a text in each place for which there is a rule.
fn with_text(place: usize, text: &str) -> Value {
    let mut job = json!({"jobName": "the-job", "jobQueue": "q", "jobDefinition": "d"});
    match place {
        0 => job["jobName"] = json!(text),
        1 => job["jobQueue"] = json!(text),
        2 => job["jobDefinition"] = json!(text),
        3 => job["shareIdentifier"] = json!(text),
        4 => job["dependsOn"] = json!([{"jobName": text}]),
        5 => job["dependsOn"] = json!([{"jobId": text}]),
        6 => job["containerOverrides"] = json!({"environment": [{"name": text, "value": "v"}]}),
        7 => job["nodeOverrides"] = json!({"nodePropertyOverrides": [{"targetNodes": text}]}),
        _ => {
            let field = ["onStatusReason", "onReason", "onExitCode", "action"][place - 8];
            let mut rule = json!({"action": "RETRY", "onExitCode": "1"});
            rule[field] = json!(text);
            job["retryStrategy"] = json!({"attempts": 2, "evaluateOnExit": [rule]});
        }
    }
    job
}

/// What is near the borders of the rules.
fn text() -> impl Strategy<Value = String> {
    const PIECES: [&str; 20] = [
        "a",
        "Z",
        "0",
        "9",
        "-",
        "_",
        "*",
        "=",
        ":",
        ".",
        "#",
        " ",
        "\n",
        "\0",
        "\u{7f}",
        "ä",
        "😀",
        "AWS_BATCH",
        "RETRY",
        "exit",
    ];
    let short = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..5).prop_map(|it| it.concat());
    let length = prop::sample::select(vec![0_usize, 126, 127, 128, 254, 255, 256, 510, 511, 512, 513]);
    let filler = prop::sample::select(vec!["x", "7", "ä", "😀"]);
    let long = (length, filler, short.clone()).prop_map(|(n, filler, end)| filler.repeat(n) + &end);
    prop_oneof![short, long]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn a_text_is_refused_by_the_schema_exactly_where_the_check_refuses_it(place in 0_usize..12, text in text()) {
        static SCHEMA: std::sync::LazyLock<Checker> = std::sync::LazyLock::new(|| Checker::of(&job_file()));
        let job = with_text(place, &text);
        let checked = check_job(job.clone());
        prop_assert_eq!(SCHEMA.passes(&job), checked.is_ok(), "{}: {:?}", job, checked);
    }
}

#[test]
fn what_is_required_stands_in_the_defaults_or_in_every_job() {
    let schema = job_file();
    let of = |defaults: Value, job: Value| json!({"defaults": defaults, "jobs": [job]});
    all_conform(
        &schema,
        [
            of(json!({"jobQueue": "q", "jobDefinition": "d"}), json!({"jobName": "a"})),
            of(json!({"jobQueue": "q"}), json!({"jobName": "a", "jobDefinition": "d"})),
            json!([{"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}]),
        ],
    );
    none_conforms(
        &schema,
        [
            of(json!({"jobQueue": "q"}), json!({"jobName": "a"})),
            of(json!({"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}), json!({})),
            json!({"jobs": []}),
            json!({"jobs": [{"jobName": "a"}]}),
            json!({"defaults": {}}),
            json!([]),
        ],
    );
}

#[test]
fn calls_conform_and_nonsense_does_not() {
    let job = json!({"jobName": "a", "jobQueue": "q", "jobDefinition": "d"});
    let schema = submitter::schema::call();
    all_conform(
        &schema,
        [
            json!({"jobs": [job]}),
            json!({"jobs": [{"jobName": "a"}], "defaults": {"jobQueue": "q", "jobDefinition": "d"}}),
            json!({"uri": "s3://b/jobs/a.json", "rerun": true}),
            json!({"uri": "s3://b/calls/line\nbreak.json"}),
            json!({"continue": {"runId": "r", "source": "s3://b/a.json"}}),
        ],
    );
    none_conforms(
        &schema,
        [
            json!({}),
            json!({"uri": 7}),
            json!({"uri": "s3://b/a.json"}),
            json!({"jobs": [job], "uri": "s3://b/a.json"}),
            json!({"continue": {"runId": "r", "source": "s3://b/a.json"}, "rerun": true}),
            json!({"uri": "s3://b/a.json", "defaults": {}}),
            json!({"continue": {"runId": "r"}}),
        ],
    );

    let schema = fan_out::schema::call();
    all_conform(
        &schema,
        [
            json!({"functionName": "f", "payloads": [1, null, {}]}),
            json!({"functionName": "f", "payloadsUri": "s3://b/k", "tolerated": "5%", "invocationType": "Event"}),
            json!({"invocations": [{"functionName": "f", "payload": 1}], "tolerated": 5}),
            json!({"continue": {"runId": "r", "branch": 3}}),
        ],
    );
    none_conforms(
        &schema,
        [
            json!({}),
            json!({"payloads": [1]}),
            json!({"functionName": "f", "payloads": []}),
            json!({"functionName": "f", "payloads": [1], "payloadsUri": "s3://b/k"}),
            json!({"functionName": "f", "payloads": [1], "concurrency": 0}),
            json!({"functionName": "f", "payloads": [1], "colour": "red"}),
            json!({"functionName": "f", "payloads": [1], "logType": "tail"}),
        ],
    );

    let change = json!({
        "source": "aws.batch", "detail-type": "Batch Job State Change",
        "detail": {"jobName": "a", "jobId": "j", "status": "RUNNING", "aFieldOfTomorrow": 1},
    });
    let blocked = json!({"source": "aws.batch", "detail-type": "Batch Job Queue Blocked", "detail": {"statusReason": "r"}});
    let other = json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {}});
    all_conform(&state_handler::schema::call(), [change.clone(), blocked.clone()]);
    none_conforms(&state_handler::schema::call(), [other.clone(), json!({"jobId": "j"})]);
    all_conform(&log_collector::schema::call(), [change, json!({"jobId": "j"})]);
    none_conforms(&log_collector::schema::call(), [blocked, json!({"jobId": 7}), json!({})]);
    all_conform(&reconciler::schema::call(), [json!({}), json!({"source": "aws.events"})]);
    none_conforms(&reconciler::schema::call(), [json!([1]), json!({"Records": []}), other]);
}

#[test]
fn calls_of_the_s3_serializer_conform_where_it_reads_them() {
    let schema = s3_serializer::schema::call();
    let (a, b) = ("s3://b/a.json", "s3://b/b.yaml");
    for (call, reads) in [
        (json!({"operation": "load", "uris": [a]}), true),
        (json!({"operation": "load", "uris": [a], "format": "geojsonl.gz", "resultsUri": b}), true),
        (json!({"operation": "dump", "items": [{"to": a, "value": null, "ifMatch": "e"}]}), true),
        (
            json!({"operation": "convert", "items": [{"uri": a, "to": b, "header": {}}], "toFormat": "yaml"}),
            true,
        ),
        (json!({"operation": "validate", "uris": [], "asGeojson": true}), true),
        (json!({"operation": "access", "uris": [a]}), true),
        (json!({"operation": "info", "uris": [a]}), true),
        (json!({"operation": "list", "uri": a, "glob": "**", "minBytes": 1, "maxItems": 7}), true),
        (
            json!({"operation": "copy", "items": [{"uri": a, "to": b, "versionId": "1", "ifAbsent": true}]}),
            true,
        ),
        (json!({"operation": "wait", "uris": [a], "timeoutSeconds": 7}), true),
        (json!({"operation": "load", "uris": [{"uri": a, "versionId": "1"}, b]}), true),
        (
            json!({"operation": "info", "uris": [a], "caller": {"requesterPays": true, "noSignRequest": true}}),
            true,
        ),
        (
            json!({"operation": "dump", "items": [], "settings": {"tags": {"a": "b"}, "kmsKeyId": "k"},
                "compressionLevel": 9}),
            true,
        ),
        (json!({"operation": "load", "uris": [{"uri": a, "version": "1"}]}), false),
        (json!({"operation": "load", "uris": [a], "settings": {}}), false),
        (json!({"operation": "copy", "items": [], "settings": {"storage_class": "STANDARD"}}), false),
        (json!({"operation": "list", "uri": a, "caller": {"requestPayer": true}}), false),
        (json!({"uris": [a]}), false),
        (json!({"operation": "delete", "uris": [a]}), false),
        (json!({"operation": "load"}), false),
        (json!({"operation": "load", "uris": a}), false),
        (json!({"operation": "load", "uris": [a], "glob": "*"}), false),
        (json!({"operation": "copy", "items": [{"uri": a}]}), false),
        (json!({"operation": "copy", "items": [{"uri": a, "to": b, "acl": "private"}]}), false),
        (json!({"operation": "wait", "uris": [a], "timeoutSeconds": -1}), false),
    ] {
        assert_eq!(s3_serializer::Call::parse(&call.to_string()).is_ok(), reads, "the call {call}");
        assert_eq!(conforms(&schema, &call), reads, "the schema of {call}");
    }
}

#[test]
fn answers_conform() {
    let queue = json!({"batchItemFailures": [{"itemIdentifier": "1"}]});
    let run = json!({
        "runId": "run-1", "source": "s3://b/a.json", "state": "SUBMITTED", "checkpoint": 1,
        "counts": {"submitted": 1, "skipped": 0, "changed": 0, "rejected": 0, "unknown": 0},
    });
    all_conform(&submitter::schema::answer(), [queue.clone(), json!({"runs": [run]})]);
    let outcomes = [
        state_handler::EventOutcome::NotOurs,
        state_handler::EventOutcome::Ended {
            status: batchwright::domain::JobStatus::Failed,
            cause: Some("HOST_LOST".to_owned()),
        },
    ];
    let answers =
        outcomes.map(|outcome| serde_json::to_value(state_handler::Response::Event(outcome)).unwrap());
    all_conform(&state_handler::schema::answer(), answers.into_iter().chain([queue.clone()]));
    let record = batchwright::domain::LogsRecord {
        manifest_key: "logs/a/j/manifest.json".to_owned(),
        complete: true,
        incomplete_reason: None,
        events: 1,
        next_look: None,
    };
    let answers = [log_collector::LogsOutcome::Archived(record), log_collector::LogsOutcome::Known]
        .map(|outcome| serde_json::to_value(log_collector::Response::Logs(outcome)).unwrap());
    all_conform(&log_collector::schema::answer(), answers.into_iter().chain([queue]));
    let pass = |reconciled| reconciler::Response {
        jobs_held_back: 1,
        jobs_stopped: 0,
        runs_continued: 0,
        runs_ended: 0,
        reconciled,
        logs_archived: 1,
        logs_incomplete: 0,
        postponed: 0,
        unreadable: 0,
        cut_short: false,
    };
    let answers = [pass(Default::default())].map(|pass| serde_json::to_value(pass).unwrap());
    all_conform(&reconciler::schema::answer(), answers);
}

/// What is put on the bus is what its schemas say, at its most and at its least.
#[test]
fn events_conform() {
    let least = json!({
        "stack": "s", "id": "job/j", "jobName": "a", "jobId": "j", "runId": "r", "status": "SUCCEEDED", "submissions": 1,
        "jobQueue": "q",
    });
    let schema = |name: &str| -> Value {
        let text = std::fs::read_to_string(root().join("shared/schemas").join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (of_job, of_run) = (schema("job-state-change.json"), schema("run-state-change.json"));
    let most = JobEnded {
        id: "job/j".to_owned(),
        job_name: batchwright::domain::JobName::parse("a").unwrap(),
        job_id: batchwright::domain::JobId::parse("j").unwrap(),
        run_id: batchwright::domain::RunId::parse("r").unwrap(),
        status: batchwright::domain::JobStatus::Failed,
        cause: Some("EXIT_CODE".to_owned()),
        status_reason: Some("Essential container in task exited".to_owned()),
        exit_code: Some(3),
        submissions: 2,
        job_queue: "q".to_owned(),
        stopped_at: Some(batchwright::domain::Timestamp::from_millis(7)),
        is_child: false,
    };
    let put = |event: Announcement| -> Value { serde_json::from_str(&event.detail("s").unwrap()).unwrap() };
    let told = put(Announcement::Job(Box::new(most)));
    all_conform(&of_job, [least, told]);
    let run = RunEnded {
        id: "run/r".to_owned(),
        run_id: batchwright::domain::RunId::parse("r").unwrap(),
        source: "s3://b/jobs/a.json".to_owned(),
        status: batchwright::domain::RunOutcome::Failed,
        succeeded: 1,
        failed: 1,
        counts: batchwright::domain::RunCounts::default(),
        report: "reports/r/".to_owned(),
        started_at: batchwright::domain::Timestamp::from_millis(5),
        ended_at: batchwright::domain::Timestamp::from_millis(7),
    };
    let told = put(Announcement::Run(Box::new(run)));
    all_conform(&of_run, [told.clone()]);
    for needed in ["id", "stack", "status"] {
        let mut without = told.clone();
        without.as_object_mut().unwrap().remove(needed);
        none_conforms(&of_run, [without]);
    }
}
