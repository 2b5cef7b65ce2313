//! What calls to one SQLite file share that are under way at once.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use anyhow::Context as _;
use batchwright::Gathering as _;
use batchwright::domain::{ClaimOutcome, JobState, Timestamp};
use batchwright::engine::VirtualClock;
use batchwright::local::{Controller, End, Mode, Observer, Options, Silent, StateDir};
use batchwright::ports::{ClaimStore as _, ErrorKind, JobQueries as _};
use batchwright::sqlite::SqliteStore;
use batchwright::use_cases::record_state::Recorded;
use batchwright::use_cases::run_file::ReportLine;
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

/// A store that gathers, in a file in which the job `bad` fails.
fn gathering(file: &Path, raise: &str) -> anyhow::Result<SqliteStore> {
    store_that_refuses(file, raise)?;
    Ok(SqliteStore::open_gathering(file)?)
}

#[tokio::test]
async fn a_store_that_gathers_answers_first_and_commits_once() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state.db");
    let store = gathering(&file, "raise(ABORT, 'not this one')")?;
    let before = committed(&file)?;
    store.beside("make", |beside| beside.execute_batch("CREATE TABLE theirs (a INTEGER)"))?;
    for number in 0..50 {
        assert!(matches!(
            store.claim(&wish(&format!("job-{number:02}"), None)).await?,
            ClaimOutcome::Granted(_)
        ));
    }
    store.claim(&wish("bad", None)).await.unwrap_err();
    store.beside("write", |beside| beside.execute("INSERT INTO theirs VALUES (7)", []))?;
    store.beside("err", |beside| beside.execute("INSERT INTO theirs VALUES (8), (nowhere)", [])).unwrap_err();
    assert!(store.job(&name("job-49")).await?.is_some(), "it sees its own");
    assert_eq!((jobs_in(&file)?, committed(&file)?), (0, before), "nothing is committed yet");
    store.commit()?;
    assert_eq!(jobs_in(&file)?, 50);
    let theirs: i64 =
        Connection::open(&file)?.query_row("SELECT sum(a) FROM theirs", [], |row| row.get(0))?;
    assert_eq!(theirs, 7, "a call that errs leaves nothing");
    store.claim(&wish("last", None)).await?;
    let clone = store.clone();
    drop(store);
    assert_eq!(jobs_in(&file)?, 50);
    drop(clone);
    assert_eq!(jobs_in(&file)?, 51, "the last handle commits");
    Ok(())
}

#[tokio::test]
async fn a_store_that_gathers_and_lost_what_it_had_answered_answers_nothing_more() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("state.db");
    let store = gathering(&file, "raise(ROLLBACK, 'all of it')")?;
    store.claim(&wish("first", None)).await?;
    store.claim(&wish("bad", None)).await.unwrap_err();
    for _ in 0..2 {
        assert_eq!(store.claim(&wish("last", None)).await.unwrap_err().kind, ErrorKind::Retryable);
        store.job(&name("first")).await.unwrap_err();
        store.beside("look", |beside| beside.execute("SELECT 1", [])).unwrap_err();
        store.commit().unwrap_err();
    }
    assert_eq!(jobs_in(&file)?, 0);
    assert!(matches!(SqliteStore::open(&file)?.claim(&wish("first", None)).await?, ClaimOutcome::Granted(_)));
    Ok(())
}

#[tokio::test]
async fn a_call_of_a_store_that_gathers_which_fails_half_way_takes_all_back() -> anyhow::Result<()> {
    type Call = fn(&Connection) -> rusqlite::Result<usize>;
    let calls: [(&str, Call); 2] = [
        ("an error", |beside| {
            beside.execute("INSERT INTO theirs VALUES (7)", [])?;
            beside.execute("INSERT INTO nowhere VALUES (8)", [])
        }),
        ("a panic", |beside| {
            beside.execute("INSERT INTO theirs VALUES (7)", [])?;
            panic!("half-way")
        }),
    ];
    for (what, call) in calls {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("state.db");
        let store = SqliteStore::open_gathering(&file)?;
        store.beside("make", |beside| beside.execute_batch("CREATE TABLE theirs (a INTEGER)"))?;
        store.commit()?;
        store.claim(&wish("first", None)).await?;
        let ended = catch_unwind(AssertUnwindSafe(|| store.beside("fail", call).is_err()));
        assert!(ended.unwrap_or(true), "{what}");
        store.claim(&wish("last", None)).await.unwrap_err();
        store.job(&name("first")).await.unwrap_err();
        store.commit().unwrap_err();
        drop(store);
        let theirs: i64 =
            Connection::open(&file)?.query_row("SELECT count(*) FROM theirs", [], |row| row.get(0))?;
        assert_eq!((theirs, jobs_in(&file)?), (0, 0), "{what}");
    }
    Ok(())
}

