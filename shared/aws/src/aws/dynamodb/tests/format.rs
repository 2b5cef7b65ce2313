use serde_json::{Value, json};

use super::super::item;
use super::script::as_json;
use super::{NOW, name, state, wish};
use crate::domain::{
    Attempt, Checkpoint, Children, ClaimOutcome, Ending, FollowUp, JobId, JobState, JobStatus, LogStream,
    LogsRecord, NewClaim, NewSubmission, Newer, Run, RunCounts, RunState, SourceVersion, claims,
};

const ID: &str = "4c7599ae-0a82-49aa-ba5a-4727fcce14a8";

fn run(state: RunState) -> Run {
    Run {
        run_id: wish("a").run_id,
        source: "s3://bucket/jobs/a.jsonl".to_owned(),
        source_version: SourceVersion::default(),
        rerun: false,
        state,
        checkpoint: Checkpoint(7),
        counts: RunCounts::default(),
        open: Vec::new(),
        started_at: NOW,
        updated_at: NOW.plus_millis(5),
        newer: Newer::default(),
        requested_by: None,
        cancellation: None,
        ending: Ending::default(),
        end: None,
    }
}

/// An item as a fixture holds it.
fn from_json(item: &Value) -> item::Item {
    let value = |value: &Value| match (value["S"].as_str(), value["N"].as_str()) {
        (Some(text), _) => item::text(text),
        (None, Some(digits)) => item::number(digits),
        _ => panic!("neither a text nor a number: {value}"),
    };
    item.as_object().unwrap().iter().map(|(name, it)| (name.clone(), value(it))).collect()
}

fn lost() -> JobState {
    let mut lost = state("tile-7", ID, JobStatus::Failed);
    lost.status_reason = Some("Host EC2 (instance i-1) terminated.".to_owned());
    lost.times.stopped_at = Some(NOW.plus_millis(-9));
    lost
}

#[test]
fn items_are_as_they_were_persisted() {
    let mut head = None;
    let ClaimOutcome::Granted(nonce) = claims::claim(&mut head, &wish("tile-7")) else {
        panic!("not granted")
    };
    let mut head = head.unwrap();
    let claimed = item::of_head(&head, 1).unwrap();
    let job_id = JobId::parse(ID).unwrap();
    claims::record(Some(&mut head), &NewSubmission { job_name: name("tile-7"), nonce, job_id, now: NOW });
    let submitted = item::of_head(&head, 2).unwrap();
    head.tries[0].children = Some(Children::default());
    assert!(head.keep_children(&JobId::parse(ID).unwrap(), &Children::default().ended(true), NOW));
    let recovered = item::of_head(&head, 3).unwrap();
    let persisted: Value = serde_json::from_str(include_str!("../fixtures/items.json")).unwrap();
    let items = json!({
        "head, claimed": as_json(&claimed),
        "head, submitted": as_json(&submitted),
        "head, recovered": as_json(&recovered),
        "state, in flight": as_json(&item::of_state(&state("tile-7", ID, JobStatus::Running), NOW).unwrap()),
        "state, host lost": as_json(&item::of_state(&lost(), NOW).unwrap()),
        "run, submitting": as_json(&item::of_run(&run(RunState::Submitting)).unwrap()),
        "run, submitted": as_json(&item::of_run(&run(RunState::Submitted)).unwrap()),
    });
    assert_eq!(items, persisted, "{items:#}");
    assert_eq!(item::to_head(&recovered).unwrap(), (head, 3));
}

/// Items of every earlier version are read, and say the same.
#[test]
fn items_of_earlier_versions_are_read() {
    let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let now = read(include_str!("../fixtures/items.json"));
    for earlier in
        [read(include_str!("../fixtures/items-1.json")), read(include_str!("../fixtures/items-2.json"))]
    {
        for (name, item) in earlier.as_object().unwrap() {
            let (item, same) = (from_json(item), from_json(&now[name]));
            let read = |item: &item::Item| match name.split(',').next() {
                Some("head") => format!("{:?}", item::to_head(item).unwrap()),
                Some("state") => format!("{:?}", item::to_submission(item).unwrap()),
                _ => format!("{:?}", item::to_run(item).unwrap()),
            };
            assert_eq!(read(&item), read(&same), "{name}");
        }
    }
}

