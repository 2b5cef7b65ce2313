//! What the life of one job costs on DynamoDB: read and write units, counted on the wire by AWS's rules, and asserted, so
//! that nobody makes jobs dearer unseen. `docs/cost.md` computes prices from these figures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::domain::{
    JobId, JobName, JobState, JobStatus, LogStream, RunId, SubmitJobRequest, Timestamp,
};
use batchwright::events::{JobDetail, JobStateChange};
use batchwright::function::Invocation;
use batchwright::job_file;
use batchwright::memory::{InMemoryJobStore, InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::{
    ClaimStore as _, Clock, Cursor, JobEngine, JobQueries as _, JobSummary, LogEvent, Page, PortError,
    RunStore as _, StateStore as _, Unpaced,
};
use batchwright::use_cases::collect_logs::{
    Bundle, CollectPolicy, Collector, Look, PartLimits, collect_logs,
};
use batchwright::use_cases::end_runs::{LookPolicy, end_run, jobs_ended};
use batchwright::use_cases::record_state::{Recorded, Recorder};
use batchwright::use_cases::run_file::{RunFile, run_file};
use batchwright::use_cases::submit::{Asked, ClaimSheet, Order, SubmitOutcome, SubmitPolicy, submit};
use batchwright_tests::bus::RecordedBus;
use batchwright_tests::contract::fixtures::without_logs;
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::dynoxide::Dynoxide;
use batchwright_tests::emulators::ministack::Ministack;
use batchwright_tests::metered::{Meter, Paid};
use serde_json::{Value, json};

/// Those whose events the stack listens to.
const STATUSES: [JobStatus; 4] =
    [JobStatus::Runnable, JobStatus::Starting, JobStatus::Running, JobStatus::Succeeded];

/// As long as those of Fargate and EC2 are: the definition's name, `default`, the task's id.
const STREAM: &str = "first-run-job-definition/default/4f55a9bb6929e30051293d38e26b34a4";

const SETTLE: CollectPolicy = CollectPolicy { settle_ms: 60_000 };

/// A clock that is told the time.
#[derive(Debug, Default)]
struct Told(AtomicI64);

impl Told {
    fn passes(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for Told {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + self.0.load(Ordering::Relaxed))
    }
}

/// Takes every job. The ids are as long as Batch's.
#[derive(Debug, Default)]
struct Batch(AtomicU64);

impl JobEngine for Batch {
    async fn submit_job(&self, _: &SubmitJobRequest) -> Result<JobId, PortError> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let id = JobId::parse(&format!("4c7599ae-0a82-49aa-ba5a-{number:012}"));
        Ok(id.expect("it is one"))
    }

    async fn describe_jobs(&self, _: &[JobId]) -> Result<Vec<JobDetail>, PortError> {
        Ok(Vec::new())
    }

    async fn list_jobs(
        &self,
        _: &str,
        _: &JobName,
        _: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        Ok(Page::last(Vec::new()))
    }

    async fn list_jobs_since(
        &self,
        _: &str,
        _: Timestamp,
        _: Option<&Cursor>,
    ) -> Result<Page<JobSummary>, PortError> {
        Ok(Page::last(Vec::new()))
    }

    async fn cancel_job(&self, _: &JobId, _: &str) -> Result<(), PortError> {
        Ok(())
    }

    async fn terminate_job(&self, _: &JobId, _: &str) -> Result<(), PortError> {
        Ok(())
    }
}

/// A store over an emulator, whose requests are counted.
struct Account {
    store: DynamoDbJobStore,
    meter: Meter,
    clock: Told,
    engine: Batch,
    bus: RecordedBus,
}

impl Account {
    async fn open(config: &SdkConfig, name: &str) -> anyhow::Result<Self> {
        let tables = Tables { jobs: format!("jobs-{name}"), runs: format!("runs-{name}") };
        create_tables(&Client::new(config), &tables).await?;
        let meter = Meter::default();
        let store = DynamoDbJobStore::new(Client::new(&meter.through(config)), tables).beside_log_collector();
        let (clock, engine, bus) = (Told::default(), Batch::default(), RecordedBus::default());
        Ok(Self { store, meter, clock, engine, bus })
    }

