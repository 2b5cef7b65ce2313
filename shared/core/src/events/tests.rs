//! Events as AWS delivers them.

use super::{Event, JobStateChange, QueueBlocked, S3Object};
use crate::domain::job::LogStream;
use crate::domain::{Cause, JobId, JobState, JobStatus, Nonce, Timestamp};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("fixtures/", $name, ".json"))
    };
}

const ID: &str = "4c7599ae-0a82-49aa-ba5a-4727fcce14a8";
const DEFAULT_STREAM: &str = "first-run-job-definition/default/";

fn state(fixture: &str) -> JobState {
    let Ok(Event::JobStateChange(change)) = Event::parse(fixture.as_bytes()) else {
        panic!("no state change: {fixture}");
    };
    assert_eq!(JobStateChange::parse(fixture).unwrap(), *change);
    change.detail.state()
}

fn at(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(millis))
}

fn stream(group: Option<&str>, name: &str, container: Option<&str>) -> LogStream {
    LogStream {
        group: group.map(str::to_owned),
        name: name.to_owned(),
        container: container.map(str::to_owned),
        region: None,
    }
}

#[test]
fn a_job_that_has_not_run_has_no_outcome() {
    let state = state(fixture!("job_runnable"));
    assert_eq!((state.job_name.as_str(), state.job_id.as_str()), ("event-test", ID));
    assert_eq!((state.status, state.cause()), (JobStatus::Runnable, None));
    assert!(state.job_queue.ends_with("job-queue/PexjEHappyPathCanary2JobQueue"));
    assert!(state.job_definition.ends_with("job-definition/first-run-job-definition:1"));
    assert_eq!(state.times.created_at, at(1_641_944_200_058));
    assert_eq!((state.times.started_at, state.times.stopped_at, state.exit_code), (None, None, None));
    assert!(state.attempts.is_empty() && state.log_streams.is_empty() && state.nonce.is_none());
}

#[test]
fn a_job_that_succeeded_has_an_exit_code_and_a_log_stream() {
    let state = state(fixture!("container_succeeded"));
    assert_eq!((state.status, state.exit_code, state.cause()), (JobStatus::Succeeded, Some(0), None));
    assert_eq!(state.times.runtime_ms(), Some(600_000));
    let expected = stream(None, &format!("{DEFAULT_STREAM}a1"), None);
    assert_eq!(state.log_streams, std::slice::from_ref(&expected));
    assert_eq!(state.all_log_streams(), [&expected], "the attempt's stream is the job's");
    assert_eq!(state.attempts.len(), 1);
    assert_eq!(state.nonce, Nonce::parse("1-0123456789abcdef").ok());
}

#[test]
fn a_job_whose_host_was_terminated_shows_both_attempts() {
    let state = state(fixture!("host_terminated"));
    assert_eq!((state.status, state.exit_code), (JobStatus::Failed, None));
    assert_eq!(state.cause(), Some(Cause::HostLost));
    let exit_codes: Vec<_> = state.attempts.iter().map(|attempt| attempt.exit_code).collect();
    assert_eq!(exit_codes, [Some(1), None]);
    assert_eq!(state.attempts[1].started_at, None, "0 means that it never started");
    assert_eq!(state.attempts[1].status_reason, state.status_reason);
    let first = stream(Some("/maps/tiles"), &format!("{DEFAULT_STREAM}a1"), None);
    let second = stream(Some("/maps/tiles"), &format!("{DEFAULT_STREAM}a2"), None);
    assert_eq!(state.all_log_streams(), [&first, &second]);
}

#[test]
fn an_array_knows_its_size_and_a_child_its_index() {
    let parent = state(fixture!("array_parent"));
    assert_eq!((parent.status, parent.array_size), (JobStatus::Pending, Some(10)));
    assert_eq!(parent.times.started_at, None);
    let child = state(fixture!("array_child"));
    assert_eq!((child.job_id.array_index(), child.array_size), (Some(3), None));
    assert_eq!(child.job_id.root(), parent.job_id);
    assert_eq!((child.exit_code, child.cause()), (Some(137), Some(Cause::OutOfMemory)));
}

