//! The stores in memory keep the ports' contracts.

use batchwright::memory::{InMemoryBuckets, InMemoryJobStore, InMemoryObjectStore};
use batchwright_tests::contract::buckets::{self, Fresh};
use batchwright_tests::contract::{checkpoint_store, job_store, object_store, run_store};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_job_store_in_memory_keeps_the_contract() -> anyhow::Result<()> {
    job_store::holds(async || Ok(InMemoryJobStore::default())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_run_store_in_memory_keeps_the_contract() -> anyhow::Result<()> {
    run_store::holds(async || Ok(InMemoryJobStore::default())).await
}

#[tokio::test]
async fn the_object_store_in_memory_keeps_the_contract() -> anyhow::Result<()> {
    object_store::holds(async || Ok(InMemoryObjectStore::default())).await
}

#[tokio::test]
async fn the_checkpoint_store_in_memory_keeps_the_contract() -> anyhow::Result<()> {
    checkpoint_store::holds(async || Ok(InMemoryObjectStore::default())).await
}

#[tokio::test]
async fn the_buckets_in_memory_keep_the_contract() -> anyhow::Result<()> {
    let make = async || Ok(Fresh { buckets: InMemoryBuckets::with(["bucket"]), bucket: "bucket".to_owned() });
    buckets::holds(make).await
}
