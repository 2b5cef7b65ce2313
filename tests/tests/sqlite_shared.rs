//! One SQLite file under several threads and processes, one of them killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use batchwright::domain::{ClaimOutcome, JobStatus};
use batchwright::ports::{ClaimStore as _, ErrorKind, JobQueries as _, StateStore as _};
use batchwright::sqlite::SqliteStore;
use batchwright_tests::contract::fixtures::{
    advance, each_once, granted, name, state, submit, taken, walk, wish,
};
use rusqlite::Connection;

fn start(arguments: &[&str], file: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqlite-writer"));
    command.arg(arguments[0]).arg(file).args(&arguments[1..]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("starting sqlite-writer")
}

fn lines(child: &mut Child) -> anyhow::Result<impl Iterator<Item = std::io::Result<String>> + use<>> {
    Ok(BufReader::new(child.stdout.take().context("the child has no stdout")?).lines())
}

fn is_whole(file: &Path) -> anyhow::Result<()> {
    let verdict: String =
        Connection::open(file)?.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(verdict == "ok", "{verdict}");
    Ok(())
}

/// Every job has exactly the submissions that its head tells of.
async fn is_consistent(store: &SqliteStore) -> anyhow::Result<usize> {
    let jobs = walk(async |page| store.jobs(None, page.as_ref()).await).await?;
    each_once(&jobs, |job| job.name().to_string())?;
    for job in &jobs {
        let found = walk(async |page| store.submissions(job.name(), page.as_ref()).await).await?;
        let found: Vec<_> = found.into_iter().map(|submission| submission.state.job_id).collect();
        ensure!(found == job.head.job_tries, "{} has {found:?}", job.name());
    }
    Ok(jobs.len())
}

#[test]
fn four_processes_and_a_thread_share_a_new_file_and_each_job_is_granted_once() -> anyhow::Result<()> {
    const JOBS: u32 = 300;
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("jobs.sqlite");
    let mut children = Vec::new();
    for writer in ["w1", "w2", "w3", "w4"] {
        children.push(start(&["claim", &JOBS.to_string(), writer], &file)?);
    }
    let mut granted = 0;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let store = SqliteStore::open(&file)?;
    for number in 0..JOBS {
        let job = format!("job-{number}");
        if let ClaimOutcome::Granted(nonce) = runtime.block_on(store.claim(&wish(&job, None)))? {
            runtime.block_on(store.record_submission(&taken(&job, &nonce, &format!("own-{number}"))))?;
            granted += 1;
        }
    }
    for mut child in children {
        let count = lines(&mut child)?.next().context("the child said nothing")??;
        granted += count.parse::<u32>()?;
        ensure!(child.wait()?.success(), "a child failed");
    }
    assert_eq!(granted, JOBS);
    assert_eq!(runtime.block_on(is_consistent(&store))?, 300);
    is_whole(&file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_of_one_process_see_each_others_writes() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("jobs.sqlite");
    let (first, second) = (SqliteStore::open(&file)?, SqliteStore::open(&file)?);
    let writer = |store: SqliteStore, mark: &'static str| async move {
        let mut wins = 0;
        for number in 0..200 {
            let job = format!("job-{number}");
            if let ClaimOutcome::Granted(nonce) = store.claim(&wish(&job, None)).await? {
                store.record_submission(&taken(&job, &nonce, &format!("{mark}-{number}"))).await?;
                wins += 1;
            }
        }
        anyhow::Ok(wins)
    };
    let racers = [tokio::spawn(writer(first.clone(), "x")), tokio::spawn(writer(second.clone(), "y"))];
    let mut wins = 0;
    for racer in racers {
        wins += racer.await??;
    }
    assert_eq!(wins, 200);
    assert_eq!((is_consistent(&first).await?, is_consistent(&second).await?), (200, 200));
    is_whole(&file)
}

#[tokio::test]
async fn many_handles_open_a_new_file_at_once() -> anyhow::Result<()> {
    for _ in 0..10 {
        let scratch = tempfile::tempdir()?;
        let file = scratch.path().join("jobs.sqlite");
        let openers: Vec<_> = (0..8)
            .map(|_| {
                let file = file.clone();
                std::thread::spawn(move || SqliteStore::open(&file).map(drop))
            })
            .collect();
        for opener in openers {
            opener.join().map_err(|_| anyhow::anyhow!("an opener panicked"))??;
        }
        is_whole(&file)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_writer_that_is_killed_leaves_whole_records() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("jobs.sqlite");
    let mut child = start(&["write"], &file)?;
    let told = lines(&mut child)?.take(150).collect::<Result<Vec<_>, _>>()?;
    child.kill()?;
    child.wait()?;
    let looking = SqliteStore::open_existing(&file)?;
    let jobs = is_consistent(&looking).await?;
    assert!(jobs >= told.len(), "{jobs} jobs are left of {}", told.len());
    let store = SqliteStore::open(&file)?;
    submit(&store, "after", "after-1").await?;
    assert_eq!(is_consistent(&looking).await?, jobs + 1);
    is_whole(&file)
}

#[tokio::test]
async fn a_transaction_that_is_killed_half_way_never_was() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("jobs.sqlite");
    let store = SqliteStore::open(&file)?;
    submit(&store, "a", "a-1").await?;
    let mut child = start(&["hold"], &file)?;
    assert_eq!(lines(&mut child)?.next().context("the child said nothing")??, "held");
    assert!(store.job(&name("a")).await?.is_some_and(|job| job.latest.is_some()), "readers don't wait");
    child.kill()?;
    child.wait()?;
    advance(&store, "a", "a-1", JobStatus::Running).await?;
    drop(store);
    let store = SqliteStore::open(&file)?;
    assert_eq!(is_consistent(&store).await?, 1);
    is_whole(&file)
}

#[tokio::test]
async fn a_writer_that_holds_the_file_too_long_is_an_error_that_may_pass() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("jobs.sqlite");
    let store = SqliteStore::open(&file)?;
    let other = Connection::open(&file)?;
    other.execute_batch("BEGIN IMMEDIATE")?;
    let held = store.claim(&wish("a", None)).await.err().context("the claim went through")?;
    assert_eq!(held.kind, ErrorKind::Retryable, "{held}");
    assert!(held.message.contains("jobs.sqlite is locked by another process"), "{held}");
    other.execute_batch("ROLLBACK")?;
    granted(&store, &wish("a", None)).await?;
    Ok(())
}

#[tokio::test]
async fn looking_only_changes_nothing() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("jobs.sqlite");
    let store = SqliteStore::open(&file)?;
    submit(&store, "a", "a-1").await?;
    drop(store);
    let looking = SqliteStore::open_existing(&file)?;
    assert_eq!(is_consistent(&looking).await?, 1);
    for refused in [
        looking.claim(&wish("b", None)).await.err(),
        looking
            .apply_state(&state("a", "a-1", JobStatus::Running), batchwright::domain::Timestamp::default())
            .await
            .err(),
    ] {
        let error = refused.context("a write went through")?;
        assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
    }
    Ok(())
}
