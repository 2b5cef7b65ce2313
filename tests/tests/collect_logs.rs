//! Archives hold every stream of every attempt, whole, or say what is missing.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use batchwright::domain::{Attempt, JobId, JobState, JobStatus, LogStream, LogsRecord, NextLook, Timestamp};
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::{
    CheckpointStore as _, Cursor, JobQueries as _, LogEvent, LogPage, LogSource, LogSourceError, PortError,
    StateStore as _, WorkLists as _,
};
use batchwright::use_cases::collect_logs::{
    ArchiveState, CollectPolicy, Collector, Look, Manifest, PartLimits, collect_logs,
};
use batchwright::use_cases::follow_logs::FollowedLogs;
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
    LogStream { group: Some("/my/group".to_owned()), name: name.to_owned(), container: None, region: None }
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
    let record = collect_logs(&store, &source(), &archive, &At(60_000), &SETTLE, &job_id, Look::WhenDue)
        .await?
        .unwrap();
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
    let early =
        collect_logs(&store, &source, &archive, &At(10_000), &SETTLE, &job_id, Look::WhenDue).await?.unwrap();
    assert!(!early.complete);
    assert_eq!(early.incomplete_reason.as_deref(), Some("log stream \"never-started\" does not exist"));
    assert_eq!(store.unfinished_logs(START.plus_millis(20_000), None).await?.items.len(), 1);

    source.append(&stream("failed"), events(2, "late"));
    let later =
        collect_logs(&store, &source, &archive, &At(60_000), &SETTLE, &job_id, Look::WhenDue).await?.unwrap();
    assert_eq!((later.events, later.complete), (1_239, true));
    let again = collect_logs(&store, &source, &archive, &At(70_000), &SETTLE, &job_id, Look::WhenDue).await?;
    assert_eq!(again, None, "a whole archive is left alone");
    assert!(store.unfinished_logs(START.plus_millis(90_000), None).await?.items.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_job_that_runs_or_is_unknown_has_no_archive() -> anyhow::Result<()> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let job_id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    assert_eq!(
        collect_logs(&store, &source(), &archive, &At(0), &SETTLE, &job_id, Look::WhenDue).await?,
        None
    );
    let mut running = JobState::submitted(spec("job").job_name, job_id.clone(), None);
    running.status = JobStatus::Running;
    store.apply_state(&running, START).await?;
    assert_eq!(
        collect_logs(&store, &source(), &archive, &At(0), &SETTLE, &job_id, Look::WhenDue).await?,
        None
    );
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
            return Err(LogSourceError::CursorInvalid(stream.name.clone()));
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
    let (clock, policy) = (&clock, &SETTLE);
    let collector = Collector { store, source, archive, clock, policy, limits: SMALL, bundle: None };
    match tokio::time::timeout(Duration::from_secs(100), collector.collect(job_id, Look::WhenDue)).await {
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
        assert!(matches!(record.next_look, Some(NextLook::At(_))), "one stream was missing");
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

/// A source of which some streams are refused, or have no end.
#[derive(Clone)]
struct Odd {
    source: InMemoryLogSource,
    refused: &'static str,
    endless: &'static str,
}

impl LogSource for Odd {
    async fn log_events(&self, stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        if stream.name == self.refused {
            return Err(PortError::permanent("GetLogEvents", "AccessDeniedException: no").into());
        }
        if stream.name == self.endless {
            let number: u32 = page.map_or(0, |page| page.0.parse().expect("a number"));
            return Ok(LogPage { events: Vec::new(), next: Some(Cursor((number + 1).to_string())) });
        }
        self.source.log_events(stream, page).await
    }
}

struct Bench {
    store: InMemoryJobStore,
    archive: InMemoryObjectStore,
    job_id: JobId,
}

impl Bench {
    async fn new() -> anyhow::Result<Self> {
        let store = InMemoryJobStore::default();
        let job_id = ended_job(&store).await?;
        Ok(Self { store, archive: InMemoryObjectStore::default(), job_id })
    }

    async fn look(&self, source: &impl LogSource, at: i64, look: Look) -> anyhow::Result<Option<LogsRecord>> {
        let Self { store, archive, job_id } = self;
        Ok(collect_logs(store, source, archive, &At(at), &SETTLE, job_id, look).await?)
    }

    async fn messages(&self) -> anyhow::Result<Vec<String>> {
        let found = archived(&self.store, &self.archive, &self.job_id).await?;
        Ok(found.into_iter().map(|event| event.message).collect())
    }
}

#[tokio::test]
async fn a_refused_stream_stands_in_the_manifest_and_looks_become_rare() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let odd = Odd { source: source(), refused: "failed", endless: "" };
    let record = bench.look(&odd, 61_000, Look::WhenDue).await?.unwrap();
    assert_eq!((record.complete, record.events), (false, 1_234), "the others are archived");
    assert_eq!(record.incomplete_reason.as_deref(), Some("GetLogEvents: AccessDeniedException: no"));
    let manifest = manifest_in(&bench.archive, &record)?;
    assert!(manifest.streams[1].refused && !manifest.streams[0].refused);
    let submission = bench.store.submission(&bench.job_id).await?.unwrap();
    let mut read = 0;
    let refused = read_logs(&odd, &bench.archive, &submission, |_, _| read += 1).await;
    assert!(read == 1_234 && refused.is_err(), "what nobody could read is not taken for empty");
    let (mut now, mut looks, mut objects) = (61_000, 0, bench.archive.keys().len());
    let mut next = record.next_look;
    while let Some(NextLook::At(moment)) = next {
        let due = moment.millis_since(START);
        assert_eq!(bench.look(&odd, due - 1, Look::WhenDue).await?, None, "not before it is due");
        assert!(due - now >= 600_000, "{due} {now}");
        let again = bench.look(&odd, due, Look::WhenDue).await?.unwrap();
        (now, next, looks) = (due, again.next_look, looks + 1);
        objects = bench.archive.keys().len() - objects;
        assert!(objects <= 20 && looks <= 4, "{objects} {looks}");
    }
    assert_eq!((looks, next), (4, Some(NextLook::Never)));
    let mended = bench.look(&source(), now + 1, Look::Forced).await?.unwrap();
    assert_eq!((mended.complete, mended.events), (true, 1_237), "a call can ask for another look");
    Ok(())
}

#[tokio::test]
async fn what_comes_after_the_log_had_settled_is_found_by_a_later_look() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let source = source();
    let first = bench.look(&source, 60_000, Look::WhenDue).await?.unwrap();
    let Some(NextLook::At(moment)) = first.next_look else { anyhow::bail!("{first:?}") };
    source.append(&stream("never-started"), events(2, "at last"));
    source.append(&stream("succeeded"), events(1, "late"));
    let due = moment.millis_since(START);
    assert_eq!(bench.look(&source, due - 1, Look::WhenDue).await?, None);
    let second = bench.look(&source, due, Look::WhenDue).await?.unwrap();
    assert_eq!((second.complete, second.events), (true, 1_240));
    let messages = bench.messages().await?;
    assert_eq!((messages.len(), messages[0].starts_with("at last 0")), (1_240, true));
    assert!(messages[1_239].starts_with("late 0"));
    let Some(NextLook::At(moment)) = second.next_look else { anyhow::bail!("{second:?}") };
    source.append(&stream("failed"), events(1, "later still"));
    let third = bench.look(&source, moment.millis_since(START), Look::WhenDue).await?.unwrap();
    assert_eq!((third.events, bench.messages().await?.len()), (1_241, 1_241), "only the tail was added");
    let Some(NextLook::At(moment)) = third.next_look else { anyhow::bail!("{third:?}") };
    let last = bench.look(&source, moment.millis_since(START), Look::WhenDue).await?.unwrap();
    assert_eq!((last.events, last.next_look), (1_241, Some(NextLook::Never)), "nothing came: no more looks");
    Ok(())
}

