//! What each command does.

mod confirm;
mod console;
#[cfg(feature = "aws")]
mod dlq;
mod doctor;
mod explain;
mod forget;
mod import;
mod interrupt;
#[cfg(feature = "aws")]
mod invoke;
mod jobs;
mod logs;
mod plan;
mod processes;
mod prune;
mod reconcile;
mod rejected;
#[cfg(feature = "aws")]
mod relearn;
mod report;
mod rerun;
mod run;
#[cfg(feature = "aws")]
mod run_on_stack;
mod runs;
mod schema;
mod serve;
mod shell;
mod status;
mod stop;
mod store;
pub(crate) mod summary;
mod watch;

use anyhow::{Context, anyhow};
use batchwright::domain::{JobName, Stop};
use batchwright::engine::Capacity;
use batchwright::local::{StateDir, cores};
use batchwright::memory::InMemoryJobStore;
use batchwright::ports::NoQueues;
use batchwright::sqlite::SqliteStore;
use batchwright::use_cases::explain::Logs;

use crate::args::{Cli, Command, Output, PlanArgs, RerunArgs, StopArgs, StoreCommand, Target};
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
    let ended = runtime.block_on(async {
        match &cli.command {
            Command::Run(args) => match args.place.target()? {
                Target::Local(_) => run::run(args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => run_on_stack::run(&Stack::find(&stack).await?, args).await,
            },
            Command::Plan(args) => match args.place.target()? {
                Target::Local(dir) if !dir.database().exists() => {
                    plan::plan(&InMemoryJobStore::default(), args, Some(this_machine(args))).await
                }
                Target::Local(dir) => plan::plan(&open_state(&dir)?, args, Some(this_machine(args))).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => plan::plan(&Stack::find(&stack).await?.store, args, None).await,
            },
            Command::Runs(args) => match args.place.target()? {
                Target::Local(dir) => runs::runs(&open_state(&dir)?, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => runs::runs(&Stack::find(&stack).await?.store, args).await,
            },
            Command::Cancel(args) => stop(args, Stop::Cancel).await,
            Command::Terminate(args) => stop(args, Stop::Terminate).await,
            Command::Rerun(args) => rerun(args).await,
            Command::Explain(args) => match args.place.target()? {
                Target::Local(dir) => {
                    let logs = Logs { source: &dir.logs(), archive: &dir.bucket() };
                    explain::explain(&open_state(&dir)?, &NoQueues, &logs, dir.is_in_use(), args).await
                }
                #[cfg(feature = "aws")]
                Target::Stack(stack) => {
                    let Stack { store, engine, logs, bucket, .. } = Stack::find(&stack).await?;
                    let logs = Logs { source: &logs, archive: &bucket };
                    explain::explain(&store, &engine, &logs, true, args).await
                }
            },
            #[cfg(feature = "aws")]
            Command::Submit(args) => {
                run_on_stack::submit(&Stack::find(&args.stack.named()?).await?, args).await
            }
            Command::Reconcile(args) => match args.place.target()? {
                Target::Local(dir) => reconcile::of_folder(&dir, args.shown.output).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => reconcile::of_stack(&stack).await,
            },
            Command::Doctor(args) => match args.place.target()? {
                Target::Local(dir) => doctor::of_folder(&dir, args.shown.output).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => doctor::of_stack(&stack, args.shown.output).await,
            },
            #[cfg(feature = "aws")]
            Command::Dlq(command) => dlq::dlq(command).await,
            Command::Store(StoreCommand::Export(args)) => match args.place.target()? {
                Target::Local(dir) => store::export(&open_state(&dir)?, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => store::export(&Stack::find(&stack).await?.store, args).await,
            },
            Command::Store(StoreCommand::Import(args)) => match args.place.target()? {
                Target::Local(dir) => {
                    let _lock = dir.lock().map_err(|error| Failure::Rejected(error.to_string()))?;
                    let opened = SqliteStore::open(&dir.database());
                    import::import(&opened.map_err(|error| Failure::Broken(error.into()))?, args, false).await
                }
                #[cfg(feature = "aws")]
                Target::Stack(stack) => import::import(&Stack::find(&stack).await?.store, args, true).await,
            },
            Command::Store(StoreCommand::Remove(args)) => match args.place.target()? {
                Target::Local(dir) => store::remove(&open_to_change(&dir)?, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => store::remove(&Stack::find(&stack).await?.store, args).await,
            },
            #[cfg(feature = "aws")]
            Command::Store(StoreCommand::Relearn(args)) => relearn::relearn(args).await,
            Command::Prune(args) => match args.place.target()? {
                Target::Local(dir) => prune::prune(&open_to_change(&dir)?, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => prune::prune(&Stack::find(&stack).await?.store, args).await,
            },
            Command::Completions { shell } => shell::completions(*shell),
            Command::Man { dir } => shell::man(dir),
            Command::Schema { name } => schema::schema(name),
            Command::Watch(args) => match args.place.target()? {
                Target::Local(dir) => watch::watch(&open_state(&dir)?, || dir.is_in_use(), args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => watch::watch(&Stack::find(&stack).await?.store, || true, args).await,
            },
            Command::Report(args) => match args.place.target()? {
                Target::Local(dir) => {
                    let logs = Logs { source: &dir.logs(), archive: &dir.bucket() };
                    report::report(&open_state(&dir)?, &logs, args).await
                }
                #[cfg(feature = "aws")]
                Target::Stack(stack) => {
                    let Stack { store, logs, bucket, .. } = Stack::find(&stack).await?;
                    report::report(&store, &Logs { source: &logs, archive: &bucket }, args).await
                }
            },
            Command::Console(args) => match args.place.target()? {
                Target::Local(dir) => {
                    let logs = Logs { source: &dir.logs(), archive: &dir.bucket() };
                    console::console(&open_state(&dir)?, &NoQueues, &logs, || dir.is_in_use(), args).await
                }
                #[cfg(feature = "aws")]
                Target::Stack(stack) => {
                    let Stack { store, engine, logs, bucket, .. } = Stack::find(&stack).await?;
                    let logs = Logs { source: &logs, archive: &bucket };
                    console::console(&store, &engine, &logs, || true, args).await
                }
            },
            Command::Jobs(args) => match args.place.target()? {
                Target::Local(dir) => jobs::jobs(&open_state(&dir)?, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => jobs::jobs(&Stack::find(&stack).await?.store, args).await,
            },
            Command::Status(args) => match args.place.target()? {
                Target::Local(dir) => status::status(&open_state(&dir)?, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => status::status(&Stack::find(&stack).await?.store, args).await,
            },
            Command::Logs(args) => match args.place.target()? {
                Target::Local(dir) => logs::logs(&open_state(&dir)?, &dir.logs(), &dir.bucket(), args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => {
                    let stack = Stack::find(&stack).await?;
                    logs::logs(&stack.store, &stack.logs, &stack.bucket, args).await
                }
            },
            Command::Forget(args) => match args.place.target()? {
                Target::Local(dir) => forget::forget(&open_to_change(&dir)?, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(stack) => forget::forget(&Stack::find(&stack).await?.store, args).await,
            },
            Command::Serve(args) => match args.place.target()? {
                Target::Local(dir) => serve::serve(dir, args).await,
                #[cfg(feature = "aws")]
                Target::Stack(_) => {
                    Err(Failure::Usage("serve runs jobs on this machine: give --local".to_owned()))
                }
            },
            #[cfg(feature = "aws")]
            Command::Invoke(args) => invoke::invoke(args).await,
            Command::S3(args) => crate::s3::run(args).await,
        }
    });
    let ends_at_once = matches!(ended, Ok(Exit::Signal(_)));
    #[cfg(feature = "aws")]
    let ends_at_once = ends_at_once || matches!(&cli.command, Command::Invoke(_));
    if ends_at_once {
        // Standard input that stays open, and standard output that nobody reads, must not keep the program alive.
        runtime.shutdown_background();
    }
    ended
}

fn this_machine(args: &PlanArgs) -> Capacity {
    Capacity::of_this_machine(args.vcpus.unwrap_or_else(cores))
}

async fn rerun(args: &RerunArgs) -> Result<Exit, Failure> {
    let nothing = || {
        const NONE: &str = "no job is to be run again";
        match args.shown.output {
            Output::Table => println!("{NONE}"),
            Output::Json => println!("{}", serde_json::json!({"jobs": []})),
            Output::Ndjson => eprintln!("{NONE}"),
        }
        Ok(Exit::Well)
    };
    match args.place.target()? {
        Target::Local(dir) => {
            let folder = dir.root().join("reruns");
            match rerun::chosen(&open_state(&dir)?, args, &folder).await? {
                Some(args) => run::run(&args).await,
                None => nothing(),
            }
        }
        #[cfg(feature = "aws")]
        Target::Stack(stack) => {
            let stack = Stack::find(&stack).await?;
            let folder = tempfile::tempdir().context("a folder for the job file can't be made")?;
            match rerun::chosen(&stack.store, args, folder.path()).await? {
                Some(args) => run_on_stack::run(&stack, &args).await,
                None => nothing(),
            }
        }
    }
}

async fn stop(args: &StopArgs, stop: Stop) -> Result<Exit, Failure> {
    match args.place.target()? {
        Target::Local(dir) => stop::stop_locally(&dir, args, stop).await,
        #[cfg(feature = "aws")]
        Target::Stack(stack) => {
            let stack = Stack::find(&stack).await?;
            stop::stop(&stack.store, &stack.engine, args, stop).await
        }
    }
}

fn no_such_job(name: &JobName) -> Failure {
    Failure::Broken(anyhow!("no job is named {name}"))
}

/// The state in a folder that is there, to change it.
fn open_to_change(dir: &StateDir) -> Result<SqliteStore, Failure> {
    SqliteStore::open_to_change(&dir.database()).map_err(|error| Failure::Broken(error.into()))
}

/// The state in a folder, to look at.
fn open_state(dir: &StateDir) -> Result<SqliteStore, Failure> {
    SqliteStore::open_existing(&dir.database()).map_err(|error| Failure::Broken(error.into()))
}
