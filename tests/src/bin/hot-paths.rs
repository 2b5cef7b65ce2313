//! One of the paths that every job takes, walked so often: what `tests/tests/instructions.rs` has valgrind count.
//!
//! `hot-paths NAME TIMES`

use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::domain::JobStatus;
use batchwright::job_file;
use batchwright::memory::InMemoryObjectStore;
use batchwright::ports::{ClaimStore as _, JobQueries as _, ObjectStore as _, StateStore as _};
use batchwright::serial::{ConvertOptions, Format, Syntax, convert};
use batchwright::sqlite::SqliteStore;
use batchwright_tests::contract::fixtures::{NOW, granted, state, submit, taken, wish};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().context("which path?")?;
    let times: usize = arguments.next().context("how often?")?.parse()?;
    match name.as_str() {
        "line" => lines(times).await,
        "sqlite-record" => sqlite_record(times).await,
        "sqlite-event" => sqlite_events(times).await,
        "sqlite-page" => sqlite_pages(times).await,
        "dynamodb-record" => dynamodb_record(times).await,
        "dynamodb-event" => dynamodb_events(times).await,
        "feature" => features(times).await,
        other => bail!("there is no path {other}"),
    }
}

/// A job's line, parsed and checked.
async fn lines(times: usize) -> anyhow::Result<()> {
    let line = |number| {
        format!(
            r#"{{"jobName":"tile-{number}","jobQueue":"tiles","jobDefinition":"render:42","containerOverrides":{{"command":["render","--tile","2114/1393"],"environment":[{{"name":"STYLE","value":"topographic"}}]}}}}"#
        ) + "\n"
    };
    let text: String = (0..times).map(line).collect();
    let mut file = job_file::open(text.as_bytes(), "jobs.jsonl").await?;
    let mut found = 0;
    while file.next().await?.is_some() {
        found += 1;
    }
    ensure!(found == times, "{found} of {times} lines");
    Ok(())
}

/// A claim and its record.
async fn sqlite_record(times: usize) -> anyhow::Result<()> {
    let store = SqliteStore::in_memory()?;
    for number in 0..times {
        let job = format!("job-{number}");
        let nonce = granted(&store, &wish(&job, None)).await?;
        store.record_submission(&taken(&job, &nonce, &format!("id-{number}"))).await?;
    }
    Ok(())
}

/// An event that is applied. The job is new each time, and costs the same in both counts that are compared only where
/// its number is the same: so all are made before.
async fn sqlite_events(times: usize) -> anyhow::Result<()> {
    let store = SqliteStore::in_memory()?;
    submit(&store, "job", "id").await?;
    for number in 0..times {
        let mut state = state("job", "id", JobStatus::Running);
        state.attempts = vec![Default::default(); number % 5];
        store.apply_known(&state, NOW).await?;
    }
    Ok(())
}

/// A page of a list: a hundred jobs with their submissions.
async fn sqlite_pages(times: usize) -> anyhow::Result<()> {
    let store = SqliteStore::in_memory()?;
    for number in 0..100 {
        submit(&store, &format!("job-{number}"), &format!("id-{number}")).await?;
    }
    for _ in 0..times {
        ensure!(!store.jobs(None, None).await?.items.is_empty(), "the page is empty");
    }
    Ok(())
}

/// A claim and its record, to the signed requests.
async fn dynamodb_record(times: usize) -> anyhow::Result<()> {
    let store = dynamodb();
    for number in 0..times {
        let job = format!("job-{number}");
        let nonce = granted(&store, &wish(&job, None)).await?;
        store.record_submission(&taken(&job, &nonce, &format!("id-{number}"))).await?;
    }
    Ok(())
}

/// An event, to the signed request.
async fn dynamodb_events(times: usize) -> anyhow::Result<()> {
    let store = dynamodb();
    for _ in 0..times {
        store.apply_known(&state("job", "id", JobStatus::Running), NOW).await?;
    }
    Ok(())
}

/// A feature of a sequence, converted to a line of JSON.
async fn features(times: usize) -> anyhow::Result<()> {
    let feature = r#"{"type":"Feature","properties":{"name":"Königsstraße","lanes":2},"geometry":{"type":"LineString","coordinates":[[8.40444,49.01399],[8.40421,49.01402],[8.40399,49.01415]]}}"#;
    let text = format!("{feature}\n").repeat(times);
    let mut sink = InMemoryObjectStore::default().create_object("out", "").await?;
    let (from, to) = (Format::plain(Syntax::GeoJsonSeq), Format::plain(Syntax::JsonLines));
    let report = convert(text.as_bytes(), from, &mut sink, to, &ConvertOptions::default()).await?;
    ensure!(report.records == times as u64, "{} of {times} features", report.records);
    Ok(())
}

/// Says yes to everything.
#[derive(Debug)]
struct Yes;

impl HttpConnector for Yes {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let status = StatusCode::try_from(200).expect("it is one");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from("{}"))))
    }
}

fn dynamodb() -> DynamoDbJobStore {
    let connector = SharedHttpConnector::new(Yes);
    let expiry: Option<SystemTime> = None;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .endpoint_url("http://127.0.0.1:9")
        .credentials_provider(Credentials::new("test", "test", None, expiry, "counts"))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    DynamoDbJobStore::new(
        Client::from_conf(config),
        Tables { jobs: "jobs".to_owned(), runs: "runs".to_owned() },
    )
}
