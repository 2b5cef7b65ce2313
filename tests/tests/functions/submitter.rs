//! The submitter.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use batchwright::domain::{Checkpoint, JobStatus, Run, RunState, SourceVersion, Timestamp};
use batchwright::engine::{AttemptOutcome, FaultPlan, FaultyEngine, LocalEngine, Scene, VirtualClock};
use batchwright::events::JobStateChange;
use batchwright::function::{FunctionError, Invocation};
use batchwright::memory::{InMemoryJobStore, InMemoryObjectStore, InMemoryObjectWriter};
use batchwright::pace::TokenBucket;
use batchwright::ports::{ErrorKind, ObjectStore, PortError, RunStore, SubmissionPace, Unpaced};
use serde_json::{Value, json};
use submitter::{Config, Ports, Response, RunSummary, handle};
use tokio::io::{AsyncRead, BufReader, ReadBuf};

use crate::reconciler;
use crate::world::{BUCKET, Invocations, World, batch, handed_back, job, uploaded};

pub(crate) fn quick(_: &Scene<'_>) -> AttemptOutcome {
    AttemptOutcome::success_after(Duration::from_secs(5))
}

pub(crate) fn config() -> Config {
    let look_up = |name: &str| match name {
        "BATCHWRIGHT_BUCKET" => Some(BUCKET.to_owned()),
        name if name.ends_with("_TABLE") => Some("table".to_owned()),
        _ => None,
    };
    Config::read(&look_up).unwrap()
}

pub(crate) fn ports<P: SubmissionPace>(
    world: &World,
    pace: P,
) -> Ports<InMemoryJobStore, LocalEngine, P, VirtualClock, InMemoryObjectStore, Invocations> {
    Ports {
        store: world.store.clone(),
        engine: world.engine.clone(),
        pace,
        clock: world.clock,
        objects: world.objects.clone(),
        invoker: world.invoker.clone(),
    }
}

async fn summaries(world: &World, event: Value) -> Vec<RunSummary> {
    let answer = handle(&ports(world, Unpaced), &config(), event, &world.invocation(900)).await.unwrap();
    match answer.body {
        Response::Runs { runs } => runs,
        Response::Messages(response) => panic!("{response:?}"),
    }
}

