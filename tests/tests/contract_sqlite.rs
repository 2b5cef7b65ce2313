//! SQLite keeps the contracts of the job store and the run store, in a file and in memory.

use batchwright::sqlite::SqliteStore;
use batchwright_tests::contract::{job_store, run_store};

fn in_a_new_file(scratch: &tempfile::TempDir) -> anyhow::Result<SqliteStore> {
    let directory = tempfile::tempdir_in(scratch.path())?.keep();
    Ok(SqliteStore::open(&directory.join("jobs.sqlite"))?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_keeps_the_job_stores_contract() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    job_store::holds(async || in_a_new_file(&scratch)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_keeps_the_run_stores_contract() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    run_store::holds(async || in_a_new_file(&scratch)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_state_in_memory_keeps_the_job_stores_contract() -> anyhow::Result<()> {
    job_store::holds(async || Ok(SqliteStore::in_memory()?)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_state_in_memory_keeps_the_run_stores_contract() -> anyhow::Result<()> {
    run_store::holds(async || Ok(SqliteStore::in_memory()?)).await
}
