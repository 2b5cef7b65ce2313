//! The state handler.

use std::time::Duration;

use batchwright::domain::{JobName, JobStatus};
use batchwright::engine::{AttemptOutcome, Ending, FaultPlan, FaultyEngine, Scene};
use batchwright::function::Metric;
use batchwright::ports::{JobQueries as _, NoBus, Unpaced};
use batchwright::use_cases::record_state::Recorder;
use batchwright::use_cases::submit::SubmitPolicy;
use serde_json::{Value, json};
use state_handler::{Config, handle};

use crate::submitter;
use crate::world::{World, batch, handed_back, job, texts};

pub(crate) fn config() -> Config {
    Config::read(&|name: &str| name.ends_with("_TABLE").then(|| "table".to_owned())).unwrap()
}

async fn submit(world: &World, names: &[&str]) {
    let event = json!({"jobs": names.iter().map(|name| job(name)).collect::<Vec<_>>()});
    let ports = submitter::ports(world, Unpaced);
    ::submitter::handle(&ports, &submitter::config(), event, &world.invocation(900)).await.unwrap();
}

async fn deliver(world: &World, event: Value) -> (Value, Vec<Metric>) {
    let recorder = world.recorder(&Unpaced);
    let answer = handle(&recorder, &config(), event, &world.invocation(120)).await.unwrap();
    (serde_json::to_value(answer.body).unwrap(), answer.metrics)
}

#[tokio::test(start_paused = true)]
async fn events_that_come_twice_and_backwards_end_in_the_same_state() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &["one", "two"]).await;
    let mut events = texts(&world.run_all().await);
    events.reverse();
    events.extend(events.clone());
    let (body, _) = deliver(&world, batch(events)).await;
    assert_eq!(handed_back(&body), [0_u64; 0]);
    for name in ["one", "two"] {
        assert_eq!(world.status(name).await, Some(JobStatus::Succeeded));
        assert_eq!(world.tries(name).await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_only_the_newest_state_of_each_submission_is_written() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &["one", "two"]).await;
    let events = world.run_all().await;
    let (body, metrics) = deliver(&world, batch(texts(&events))).await;
    assert_eq!(handed_back(&body), [0_u64; 0]);
    let count = |name: &str| -> u64 {
        metrics.iter().filter(|metric| metric.name == name).map(|metric| metric.count).sum()
    };
    assert_eq!((count("JobsSucceeded"), count("StatesRecorded")), (2, 0));
    assert_eq!(count("StatesStale"), events.len() as u64 - 2);

    // Where the newest of them is handed back, nothing is lost: it comes again. A foreign event makes none old.
    let mut world = World::with(submitter::quick).await;
    submit(&world, &["one"]).await;
    let mut events = world.run_all().await;
    for event in &mut events {
        let is_end = event["detail"]["status"] == "SUCCEEDED";
        event["account"] = json!(if is_end { "210987654321" } else { "123456789012" });
    }
    let here = |name: &str| match name {
        "BATCHWRIGHT_ACCOUNT" => Some("123456789012".to_owned()),
        name => name.ends_with("_TABLE").then(|| "table".to_owned()),
    };
    let config = Config::read(&here).unwrap();
    let recorder = world.recorder(&Unpaced);
    handle(&recorder, &config, batch(texts(&events)), &world.invocation(120)).await.unwrap();
    assert_eq!(world.status("one").await, Some(JobStatus::Running));
}

/// The settings in an account and a Region.
fn here() -> Config {
    let look_up = |name: &str| match name {
        "BATCHWRIGHT_ACCOUNT" => Some("123456789012".to_owned()),
        "AWS_REGION" => Some("eu-west-1".to_owned()),
        name => name.ends_with("_TABLE").then(|| "table".to_owned()),
    };
    Config::read(&look_up).unwrap()
}

#[tokio::test(start_paused = true)]
async fn events_of_another_account_or_region_are_left_alone() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &["one"]).await;
    let events = world.run_all().await;
    let end = events.iter().find(|event| event["detail"]["status"] == "SUCCEEDED").unwrap();
    let config = here();
    for (account, region, outcome) in [
        ("210987654321", "eu-west-1", "NOT_OURS"),
        ("123456789012", "us-east-1", "NOT_OURS"),
        ("123456789012", "eu-west-1", "ENDED"),
        ("", "", "ENDED"),
    ] {
        let mut event = end.clone();
        (event["account"], event["region"]) = (json!(account), json!(region));
        let recorder = world.recorder(&Unpaced);
        let answer = handle(&recorder, &config, event, &world.invocation(120)).await.unwrap();
        let body = serde_json::to_value(answer.body).unwrap();
        assert_eq!(body["outcome"], outcome, "{account} {region}");
    }
}

fn lost_once(scene: &Scene<'_>) -> AttemptOutcome {
    let outcome = AttemptOutcome::success_after(Duration::from_secs(5));
    if scene.submission == 1 { outcome.ending(Ending::HostLost) } else { outcome }
}

