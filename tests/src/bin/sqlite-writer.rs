//! Another process on a SQLite state, for the tests of `sqlite_shared.rs`.
//!
//! - `claim FILE JOBS WRITER`: claims `JOBS` jobs by name, records what it was granted, and prints how
//!   many that were.
//! - `write FILE`: claims and records new jobs, a line printed for each, until it is killed.
//! - `hold FILE`: prints `held` in the middle of a large transaction, and waits until it is killed.

use std::io::{Read as _, Write as _, stdin, stdout};
use std::path::Path;

use anyhow::{Context as _, bail};
use batchwright::domain::ClaimOutcome;
use batchwright::ports::ClaimStore as _;
use batchwright::sqlite::SqliteStore;
use batchwright_tests::contract::fixtures::{submit, taken, wish};
use rusqlite::Connection;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["claim", file, jobs, writer] => claim(Path::new(file), jobs.parse()?, writer).await,
        ["write", file] => write(Path::new(file)).await,
        ["hold", file] => hold(Path::new(file)),
        _ => bail!("usage: sqlite-writer claim FILE JOBS WRITER | write FILE | hold FILE"),
    }
}

async fn claim(file: &Path, jobs: u32, writer: &str) -> anyhow::Result<()> {
    let store = SqliteStore::open(file)?;
    let mut granted = 0;
    for number in 0..jobs {
        let job = format!("job-{number}");
        if let ClaimOutcome::Granted(nonce) = store.claim(&wish(&job, None)).await? {
            store.record_submission(&taken(&job, &nonce, &format!("{writer}-{number}"))).await?;
            granted += 1;
        }
    }
    println!("{granted}");
    Ok(())
}

async fn write(file: &Path) -> anyhow::Result<()> {
    let store = SqliteStore::open(file)?;
    let mut out = stdout();
    for number in 0_u64.. {
        submit(&store, &format!("job-{number}"), &format!("id-{number}")).await?;
        writeln!(out, "{number}")?;
        out.flush()?;
    }
    Ok(())
}

fn hold(file: &Path) -> anyhow::Result<()> {
    let connection = Connection::open(file)?;
    connection.execute_batch("PRAGMA cache_size = 10; BEGIN IMMEDIATE; DELETE FROM submissions;")?;
    // More than the cache holds: a part of the transaction is in the log before it ends.
    let mut insert = connection.prepare(
        "INSERT INTO runs (run_id, state, checkpoint, updated_at, run) VALUES (?1, 'SUBMITTING', 0, 0, ?2)",
    )?;
    for number in 0..2_000 {
        insert.execute((format!("run-{number}"), "x".repeat(1_000)))?;
    }
    println!("held");
    stdin().read_to_end(&mut Vec::new()).context("waiting to be killed")?;
    Ok(())
}
