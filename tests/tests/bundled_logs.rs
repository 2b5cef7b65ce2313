//! Small logs that are collected at once share an object, and each is read by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use batchwright::domain::{
    Attempt, JobId, JobState, JobStatus, LogStream, LogsRecord, NextLook, SourceVersion, Timestamp,
};
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::{
    CheckpointStore, Clock, Cursor, JobQueries as _, LogEvent, LogPage, LogSource, LogSourceError,
    ObjectStore, PortError, StateStore as _, Stored, Version,
};
use batchwright::use_cases::collect_logs::{Bundle, CollectPolicy, Collector, Look, PartLimits};
use batchwright::use_cases::read_logs::read_logs;
use batchwright_tests::world::{START, spec};
use futures_util::future::join_all;
use tokio::io::AsyncReadExt as _;

const SETTLE: CollectPolicy = CollectPolicy { settle_ms: 60_000 };

const SETTLED: At = At(60_000);

#[derive(Clone, Copy)]
struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        START.plus_millis(self.0)
    }
}

fn job_id(number: usize) -> JobId {
    JobId::parse(&format!("4c7599ae-0a82-49aa-ba5a-{number:012}")).expect("it is an id")
}

fn stream(number: usize, attempt: &str) -> LogStream {
    LogStream { group: None, name: format!("definition/{attempt}/{number}"), container: None, region: None }
}

fn line(text: String) -> LogEvent {
    LogEvent { timestamp: START, ingestion_time: START, message: text }
}

/// What a job has written: an attempt that was lost and one that succeeded.
fn written(number: usize) -> Vec<LogEvent> {
    ["lost", "succeeded"].map(|attempt| line(format!("{attempt} {number} ünïcode \"quoted\""))).to_vec()
}

/// A text that gzip can't make small.
fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + ((state >> 33) % 90) as u8)
    });
    letters.take(bytes).collect()
}

/// Jobs that have ended at `START`, and their logs.
struct Ended {
    /// From how many on they share an object.
    from: usize,
    store: InMemoryJobStore,
    source: InMemoryLogSource,
    archive: InMemoryObjectStore,
}

impl Ended {
    async fn new(jobs: usize) -> anyhow::Result<Self> {
        let store = InMemoryJobStore::default();
        let source = InMemoryLogSource::new(100, 0);
        for number in 0..jobs {
            let mut state =
                JobState::submitted(spec(&format!("job-{number}")).job_name, job_id(number), None);
            state.status = JobStatus::Succeeded;
            state.times.stopped_at = Some(START);
            let attempt = |name| Attempt { log_streams: vec![stream(number, name)], ..Attempt::default() };
            state.attempts = vec![attempt("lost"), attempt("succeeded")];
            store.apply_state(&state, START).await?;
            for (attempt, event) in ["lost", "succeeded"].into_iter().zip(written(number)) {
                source.append(&stream(number, attempt), [event]);
            }
        }
        Ok(Self { from: 2, store, source, archive: InMemoryObjectStore::default() })
    }

    /// Collects the logs of jobs at once, as an invocation does.
    async fn collect(&self, jobs: usize, clock: At) -> Vec<Result<Option<LogsRecord>, PortError>> {
        self.collect_from(&self.source, &self.archive, jobs, clock).await
    }

    async fn collect_from<L: LogSource, O: ObjectStore + CheckpointStore>(
        &self,
        source: &L,
        archive: &O,
        jobs: usize,
        clock: At,
    ) -> Vec<Result<Option<LogsRecord>, PortError>> {
        let bundle = Bundle::new(self.from);
        let (bundle, clock) = (&bundle, &clock);
        join_all((0..jobs).map(async |number| {
            let _member = bundle.join().await;
            let (store, policy, limits) = (&self.store, &SETTLE, PartLimits::default());
            let collector = Collector { store, source, archive, clock, policy, limits, bundle: Some(bundle) };
            collector.collect(&job_id(number), Look::WhenDue).await
        }))
        .await
    }