/// Copies the file and its log, as a kill leaves them, at each so many changes.
struct Copies {
    folder: PathBuf,
    changes: AtomicUsize,
    every: usize,
}

impl Observer for Copies {
    fn reported(&self, _: &ReportLine) {}

    fn changed(&self, _: &JobState, _: &Recorded) {
        let change = self.changes.fetch_add(1, Ordering::Relaxed);
        if change.is_multiple_of(self.every) {
            let copy = self.folder.join(format!("copy-{change}"));
            std::fs::create_dir(&copy).expect("a folder can be made");
            for name in ["state.db", "state.db-wal", "simulated"] {
                std::fs::copy(self.folder.join("state").join(name), copy.join(name))
                    .expect("a file can be copied");
            }
        }
    }
}

async fn simulate(state: &Path, file: &Path, day: i64, observer: &dyn Observer) -> anyhow::Result<End> {
    let (state_dir, mode) = (StateDir::new(state), Mode::Simulated { seed: 7 });
    let clock = VirtualClock::starting_at(Timestamp::from_millis(1_700_000_000_000 + day * 86_400_000));
    let mut controller = Controller::open(&Options { state_dir, vcpus: Some(8), mode }, clock).await?;
    let ran = controller.run(file, false, Vec::new(), observer, std::future::pending()).await?;
    Ok(ran.1)
}

/// Submissions that the engine has and the store does not know, and the other way round.
fn strangers(state: &Path) -> anyhow::Result<(i64, i64)> {
    let count = |of: &str, other: &str| {
        let sql = format!("SELECT count(*) FROM {of} WHERE job_id NOT IN (SELECT job_id FROM {other})");
        Connection::open(state.join("state.db"))?.query_row(&sql, [], |row| row.get(0))
    };
    Ok((count("engine_jobs", "submissions")?, count("submissions", "engine_jobs")?))
}

#[tokio::test(start_paused = true)]
async fn a_simulation_that_is_killed_goes_on_where_store_and_engine_agree() -> anyhow::Result<()> {
    const JOBS: usize = 900;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("jobs.jsonl");
    let job = |number| {
        format!(r#"{{"jobName":"job-{number}","jobQueue":"q","jobDefinition":"d:1","command":["true"]}}"#)
    };
    std::fs::write(&file, (0..JOBS).map(|number| job(number) + "\n").collect::<String>())?;
    let copies = Copies { folder: folder.path().to_owned(), changes: AtomicUsize::new(1), every: 700 };
    simulate(&folder.path().join("state"), &file, 0, &copies).await?;
    let mut unfinished = 0;
    for copy in std::fs::read_dir(folder.path())? {
        let copy = copy?.path();
        if !copy.is_dir() {
            continue;
        }
        let (in_books, in_store) = strangers(&copy)?;
        let ended = "SELECT count(*) FROM engine_jobs WHERE has_ended = 1";
        let before: i64 = Connection::open(copy.join("state.db"))?.query_row(ended, [], |row| row.get(0))?;
        unfinished += usize::from((1..900).contains(&before));
        // Such as are being submitted: a claim stands for each.
        assert!(in_books <= 16 && in_store == 0, "{}: {in_books} and {in_store}", copy.display());
        let end = simulate(&copy, &file, 9, &Silent).await?;
        assert!(matches!(end, End::Ended(counts) if counts.total() == JOBS as u64), "{end:?}");
        assert_eq!(strangers(&copy)?, (0, 0), "{}", copy.display());
    }
    assert!(unfinished >= 2, "{unfinished} copies were taken in the middle");
    Ok(())
}