#[tokio::test(start_paused = true)]
async fn a_lost_host_leads_to_another_submission_once() {
    let mut world = World::with(lost_once).await;
    submit(&world, &["one"]).await;
    let events = world.run_all().await;
    let end = events.iter().find(|event| event["detail"]["status"] == "FAILED").unwrap();
    let (body, _) = deliver(&world, end.clone()).await;
    assert_eq!(body["outcome"], "RESUBMITTED", "{body}");
    let (body, _) = deliver(&world, end.clone()).await;
    assert_eq!(body["outcome"], "STALE", "{body}");
    let again = world.run_all().await;
    deliver(&world, batch(texts(&again))).await;
    assert_eq!((world.status("one").await, world.tries("one").await), (Some(JobStatus::Succeeded), 2));
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_submitted_again_now_is_handed_back() {
    let mut world = World::with(lost_once).await;
    submit(&world, &["one"]).await;
    let events = world.run_all().await;
    let refusing = FaultPlan { refused_permille: 1_000, ..FaultPlan::default() };
    let engine = FaultyEngine::new(world.engine.clone(), refusing);
    let World { store, clock, .. } = &world;
    let recorder = Recorder {
        store,
        engine: &engine,
        pace: &Unpaced,
        clock,
        bus: &NoBus,
        policy: SubmitPolicy::default(),
    };
    let answer = handle(&recorder, &config(), batch(texts(&events)), &world.invocation(3_600)).await.unwrap();
    assert_eq!(handed_back(&answer.body).len(), 1, "{:?}", answer.body);
    let (body, _) = deliver(&world, batch(texts(&events))).await;
    assert_eq!(handed_back(&body), [0_u64; 0]);
    assert_eq!(world.tries("one").await, 2);
}

#[tokio::test(start_paused = true)]
async fn poison_goes_back_and_what_is_not_ours_does_not() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &["one"]).await;
    let mut events = world.run_all().await;
    events[0]["aFieldOfTomorrow"] = json!([1]);
    let mut foreign = events[0].clone();
    foreign["detail"]["jobId"] = json!("somebody-elses");
    foreign["detail"]["jobName"] = json!("somebody-elses");
    foreign["detail"]["parameters"] = json!({});
    let malformed = json!({"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": {}});
    let s3 = json!({"source": "aws.s3", "detail-type": "Object Created", "detail": {
        "bucket": {"name": "b"}, "object": {"key": "k"},
    }});
    let mut bodies = vec!["{".to_owned(), malformed.to_string(), s3.to_string(), foreign.to_string()];
    bodies.extend(texts(&events));
    let (body, metrics) = deliver(&world, batch(bodies)).await;
    assert_eq!(handed_back(&body), [0, 1, 2]);
    assert!(metrics.contains(&Metric::count("EventsNotOurs", 1)), "{metrics:?}");
    assert_eq!(world.status("one").await, Some(JobStatus::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_blocked_queue_is_counted() {
    let world = World::with(submitter::quick).await;
    let event = json!({
        "source": "aws.batch", "detail-type": "Batch Job Queue Blocked",
        "detail": {"statusReason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"},
    });
    let (body, metrics) = deliver(&world, batch([event.to_string()])).await;
    assert_eq!(handed_back(&body), [0_u64; 0]);
    assert_eq!(metrics, [Metric::count("QueuesBlocked", 1)]);
}

#[tokio::test(start_paused = true)]
async fn messages_that_the_time_does_not_suffice_for_are_handed_back() {
    let mut world = World::with(lost_once).await;
    submit(&world, &["one"]).await;
    let events = world.run_all().await;
    let refusing = FaultPlan { refused_permille: 1_000, ..FaultPlan::default() };
    let engine = FaultyEngine::new(world.engine.clone(), refusing);
    let World { store, clock, .. } = &world;
    let recorder = Recorder {
        store,
        engine: &engine,
        pace: &Unpaced,
        clock,
        bus: &NoBus,
        policy: SubmitPolicy::default(),
    };
    let invocation = world.invocation(6);
    let answer = handle(&recorder, &config(), batch(texts(&events)), &invocation).await.unwrap();
    assert_eq!(handed_back(&answer.body).len(), 1);
    assert!(batchwright::ports::Clock::now(clock) <= invocation.deadline);
}

#[tokio::test(start_paused = true)]
async fn why_a_job_can_not_start_is_kept_with_it() {
    let world = World::with(submitter::quick).await;
    submit(&world, &["one"]).await;
    let job = world.store.job(&JobName::parse("one").unwrap()).await.unwrap().unwrap();
    let (id, nonce) = (job.head.job_id.clone().unwrap(), job.state().unwrap().nonce.clone());
    let runnable = |reason: Option<&str>| {
        json!({
            "source": "aws.batch", "detail-type": "Batch Job State Change",
            "detail": {
                "jobName": "one", "jobId": id, "status": "RUNNABLE", "statusReason": reason,
                "parameters": {"batchwright.nonce": nonce},
            },
        })
    };
    let reason = async || {
        let job = world.store.job(&JobName::parse("one").unwrap()).await.unwrap().unwrap();
        job.state().unwrap().status_reason.clone()
    };
    for (event, outcome, kept) in [
        (runnable(None), "RECORDED", None),
        (
            runnable(Some("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")),
            "RECORDED",
            Some("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"),
        ),
        (runnable(None), "STALE", Some("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")),
        (
            json!({
                "source": "aws.batch", "detail-type": "Batch Job Queue Blocked",
                "resources": [format!("arn:aws:batch:eu-west-1:123456789012:job/{id}")],
                "detail": {"statusReason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"},
            }),
            "QUEUE_BLOCKED",
            Some("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"),
        ),
    ] {
        let (body, _) = deliver(&world, event.clone()).await;
        assert_eq!((&body["outcome"], reason().await.as_deref()), (&json!(outcome), kept), "{event}");
    }
    // Of another account or Region the same says nothing of ours, whose job ids may be the same.
    for (account, region) in [("210987654321", "eu-west-1"), ("123456789012", "us-east-1")] {
        let event = json!({
            "source": "aws.batch", "detail-type": "Batch Job Queue Blocked", "account": account, "region": region,
            "resources": [format!("arn:aws:batch:{region}:{account}:job/{id}")],
            "detail": {"statusReason": "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"},
        });
        let recorder = world.recorder(&Unpaced);
        let answer = handle(&recorder, &here(), event, &world.invocation(120)).await.unwrap();
        let body = serde_json::to_value(answer.body).unwrap();
        assert_eq!(
            (&body["outcome"], &answer.metrics[..]),
            (&json!("NOT_OURS"), &[Metric::count("EventsNotOurs", 1)][..])
        );
        assert_eq!(reason().await.as_deref(), Some("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_can_not_spoil_an_event() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &["one"]).await;
    let end = world.run_all().await.pop().unwrap();
    for (member, value) in [
        ("parameters", json!(null)),
        ("attempts", json!(null)),
        ("dependsOn", json!([{"jobId": "a", "type": "AFTER_OK"}])),
        ("retryStrategy", json!({"attempts": 3, "evaluateOnExit": [{"action": "PAUSE"}]})),
        ("tags", json!({"a": null})),
        ("startedAt", json!(1_641_944_200_058.0)),
        ("arrayProperties", json!(null)),
        ("timeout", json!("long")),
    ] {
        let mut event = end.clone();
        event["detail"][member] = value;
        let (body, _) = deliver(&world, batch([event.to_string()])).await;
        assert_eq!(handed_back(&body), [0_u64; 0], "{member}");
    }
    for (member, value) in [
        ("environment", json!(null)),
        ("environment", json!([{"name": "EMPTY"}])),
        ("resourceRequirements", json!([{"type": "NEURON", "value": "1"}])),
        ("vcpus", json!(0.25)),
        ("logConfiguration", json!({"logDriver": null, "options": null})),
    ] {
        let mut event = end.clone();
        event["detail"]["container"][member] = value;
        let (body, _) = deliver(&world, batch([event.to_string()])).await;
        assert_eq!(handed_back(&body), [0_u64; 0], "{member}");
    }
    assert_eq!(world.status("one").await, Some(JobStatus::Succeeded));
    let strangers = json!({
        "source": "aws.batch", "detail-type": "Batch Job State Change",
        "detail": {"jobName": "a b", "jobId": "theirs", "status": "A_STATUS_OF_TOMORROW", "parameters": {}},
    });
    assert_eq!(deliver(&world, strangers).await.0["outcome"], "NOT_OURS");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_through_a_topic_is_the_one_inside() {
    let mut world = World::with(submitter::quick).await;
    submit(&world, &["one"]).await;
    let wrapped = |event: &Value| {
        json!({
            "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t",
            "Message": event.to_string(), "Timestamp": "2026-01-11T23:36:40.000Z", "SignatureVersion": "1",
            "Signature": "s", "SigningCertURL": "https://example.com/c", "UnsubscribeURL": "https://example.com/u",
        })
    };
    let events: Vec<String> = world.run_all().await.iter().map(|event| wrapped(event).to_string()).collect();
    let mut messages = batch(events);
    messages["Records"]
        .as_array_mut()
        .unwrap()
        .push(json!({"messageId": "bodiless", "eventSource": "aws:sqs"}));
    let answer =
        handle(&world.recorder(&Unpaced), &config(), messages, &world.invocation(120)).await.unwrap();
    let body = serde_json::to_value(&answer.body).unwrap();
    assert_eq!(body["batchItemFailures"], json!([{"itemIdentifier": "bodiless"}]), "that message alone");
    assert!(answer.metrics.contains(&Metric::count("MessagesRefused", 1)), "{:?}", answer.metrics);
    assert_eq!(world.status("one").await, Some(JobStatus::Succeeded));
}