#[tokio::test]
async fn a_stream_without_events_has_no_object_and_is_looked_at_again() -> anyhow::Result<()> {
    // A gzip file of nothing, as earlier versions wrote it.
    const EMPTY: [u8; 20] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for is_of_earlier_version in [false, true] {
        let bench = Bench::new().await?;
        let source = source();
        source.append(&stream("never-started"), []);
        let first = bench.look(&source, 60_000, Look::WhenDue).await?.unwrap();
        assert_eq!((first.complete, first.events), (true, 1_237));
        let mut manifest = manifest_in(&bench.archive, &first)?;
        let empty = &mut manifest.streams[0];
        assert_eq!((empty.events, empty.keys().count(), empty.missing.as_deref()), (0, 0, None));
        assert_eq!(bench.archive.keys().len(), 3, "the other streams and the manifest");
        if is_of_earlier_version {
            let key = first.manifest_key.replace("manifest.json", "000.jsonl.gz");
            bench.archive.save(&key, &EMPTY, None).await?;
            empty.key = Some(key);
            let found = bench.archive.load(&first.manifest_key).await?.unwrap();
            let json = serde_json::to_vec(&manifest)?;
            bench.archive.save(&first.manifest_key, &json, Some(&found.version)).await?.unwrap();
        }

        // What the archive says of it is enough, as for the others.
        let submission = bench.store.submission(&bench.job_id).await?.unwrap();
        let denied = Odd { source: source.clone(), refused: "never-started", endless: "" };
        let mut read = 0;
        read_logs(&denied, &bench.archive, &submission, |_, _| read += 1).await?;
        assert_eq!(read, 1_237);

        source.append(&stream("never-started"), events(2, "at last"));
        let Some(NextLook::At(due)) = first.next_look else { anyhow::bail!("{first:?}") };
        let second = bench.look(&source, due.millis_since(START), Look::WhenDue).await?.unwrap();
        assert_eq!((second.complete, second.events), (true, 1_239));
        let messages = bench.messages().await?;
        assert_eq!((messages.len(), messages[1].starts_with("at last 1")), (1_239, true));
    }
    Ok(())
}

