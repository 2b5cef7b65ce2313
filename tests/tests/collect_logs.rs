//! Archives hold every stream of every attempt, whole, or say what is missing.

use batchwright::domain::{Attempt, JobId, JobState, JobStatus, LogStream, Timestamp};
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::{JobStore, LogEvent};
use batchwright::use_cases::collect_logs::{CollectPolicy, collect_logs};
use batchwright::use_cases::read_logs::read_logs;
use batchwright_tests::world::{START, spec};

const SETTLE: CollectPolicy = CollectPolicy { settle_ms: 60_000 };

#[derive(Clone, Copy)]
struct At(i64);

impl batchwright::ports::Clock for At {
    fn now(&self) -> Timestamp {
        START.plus_millis(self.0)
    }
}

fn stream(name: &str) -> LogStream {
    LogStream { group: Some("/my/group".to_owned()), name: name.to_owned(), container: None }
}

fn events(count: i64, text: &str) -> Vec<LogEvent> {
    let event = |number| LogEvent {
        timestamp: START.plus_millis(number),
        ingestion_time: START.plus_millis(number + 5),
        message: format!("{text} {number} ünïcode \"quoted\""),
    };
    (0..count).map(event).collect()
}

/// A job that ended at `START`: an attempt that never started, one that failed, one that succeeded.
async fn ended_job(store: &InMemoryJobStore) -> anyhow::Result<JobId> {
    let job_id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    let attempt = |name: &str| Attempt { log_streams: vec![stream(name)], ..Attempt::default() };
    let mut state = JobState::submitted(spec("job").job_name, job_id.clone(), None);
    state.status = JobStatus::Succeeded;
    state.times.stopped_at = Some(START);
    state.attempts = vec![attempt("never-started"), attempt("failed"), attempt("succeeded")];
    state.log_streams = vec![stream("succeeded")];
    store.apply_state(&state, START).await?;
    Ok(job_id)
}

fn source() -> InMemoryLogSource {
    let source = InMemoryLogSource::new(100, 2);
    source.append(&stream("failed"), events(3, "failed"));
    source.append(&stream("succeeded"), events(1_234, "succeeded"));
    source
}

#[tokio::test]
async fn every_attempt_is_archived_to_its_last_page_and_can_be_read_back() -> anyhow::Result<()> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let job_id = ended_job(&store).await?;
    let record = collect_logs(&store, &source(), &archive, &At(60_000), &SETTLE, &job_id).await?.unwrap();
    assert_eq!((record.events, record.complete), (1_237, true));
    let manifest: serde_json::Value = serde_json::from_slice(&archive.bytes(&record.manifest_key).unwrap())?;
    let streams = manifest["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 3, "the last attempt's stream is named twice and archived once");
    assert_eq!(streams[0]["missing"], "log stream \"never-started\" does not exist");
    assert_eq!(streams[1]["logGroup"], "/my/group");
    assert_eq!(streams[2]["lastTimestamp"], START.as_millis() + 1_233);

    let submission = store.submission(&job_id).await?.unwrap();
    assert_eq!(submission.logs, Some(record));
    let gone = InMemoryLogSource::new(100, 0);
    let mut messages = Vec::new();
    let read = read_logs(&gone, &archive, &submission, |_, event| messages.push(event.clone())).await?;
    assert_eq!(read, 1_237);
    assert_eq!(messages, [events(3, "failed"), events(1_234, "succeeded")].concat());
    Ok(())
}

#[tokio::test]
async fn a_log_that_may_still_grow_is_incomplete_and_looked_at_again() -> anyhow::Result<()> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let (job_id, source) = (ended_job(&store).await?, source());
    let early = collect_logs(&store, &source, &archive, &At(10_000), &SETTLE, &job_id).await?.unwrap();
    assert!(!early.complete);
    assert_eq!(early.incomplete_reason.as_deref(), Some("log stream \"never-started\" does not exist"));
    assert_eq!(store.unfinished_logs(START.plus_millis(20_000), None).await?.items.len(), 1);

    source.append(&stream("failed"), events(2, "late"));
    let later = collect_logs(&store, &source, &archive, &At(60_000), &SETTLE, &job_id).await?.unwrap();
    assert_eq!((later.events, later.complete), (1_239, true));
    let again = collect_logs(&store, &source, &archive, &At(70_000), &SETTLE, &job_id).await?;
    assert_eq!(again, None, "a whole archive is left alone");
    assert!(store.unfinished_logs(START.plus_millis(90_000), None).await?.items.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_job_that_runs_or_is_unknown_has_no_archive() -> anyhow::Result<()> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let job_id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    assert_eq!(collect_logs(&store, &source(), &archive, &At(0), &SETTLE, &job_id).await?, None);
    let mut running = JobState::submitted(spec("job").job_name, job_id.clone(), None);
    running.status = JobStatus::Running;
    store.apply_state(&running, START).await?;
    assert_eq!(collect_logs(&store, &source(), &archive, &At(0), &SETTLE, &job_id).await?, None);
    assert!(archive.keys().is_empty());
    Ok(())
}
