//! A pass of the reconciler over a table of finished jobs costs the same however many there are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::domain::{JobStatus, LogsRecord};
use batchwright::function::Invocation;
use batchwright::memory::{InMemoryLogSource, InMemoryObjectStore};
use batchwright::ports::{
    AsyncInvoker, Clock, JobQueries as _, PortError, StateStore as _, SystemClock, Unpaced,
};
use batchwright::use_cases::reconcile::Reconciled;
use batchwright_tests::contract::fixtures::{id, state, submit};
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::dynoxide::Dynoxide;
use batchwright_tests::world::{World, succeeds};
use reconciler::{Config, Ports, handle};
use serde_json::{Value, json};

/// Lists of a pass (claims, ends, silence, logs, runs), each in sixteen shards, and twice the one of sheets.
const QUERIES: u64 = 5 * 16 + 2;

/// Counts requests by their operation, and what their answers say was read.
#[derive(Debug, Clone, Default)]
struct Meter(Arc<Mutex<Reading>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Reading {
    requests: BTreeMap<String, u64>,
    items: u64,
}

impl Meter {
    fn take(&self) -> Reading {
        std::mem::take(&mut self.0.lock().expect("nothing panics while it is held"))
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let mut reading = self.0.lock().expect("nothing panics while it is held");
        *reading.requests.entry(operation).or_default() += 1;
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body: Value = serde_json::from_slice(context.response().body().bytes().unwrap_or_default())?;
        let mut reading = self.0.lock().expect("nothing panics while it is held");
        reading.items += body["ScannedCount"].as_u64().unwrap_or(0);
        Ok(())
    }
}

struct Nobody;

impl AsyncInvoker for Nobody {
    async fn invoke_later(&self, function: &str, _: &[u8]) -> Result<(), PortError> {
        Err(PortError::permanent("Invoke", format!("{function} is not to be called")))
    }
}

/// Jobs that ended and whose logs are archived, made as the functions make them.
async fn finish_jobs(store: &DynamoDbJobStore, jobs: usize) -> anyhow::Result<()> {
    for number in 0..jobs {
        let (name, job_id) = (format!("job-{number}"), format!("id-{number}"));
        submit(store, &name, &job_id).await?;
        let ended = state(&name, &job_id, JobStatus::Succeeded);
        store.apply_state(&ended, SystemClock.now()).await?;
        let record = LogsRecord {
            manifest_key: "manifest".to_owned(),
            complete: true,
            incomplete_reason: None,
            events: 1,
            next_look: None,
        };
        store.save_logs(&id(&job_id), &record, SystemClock.now()).await?;
    }
    Ok(())
}

/// Writes every item of the table so often again, under other names. Returns how many there are.
async fn multiply(client: &Client, table: &str, copies: usize) -> anyhow::Result<usize> {
    let items = client.scan().table_name(table).send().await?.items.unwrap_or_default();
    let mut writes = Vec::new();
    for copy in 0..copies {
        for item in &items {
            let mut item = item.clone();
            for key in ["jobName", "jobId", "entry", "place"] {
                let Some(AttributeValue::S(text)) = item.get(key) else { continue };
                let is_shared = key != "jobName" && (text == " head" || text.starts_with("heads "));
                let renamed = if is_shared { text.clone() } else { format!("{text}-{copy}") };
                item.insert(key.to_owned(), AttributeValue::S(renamed));
            }
            let put = PutRequest::builder().set_item(Some(item)).build()?;
            writes.push(WriteRequest::builder().put_request(put).build());
        }
    }
    for writes in writes.chunks(25) {
        let answer = client.batch_write_item().request_items(table, writes.to_vec()).send().await?;
        anyhow::ensure!(
            answer.unprocessed_items().is_none_or(std::collections::HashMap::is_empty),
            "left over"
        );
    }
    Ok(items.len() * (copies + 1))
}

#[tokio::test]
async fn a_pass_over_finished_jobs_sends_the_same_requests_however_many_there_are() -> anyhow::Result<()> {
    let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
    let config = dynoxide.sdk_config().await?;
    let (plain, meter) = (Client::new(&config), Meter::default());
    let metered = Client::from_conf(Builder::from(&config).interceptor(meter.clone()).build());
    let tables = Tables { jobs: "quiet-jobs".to_owned(), runs: "quiet-runs".to_owned() };
    create_tables(&plain, &tables).await?;
    let world = World::new(|_| succeeds()).await?;
    let store = DynamoDbJobStore::new(plain.clone(), tables.clone()).beside_log_collector();
    let ports = Ports {
        store: DynamoDbJobStore::new(metered, tables.clone()).beside_log_collector(),
        engine: world.engine.inner().clone(),
        pace: Unpaced,
        clock: SystemClock,
        source: InMemoryLogSource::default(),
        archive: InMemoryObjectStore::default(),
        invoker: Nobody,
        bus: batchwright::ports::NoBus,
    };
    let settings = Config::read(&|name: &str| {
        (name.ends_with("_TABLE") || name.ends_with("BUCKET") || name.ends_with("SUBMITTER"))
            .then(|| "x".to_owned())
    })?;
    let invocation = || Invocation {
        request_id: "request".to_owned(),
        function_name: "reconciler".to_owned(),
        deadline: SystemClock.now().plus_millis(110_000),
    };
    let pass = async || handle(&ports, &settings, json!({}), &invocation()).await;

    let quiet = Reading { requests: BTreeMap::from([("Query".to_owned(), QUERIES)]), items: 0 };
    assert_eq!(pass().await?.body.reconciled, Reconciled::default());
    assert_eq!(meter.take(), quiet, "an empty table");
    finish_jobs(&store, 20).await?;
    let items = multiply(&plain, &tables.jobs, 149).await?;
    assert_eq!(items, 6_000, "3,000 jobs, each a head and a submission");
    let counted = store.count_by_status().await?;
    assert_eq!(counted[JobStatus::Succeeded], 3_000, "they are in the indexes");
    let found = pass().await?.body;
    assert_eq!((found.reconciled, found.cut_short), (Reconciled::default(), false));
    assert_eq!(meter.take(), quiet, "finished jobs cost nothing");

    submit(&store, "running", "running-1").await?;
    let an_hour_ago = SystemClock.now().plus_millis(-3_600_000);
    store.apply_state(&state("running", "running-1", JobStatus::Running), an_hour_ago).await?;
    let found = pass().await?.body;
    assert_eq!(found.reconciled.described, 0, "the engine does not know it");
    let reading = meter.take();
    let asked = [("BatchGetItem".to_owned(), 1), ("Query".to_owned(), QUERIES), ("UpdateItem".to_owned(), 1)];
    assert_eq!(reading.requests, BTreeMap::from(asked), "one silent job is read, and written once");
    assert_eq!(reading.items, 1);
    let known = store.submission(&id("running-1")).await?.context("it is known")?;
    assert_eq!((known.state.status, known.updated_at), (JobStatus::Running, an_hour_ago));
    assert_eq!(pass().await?.body.reconciled, Reconciled::default());
    assert_eq!(meter.take(), quiet, "it is not asked about in every pass");

    // Their ends leave them on the list of what is in flight; the message to the log collector was lost.
    for (name, ended_at) in [("unlogged", an_hour_ago), ("just-ended", SystemClock.now())] {
        let job_id = format!("{name}-1");
        submit(&store, name, &job_id).await?;
        let mut ended = state(name, &job_id, JobStatus::Succeeded);
        ended.times.stopped_at = Some(ended_at);
        store.apply_state(&ended, ended_at).await?;
    }
    let found = pass().await?.body;
    assert_eq!(found.reconciled.described, 0, "Batch is not asked about them");
    assert_eq!(found.logs_archived + found.logs_incomplete, 1, "a log that is settling is the collector's");
    assert_eq!(meter.take().items, 3, "both are read, and one of them once more for its log");
    let logs = async |job_id: &str| anyhow::Ok(store.submission(&id(job_id)).await?.and_then(|it| it.logs));
    assert!(logs("unlogged-1").await?.is_some() && logs("just-ended-1").await?.is_none());
    Ok(())
}
