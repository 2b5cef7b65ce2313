//! What calls to one SQLite file share that are under way at once.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use anyhow::Context as _;
use batchwright::domain::ClaimOutcome;
use batchwright::ports::{ClaimStore as _, ErrorKind, JobQueries as _};
use batchwright::sqlite::SqliteStore;
use batchwright_tests::contract::fixtures::{name, wish};
use futures_util::future::try_join_all;
use rusqlite::Connection;

/// Bytes of the log beside a file: all that was ever committed, because nothing is moved into the file before 16 MiB.
fn committed(file: &Path) -> anyhow::Result<u64> {
    Ok(file.with_extension("db-wal").metadata().context("there is no log")?.len())
}

/// What a new reader sees.
fn jobs_in(file: &Path) -> anyhow::Result<i64> {
    Ok(Connection::open(file)?.query_row("SELECT count(*) FROM jobs", [], |row| row.get(0))?)
}

#[tokio::test]
async fn fifty_claims_at_once_are_one_transaction() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut written = Vec::new();
    for file in ["one-by-one.db", "at-once.db"] {
        let file = folder.path().join(file);
        let store = SqliteStore::open(&file)?;
        let before = committed(&file)?;
        let wishes: Vec<_> = (0..50).map(|number| wish(&format!("job-{number:02}"), None)).collect();
        if written.is_empty() {
            for wish in &wishes {
                store.claim(wish).await?;
            }
        } else {
            let claimed = try_join_all(wishes.iter().map(|wish| store.claim(wish))).await?;
            assert!(claimed.iter().all(|outcome| matches!(outcome, ClaimOutcome::Granted(_))));
        }
        assert_eq!(jobs_in(&file)?, 50);
        written.push(committed(&file)? - before);
    }
    assert!(written[1] * 8 < written[0], "{written:?}");
    Ok(())
}

#[tokio::test]
async fn no_answer_leaves_before_the_commit_and_readers_wait_for_it_too() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state.db");
    let store = SqliteStore::open(&file)?;
    let mut context = Context::from_waker(Waker::noop());
    let (wish, job_name) = (wish("tile", None), name("tile"));
    let mut claim = pin!(store.claim(&wish));
    let mut look = pin!(store.job(&job_name));
    assert!(claim.as_mut().poll(&mut context).is_pending());
    assert!(look.as_mut().poll(&mut context).is_pending());
    assert_eq!(jobs_in(&file)?, 0);
    // Whoever comes back first commits for both.
    let Poll::Ready(seen) = look.as_mut().poll(&mut context) else {
        anyhow::bail!("the reader waits for ever")
    };
    assert!(seen?.is_some());
    assert_eq!(jobs_in(&file)?, 1);
    assert!(matches!(claim.await?, ClaimOutcome::Granted(_)));
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_dropped_locks_nobody_out() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state.db");
    let (store, other) = (SqliteStore::open(&file)?, SqliteStore::open(&file)?);
    let wish_of_one = wish("one", None);
    {
        let mut claim = pin!(store.claim(&wish_of_one));
        assert!(claim.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    other.claim(&wish("two", None)).await?;
    assert_eq!(jobs_in(&file)?, 2);
    Ok(())
}

#[tokio::test]
async fn two_handles_of_one_thread_wait_for_each_other_and_both_come_through() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state.db");
    let stores = [SqliteStore::open(&file)?, SqliteStore::open(&file)?];
    let wishes: Vec<_> = (0..40).map(|number| wish(&format!("job-{number:02}"), None)).collect();
    let claims = wishes.iter().enumerate().map(|(number, wish)| stores[number % 2].claim(wish));
    let claimed = try_join_all(claims).await?;
    assert!(claimed.iter().all(|outcome| matches!(outcome, ClaimOutcome::Granted(_))));
    assert_eq!(jobs_in(&file)?, 40);
    Ok(())
}

/// A store in which a claim of the job `bad` fails.
fn store_that_refuses(file: &Path, raise: &str) -> anyhow::Result<SqliteStore> {
    let store = SqliteStore::open(file)?;
    let refuse = format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON jobs WHEN new.job_name = 'bad' BEGIN SELECT {raise}; END"
    );
    Connection::open(file)?.execute_batch(&refuse)?;
    Ok(store)
}

#[tokio::test]
async fn a_call_that_fails_takes_no_other_with_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state.db");
    let store = store_that_refuses(&file, "raise(ABORT, 'not this one')")?;
    let wishes = ["first", "bad", "last"].map(|job| wish(job, None));
    let [first, bad, last] = &wishes;
    let (first, bad, last) = tokio::join!(store.claim(first), store.claim(bad), store.claim(last));
    assert!(matches!((first?, last?), (ClaimOutcome::Granted(_), ClaimOutcome::Granted(_))));
    assert!(bad.unwrap_err().to_string().contains("not this one"));
    assert_eq!(jobs_in(&file)?, 2);
    Ok(())
}

#[tokio::test]
async fn where_the_transaction_is_lost_every_member_is_told_and_may_try_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state.db");
    let store = store_that_refuses(&file, "raise(ROLLBACK, 'all of it')")?;
    let wishes = ["first", "bad", "last"].map(|job| wish(job, None));
    let [first, bad, last] = &wishes;
    let (first_told, bad_told, last_told) =
        tokio::join!(store.claim(first), store.claim(bad), store.claim(last));
    assert_eq!(first_told.unwrap_err().kind, ErrorKind::Retryable);
    assert!(bad_told.is_err());
    // It came after the loss, into a transaction of its own.
    assert!(matches!(last_told?, ClaimOutcome::Granted(_)));
    assert_eq!(jobs_in(&file)?, 1);
    assert!(matches!(store.claim(first).await?, ClaimOutcome::Granted(_)));
    Ok(())
}
