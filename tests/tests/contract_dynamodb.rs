//! DynamoDB keeps the contracts of the job store and the run store: on ministack and on dynoxide, two
//! emulators that share no code, over the wire.
//!
//! Their indexes never lag. On AWS they do: what the adapter promises then stands in its
//! documentation, and the contract's look-ups right after a write are the emulators' privilege.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use batchwright::aws::dynamodb::{DynamoDbJobStore, DynamoDbShares, Tables};
use batchwright::domain::{JobStatus, Timestamp};
use batchwright::ports::{JobQueries as _, JobRemoval as _, SubmissionShares as _};
use batchwright_tests::contract::fixtures::{advance, each_once, name, submit, walk};
use batchwright_tests::contract::{job_store, run_store};
use batchwright_tests::emulators::dynamodb::create_tables;
use batchwright_tests::emulators::dynoxide::Dynoxide;
use batchwright_tests::emulators::ministack::Ministack;
use batchwright_tests::recorded::Calls;

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
    // Here ends stay where they are; on the other emulator they move.
    job_store::holds(async || Ok(on_new_tables(&client).await?.beside_log_collector())).await
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

/// Three programs and a dead one, on one table.
async fn shares(client: &Client) -> anyhow::Result<()> {
    let store = on_new_tables(client).await?;
    let table = store.tables().jobs.clone();
    let [first, second, third] = [(); 3].map(|()| DynamoDbShares::new(client.clone(), &table));
    let at = Timestamp::from_millis;
    assert_eq!(first.renew(at(0), at(15)).await?, 1);
    assert_eq!(second.renew(at(5), at(20)).await?, 2);
    assert_eq!(second.renew(at(6), at(21)).await?, 2, "who says it again is no other");
    assert_eq!(third.renew(at(16), at(31)).await?, 2, "the first has ended");
    assert_eq!(third.renew(at(25), at(40)).await?, 1);
    assert_eq!(first.renew(at(26), at(41)).await?, 2);
    assert_eq!(third.renew(at(27), at(42)).await?, 2);
    assert!(store.jobs(None, None).await?.items.is_empty(), "the item is no job");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_that_submit_are_counted_on_both_emulators() -> anyhow::Result<()> {
    if let Some(ministack) = Ministack::shared()? {
        shares(&Client::new(&ministack.sdk_config().await?)).await?;
    }
    if let Some(dynoxide) = Dynoxide::shared()? {
        shares(&Client::new(&dynoxide.sdk_config().await?)).await?;
    }
    Ok(())
}

/// Lists and counts of a few hundred items in pages of [`PAGE_SIZE`], and how many requests they take.
async fn few_calls(config: &SdkConfig) -> anyhow::Result<()> {
    let calls = Calls::default();
    let client = Client::new(&calls.through(config, ""));
    let store = on_new_tables(&client).await?;
    for number in 0..60 {
        submit(&store, &format!("job-{number}"), &format!("id-{number}")).await?;
    }
    submit(&store, "array", "array-1").await?;
    // Few enough that a first page of nothing else still shows a table of jobs: emulators have orders of their own.
    for child in 0..12 {
        advance(&store, "array", &format!("array-1:{child}"), JobStatus::Running).await?;
    }
    let list = async || walk(async |page| store.jobs(None, page.as_ref()).await).await;

    calls.requests();
    let jobs = each_once(&list().await?, |job| job.name().to_string())?;
    assert_eq!(jobs.len(), 61);
    // 134 items in pages of 30, and what a page lacks because it ended inside of a job. By the indexes it would be 16
    // queries and 32 reads.
    let made = calls.requests();
    assert!((5..=11).contains(&made), "{made}");
    let counts = store.count_by_status().await?;
    assert_eq!((counts[JobStatus::Submitted], counts.total()), (61, 61));
    assert_eq!(calls.requests(), made, "they are counted as they are listed");

    // A table of arrays is listed and counted by its indexes.
    for number in 0..60 {
        store.remove_job(&name(&format!("job-{number}"))).await?;
    }
    for child in 12..300 {
        advance(&store, "array", &format!("array-1:{child}"), JobStatus::Running).await?;
    }
    calls.requests();
    assert_eq!(list().await?.len(), 1);
    let made = calls.requests();
    assert!(made <= 5, "{made}");
    let counts = store.count_by_status().await?;
    assert_eq!((counts[JobStatus::Submitted], counts.total()), (1, 1));
    // All heads, what FAILED, is unsubmitted, is in flight with its items, and is claimed: each in 16 parts.
    let made = calls.requests();
    assert!((16 * 6..=16 * 8).contains(&made), "{made}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_jobs_are_listed_and_counted_in_few_calls_on_both_emulators() -> anyhow::Result<()> {
    if let Some(ministack) = Ministack::shared()? {
        few_calls(&ministack.sdk_config().await?).await?;
    }
    if let Some(dynoxide) = Dynoxide::shared()? {
        few_calls(&dynoxide.sdk_config().await?).await?;
    }
    Ok(())
}