#[test]
fn a_multi_node_job_has_its_logs_at_its_nodes() {
    let parent = state(fixture!("multi_node_parent"));
    assert_eq!((parent.status, parent.num_nodes), (JobStatus::Running, Some(2)));
    assert!(parent.all_log_streams().is_empty());
    let node = state(fixture!("multi_node_node"));
    assert_eq!((node.job_id.root(), node.num_nodes), (parent.job_id, None));
    assert_eq!(node.log_streams, [stream(None, &format!("{DEFAULT_STREAM}n1"), None)]);
}

#[test]
fn a_job_of_several_containers_ends_as_the_one_that_failed() {
    let state = state(fixture!("ecs_multi_container"));
    assert_eq!((state.exit_code, state.cause()), (Some(3), Some(Cause::ExitCode)));
    assert_eq!(state.attempts[0].exit_code, Some(3));
    let sidecar = stream(Some("/maps/proxy"), "tiles/sidecar/m1", Some("sidecar"));
    let main = stream(None, "tiles/main/m1", Some("main"));
    assert_eq!(state.all_log_streams(), [&sidecar, &main]);
}

#[test]
fn a_pod_whose_init_container_failed_shows_its_exit_code() {
    let state = state(fixture!("eks_failed"));
    assert_eq!((state.exit_code, state.reason.as_deref()), (Some(2), Some("Error")));
    assert_eq!(state.cause(), Some(Cause::ExitCode));
    assert_eq!(state.attempts.len(), 1);
    assert_eq!((state.attempts[0].exit_code, state.attempts[0].stopped_at), (Some(2), at(1_641_944_300_000)));
    assert!(state.all_log_streams().is_empty());
}

#[test]
fn a_blocked_queue_says_which_job_blocks_it_and_why() {
    let event = Event::parse(fixture!("queue_blocked").as_bytes()).unwrap();
    let expected = QueueBlocked {
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        job_arn: Some(format!("arn:aws:batch:us-east-1:123456789012:job/{ID}")),
        job_id: JobId::parse(ID).ok(),
        queue_arn: Some(
            "arn:aws:batch:us-east-1:123456789012:job-queue/PexjEHappyPathCanary2JobQueue".into(),
        ),
        status_reason: "blocked-reason".into(),
    };
    assert_eq!(event, Event::QueueBlocked(expected));
    let event = Event::parse(fixture!("service_queue_blocked").as_bytes()).unwrap();
    assert!(matches!(event, Event::QueueBlocked(QueueBlocked { queue_arn: Some(_), .. })));
}

#[test]
fn an_object_is_read_from_either_road() {
    let direct = S3Object {
        bucket: "amzn-s3-demo-bucket".into(),
        key: "HappyFace.jpg".into(),
        size_bytes: Some(1_024),
        e_tag: Some("d41d8cd98f00b204e9800998ecf8427e".into()),
        version_id: Some("096fKKXTRTtl3on89fVO.nfljtsv6qko".into()),
        sequencer: Some("0055AED6DCD90281E5".into()),
        event_name: "ObjectCreated:Put".into(),
    };
    let bridged = S3Object {
        bucket: "amzn-s3-demo-bucket1".into(),
        key: "example-key".into(),
        size_bytes: Some(5),
        e_tag: Some("b1946ac92492d2347c6235b4d2611184".into()),
        version_id: Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e".into()),
        sequencer: Some("617f08299329d189".into()),
        event_name: "Object Created".into(),
    };
    for (fixture, object) in
        [(fixture!("s3_object_created_put"), direct), (fixture!("s3_eventbridge_object_created"), bridged)]
    {
        assert!(object.is_created());
        assert_eq!(Event::parse(fixture.as_bytes()).unwrap(), Event::S3Objects(vec![object]));
    }
}

#[test]
fn a_test_event_is_no_record() {
    let event = Event::parse(fixture!("s3_test_event").as_bytes()).unwrap();
    assert_eq!(event, Event::S3Test { bucket: "bucketname".into() });
}
