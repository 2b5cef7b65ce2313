//! What each command does.

mod jobs;
mod logs;
mod plan;
mod run;
mod serve;
mod status;

use anyhow::Context;
use batchwright::local::StateDir;
use batchwright::sqlite::SqliteStore;

use crate::args::{Cli, Command};
use crate::exit::{Exit, Failure};

/// Runs the command to its end. A simulation runs on paused time.
pub(crate) fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let simulated = matches!(&cli.command, Command::Run(args) if args.simulate.is_some());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(simulated)
        .build()
        .context("the runtime can't be started")?;
    runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(args).await,
            Command::Plan(args) => plan::plan(args).await,
            Command::Jobs(args) => jobs::jobs(args).await,
            Command::Status(args) => status::status(args).await,
            Command::Logs(args) => logs::logs(args).await,
            Command::Serve(args) => serve::serve(args).await,
        }
    })
}

/// The state in a folder, to look at.
fn open_state(dir: &StateDir) -> Result<SqliteStore, Failure> {
    SqliteStore::open_existing(&dir.database()).map_err(|error| Failure::Broken(error.into()))
}
