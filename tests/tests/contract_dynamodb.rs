//! DynamoDB keeps the contracts of the job store and the run store: on ministack and on dynoxide, two
//! emulators that share no code, over the wire.
//!
//! Their indexes never lag. On AWS they do: what the adapter promises then stands in its
//! documentation, and the contract's look-ups right after a write are the emulators' privilege.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use aws_sdk_dynamodb::Client;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright_tests::contract::{job_store, run_store};
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::dynoxide::Dynoxide;
use batchwright_tests::emulators::ministack::Ministack;

/// The suites' lists hold some seventy items in each of sixteen shards: so each takes several pages.
const PAGE_SIZE: u8 = 30;

/// A store on two new tables.
async fn on_new_tables(client: &Client) -> anyhow::Result<DynamoDbJobStore> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let tables = Tables { jobs: format!("jobs-{number}"), runs: format!("runs-{number}") };
    create_tables(client, &tables).await.with_context(|| format!("creating {tables:?}"))?;
    Ok(DynamoDbJobStore::new(client.clone(), tables).with_page_size(PAGE_SIZE))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_keeps_the_job_stores_contract_on_ministack() -> anyhow::Result<()> {
    let Some(ministack) = Ministack::shared()? else { return Ok(()) };
    let client = Client::new(&ministack.sdk_config().await?);
    job_store::holds(async || on_new_tables(&client).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_keeps_the_run_stores_contract_on_ministack() -> anyhow::Result<()> {
    let Some(ministack) = Ministack::shared()? else { return Ok(()) };
    let client = Client::new(&ministack.sdk_config().await?);
    run_store::holds(async || on_new_tables(&client).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_keeps_the_job_stores_contract_on_dynoxide() -> anyhow::Result<()> {
    let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
    let client = Client::new(&dynoxide.sdk_config().await?);
    job_store::holds(async || on_new_tables(&client).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_keeps_the_run_stores_contract_on_dynoxide() -> anyhow::Result<()> {
    let Some(dynoxide) = Dynoxide::shared()? else { return Ok(()) };
    let client = Client::new(&dynoxide.sdk_config().await?);
    run_store::holds(async || on_new_tables(&client).await).await
}
