//! What each command does.

#[cfg(feature = "aws")]
mod invoke;
mod jobs;
mod logs;
mod plan;
mod processes;
mod run;
#[cfg(feature = "aws")]
mod run_on_stack;
mod serve;
mod status;
mod summary;

use anyhow::Context;
use batchwright::engine::Capacity;
use batchwright::local::{StateDir, cores};
use batchwright::memory::InMemoryJobStore;
use batchwright::sqlite::SqliteStore;

use crate::args::{Cli, Command, Target};
use crate::exit::{Exit, Failure};
#[cfg(feature = "aws")]
use crate::stack::Stack;

/// Runs the command to its end. A simulation runs on paused time.
pub(crate) fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    let simulated = matches!(&cli.command, Command::Run(args) if args.simulate.is_some());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(simulated)
        .build()
        .context("the runtime can't be started")?;
    runtime.block_on(async {
        match &cli.command {
            Command::Run(args) => match args.place.target() {
                Target::Local(_) => run::run(args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => run_on_stack::run(&Stack::find(&stack).await?, args).await,
            },
            Command::Plan(args) => match args.place.target() {
                Target::Local(dir) if !dir.database().exists() => {
                    plan::plan(&InMemoryJobStore::default(), args, Some(this_machine())).await
                }
                Target::Local(dir) => plan::plan(&open_state(&dir)?, args, Some(this_machine())).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => plan::plan(&Stack::find(&stack).await?.store, args, None).await,
            },
            Command::Jobs(args) => match args.place.target() {
                Target::Local(dir) => jobs::jobs(&open_state(&dir)?, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => jobs::jobs(&Stack::find(&stack).await?.store, args).await,
            },
            Command::Status(args) => match args.place.target() {
                Target::Local(dir) => status::status(&open_state(&dir)?, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => status::status(&Stack::find(&stack).await?.store, args).await,
            },
            Command::Logs(args) => match args.place.target() {
                Target::Local(dir) => logs::logs(&open_state(&dir)?, &dir.logs(), &dir.bucket(), args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => {
                    let stack = Stack::find(&stack).await?;
                    logs::logs(&stack.store, &stack.logs, &stack.bucket, args).await
                }
            },
            Command::Serve(args) => serve::serve(args).await,
            #[cfg(feature = "aws")]
            Command::Invoke(args) => invoke::invoke(args).await,
            Command::S3(args) => crate::s3::run(args).await,
        }
    })
}

fn this_machine() -> Capacity {
    Capacity::of_this_machine(cores())
}

/// The state in a folder, to look at.
fn open_state(dir: &StateDir) -> Result<SqliteStore, Failure> {
    SqliteStore::open_existing(&dir.database()).map_err(|error| Failure::Broken(error.into()))
}