    fn recorder(&self) -> Recorder<'_, DynamoDbJobStore, Batch, Unpaced, Told, RecordedBus> {
        let Self { store, engine, clock, bus, .. } = self;
        Recorder { store, engine, pace: &Unpaced, clock, bus, policy: SubmitPolicy::default() }
    }

    async fn submit(&self, job: &str, sheet: Option<&ClaimSheet>) -> anyhow::Result<JobId> {
        let spec: batchwright::domain::JobSpec = serde_json::from_value(spec(job))?;
        let asked = Asked::ByPerson { rerun: false };
        let order = Order { spec: &spec, run_id: &run_id(), asked, sheet };
        let Self { store, engine, clock, .. } = self;
        match submit(store, engine, &Unpaced, clock, &SubmitPolicy::default(), &order).await? {
            SubmitOutcome::Submitted(job_id) => Ok(job_id),
            other => anyhow::bail!("{job} is {other:?}"),
        }
    }

    /// Runs a file of so many jobs.
    async fn run(&self, jobs: usize) -> anyhow::Result<()> {
        let text: String =
            (0..jobs).map(|number| format!("{}\n", spec(&format!("filed-{number}")))).collect();
        let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
        // One after the other, so that each write is counted by itself.
        let concurrency = 1;
        let order =
            RunFile { concurrency, ..RunFile::new(run_id(), "s3://a-bucket/jobs/2026-11-29/tiles.jsonl") };
        let archive = InMemoryObjectStore::default();
        let Self { store, engine, clock, .. } = self;
        run_file(store, engine, &Unpaced, clock, &archive, &mut file, &order, |_| ()).await?;
        Ok(())
    }

    async fn record(&self, event: &JobStateChange) -> anyhow::Result<Recorded> {
        let recorded = self.recorder().record_state(&event.detail.state()).await?;
        if let Recorded::Ended(end) = &recorded {
            jobs_ended(&self.store, &self.bus, &self.clock, std::slice::from_ref(&**end)).await?;
        }
        Ok(recorded)
    }
}

fn run_id() -> RunId {
    RunId::derive("s3://a-bucket/jobs/2026-11-29/tiles.jsonl", "1", "0")
}

/// A job of a file, as people write them.
fn spec(name: &str) -> Value {
    json!({
        "jobName": name,
        "jobQueue": "tiles-spot",
        "jobDefinition": "render-tile:42",
        "containerOverrides": {
            "command": ["render", "--zoom", "12", "--tile", "2114/1393", "--out", "s3://a-bucket/tiles/12/2114/1393.png"],
            "environment": [{"name": "STYLE", "value": "topographic"}],
        },
        "tags": {"team": "maps"},
    })
}

/// An event as Batch sends it.
fn event(
    (job, job_id, nonce): (&str, &JobId, &str),
    status: JobStatus,
    now: Timestamp,
) -> anyhow::Result<JobStateChange> {
    let now = now.as_millis();
    let sample = include_str!("../../shared/core/src/events/fixtures/container_succeeded.json");
    let mut event: Value = serde_json::from_str(sample)?;
    let detail = &mut event["detail"];
    detail["jobName"] = json!(job);
    detail["jobId"] = json!(job_id.to_string());
    detail["status"] = json!(status.to_string());
    detail["parameters"]["batchwright.nonce"] = json!(nonce);
    for container in [&["container"][..], &["attempts", "0", "container"]] {
        let pointer = format!("/{}/logStreamName", container.join("/"));
        *detail.pointer_mut(&pointer).context("a stream")? = json!(STREAM);
    }
    let (created, started, stopped) = (now - 100_000, now - 40_000, now - 1_000);
    (detail["createdAt"], detail["startedAt"], detail["stoppedAt"]) =
        (json!(created), json!(started), json!(stopped));
    (detail["attempts"][0]["startedAt"], detail["attempts"][0]["stoppedAt"]) =
        (json!(started), json!(stopped));
    if !status.is_terminal() {
        detail["attempts"] = json!([]);
        for absent in ["statusReason", "stoppedAt"] {
            detail.as_object_mut().context("no object")?.remove(absent);
        }
    }
    Ok(serde_json::from_value(event)?)
}