#[tokio::test]
async fn a_forced_look_reads_all_again_and_never_loses_what_retention_took() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let source = source();
    bench.look(&source, 60_000, Look::WhenDue).await?;
    source.append(&stream("failed"), events(4, "late"));
    let forced = bench.look(&source, 130_000, Look::Forced).await?.unwrap();
    assert_eq!((forced.complete, forced.events), (true, 1_241));
    let emptied = InMemoryLogSource::new(100, 0);
    emptied.append(&stream("succeeded"), events(1, "the last line alone"));
    let kept = bench.look(&emptied, 140_000, Look::Forced).await?.unwrap();
    assert_eq!((kept.complete, kept.events), (true, 1_241));
    assert_eq!(bench.messages().await?.len(), 1_241);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_late_loser_does_not_replace_a_complete_archive() -> anyhow::Result<()> {
    /// A source whose first page takes its time.
    struct Late(InMemoryLogSource);

    impl LogSource for Late {
        async fn log_events(&self, s: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
            let read = self.0.log_events(s, page).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            read
        }
    }
    let bench = Bench::new().await?;
    let before = InMemoryLogSource::new(100, 0);
    before.append(&stream("failed"), events(1, "failed"));
    let loser = Late(before);
    let (loser, winner) = tokio::join!(bench.look(&loser, 58_500, Look::WhenDue), async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        bench.look(&source(), 61_000, Look::WhenDue).await
    });
    let (loser, winner) = (loser?.unwrap(), winner?.unwrap());
    assert_eq!((winner.complete, winner.events), (true, 1_237));
    assert_eq!(loser, winner, "it answers with what is there");
    assert_eq!(bench.store.submission(&bench.job_id).await?.unwrap().logs, Some(winner));
    assert_eq!(bench.messages().await?.len(), 1_237);
    Ok(())
}

