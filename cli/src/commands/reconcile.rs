//! `batchwright reconcile`.

#[cfg(feature = "aws")]
use anyhow::Context;
use batchwright::local::{Controller, Mode, Options, StateDir};
use batchwright::ports::SystemClock;

use super::{open_to_change, processes};
#[cfg(feature = "aws")]
use crate::args::StackArgs;
use crate::args::{Output, ProcessArgs};
use crate::exit::{Exit, Failure};
#[cfg(feature = "aws")]
use crate::stack::Stack;

/// One pass over a folder that no other process runs. No job that waits is started.
pub(crate) async fn of_folder(dir: &StateDir, output: Output) -> Result<Exit, Failure> {
    // Of a folder that is not there none is made.
    open_to_change(dir)?;
    let settings = processes::settings(&ProcessArgs::default(), None).await?;
    let options = Options { state_dir: dir.clone(), vcpus: None, mode: Mode::Processes(settings) };
    let mut controller = Controller::open_to_stop(&options, SystemClock).await?;
    let done = controller.reconcile().await?;
    if output == Output::Table {
        println!(
            "{} claims adopted, {} released, {} submissions described, {} lost, {} submitted again, {} postponed",
            done.claims_adopted,
            done.claims_released,
            done.described,
            done.lost,
            done.resubmitted,
            done.postponed
        );
    } else {
        println!("{}", serde_json::json!(done));
    }
    Ok(if done.postponed > 0 { Exit::JobsFailed } else { Exit::Well })
}

/// Wakes the stack's reconciler.
#[cfg(feature = "aws")]
pub(crate) async fn of_stack(args: &StackArgs) -> Result<Exit, Failure> {
    use batchwright::ports::AsyncInvoker as _;
    let stack = Stack::find(args).await?;
    let function = format!("{}-reconciler", args.stack.as_deref().unwrap_or_default());
    stack.invoker.invoke_later(&function, b"{}").await.context("the reconciler can't be called")?;
    println!("{function} was woken; its log says what it found");
    Ok(Exit::Well)
}