#[test]
fn what_a_newer_version_wrote_is_kept_and_written_back() {
    let now: Value = serde_json::from_str(include_str!("../fixtures/items.json")).unwrap();
    let mut item = from_json(&now["head, submitted"]);
    let mut head: Value = serde_json::from_str(item::text_in(&item, item::HEAD).unwrap()).unwrap();
    head["aFieldOfTomorrow"] = json!({"a": [1, null]});
    head["tries"][0]["end"] = json!({"status": "FAILED", "cause": "QUOTA_EXCEEDED"});
    item.insert(item::HEAD.to_owned(), item::text(head.to_string()));
    let (mut known, revision) = item::to_head(&item).unwrap();
    assert_eq!(known.tries[0].end.unwrap().cause.unwrap().to_string(), "QUOTA_EXCEEDED");
    let wish = NewClaim { replaces: known.job_id.clone(), ..wish("tile-7") };
    let mut claimed = Some(known.clone());
    assert!(matches!(claims::claim(&mut claimed, &wish), ClaimOutcome::Granted(_)));
    known = claimed.unwrap();
    let again = item::of_head(&known, revision + 1).unwrap();
    let again: Value = serde_json::from_str(item::text_in(&again, item::HEAD).unwrap()).unwrap();
    assert_eq!(again["aFieldOfTomorrow"], head["aFieldOfTomorrow"]);
    assert_eq!(again["tries"][0]["end"], head["tries"][0]["end"]);
}

#[test]
fn a_head_without_what_was_added_later_is_read() {
    let head = format!(
        r#"{{"spec":{{"jobName":"tile-7","jobQueue":"queue","jobDefinition":"definition"}},"runId":"run-1","claims":2,
           "claim":{{"nonce":"2-a81fedad3740938a","expiresAt":1700000060000}},"jobId":"{ID}","jobTries":["{ID}"],
           "triesBefore":0,"refusal":null,"updatedAt":1700000000000}}"#
    );
    let mut item = item::head_key(&name("tile-7"));
    item.insert(item::REVISION.to_owned(), item::number(2));
    item.insert(item::HEAD.to_owned(), item::text(head));
    let (head, _) = item::to_head(&item).unwrap();
    assert_eq!((head.tries.len(), head.claimed_queue(), head.tries_used()), (0, "queue", 1));
    assert_eq!((head.spec.retry_on, head.spec.fallback_queue), (vec![], None));
}

#[test]
fn what_was_decided_of_an_end_is_told_by_its_attributes() {
    let follow_up = |item: &item::Item| {
        let mut item = item.clone();
        item.insert(item::UPDATED_AT.to_owned(), item::millis(NOW));
        item::to_submission(&item).unwrap().follow_up
    };
    // An older version wrote no more than this.
    let mut item = item::of_state(&lost(), NOW).unwrap();
    assert_eq!(follow_up(&item), FollowUp::Open);
    item.insert(item::WAITS_FOR.to_owned(), item::text("tile-6"));
    assert_eq!(follow_up(&item), FollowUp::WaitsFor(name("tile-6")));
    item.insert(item::DECIDED.to_owned(), item::flag(true));
    assert_eq!(follow_up(&item), FollowUp::Decided);
    item.remove("membership");
    assert_eq!(follow_up(&item), FollowUp::Settled);
}

#[test]
fn who_waits_is_found_in_the_partition_of_whom_it_waits_for() {
    let mut waiter = item::waiter_key("tile-6", &JobId::parse(ID).unwrap());
    waiter.insert(item::WAITING_JOB.to_owned(), item::text("tile-7"));
    let expected = json!({
        "jobName": {"S": "tile-6"}, "jobId": {"S": format!(" waiter {ID}")}, "waitingJob": {"S": "tile-7"},
    });
    assert_eq!(as_json(&waiter), expected);
    let waiting = item::submission_key(&name("tile-7"), &JobId::parse(ID).unwrap());
    assert_eq!(item::waiting_key(&waiter), Some(waiting));
}

#[test]
fn what_is_written_is_read_again() {
    let mut item = item::of_state(&lost(), NOW).unwrap();
    let logs = LogsRecord {
        manifest_key: "key".to_owned(),
        complete: true,
        incomplete_reason: None,
        events: 3,
        next_look: None,
    };
    item.insert(item::LOGS.to_owned(), item::text(item::of_logs(&lost(), &logs).unwrap()));
    item.insert(item::LOGS_COMPLETE.to_owned(), item::flag(true));
    let found = item::to_submission(&item).unwrap();
    assert_eq!((found.state, found.logs, found.updated_at), (lost(), Some(logs), NOW));
    assert!(item::logs_are_complete(&item));
    let run = run(RunState::Rejected);
    assert_eq!(item::to_run(&item::of_run(&run).unwrap()).unwrap(), run);
}

