//! Archives hold every stream of every attempt, whole, or say what is missing.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use batchwright::domain::{Attempt, JobId, JobState, JobStatus, LogStream, LogsRecord, Timestamp};
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::{
    Cursor, JobQueries as _, LogEvent, LogPage, LogSource, LogSourceError, PortError, StateStore as _,
    WorkLists as _,
};
use batchwright::use_cases::collect_logs::{
    CollectPolicy, Manifest, PartLimits, collect_in_parts, collect_logs,
};
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

/// A source of which one stream can be read up to its second page.
struct Damaged(InMemoryLogSource);

impl LogSource for Damaged {
    async fn log_events(&self, stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        if stream.name == "failed" && page.is_some() {
            return Err(LogSourceError::Unreadable("the disk is bad".to_owned()));
        }
        self.0.log_events(stream, page).await
    }
}

#[tokio::test]
async fn a_log_that_can_not_be_read_to_its_end_is_told_and_the_others_are_archived() -> anyhow::Result<()> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let job_id = ended_job(&store).await?;
    let source = InMemoryLogSource::new(100, 0);
    source.append(&stream("failed"), events(250, "failed"));
    source.append(&stream("succeeded"), events(150, "succeeded"));
    let damaged = Damaged(source.clone());
    let record = collect_logs(&store, &damaged, &archive, &At(60_000), &SETTLE, &job_id).await?.unwrap();
    assert_eq!((record.events, record.complete), (250, false), "a page of one, all of the other");
    assert_eq!(record.incomplete_reason.as_deref(), Some("the disk is bad"));
    let manifest = manifest_in(&archive, &record)?;
    let missing: Vec<Option<&str>> =
        manifest.streams.iter().map(|stream| stream.missing.as_deref()).collect();
    assert_eq!(missing, [Some("log stream \"never-started\" does not exist"), Some("the disk is bad"), None]);
    assert_eq!(archived(&store, &archive, &job_id).await?.len(), 250);

    let record = collect_logs(&store, &source, &archive, &At(70_000), &SETTLE, &job_id).await?.unwrap();
    assert_eq!((record.events, record.complete), (400, true), "the disk was mended");
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

/// A part holds what one or two pages of these tests do.
const SMALL: PartLimits = PartLimits { bytes: 20_000, compressed_bytes: 1_000_000 };

/// A source that a function's time is over for after so many pages.
struct Slow {
    source: InMemoryLogSource,
    pages_left: AtomicU32,
    forgets: bool,
}

impl Slow {
    fn new(source: &InMemoryLogSource, pages: u32) -> Self {
        Self { source: source.clone(), pages_left: AtomicU32::new(pages), forgets: false }
    }
}

impl LogSource for Slow {
    async fn log_events(&self, stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        if page.is_some() && self.forgets {
            return Err(PortError::permanent("GetLogEvents", "the specified nextToken is invalid").into());
        }
        if self.pages_left.load(Ordering::Relaxed) == 0 {
            std::future::pending::<()>().await;
        }
        self.pages_left.fetch_sub(1, Ordering::Relaxed);
        self.source.log_events(stream, page).await
    }
}

/// One invocation: what it returns, or `None` where its time was over first.
async fn invocation(
    store: &InMemoryJobStore,
    source: &impl LogSource,
    archive: &InMemoryObjectStore,
    now: i64,
    job_id: &JobId,
) -> anyhow::Result<Option<LogsRecord>> {
    let clock = At(now);
    let collecting = collect_in_parts(store, source, archive, &clock, &SETTLE, &SMALL, job_id);
    match tokio::time::timeout(Duration::from_secs(100), collecting).await {
        Ok(record) => Ok(record?),
        Err(_) => Ok(None),
    }
}

async fn archived(
    store: &InMemoryJobStore,
    archive: &InMemoryObjectStore,
    job_id: &JobId,
) -> anyhow::Result<Vec<LogEvent>> {
    let gone = InMemoryLogSource::new(100, 0);
    let submission = store.submission(job_id).await?.expect("it is known");
    let mut found = Vec::new();
    read_logs(&gone, archive, &submission, |_, event| found.push(event.clone())).await?;
    Ok(found)
}