#[tokio::test]
async fn a_stream_whose_end_never_comes_is_given_up() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let odd = Odd { source: source(), refused: "", endless: "failed" };
    let record = bench.look(&odd, 60_000, Look::WhenDue).await?.unwrap();
    assert_eq!((record.complete, record.events), (false, 1_234));
    assert!(record.incomplete_reason.unwrap().contains("pages in a row"));
    let submission = bench.store.submission(&bench.job_id).await?.unwrap();
    let mut read = 0;
    read_logs(&odd, &InMemoryObjectStore::default(), &submission, |_, _| read += 1).await?;
    assert_eq!(read, 1_234, "a reader is not kept either");
    Ok(())
}

/// What the manifest says of a job that ended an hour ago with these streams.
async fn said_of(change: impl Fn(&mut JobState), source: &InMemoryLogSource) -> anyhow::Result<Manifest> {
    let (store, archive) = (InMemoryJobStore::default(), InMemoryObjectStore::default());
    let job_id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8")?;
    let mut state = JobState::submitted(spec("job").job_name, job_id.clone(), None);
    state.status = JobStatus::Succeeded;
    state.times.stopped_at = Some(START);
    change(&mut state);
    store.apply_state(&state, START).await?;
    let now = At(3_600_000);
    let record = collect_logs(&store, source, &archive, &now, &SETTLE, &job_id, Look::WhenDue)
        .await?
        .expect("it has ended");
    assert_eq!(store.submission(&job_id).await?.expect("it is known").logs.as_ref(), Some(&record));
    manifest_in(&archive, &record)
}

#[tokio::test]
async fn an_archive_is_complete_only_where_every_log_was_looked_at() -> anyhow::Result<()> {
    let source = source();
    let none = said_of(|_| (), &source).await?;
    assert_eq!((none.state, none.next_look), (ArchiveState::Complete, Some(NextLook::Never)));
    let elsewhere =
        said_of(|state| state.logs_elsewhere = Some("the log driver is \"splunk\"".into()), &source);
    let elsewhere = elsewhere.await?;
    assert_eq!((elsewhere.state, elsewhere.complete), (ArchiveState::NotInCloudwatch, false));
    assert_eq!(elsewhere.incomplete_reason.as_deref(), Some("the log driver is \"splunk\""));
    assert_eq!(elsewhere.next_look, Some(NextLook::Never));
    let one = |state: &mut JobState| state.log_streams = vec![stream("failed")];
    let both = said_of(
        |state| {
            one(state);
            state.logs_elsewhere = Some("the log driver is \"splunk\"".into());
        },
        &source,
    );
    let both = both.await?;
    assert_eq!((both.state, both.events), (ArchiveState::Incomplete, 3), "what is in CloudWatch is archived");
    let gone = |state: &mut JobState| {
        let group = Some("/gone".to_owned());
        state.log_streams = vec![LogStream { group, ..stream("failed") }];
    };
    let gone = said_of(gone, &source).await?;
    assert_eq!((gone.state, gone.complete), (ArchiveState::Incomplete, false));
    assert_eq!(gone.incomplete_reason.as_deref(), Some("log group \"/gone\" does not exist"));
    assert!(matches!(gone.next_look, Some(NextLook::At(_))), "it is not looked at in every pass");
    Ok(())
}