async fn nonce(account: &Account, job: &str) -> anyhow::Result<String> {
    let job = account.store.job(&JobName::parse(job)?).await?.context("the job is known")?;
    let known = job.latest.context("it was submitted")?.state.nonce.context("it has a nonce")?;
    account.meter.take();
    Ok(known.to_string())
}

/// The state handler writes the newest state alone, and so each applied event once at most.
async fn in_one_batch(account: &Account) -> anyhow::Result<Paid> {
    const JOB: &str = "quick";
    let job_id = account.submit(JOB, None).await?;
    let nonce = nonce(account, JOB).await?;
    let now = account.clock.now();
    let mut records = Vec::new();
    for status in STATUSES {
        let event = serde_json::to_string(&event((JOB, &job_id, &nonce), status, now)?)?;
        records.push(json!({"eventSource": "aws:sqs", "messageId": status.to_string(), "body": event, "attributes": {}}));
    }
    let config =
        state_handler::Config::read(&|name: &str| name.ends_with("_TABLE").then(|| "table".to_owned()));
    let invocation = Invocation {
        request_id: "request".to_owned(),
        function_name: "state-handler".to_owned(),
        deadline: now.plus_millis(120_000),
    };
    let batch = json!({"Records": records});
    state_handler::handle(&account.recorder(), &config?, batch, &invocation).await?;
    let paid = account.meter.take();
    let known = account.store.job(&JobName::parse(JOB)?).await?.and_then(|job| job.status());
    ensure!(known == Some(JobStatus::Succeeded), "{known:?}");
    account.meter.take();
    ensure!(paid.requests.get("UpdateItem") == Some(&1), "{paid}");
    Ok(paid)
}

/// What every job of these tests has written.
fn source(at: Timestamp) -> InMemoryLogSource {
    let source = InMemoryLogSource::new(100, 2);
    let stream = LogStream { group: None, name: STREAM.to_owned(), container: None, region: None };
    source.append(&stream, [LogEvent { timestamp: at, ingestion_time: at, message: "done".into() }]);
    source
}

/// Archives a job's log together with another's, as they come under load.
async fn archived_with_another(
    account: &Account,
    (source, archive): (&InMemoryLogSource, &InMemoryObjectStore),
    policy: &CollectPolicy,
    job_id: &JobId,
) -> anyhow::Result<()> {
    let Account { store, clock, .. } = account;
    let others = InMemoryJobStore::default();
    let (other, other_id) = (JobName::parse("another")?, JobId::parse("another")?);
    let mut other = JobState::submitted(other, other_id.clone(), None);
    (other.status, other.times.stopped_at) = (JobStatus::Succeeded, Some(Timestamp::from_millis(0)));
    others.apply_state(&other, clock.now()).await?;
    let (bundle, limits) = (Bundle::new(2), PartLimits::default());
    let share = Some(&bundle);
    let first = Collector { store: &others, source, archive, clock, policy, limits, bundle: share };
    let second = Collector { store, source, archive, clock, policy, limits, bundle: share };
    let (_first, _second) = (bundle.join().await, bundle.join().await);
    let (_, found) =
        tokio::join!(first.collect(&other_id, Look::WhenDue), second.collect(job_id, Look::WhenDue));
    let record = found?.context("its logs are looked at")?;
    ensure!(record.complete && record.manifest_key.starts_with("logs/.bundles/"), "{record:?}");
    Ok(())
}

/// A log that is first read ten minutes after its job's end.
async fn looked_at_once(account: &Account) -> anyhow::Result<Paid> {
    const JOB: &str = "tile-12-2114-1394";
    let Account { store, clock, .. } = account;
    let job_id = account.submit(JOB, None).await?;
    let nonce = nonce(account, JOB).await?;
    account.record(&event((JOB, &job_id, &nonce), JobStatus::Succeeded, clock.now())?).await?;
    clock.passes(600_000);
    account.meter.take();
    let (source, archive) = (source(clock.now()), InMemoryObjectStore::default());
    let late = CollectPolicy { settle_ms: 600_000 };
    archived_with_another(account, (&source, &archive), &late, &job_id).await?;
    let paid = account.meter.take();
    clock.passes(24 * 3_600_000);
    ensure!(without_logs(store, clock.now()).await?.is_empty(), "it was the last look");
    account.meter.take();
    Ok(paid)
}