#[test]
fn what_follows_from_the_rest_is_left_out() {
    let stream = |name: &str| LogStream { group: None, name: name.to_owned(), container: None, region: None };
    let mut ended = state("tile-7", ID, JobStatus::Succeeded);
    ended.attempts = vec![Attempt { log_streams: vec![stream("one")], ..Attempt::default() }];
    ended.log_streams = vec![stream("one"), stream("two")];
    let mut item = item::of_state(&ended, NOW).unwrap();
    let logs = LogsRecord {
        manifest_key: format!("logs/tile-7/{ID}/manifest.json"),
        complete: true,
        incomplete_reason: None,
        events: 3,
        next_look: None,
    };
    let kept = item::of_logs(&ended, &logs).unwrap();
    assert!(!kept.contains("tile-7"), "{kept}");
    item.insert(item::LOGS.to_owned(), item::text(kept));
    let found = item::to_submission(&item).unwrap();
    assert_eq!(found.logs, Some(logs));
    assert_eq!(found.state.log_streams, [stream("two")], "the attempt names the other");
    assert_eq!(found.state.all_log_streams(), ended.all_log_streams());
}

#[test]
fn how_the_last_attempt_ended_is_said_once_and_read_again() {
    let mut ended = lost();
    ended.exit_code = Some(3);
    ended.reason = Some("OutOfMemoryError".to_owned());
    ended.times.started_at = Some(NOW.plus_millis(-90));
    let log_streams = vec![LogStream { group: None, name: "one".to_owned(), container: None, region: None }];
    let last = Attempt {
        started_at: ended.times.started_at,
        stopped_at: ended.times.stopped_at,
        exit_code: ended.exit_code,
        reason: ended.reason.clone(),
        status_reason: ended.status_reason.clone(),
        log_streams: log_streams.clone(),
    };
    let first = Attempt { exit_code: Some(1), ..Attempt::default() };
    let written = |state: &JobState| {
        let item = item::of_state(state, NOW).unwrap();
        assert_eq!(&item::to_submission(&item).unwrap().state, state);
        item::text_in(&item, item::STATE).unwrap().to_owned()
    };
    for attempts in [vec![last.clone()], vec![first.clone(), last.clone()], vec![last.clone(), last.clone()]]
    {
        let text = written(&JobState { attempts: attempts.clone(), ..ended.clone() });
        assert!(
            text.len() + 140 < serde_json::to_string(&JobState { attempts, ..ended.clone() }).unwrap().len()
        );
    }
    for unlike in [
        Attempt { exit_code: Some(4), ..last.clone() },
        Attempt { stopped_at: None, ..last.clone() },
        Attempt { log_streams, ..Attempt::default() },
        Attempt::default(),
    ] {
        written(&JobState { attempts: vec![last.clone(), unlike], ..ended.clone() });
    }
    written(&JobState { attempts: vec![last], status: JobStatus::Runnable, ..ended });
}

#[test]
fn an_item_stays_small_whatever_was_reported() {
    let stream = LogStream { group: None, name: "s".repeat(500), container: None, region: None };
    let mut huge = state("a", ID, JobStatus::Failed);
    huge.reason = Some("ä".repeat(200_000));
    huge.log_streams = vec![stream.clone(); 300];
    huge.attempts = (0..300)
        .map(|exit_code| Attempt {
            exit_code: Some(exit_code),
            log_streams: vec![stream.clone()],
            ..Attempt::default()
        })
        .collect();
    let item = item::of_state(&huge, NOW).unwrap();
    assert!(item::text_in(&item, item::STATE).unwrap().len() <= 100 * 1024);
    let mut with_time = item.clone();
    with_time.insert(item::UPDATED_AT.to_owned(), item::millis(NOW));
    let kept = item::to_submission(&with_time).unwrap().state;
    assert!(kept.reason.unwrap().ends_with('…'));
    assert!(kept.attempts.last().is_none_or(|last| last.exit_code == Some(299)), "the newest are kept");
    huge.attempts.truncate(2);
    huge.log_streams.truncate(2);
    let item = item::of_state(&huge, NOW).unwrap();
    let kept = item::to_submission(&item).unwrap().state;
    assert_eq!((kept.attempts.len(), kept.all_log_streams()), (2, huge.all_log_streams()));
}
