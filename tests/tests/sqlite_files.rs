//! Files that can't be opened as a state say so, with their name and what to do.

use std::path::Path;

use anyhow::Context as _;
use batchwright::ports::{ErrorKind, JobQueries as _, JobRemoval as _, PortError};
use batchwright::sqlite::SqliteStore;
use batchwright_tests::contract::fixtures::{name, submit};
use rusqlite::Connection;

/// The error of opening, which must name the file and won't pass.
fn refused(opened: Result<SqliteStore, PortError>, file: &Path) -> anyhow::Result<String> {
    let error = opened.err().context("the file was opened")?;
    assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
    assert!(error.message.contains(&file.display().to_string()), "{error}");
    Ok(error.message)
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("notes.txt");
    let text = "jobs to run: none\n".repeat(500);
    std::fs::write(&file, &text)?;
    for opened in [SqliteStore::open(&file), SqliteStore::open_existing(&file)] {
        assert!(refused(opened, &file)?.contains("is no SQLite database; name another file"));
    }
    assert_eq!(std::fs::read_to_string(&file)?, text);
    Ok(())
}

#[test]
fn another_programs_database_is_left_as_it_is() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("theirs.sqlite");
    Connection::open(&file)?.execute_batch("CREATE TABLE jobs (x); PRAGMA user_version = 1")?;
    let before = std::fs::read(&file)?;
    for opened in [SqliteStore::open(&file), SqliteStore::open_existing(&file)] {
        assert!(refused(opened, &file)?.contains("another program's tables; name another file"));
    }
    assert!(std::fs::read(&file)? == before, "the file was changed");
    Ok(())
}

#[test]
fn a_file_of_a_newer_version_is_refused() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("jobs.sqlite");
    drop(SqliteStore::open(&file)?);
    Connection::open(&file)?.pragma_update(None, "user_version", 99)?;
    for opened in [SqliteStore::open(&file), SqliteStore::open_existing(&file)] {
        let message = refused(opened, &file)?;
        assert!(
            message.contains("format version 99") && message.contains("use the newer program"),
            "{message}"
        );
    }
    Ok(())
}

#[test]
fn there_is_nothing_to_look_at_before_the_first_run() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let missing = scratch.path().join("jobs.sqlite");
    assert!(
        refused(SqliteStore::open_existing(&missing), &missing)?
            .contains("no state yet; run a job file first")
    );
    assert!(!missing.exists(), "looking makes no file");
    std::fs::write(&missing, "")?;
    assert!(refused(SqliteStore::open_existing(&missing), &missing)?.contains("no state yet"));
    drop(SqliteStore::open(&missing)?);
    SqliteStore::open_existing(&missing)?;
    Ok(())
}

#[test]
fn a_directory_that_does_not_exist_is_named() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("nowhere").join("jobs.sqlite");
    assert!(refused(SqliteStore::open(&file), &file)?.contains("check that its directory exists"));
    Ok(())
}

#[tokio::test]
async fn a_record_that_was_damaged_is_named_and_can_be_removed() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("jobs.sqlite");
    let store = SqliteStore::open(&file)?;
    submit(&store, "a", "a-1").await?;
    Connection::open(&file)?.execute("UPDATE submissions SET state = '{\"jobName\":7}'", [])?;
    let error = store.job(&name("a")).await.err().context("a damaged record was read")?;
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.contains("a job's state that can't be read"), "{error}");
    store.remove_job(&name("a")).await?;
    assert_eq!(store.job(&name("a")).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_file_cut_short_is_an_error_that_names_the_remedy() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("jobs.sqlite");
    let store = SqliteStore::open(&file)?;
    for number in 0..300 {
        submit(&store, &format!("job-{number}"), &format!("id-{number}")).await?;
    }
    drop(store);
    let bytes = std::fs::read(&file)?;
    std::fs::write(&file, &bytes[..bytes.len() / 4096 / 3 * 4096])?;
    let found = match SqliteStore::open(&file) {
        Ok(store) => store.jobs(None, None).await.map(drop),
        Err(error) => Err(error),
    };
    let error = found.err().context("a file cut short was read")?;
    assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
    assert!(error.message.contains("jobs.sqlite is damaged; restore it from a copy"), "{error}");
    Ok(())
}