/// A child of an array, whose parent is recorded.
async fn child(account: &Account) -> anyhow::Result<Paid> {
    let clock = &account.clock;
    let array = account.submit("array", None).await?;
    let nonce = nonce(account, "array").await?;
    let child = array.array_child(7);
    for status in STATUSES {
        clock.passes(20_000);
        account.record(&event(("array", &child, &nonce), status, clock.now())?).await?;
    }
    clock.passes(70_000);
    let (source, archive) = (source(clock.now()), InMemoryObjectStore::default());
    archived_with_another(account, (&source, &archive), &SETTLE, &child).await?;
    Ok(account.meter.take())
}

/// The table of `docs/cost.md`.
fn written_down() -> anyhow::Result<Vec<(&'static str, u64, f64)>> {
    let page = include_str!("../../docs/cost.md");
    let (_, table) = page.split_once("| what | write units | read units |").context("the table is there")?;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let mut next = || cells.next().context("a cell is missing");
        Ok((next()?, next()?.parse()?, next()?.parse()?))
    })
    .collect()
}

/// One job from its file to its archived logs.
#[tokio::test]
async fn a_job_costs_what_is_written_here() -> anyhow::Result<()> {
    const JOB: &str = "tile-12-2114-1393";
    let Some(ministack) = Ministack::shared()? else { return Ok(()) };
    let account = Account::open(&ministack.sdk_config().await?, "life").await?;
    account.run(3).await?;
    let run = account.meter.take();
    ensure!(run.requests.get("DeleteItem") == Some(&1), "the sheet of three claims is taken down: {run}");
    // The run waits for another job of its file.
    let run = account.store.run(&run_id()).await?.context("the run is known")?;
    end_run(
        &account.store,
        &account.bus,
        &account.clock,
        run,
        LookPolicy { settle_ms: 0, to_the_end: false },
    )
    .await?;
    account.meter.take();
    let mut bill: Vec<(String, Paid)> = Vec::new();
    account.submit("tile-12-2114-1300", None).await?;
    let alone = account.meter.take();
    let names = (1_301..1_401).map(|tile| JobName::parse(&format!("tile-12-2114-{tile}")));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let named = account.store.open_sheet(&names, account.clock.now()).await?;
    account.store.close_sheet(&named.context("it keeps sheets")?).await?;
    let sheets = account.meter.take();
    let sheet = ClaimSheet::new(names);
    account.submit("tile-12-2114-1301", Some(&sheet)).await?;
    account.meter.take();
    let job_id = account.submit(JOB, Some(&sheet)).await?;
    bill.push(("claim, submit, record".to_owned(), account.meter.take()));
    let nonce = nonce(&account, JOB).await?;
    for status in STATUSES {
        account.clock.passes(20_000);
        account.record(&event((JOB, &job_id, &nonce), status, account.clock.now())?).await?;
        bill.push((status.to_string(), account.meter.take()));
    }
    let known = account.bus.jobs();
    ensure!(known.len() == 1 && known[0].status == JobStatus::Succeeded, "{known:?}");

    account.clock.passes(70_000);
    let source = source(account.clock.now());
    let archive = InMemoryObjectStore::default();
    archived_with_another(&account, (&source, &archive), &SETTLE, &job_id).await?;
    bill.push(("logs".to_owned(), account.meter.take()));
    let mut life = Paid::default();
    bill.iter().for_each(|(_, paid)| life.add(paid));
    // What each index takes, as BENCHMARKS.md weighs it.
    ensure!(life.table_writes == 8, "{life}");
    let of_indexes = BTreeMap::from([("byEntry", 1), ("byMembership", 1), ("byWork", 1)]);
    ensure!(life.index_writes == of_indexes, "{:?}", life.index_writes);

    let Account { store, clock, .. } = &account;
    clock.passes(11 * 60_000);
    let due = without_logs(store, clock.now()).await?;
    ensure!(due.len() == 1, "a later look is due");
    account.meter.take();
    collect_logs(store, &source, &archive, clock, &SETTLE, &job_id, Look::WhenDue).await?;
    bill.push(("a later look at the logs".to_owned(), account.meter.take()));
    ensure!(without_logs(store, clock.now()).await?.is_empty(), "it was the last");

    bill.push(("from claim to logs".to_owned(), life));
    bill.push(("a hundred claims named on a sheet".to_owned(), sheets));
    bill.push(("a job alone: claim, submit, record".to_owned(), alone));
    bill.push(("logs, looked at once".to_owned(), looked_at_once(&account).await?));
    bill.push(("four events of a job in one batch".to_owned(), in_one_batch(&account).await?));
    bill.push(("a child of an array, logs included".to_owned(), child(&account).await?));
    for (what, paid) in &bill {
        println!("{what:<26} {paid}");
    }
    let found: Vec<(&str, u64, f64)> = bill
        .iter()
        .map(|(what, paid)| (what.as_str(), paid.writes(), paid.half_reads as f64 / 2.0))
        .collect();
    assert_eq!(
        found,
        written_down()?,
        "docs/cost.md says otherwise: put it right there, and the prices with it"
    );
    Ok(())
}

