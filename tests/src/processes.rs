//! Engines in this test program whose jobs are real processes.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use batchwright::domain::{JobId, LogStream};
use batchwright::engine::{
    AttendantProgram, Durability, EngineConfig, LocalEngine, ProcessRunner, ProcessSettings, SqliteBooks,
    job_environment,
};
use batchwright::events::{JobDetail, JobStateChange};
use batchwright::ports::{JobEngine, LogSource, LogSourceError, SystemClock};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Waits until a condition holds that no event tells of.
///
/// # Errors
///
/// Where it does not hold within a minute.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    ensure!(waited.await.is_ok(), "waited in vain until {what}");
    Ok(())
}

/// An engine over a state folder, which the engine before it may just have left.
///
/// # Errors
///
/// Where the folder stays locked, and where its books can't be opened.
pub async fn open(
    state: &Path,
    settings: &ProcessSettings,
    config: EngineConfig,
) -> anyhow::Result<(LocalEngine, UnboundedReceiver<JobStateChange>)> {
    let (sender, events) = unbounded_channel();
    let mut runner = None;
    until("the engine before this one has let go of its files", || {
        runner = ProcessRunner::open(state, settings.clone(), SystemClock).ok();
        runner.is_some()
    })
    .await?;
    let books = SqliteBooks::open(&state.join("engine.db"), Durability::Program)?;
    let runner = runner.context("there is no runner")?;
    let engine = LocalEngine::start(config, books, runner, SystemClock, sender).await?;
    Ok((engine, events))
}

/// How the engine describes one job.
///
/// # Errors
///
/// Where it does not know the job.
pub async fn describe(engine: &LocalEngine, job_id: &JobId) -> anyhow::Result<JobDetail> {
    let found = engine.describe_jobs(std::slice::from_ref(job_id)).await?;
    found.into_iter().next().with_context(|| format!("{job_id} is not known"))
}

/// All lines of a log stream.
///
/// # Errors
///
/// Where it can't be read.
pub async fn log_lines(engine: &LocalEngine, stream: &str) -> Result<Vec<String>, LogSourceError> {
    let stream = LogStream { group: None, name: stream.to_owned(), container: None, region: None };
    let (mut messages, mut cursor) = (Vec::new(), None);
    loop {
        let page = engine.log_events(&stream, cursor.as_ref()).await?;
        messages.extend(page.events.into_iter().map(|event| event.message));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(messages);
        }
    }
}

/// Jobs run in `workdir`, or each attempt in a folder of its own. `caller` is where a person would be.
///
/// # Errors
///
/// Where this program's own file can't be found.
pub fn settings(caller: &Path, workdir: Option<&Path>) -> anyhow::Result<ProcessSettings> {
    Ok(ProcessSettings {
        job_file: None,
        attendant: attendant()?,
        workdir: workdir.map(Path::to_owned),
        caller_folder: caller.to_owned(),
        containers: None,
        container_environment: Vec::new(),
        environment: job_environment(std::env::vars_os(), &[]),
        keep_workdirs: false,
    })
}

/// The binary of this package, which cargo builds beside the folder of its tests.
fn attendant() -> anyhow::Result<AttendantProgram> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("a test program outside of a target folder")?;
    let program = folder.join("attendant");
    if !program.exists() {
        let why = format!("{} is not built: run the tests of a whole test target", program.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, why).into());
    }
    Ok(AttendantProgram::at(program))
}