#[tokio::test]
async fn a_complete_archive_is_read_whatever_became_of_the_source() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    bench.look(&source(), 60_000, Look::WhenDue).await?;
    let submission = bench.store.submission(&bench.job_id).await?.unwrap();
    let emptied = InMemoryLogSource::new(100, 0);
    for name in ["failed", "succeeded"] {
        emptied.append(&stream(name), []);
    }
    let shortened = InMemoryLogSource::new(100, 0);
    shortened.append(&stream("succeeded"), events(1, "the last line alone"));
    let denied = Odd { source: source(), refused: "succeeded", endless: "failed" };
    for source in [
        Odd { source: emptied, refused: "", endless: "" },
        Odd { source: shortened, refused: "", endless: "" },
        denied,
    ] {
        let mut read = 0;
        read_logs(&source, &bench.archive, &submission, |_, _| read += 1).await?;
        assert_eq!(read, 1_237);
    }
    Ok(())
}

#[tokio::test]
async fn an_archived_log_whose_object_is_gone_is_told_where_the_source_has_it_no_more() -> anyhow::Result<()>
{
    let bench = Bench::new().await?;
    let record = bench.look(&source(), 60_000, Look::WhenDue).await?.unwrap();
    let submission = bench.store.submission(&bench.job_id).await?.unwrap();
    let robbed = InMemoryObjectStore::default();
    let manifest = bench.archive.bytes(&record.manifest_key).unwrap();
    robbed.put(&record.manifest_key, "application/json", manifest);
    let gone = InMemoryLogSource::new(100, 0);
    let error = read_logs(&gone, &robbed, &submission, |_, _| ()).await.unwrap_err();
    assert!(error.to_string().contains(".jsonl.gz: it is not there"), "{error}");
    assert_eq!(read_logs(&source(), &robbed, &submission, |_, _| ()).await?, 1_237, "the source has it");
    Ok(())
}

#[tokio::test]
async fn a_stream_that_can_not_be_read_keeps_none_of_the_others_out() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let submission = bench.store.submission(&bench.job_id).await?.unwrap();
    let odd = Odd { source: source(), refused: "failed", endless: "" };
    let mut read = 0;
    let error = read_logs(&odd, &bench.archive, &submission, |_, _| read += 1).await.unwrap_err();
    assert_eq!(read, 1_234, "the streams after it are shown");
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    Ok(())
}

/// A source that counts the events it hands out, and forgets its tokens when it is told to.
struct Counted {
    source: InMemoryLogSource,
    handed_out: AtomicU32,
    forgets: AtomicU32,
}

impl LogSource for Counted {
    async fn log_events(&self, s: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        if page.is_some() && self.forgets.swap(0, Ordering::Relaxed) > 0 {
            return Err(LogSourceError::CursorInvalid(s.name.clone()));
        }
        let page = self.source.log_events(s, page).await?;
        self.handed_out.fetch_add(page.events.len() as u32, Ordering::Relaxed);
        Ok(page)
    }
}

#[tokio::test]
async fn what_is_followed_comes_once_and_is_not_read_from_its_start_again() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let submission = bench.store.submission(&bench.job_id).await?.unwrap();
    let source = InMemoryLogSource::new(100, 2);
    let counted =
        Counted { source: source.clone(), handed_out: AtomicU32::new(0), forgets: AtomicU32::new(0) };
    let (mut followed, mut messages) = (FollowedLogs::default(), Vec::new());
    assert!(!followed.has(&submission), "no stream is there yet");
    let mut written = Vec::new();
    for round in 0..50 {
        if round == 30 {
            counted.forgets.store(1, Ordering::Relaxed);
        }
        let new = events(round % 7 * 10, &format!("round {round}"));
        source.append(&stream("succeeded"), new.clone());
        written.extend(new);
        followed.read_on(&counted, &submission, |_, event| messages.push(event.clone())).await?;
        assert_eq!(messages.len(), written.len(), "round {round}");
    }
    assert!(followed.has(&submission));
    assert_eq!(messages, written);
    // 1,470 events: at each look at most a page of them again, and once all of them.
    let handed_out = counted.handed_out.load(Ordering::Relaxed) as usize;
    assert!(handed_out < 2 * written.len() + 50 * 100, "{handed_out} for {}", written.len());
    Ok(())
}