/// An ended job's head and submission, under other names: so many that a table of thousands is filled in seconds.
async fn copy(client: &Client, table: &str, job: &str, copies: usize) -> anyhow::Result<()> {
    const ITEMS_OF_A_CALL: usize = 25;
    let items = client.scan().table_name(table).send().await?.items.unwrap_or_default();
    let mut writes = Vec::new();
    for number in 1..=copies {
        for item in &items {
            let renamed = |value: &AttributeValue| match value {
                AttributeValue::S(text) => {
                    let text = text.replace(job, &format!("{}-{number:06}", &job[..job.len() - 7]));
                    AttributeValue::S(text.replace("000000000000", &format!("{number:012}")))
                }
                other => other.clone(),
            };
            let item = item.iter().map(|(name, value)| (name.clone(), renamed(value))).collect();
            let put = PutRequest::builder().set_item(Some(item)).build()?;
            writes.push(WriteRequest::builder().put_request(put).build());
        }
    }
    for part in writes.chunks(ITEMS_OF_A_CALL) {
        let left = client.batch_write_item().request_items(table, part.to_vec()).send().await?;
        ensure!(left.unprocessed_items.is_none_or(|left| left.is_empty()), "the emulator has left some over");
    }
    Ok(())
}

/// What `status --stack` and `jobs --stack` ask for: of 5,000 jobs it is 9 calls each, which takes longer to fill in.
#[tokio::test]
async fn two_thousand_jobs_are_counted_and_listed_in_eight_calls() -> anyhow::Result<()> {
    const JOB: &str = "tile-12-2114-000000";
    const JOBS: usize = 2_000;
    let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
    let config = dynoxide.sdk_config().await?;
    let account = Account::open(&config, "many").await?;
    let job_id = account.submit(JOB, None).await?;
    let nonce = nonce(&account, JOB).await?;
    for status in STATUSES {
        account.record(&event((JOB, &job_id, &nonce), status, account.clock.now())?).await?;
    }
    let table = account.store.tables().jobs.clone();
    copy(&Client::new(&config), &table, JOB, JOBS - 1).await?;
    account.meter.take();
    let counts = account.store.count_by_status().await?;
    let counting = account.meter.take();
    ensure!((counts[JobStatus::Succeeded], counts.total()) == (JOBS as u64, JOBS as u64), "{counts:?}");
    let (mut names, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = account.store.jobs(None, cursor.as_ref()).await?;
        names.extend(page.items.iter().map(|job| job.name().to_string()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let listing = account.meter.take();
    ensure!(names.len() == JOBS, "{} are listed", names.len());
    for (what, paid) in [("counted", &counting), ("listed", &listing)] {
        let calls: u64 = paid.requests.values().sum();
        println!("{JOBS} jobs {what}: {paid}");
        // A page is a megabyte: an emulator that knows no pages would show nothing.
        ensure!((3..=8).contains(&calls), "{JOBS} jobs are {what} in {calls} calls: {paid}");
    }
    Ok(())
}

/// The prices on the page are those that follow from the units.
#[test]
fn the_prices_on_the_page_follow_from_the_counts() -> anyhow::Result<()> {
    let program = batchwright_tests::crash::sources::root().join("benches/cost.py");
    let output = match std::process::Command::new("python3").arg(program).arg("--check").output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no python3 on this machine");
            return Ok(());
        }
        output => output?,
    };
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