    /// One look by itself, as the reconciler makes it.
    async fn look(&self, number: usize, clock: At, look: Look) -> anyhow::Result<Option<LogsRecord>> {
        let Self { store, source, archive, .. } = self;
        let (clock, policy, limits) = (&clock, &SETTLE, PartLimits::default());
        let collector = Collector { store, source, archive, clock, policy, limits, bundle: None };
        Ok(collector.collect(&job_id(number), look).await?)
    }

    /// What the archive has of a job's log.
    async fn archived(&self, number: usize) -> anyhow::Result<Vec<LogEvent>> {
        let gone = InMemoryLogSource::new(100, 0);
        let submission = self.store.submission(&job_id(number)).await?.expect("it is known");
        let mut found = Vec::new();
        read_logs(&gone, &self.archive, &submission, |_, event| found.push(event.clone())).await?;
        Ok(found)
    }

    fn bundles(&self) -> Vec<String> {
        self.archive.keys().into_iter().filter(|key| key.starts_with("logs/.bundles/")).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn logs_that_come_at_once_share_an_object_and_each_is_read_by_itself() -> anyhow::Result<()> {
    let ended = Ended::new(10).await?;
    for (number, collected) in ended.collect(10, SETTLED).await.into_iter().enumerate() {
        let record = collected?.expect("it is archived");
        assert_eq!((record.complete, record.events), (true, 2));
        assert_eq!(ended.store.submission(&job_id(number)).await?.and_then(|known| known.logs), Some(record));
        assert_eq!(ended.archived(number).await?, written(number));
    }
    let bundles = ended.bundles();
    assert_eq!(ended.archive.keys(), bundles, "nothing lies elsewhere");
    assert_eq!(bundles.len(), 1);
    // All of it is a gzip file of JSON Lines.
    let bytes = ended.archive.bytes(&bundles[0]).unwrap_or_default();
    let (mut whole, mut decoder) = (String::new(), GzipDecoder::new(&bytes[..]));
    decoder.multiple_members(true);
    decoder.read_to_string(&mut whole).await?;
    let lines: Vec<serde_json::Value> = whole.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(lines.iter().filter(|line| line.get("message").is_some()).count(), 20);
    assert_eq!(lines.iter().filter(|line| line.get("streams").is_some()).count(), 10);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_log_that_comes_alone_lies_under_its_jobs_name() -> anyhow::Result<()> {
    let ended = Ended::new(1).await?;
    let record = ended.collect(1, SETTLED).await.remove(0)?.expect("it is archived");
    let folder = format!("logs/job-0/{}", job_id(0));
    assert_eq!(record.manifest_key, format!("{folder}/manifest.json"));
    let keys = ["000.jsonl.gz", "001.jsonl.gz", "manifest.json"].map(|name| format!("{folder}/{name}"));
    assert_eq!(ended.archive.keys(), keys);
    assert_eq!(ended.archived(0).await?, written(0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn logs_that_are_too_few_lie_under_their_jobs_names() -> anyhow::Result<()> {
    for (jobs, bundles) in [(4, 0), (5, 1)] {
        let ended = Ended { from: 5, ..Ended::new(jobs).await? };
        for collected in ended.collect(jobs, SETTLED).await {
            let record = collected?.expect("it is archived");
            assert!(record.complete);
            assert_eq!(record.manifest_key.starts_with("logs/job-"), bundles == 0, "{record:?}");
        }
        assert_eq!(ended.bundles().len(), bundles);
        for number in 0..jobs {
            assert_eq!(ended.archived(number).await?, written(number));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_large_or_may_grow_has_objects_of_its_own() -> anyhow::Result<()> {
    let ended = Ended::new(4).await?;
    let large = line(noise(100_000));
    ended.source.append(&stream(2, "succeeded"), [large.clone()]);
    for collected in ended.collect(4, SETTLED).await {
        assert!(collected?.is_some_and(|record| record.complete));
    }
    assert_eq!(ended.bundles().len(), 1);
    let own: Vec<String> =
        ended.archive.keys().into_iter().filter(|key| !key.contains("/.bundles/")).collect();
    let folder = format!("logs/job-2/{}", job_id(2));
    assert_eq!(own, ["000.jsonl.gz", "001.jsonl.gz", "manifest.json"].map(|name| format!("{folder}/{name}")));
    assert_eq!(ended.archived(2).await?, [written(2), vec![large]].concat());
    assert_eq!(ended.archived(3).await?, written(3));

    let early = Ended::new(3).await?;
    for collected in early.collect(3, At(10_000)).await {
        assert!(collected?.is_some_and(|record| !record.complete));
    }
    assert!(early.bundles().is_empty(), "what may grow is read again in a moment");
    for collected in early.collect(3, SETTLED).await {
        assert!(collected?.is_some_and(|record| record.complete));
    }
    assert!(early.bundles().is_empty(), "its manifest is there already, and is put right");
    assert_eq!(early.archived(1).await?, written(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_later_look_adds_what_came_late() -> anyhow::Result<()> {
    let ended = Ended::new(3).await?;
    ended.collect(3, SETTLED).await;
    let bundled = ended.archive.keys();
    let late = line("late".to_owned());
    ended.source.append(&stream(1, "succeeded"), [late.clone()]);
    let later = At(60_000 + 600_000);
    for (number, expected) in
        [(0, written(0)), (1, [written(1), vec![late.clone()]].concat()), (2, written(2))]
    {
        let record = ended.look(number, later, Look::WhenDue).await?.expect("it is due");
        assert_eq!((record.events, record.complete), (expected.len() as u64, true));
        assert_eq!(ended.archived(number).await?, expected);
        assert_eq!(record.next_look == Some(NextLook::Never), number != 1, "what grew may grow again");
    }
    let own = ended.archive.keys().into_iter().filter(|key| !bundled.contains(key)).count();
    assert_eq!(own, 2, "the late lines and a manifest, of the one that grew");

    // Looked at once more, and read anew as a whole.
    ended.source.append(&stream(1, "succeeded"), [late.clone()]);
    let record = ended.look(1, At(later.0 + 3_600_000), Look::WhenDue).await?.expect("it is due");
    assert_eq!((record.events, record.complete), (4, true));
    let whole = [written(1), vec![late.clone(), late]].concat();
    assert_eq!(ended.archived(1).await?, whole);
    let record = ended.look(1, At(later.0 + 7_200_000), Look::Forced).await?.expect("it is forced");
    assert_eq!((record.events, record.complete), (4, true));
    assert_eq!(ended.archived(1).await?, whole);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_forced_look_that_finds_less_keeps_what_is_bundled() -> anyhow::Result<()> {
    let mut ended = Ended::new(2).await?;
    ended.collect(2, SETTLED).await;
    ended.source = InMemoryLogSource::new(100, 0);
    let record = ended.look(1, At(70_000), Look::Forced).await?.expect("it is forced");
    assert_eq!((record.events, record.complete), (2, true), "retention has taken the streams");
    assert_eq!(ended.archived(1).await?, written(1));
    Ok(())
}

/// An archive that nobody may read.
struct Refused;

impl ObjectStore for Refused {
    type Reader = <InMemoryObjectStore as ObjectStore>::Reader;
    type Writer = <InMemoryObjectStore as ObjectStore>::Writer;

    async fn open_object(&self, _: &str) -> Result<Option<Self::Reader>, PortError> {
        Err(PortError::permanent("GetObject", "AccessDenied"))
    }

    async fn open_version(
        &self,
        _: &str,
        _: Option<&str>,
    ) -> Result<Option<(Self::Reader, SourceVersion)>, PortError> {
        Err(PortError::permanent("GetObject", "AccessDenied"))
    }

    async fn create_object(&self, _: &str, _: &str) -> Result<Self::Writer, PortError> {
        Err(PortError::permanent("PutObject", "AccessDenied"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_is_gone_damaged_or_refused_is_told_where_the_source_has_not_the_log()
-> anyhow::Result<()> {
    async fn read(
        ended: &Ended,
        source: &InMemoryLogSource,
        archive: &impl ObjectStore,
    ) -> anyhow::Result<Result<u64, PortError>> {
        let submission = ended.store.submission(&job_id(1)).await?.expect("it is known");
        Ok(read_logs(source, archive, &submission, |_, _| ()).await)
    }
    let ended = Ended::new(3).await?;
    ended.collect(3, SETTLED).await;
    let (gone, nothing) = (InMemoryLogSource::new(100, 0), InMemoryObjectStore::default());
    let damaged = InMemoryObjectStore::default();
    damaged.put(&ended.bundles()[0], "application/gzip", vec![7; 10_000]);
    assert_eq!(read(&ended, &gone, &ended.archive).await?.ok(), Some(2));
    for (found, why) in [
        (read(&ended, &gone, &nothing).await?, "logs/.bundles/"),
        (read(&ended, &gone, &damaged).await?, "logs/.bundles/"),
        (read(&ended, &gone, &Refused).await?, "AccessDenied"),
    ] {
        let error = found.expect_err("two events were archived");
        assert!(error.to_string().contains(why) && !error.may_pass(), "{error}");
    }
    for found in [
        read(&ended, &ended.source, &nothing).await?,
        read(&ended, &ended.source, &damaged).await?,
        read(&ended, &ended.source, &Refused).await?,
    ] {
        assert_eq!(found.ok(), Some(2), "the source has it");
    }
    Ok(())
}

/// An archive that fails, or never answers, when a bundle is written.
#[derive(Debug)]
struct Broken {
    archive: InMemoryObjectStore,
    fails: AtomicBool,
    hangs: bool,
}

impl ObjectStore for Broken {
    type Reader = <InMemoryObjectStore as ObjectStore>::Reader;
    type Writer = <InMemoryObjectStore as ObjectStore>::Writer;

    async fn open_object(&self, key: &str) -> Result<Option<Self::Reader>, PortError> {
        self.archive.open_object(key).await
    }

    async fn open_version(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Option<(Self::Reader, SourceVersion)>, PortError> {
        self.archive.open_version(key, version_id).await
    }

    async fn create_object(&self, key: &str, content_type: &str) -> Result<Self::Writer, PortError> {
        self.archive.create_object(key, content_type).await
    }
}

impl CheckpointStore for Broken {
    async fn load(&self, key: &str) -> Result<Option<Stored>, PortError> {
        self.archive.load(key).await
    }

    async fn save(
        &self,
        key: &str,
        bytes: &[u8],
        over: Option<&Version>,
    ) -> Result<Option<Version>, PortError> {
        if self.fails.swap(false, Ordering::Relaxed) {
            if self.hangs {
                std::future::pending::<()>().await;
            }
            return Err(PortError::retryable("PutObject", "503 SlowDown"));
        }
        self.archive.save(key, bytes, over).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_can_not_be_written_is_everyones_error_and_nobodys_record() -> anyhow::Result<()> {
    let ended = Ended::new(3).await?;
    let archive = Broken { archive: ended.archive.clone(), fails: true.into(), hangs: false };
    for collected in ended.collect_from(&ended.source, &archive, 3, SETTLED).await {
        let error = collected.expect_err("its object was not written");
        assert!(error.may_pass() && error.to_string().contains("503 SlowDown"), "{error}");
    }
    for number in 0..3 {
        assert_eq!(ended.store.submission(&job_id(number)).await?.and_then(|known| known.logs), None);
    }
    for collected in ended.collect_from(&ended.source, &archive, 3, SETTLED).await {
        assert!(collected?.is_some_and(|record| record.complete));
    }
    assert_eq!(ended.archived(2).await?, written(2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_object_of_others_is_never_written_over() -> anyhow::Result<()> {
    let ended = Ended::new(3).await?;
    let theirs = format!("logs/.bundles/{}-4c7599ae.gz", START.as_millis() + 60_000);
    ended.archive.save(&theirs, b"theirs", None).await?.expect("it is new");
    for collected in ended.collect(3, SETTLED).await {
        let error = collected.expect_err("its place was taken in the same millisecond");
        assert!(error.may_pass() && error.to_string().ends_with("is taken"), "{error}");
    }
    assert_eq!(ended.archive.bytes(&theirs).as_deref(), Some(&b"theirs"[..]));
    for collected in ended.collect(3, At(60_001)).await {
        assert!(collected?.is_some_and(|record| record.complete));
    }
    assert_eq!(ended.archived(1).await?, written(1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn when_the_writer_is_stopped_the_others_come_again() -> anyhow::Result<()> {
    let ended = Ended::new(3).await?;
    let archive = Broken { archive: ended.archive.clone(), fails: true.into(), hangs: true };
    let bundle = Bundle::new(2);
    let (bundle, clock) = (&bundle, &SETTLED);
    let collect = async |number| {
        let _member = bundle.join().await;
        let (store, source, archive, policy) = (&ended.store, &ended.source, &archive, &SETTLE);
        let limits = PartLimits::default();
        let collector = Collector { store, source, archive, clock, policy, limits, bundle: Some(bundle) };
        collector.collect(&job_id(number), Look::WhenDue).await
    };
    let within = |number| tokio::time::timeout(Duration::from_secs(5), collect(number));
    let (mut late, mut stopped) = (0, 0);
    for collected in join_all((0..3).map(within)).await {
        match collected {
            Err(_) => late += 1,
            Ok(collected) => {
                let error = collected.expect_err("nobody wrote for it");
                assert!(error.may_pass() && error.to_string().contains("was stopped"), "{error}");
                stopped += 1;
            }
        }
    }
    assert_eq!((late, stopped), (1, 2), "one writes for all, and its time was over first");
    let again = join_all((0..3).map(collect)).await;
    assert!(
        again.iter().all(|collected| matches!(collected, Ok(Some(record)) if record.complete)),
        "{again:?}"
    );
    assert_eq!(ended.bundles().len(), 1);
    assert_eq!(ended.archived(0).await?, written(0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_and_is_stopped_keeps_nobody_waiting() -> anyhow::Result<()> {
    let ended = Ended::new(4).await?;
    let slow = Slow {
        source: ended.source.clone(),
        name: stream(3, "lost").name,
        takes: Duration::from_millis(500),
    };
    let bundle = Bundle::new(2);
    let (bundle, clock) = (&bundle, &SETTLED);
    let collect = async |number| {
        let _member = bundle.join().await;
        let (store, source, archive, policy) = (&ended.store, &slow, &ended.archive, &SETTLE);
        let limits = PartLimits::default();
        let collector = Collector { store, source, archive, clock, policy, limits, bundle: Some(bundle) };
        collector.collect(&job_id(number), Look::WhenDue).await
    };
    let first = tokio::time::timeout(Duration::from_millis(100), collect(0));
    let (first, one, two, three) = tokio::join!(first, collect(1), collect(2), collect(3));
    assert!(first.is_err(), "its time was over while it waited for the slow one");
    for collected in [one, two, three] {
        assert!(collected?.is_some_and(|record| record.complete));
    }
    assert_eq!(ended.bundles().len(), 1);
    assert_eq!(ended.archived(1).await?, written(1));
    Ok(())
}

/// A source that takes its time for one stream.
struct Slow {
    source: InMemoryLogSource,
    name: String,
    takes: Duration,
}

impl LogSource for Slow {
    async fn log_events(&self, stream: &LogStream, page: Option<&Cursor>) -> Result<LogPage, LogSourceError> {
        if stream.name == self.name {
            tokio::time::sleep(self.takes).await;
        }
        self.source.log_events(stream, page).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_log_keeps_the_others_waiting_for_a_moment_only() -> anyhow::Result<()> {
    let ended = Ended::new(3).await?;
    let slow =
        Slow { source: ended.source.clone(), name: stream(2, "lost").name, takes: Duration::from_secs(300) };
    let begun = tokio::time::Instant::now();
    let collecting = ended.collect_from(&slow, &ended.archive, 3, SETTLED);
    let recorded = async {
        while ended.store.submission(&job_id(0)).await?.is_some_and(|known| known.logs.is_none()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(begun.elapsed())
    };
    let (collected, waited) = tokio::join!(collecting, recorded);
    assert!(waited? < Duration::from_secs(3), "virtual time");
    for record in collected {
        assert!(record?.is_some_and(|record| record.complete));
    }
    assert_eq!(ended.bundles().len(), 1, "the slow one came alone");
    assert_eq!(ended.archived(2).await?, written(2));
    Ok(())
}
