//! A list that is split among copies of the fan-out. Whichever branch ends last brings the results together.

use batchwright::fan_out::{Continuation, Counts};
use batchwright::function::{FunctionError, Invocation};
use batchwright::ports::{AsyncInvoker, CheckpointStore, Clock, FunctionCaller, ObjectStore};
use batchwright::use_cases::fan_out::{RunPlace, StoredOrder, Tree, load_order, plan_tree, store_order};
use tracing::info;

use crate::config::Config;
use crate::handler::{Ports, failed};
use crate::request::{Job, continuation};
use crate::response::{AnswerState, Response};
use crate::run::{Part, complete, own_results, run_part, unknown};

/// Starts the branches of a list that is to be split, and those that stand still where the call came before.
/// `None` where the list is not split.
pub(crate) async fn start_tree<F, O, C, I>(
    ports: &Ports<F, O, C, I>,
    invocation: &Invocation,
    job: &Job,
) -> Result<Option<Response>, FunctionError>
where
    O: ObjectStore + CheckpointStore,
    C: Clock,
    I: AsyncInvoker,
{
    if !job.order.tree {
        return Ok(None);
    }
    let (objects, place) = (&ports.objects, &job.place);
    let tree = match load_order(objects, place).await? {
        Some(StoredOrder { digest, .. }) if digest != job.digest => {
            let why = format!("the run id {} is another call's; choose another", place.run_id);
            return Err(FunctionError::Refused(why));
        }
        Some(stored) => stored.tree,
        None => match plan_tree(objects, &job.order.source, job.order.terms.ceiling).await.map_err(failed)? {
            None => None,
            Some(tree) => store_order(objects, place, &job.digest, &job.call, Some(tree)).await?.tree,
        },
    };
    let Some(tree) = tree else { return Ok(None) };
    let found = tree.checkpoints(objects, place).await?;
    if let Some(response) = ended(ports, job, place, &tree).await? {
        return Ok(Some(response));
    }
    let now = ports.clock.now();
    for (branch, checkpoint) in (0..).zip(&found) {
        let needs_nobody = checkpoint.as_ref().is_some_and(|it| it.is_complete() || it.is_leased(now));
        if !needs_nobody {
            let payload = continuation(&place.branch(branch)).to_string();
            ports.invoker.invoke_later(&invocation.function_name, payload.as_bytes()).await?;
        }
    }
    info!(run.id = %place.run_id, branches = tree.branches.len(), "split among copies");
    Ok(Some(Response::open(place, AnswerState::Running, &Tree::progress(found.iter().flatten()))))
}

/// Runs one branch, and ends the whole where it is the last.
pub(crate) async fn branch<F, O, C, I>(
    ports: &Ports<F, O, C, I>,
    config: &Config,
    invocation: &Invocation,
    asked: &Continuation,
    number: u64,
) -> Result<(Response, Counts), FunctionError>
where
    F: FunctionCaller,
    O: ObjectStore + CheckpointStore,
    C: Clock,
    I: AsyncInvoker,
{
    let root = RunPlace { bucket: config.bucket.clone(), run_id: asked.run_id.clone(), branch: None };
    let mut stored = load_order(&ports.objects, &root).await?.ok_or_else(|| unknown(asked))?;
    let tree = stored.tree.take().ok_or_else(|| unknown(asked))?;
    let part = usize::try_from(number).ok().and_then(|n| tree.branches.get(n)).copied();
    let part = part.ok_or_else(|| unknown(asked))?;
    let mut job = Job::stored(stored, asked.run_id.clone(), config, invocation)?;
    job.place = root.branch(number);
    (job.first, job.end, job.order.terms.ceiling) = (part.first, Some(part.end), part.ceiling);
    match run_part(ports, config, invocation, &job).await? {
        (Part::Open(state, progress), new) => Ok((Response::open(&root, state, &progress), new)),
        (Part::Complete(checkpoint), new) => {
            let response = ended(ports, &job, &root, &tree).await?;
            let running = || Response::open(&root, AnswerState::Running, &checkpoint.progress);
            Ok((response.unwrap_or_else(running), new))
        }
    }
}

/// The answer of the whole, once every branch is complete. Of two branches that end at once both see it: what
/// they write is the same.
async fn ended<F, O: ObjectStore + CheckpointStore, C, I>(
    ports: &Ports<F, O, C, I>,
    job: &Job,
    root: &RunPlace,
    tree: &Tree,
) -> Result<Option<Response>, FunctionError> {
    let found = tree.checkpoints(&ports.objects, root).await?;
    let Some(checkpoints) = Tree::complete(&found) else { return Ok(None) };
    let places = (0..).map(|branch| root.branch(branch));
    let branches: Vec<_> = places.zip(checkpoints).collect();
    let asked = job.order.results.clone().unwrap_or_else(|| own_results(root));
    Ok(Some(complete(ports, root, Some(&asked), &branches).await?))
}