fn put(world: &World, key: &str, jobs: &[Value]) {
    world.objects.put(key, "application/json", json!(jobs).to_string());
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_submitted_once_however_it_is_delivered() {
    let world = World::with(quick).await;
    put(&world, "jobs/a file.json", &[job("one"), job("two")]);
    let notification = uploaded("jobs/a+file.json");
    let bridged = json!({
        "source": "aws.s3", "detail-type": "Object Created",
        "detail": {"bucket": {"name": BUCKET}, "object": {"key": "jobs/a file.json", "sequencer": "01"}},
    });
    let first = summaries(&world, notification.clone()).await;
    assert_eq!((first[0].state, first[0].counts.submitted), (RunState::Submitted, 2));
    assert_eq!(summaries(&world, notification.clone()).await[0].run_id, first[0].run_id);
    assert_eq!(summaries(&world, bridged.clone()).await[0].run_id, first[0].run_id);
    let messages = batch([notification.to_string(), bridged.to_string()]);
    let answer = handle(&ports(&world, Unpaced), &config(), messages, &world.invocation(900)).await.unwrap();
    assert_eq!(handed_back(&answer.body), [0_u64; 0]);
    assert!(
        answer.metrics.iter().all(|metric| metric.count == 0),
        "a duplicate counts nothing: {:?}",
        answer.metrics
    );
    assert_eq!((world.tries("one").await, world.tries("two").await), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_file_is_reported_and_is_no_error() {
    let world = World::with(quick).await;
    world.objects.put("jobs/bad.jsonl", "", "{\"jobName\": \"a b\"}\n");
    let run = summaries(&world, uploaded("jobs/bad.jsonl")).await.remove(0);
    assert_eq!(run.state, RunState::Rejected);
    assert!(run.problems.iter().any(|problem| problem.starts_with("line 1: ")), "{:?}", run.problems);
    let report = world.objects.bytes(&format!("reports/{}/000000000000.jsonl", run.run_id)).unwrap();
    assert!(String::from_utf8(report).unwrap().contains("\"outcome\":\"REJECTED\""));

    let gone = summaries(&world, uploaded("jobs/gone.json")).await.remove(0);
    assert_eq!((gone.state, gone.problems.len()), (RunState::Rejected, 1));
}

#[tokio::test(start_paused = true)]
async fn a_poisonous_message_goes_back_alone() {
    let world = World::with(quick).await;
    put(&world, "jobs/a.json", &[job("one")]);
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET});
    let messages =
        batch(["nonsense".to_owned(), uploaded("jobs/a.json").to_string(), test.to_string(), "7".to_owned()]);
    let answer = handle(&ports(&world, Unpaced), &config(), messages, &world.invocation(900)).await.unwrap();
    assert_eq!(handed_back(&answer.body), [0, 3]);
    assert_eq!(world.tries("one").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_direct_call_brings_its_jobs_or_names_a_file() {
    let world = World::with(quick).await;
    let called = summaries(&world, json!({"jobs": [job("inline")], "aFieldOfTomorrow": true})).await;
    assert_eq!(called[0].counts.submitted, 1);
    assert!(called[0].source.starts_with("s3://bucket/calls/"), "{}", called[0].source);
    put(&world, "calls/elsewhere/b.json", &[job("by-uri")]);
    let called = summaries(&world, json!({"uri": "s3://bucket/calls/elsewhere/b.json"})).await;
    assert_eq!(called[0].counts.submitted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_not_continued_with_another_file() {
    let world = World::with(quick).await;
    put(&world, "jobs/a.json", &[job("one")]);
    let mut run = summaries(&world, uploaded("jobs/a.json")).await.remove(0);
    for state in [RunState::Submitted, RunState::Submitting] {
        run.state = state;
        let call = json!({"continue": {"runId": run.run_id, "source": "s3://bucket/jobs/b.json"}});
        let kept = world.store.run(&run.run_id).await.unwrap().unwrap();
        world.store.save_run(&Run { state, ..kept.clone() }).await.unwrap();
        let before = world.store.run(&run.run_id).await.unwrap();
        let refused =
            handle(&ports(&world, Unpaced), &config(), call, &world.invocation(900)).await.unwrap_err();
        assert_eq!(
            (refused.to_string(), refused.may_pass()),
            (
                format!(
                    "the run {} is of s3://bucket/jobs/a.json, and the call names s3://bucket/jobs/b.json; name the run's own file, or leave continue out for a run of its own",
                    run.run_id
                ),
                false
            )
        );
        assert_eq!(world.store.run(&run.run_id).await.unwrap(), before, "nothing is written");
    }
}

#[tokio::test(start_paused = true)]
async fn what_succeeded_runs_again_once_when_a_call_asks_for_it() {
    let mut world = World::with(quick).await;
    put(&world, "jobs/a.json", &[job("one")]);
    let submitted = async |world: &World, request: &str, event: Value| {
        let invocation = Invocation { request_id: request.to_owned(), ..world.invocation(900) };
        let answer = handle(&ports(world, Unpaced), &config(), event, &invocation).await.unwrap();
        answer.metrics.iter().find(|metric| metric.name == "JobsSubmitted").map(|metric| metric.count)
    };
    let calls = [
        json!({"uri": "s3://bucket/jobs/a.json", "rerun": true}),
        json!({"jobs": [job("one")], "rerun": true}),
        json!({"continue": {"runId": "run-7", "source": "s3://bucket/jobs/a.json", "rerun": true}}),
    ];
    assert_eq!(submitted(&world, "first", json!({"uri": "s3://bucket/jobs/a.json"})).await, Some(1));
    for (number, call) in calls.into_iter().enumerate() {
        for event in world.run_all().await {
            let state = serde_json::from_value::<JobStateChange>(event).unwrap().detail.state();
            world.recorder(&Unpaced).record_state(&state).await.unwrap();
        }
        assert_eq!(world.status("one").await, Some(JobStatus::Succeeded));
        let request = format!("request-{number}");
        assert_eq!(submitted(&world, &request, call.clone()).await, Some(1), "{call}");
        assert_eq!(submitted(&world, &request, call.clone()).await, Some(0), "delivered again: {call}");
    }
    assert_eq!(world.tries("one").await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_long_file_is_handed_on_from_invocation_to_invocation() {
    let world = World::with(quick).await;
    let names: Vec<String> = (0..300).map(|n| format!("job-{n}")).collect();
    put(&world, "jobs/long.json", &names.iter().map(|name| job(name)).collect::<Vec<_>>());
    let ports = ports(&world, TokenBucket::new(2.0));
    let mut event = uploaded("jobs/long.json");
    let mut invocations = 0;
    loop {
        invocations += 1;
        assert!(invocations < 20, "every invocation comes further");
        let invocation = world.invocation(100);
        let deadline = invocation.deadline;
        handle(&ports, &config(), event, &invocation).await.unwrap();
        assert!(now(&world) < deadline, "it stops in time");
        match world.invoker.take().pop() {
            Some((function, next)) => {
                assert_eq!(function, "the-submitter");
                event = next;
            }
            None => break,
        }
    }
    assert!(invocations > 2, "{invocations}");
    for name in names {
        assert_eq!(world.tries(&name).await, 1, "{name}");
    }
}

fn now(world: &World) -> Timestamp {
    batchwright::ports::Clock::now(&world.clock)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_came_no_further_is_left_to_the_reconciler() {
    let world = World::with(quick).await;
    put(&world, "jobs/a.json", &[job("one")]);
    let ports = ports(&world, Unpaced);
    handle(&ports, &config(), uploaded("jobs/a.json"), &world.invocation(30)).await.unwrap();
    assert_eq!(world.invoker.take(), []);
    let unfinished = world.store.unfinished_runs(now(&world).plus_millis(1), None).await.unwrap();
    assert_eq!(unfinished.items.len(), 1);
}

/// Another invocation comes further whenever this one submits.
struct Overtaken(InMemoryJobStore);

impl SubmissionPace for Overtaken {
    async fn admit(&self) {
        for run in self.0.unfinished_runs(Timestamp::from_millis(i64::MAX), None).await.unwrap().items {
            let checkpoint = Checkpoint(run.checkpoint.0 + 1);
            assert!(self.0.save_run(&Run { checkpoint, ..run }).await.unwrap());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_invocation_that_was_overtaken_hands_nothing_on_and_writes_no_report() {
    let world = World::with(quick).await;
    put(&world, "jobs/a.json", &[job("one"), job("two")]);
    let ports = ports(&world, Overtaken(world.store.clone()));
    handle(&ports, &config(), uploaded("jobs/a.json"), &world.invocation(900)).await.unwrap();
    assert_eq!(world.invoker.take(), []);
    assert_eq!(world.objects.keys(), ["jobs/a.json"]);
    assert_eq!((world.tries("one").await, world.tries("two").await), (1, 1));
}

/// Its objects break off.
#[derive(Clone)]
struct Breaking(InMemoryObjectStore);

struct Broken(&'static [u8]);

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Ready(Err(io::Error::other("connection reset")));
        }
        buf.put_slice(std::mem::take(&mut self.0));
        Poll::Ready(Ok(()))
    }
}

impl ObjectStore for Breaking {
    type Reader = BufReader<Broken>;
    type Writer = InMemoryObjectWriter;

    async fn open_object(&self, _: &str) -> Result<Option<Self::Reader>, PortError> {
        Ok(Some(BufReader::new(Broken(b"[{\"jobName\":"))))
    }

    async fn open_version(
        &self,
        key: &str,
        _: Option<&str>,
    ) -> Result<Option<(Self::Reader, SourceVersion)>, PortError> {
        Ok(self.open_object(key).await?.map(|reader| (reader, SourceVersion::default())))
    }

    async fn create_object(&self, key: &str, content_type: &str) -> Result<Self::Writer, PortError> {
        self.0.create_object(key, content_type).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_breaks_off_on_its_way_is_read_again_and_not_rejected() {
    let world = World::with(quick).await;
    put(&world, "jobs/a.json", &[job("one")]);
    let Ports { store, engine, pace, clock, objects, invoker } = ports(&world, Unpaced);
    let breaking = Ports { store, engine, pace, clock, objects: Breaking(objects), invoker };
    let error =
        handle(&breaking, &config(), uploaded("jobs/a.json"), &world.invocation(900)).await.unwrap_err();
    let FunctionError::Port(error) = error else { panic!("{error}") };
    assert_eq!(error.kind, ErrorKind::Retryable);
    assert_eq!(error.to_string(), "read the job file: s3://bucket/jobs/a.json: connection reset");
    assert_eq!(summaries(&world, uploaded("jobs/a.json")).await[0].counts.submitted, 1);
}

fn uploaded_version(key: &str, version_id: Option<&str>, e_tag: &str) -> Value {
    json!({
        "source": "aws.s3", "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": BUCKET},
            "object": {"key": key, "etag": e_tag, "version-id": version_id, "sequencer": e_tag},
        },
    })
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_replaced_before_it_is_read_is_read_all_the_same() {
    let mut world = World::with(quick).await;
    world.objects = InMemoryObjectStore::with_versions();
    put(&world, "jobs/a.json", &[job("first")]);
    put(&world, "jobs/a.json", &[job("second")]);
    for (version, expected) in [("1", "second"), ("0", "first")] {
        let run = summaries(&world, uploaded_version("jobs/a.json", Some(version), version)).await.remove(0);
        assert_eq!((run.state, run.counts.submitted), (RunState::Submitted, 1), "{version}");
        assert_eq!(world.tries(expected).await, 1);
    }
    let gone = summaries(&world, uploaded_version("jobs/a.json", Some("7"), "e7")).await.remove(0);
    assert_eq!(gone.state, RunState::Rejected);
    assert!(gone.problems[0].contains("there is no version 7 of it any more"), "{:?}", gone.problems);
}

#[tokio::test(start_paused = true)]
async fn without_versions_a_replaced_file_is_told_and_not_read_for_another() {
    let world = World::with(quick).await;
    put(&world, "jobs/a.json", &[job("second")]);
    let run = summaries(&world, uploaded_version("jobs/a.json", None, "the-first-ones")).await.remove(0);
    assert_eq!((run.state, world.tries("second").await), (RunState::Rejected, 0));
    assert!(run.problems[0].contains("replaced before it was read to its end"), "{:?}", run.problems);
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_the_content_that_it_began_with() {
    let mut world = World::with(quick).await;
    world.objects = InMemoryObjectStore::with_versions();
    let jobs: Vec<Value> = (0..4).map(|number| job(&format!("job-{number}"))).collect();
    put(&world, "jobs/a.json", &jobs);
    let event = uploaded_version("jobs/a.json", Some("0"), "0");
    let answer = handle(&ports(&world, Unpaced), &config(), event, &world.invocation(1)).await.unwrap();
    let Response::Runs { runs } = answer.body else { panic!("no runs") };
    assert_eq!(runs[0].state, RunState::Submitting, "no time was left");
    put(&world, "jobs/a.json", &[job("another")]);
    let go_on = json!({"continue": {"runId": runs[0].run_id, "source": runs[0].source}});
    let run = summaries(&world, go_on).await.remove(0);
    assert_eq!((run.state, run.counts.submitted, world.tries("another").await), (RunState::Submitted, 4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_stops_while_batch_is_away_comes_back_by_itself_and_submits_each_job_once() {
    let world = World::with(quick).await;
    let jobs: Vec<Value> = (0..40).map(|number| job(&format!("job-{number}"))).collect();
    put(&world, "jobs/a.json", &jobs);
    let plan = FaultPlan { answer_lost_permille: 1_000, ..FaultPlan::default() };
    let engine = FaultyEngine::new(world.engine.clone(), plan);
    let Ports { store, pace, clock, objects, invoker, .. } = ports(&world, Unpaced);
    let away = Ports { store, engine, pace, clock, objects, invoker };
    handle(&away, &config(), uploaded("jobs/a.json"), &world.invocation(300)).await.unwrap();
    let run = async || world.store.runs(None).await.unwrap().items.remove(0);
    let stopped = run().await;
    assert_eq!(stopped.state, RunState::Submitting);
    assert!((3..40).contains(&stopped.checkpoint.0), "it does not burn the file: {:?}", stopped.checkpoint);

    // Batch is back, and every event is lost: the run goes on, and the reconciler finds what the answers would have told.
    for _ in 0..10 {
        for (_, continuation) in world.invoker.take() {
            handle(&ports(&world, Unpaced), &config(), continuation, &world.invocation(900)).await.unwrap();
        }
        if run().await.state == RunState::Submitted {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1_300)).await;
        reconciler::pass(&world).await;
    }
    let whole = run().await;
    assert_eq!((whole.state, whole.counts.submitted, whole.counts.unknown), (RunState::Submitted, 40, 0));
    for number in 0..40 {
        assert_eq!(world.tries(&format!("job-{number}")).await, 1, "job-{number}");
    }
}