fn manifest_in(archive: &InMemoryObjectStore, record: &LogsRecord) -> anyhow::Result<Manifest> {
    Ok(serde_json::from_slice(&archive.bytes(&record.manifest_key).expect("it was written"))?)
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_too_long_for_one_invocation_is_archived_whole_by_several() -> anyhow::Result<()> {
    let whole = [events(3, "failed"), events(5_678, "succeeded")].concat();
    let source = InMemoryLogSource::new(100, 2);
    source.append(&stream("failed"), events(3, "failed"));
    source.append(&stream("succeeded"), events(5_678, "succeeded"));
    for pages in [11, 17, 40, 41] {
        let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
        let job_id = ended_job(&store).await?;
        let mut invocations = 1;
        let record = loop {
            let slow = Slow::new(&source, pages);
            let now = 60_000 + invocations * 300_000;
            if let Some(record) = invocation(&store, &slow, &archive, now, &job_id).await? {
                break record;
            }
            if let Some(kept) = store.submission(&job_id).await?.unwrap().logs {
                assert!(!kept.complete && manifest_in(&archive, &kept)?.progress.is_some(), "{kept:?}");
                let so_far = archived(&store, &archive, &job_id).await?;
                assert!(kept.events as usize == so_far.len() && whole.starts_with(&so_far));
            }
            invocations += 1;
            assert!(invocations < 60, "{pages} pages an invocation never come to the end");
        };
        assert!(invocations > 3, "{pages}: {invocations}");
        assert_eq!((record.events, record.complete), (5_681, true));
        let manifest = manifest_in(&archive, &record)?;
        assert_eq!((manifest.progress, manifest.streams.len()), (None, 3));
        assert!(manifest.streams[1].parts.is_empty() && manifest.streams[1].key.is_some());
        assert!(manifest.streams[2].parts.len() > 10 && manifest.streams[2].key.is_none());
        assert_eq!(archived(&store, &archive, &job_id).await?, whole, "{pages} pages an invocation");
        assert!(store.unfinished_logs(START.plus_millis(i64::from(u32::MAX)), None).await?.items.is_empty());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn where_the_source_has_forgotten_the_place_the_archive_is_begun_anew() -> anyhow::Result<()> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let (job_id, source) = (ended_job(&store).await?, source());
    assert_eq!(invocation(&store, &Slow::new(&source, 20), &archive, 60_000, &job_id).await?, None);
    assert!(!archived(&store, &archive, &job_id).await?.is_empty(), "it was begun");
    let forgetful = Slow { forgets: true, ..Slow::new(&InMemoryLogSource::new(100, 0), 100) };
    let error = invocation(&store, &forgetful, &archive, 90_000_000, &job_id).await;
    assert!(error?.is_some_and(|record| record.events == 0), "and where there is nothing left, that is all");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_the_log_had_settled_is_read_again() -> anyhow::Result<()> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let (job_id, source) = (ended_job(&store).await?, source());
    assert_eq!(invocation(&store, &Slow::new(&source, 20), &archive, 10_000, &job_id).await?, None);
    assert!(archived(&store, &archive, &job_id).await?.len() > 300, "it was begun early");
    source.append(&stream("failed"), events(2, "late"));
    let record = invocation(&store, &source, &archive, 70_000, &job_id).await?.unwrap();
    assert_eq!((record.events, record.complete), (1_239, true));
    assert_eq!(archived(&store, &archive, &job_id).await?.len(), 1_239);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_collectors_of_one_log_leave_the_archive_of_one() -> anyhow::Result<()> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let (job_id, source) = (ended_job(&store).await?, source());
    assert_eq!(invocation(&store, &Slow::new(&source, 15), &archive, 60_000, &job_id).await?, None);
    assert_eq!(invocation(&store, &Slow::new(&source, 9), &archive, 60_000, &job_id).await?, None);
    let both = [61_000, 62_000].map(|now| {
        let (store, archive, source, job_id) = (&store, &archive, &source, &job_id);
        async move { invocation(store, source, archive, now, job_id).await }
    });
    let [first, second] = both;
    let (first, second) = tokio::join!(first, second);
    assert!(first?.is_some() || second?.is_some());
    let expected = [events(3, "failed"), events(1_234, "succeeded")].concat();
    assert_eq!(archived(&store, &archive, &job_id).await?, expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lost_job_without_an_end_time_is_archived_whole_too() -> anyhow::Result<()> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let job_id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    let mut state = JobState::submitted(spec("job").job_name, job_id.clone(), None);
    state.status = JobStatus::Failed;
    state.log_streams = vec![stream("succeeded")];
    store.apply_state(&state, START).await?;
    let source = source();
    for now in [100_000, 400_000, 700_000] {
        assert_eq!(invocation(&store, &Slow::new(&source, 9), &archive, now, &job_id).await?, None, "{now}");
    }
    let record = invocation(&store, &source, &archive, 1_000_000, &job_id).await?.unwrap();
    assert_eq!((record.events, record.complete), (1_234, true));
    assert_eq!(archived(&store, &archive, &job_id).await?, events(1_234, "succeeded"));
    Ok(())
}
