//! One fan-out, as far as an invocation gets.

use batchwright::domain::S3Uri;
use batchwright::fan_out::limits::HELD_RESULTS_MAX_BYTES;
use batchwright::fan_out::{Checkpoint, Continuation, Counts, Progress};
use batchwright::function::{FunctionError, Invocation};
use batchwright::ports::{
    AsyncInvoker, CheckpointStore, Clock, FunctionCaller, ObjectStore, ObjectWriter, PortError,
};
use batchwright::use_cases::fan_out::{End, FanOut, RunPlace, finish, load_order, run_fan_out, store_order};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::Config;
use crate::handler::{Ports, failed};
use crate::request::{Job, continuation};
use crate::response::{AnswerState, Response};

/// Runs a fan-out until its end, or until shortly before the deadline; then has another invocation go on.
pub(crate) async fn run<F, O, C, I>(
    ports: &Ports<F, O, C, I>,
    config: &Config,
    invocation: &Invocation,
    job: &Job,
) -> Result<(Response, Counts), FunctionError>
where
    F: FunctionCaller,
    O: ObjectStore + CheckpointStore,
    C: Clock,
    I: AsyncInvoker,
{
    let place = &job.place;
    match run_part(ports, config, invocation, job).await? {
        (Part::Complete(checkpoint), new) => {
            // Nobody reads the answer of an invocation that goes on: the results are to be found.
            let asked = job.order.results.clone().or_else(|| job.is_stored.then(|| own_results(place)));
            let branches = [(place.clone(), *checkpoint)];
            Ok((complete(ports, place, asked.as_ref(), &branches).await?, new))
        }
        (Part::Open(state, progress), new) => Ok((Response::open(place, state, &progress), new)),
    }
}

/// Goes on with a fan-out that was handed on.
pub(crate) async fn go_on<F, O, C, I>(
    ports: &Ports<F, O, C, I>,
    config: &Config,
    invocation: &Invocation,
    asked: &Continuation,
) -> Result<(Response, Counts), FunctionError>
where
    F: FunctionCaller,
    O: ObjectStore + CheckpointStore,
    C: Clock,
    I: AsyncInvoker,
{
    let place = RunPlace { bucket: config.bucket.clone(), run_id: asked.run_id.clone(), branch: None };
    let stored = load_order(&ports.objects, &place).await?;
    let stored = stored.ok_or_else(|| unknown(asked))?;
    let job = Job::stored(stored, asked.run_id.clone(), config, invocation)?;
    run(ports, config, invocation, &job).await
}

/// How far an invocation brought a fan-out or a branch.
pub(crate) enum Part {
    Complete(Box<Checkpoint>),
    Open(AnswerState, Progress),
}

/// Runs a fan-out or a branch, and hands on what is left. Also returns what items came to here.
pub(crate) async fn run_part<F, O, C, I>(
    ports: &Ports<F, O, C, I>,
    config: &Config,
    invocation: &Invocation,
    job: &Job,
) -> Result<(Part, Counts), FunctionError>
where
    F: FunctionCaller,
    O: ObjectStore + CheckpointStore,
    C: Clock,
    I: AsyncInvoker,
{
    let now = Instant::now();
    let fan_out = FanOut {
        order: &job.order,
        place: &job.place,
        digest: &job.digest,
        owner: &invocation.request_id,
        first: job.first,
        end: job.end,
        held_max_bytes: HELD_RESULTS_MAX_BYTES,
        stop_starting: now + invocation.time_left(&ports.clock, config.stop_margin),
        stop_waiting: now + invocation.time_left(&ports.clock, config.give_up_margin()),
    };
    let (end, new) =
        run_fan_out(&ports.caller, &ports.objects, &ports.clock, &fan_out).await.map_err(failed)?;
    let part = match end {
        End::Complete(checkpoint) => Part::Complete(Box::new(checkpoint)),
        End::Elsewhere(checkpoint) if checkpoint.owner == invocation.request_id => {
            let why =
                format!("the fan-out {} may still be run by this request's first delivery", job.place.run_id);
            return Err(FunctionError::NotYet(why));
        }
        End::Elsewhere(checkpoint) => Part::Open(AnswerState::Running, checkpoint.progress),
        End::ToBeContinued { checkpoint, came_further: false } => {
            warn!(run.id = %job.place.run_id, "the fan-out came no further; call again with its run id");
            Part::Open(AnswerState::Stopped, checkpoint.progress)
        }
        End::ToBeContinued { checkpoint, came_further: true } => {
            hand_on(ports, invocation, job).await?;
            Part::Open(AnswerState::Running, checkpoint.progress)
        }
    };
    Ok((part, new))
}

/// Has another invocation go on with the rest.
async fn hand_on<F, O: ObjectStore, C, I: AsyncInvoker>(
    ports: &Ports<F, O, C, I>,
    invocation: &Invocation,
    job: &Job,
) -> Result<(), PortError> {
    if !job.is_stored {
        store_order(&ports.objects, &job.place, &job.digest, &job.call, None).await?;
    }
    let payload = continuation(&job.place).to_string();
    ports.invoker.invoke_later(&invocation.function_name, payload.as_bytes()).await?;
    info!(run.id = %job.place.run_id, run.branch = job.place.branch, "handed on to the next invocation");
    Ok(())
}

/// Brings the results together and says what the fan-out came to, here and in its summary.
pub(crate) async fn complete<F, O: ObjectStore, C, I>(
    ports: &Ports<F, O, C, I>,
    root: &RunPlace,
    asked: Option<&S3Uri>,
    branches: &[(RunPlace, Checkpoint)],
) -> Result<Response, FunctionError> {
    let results = finish(&ports.objects, root, asked, branches).await?;
    let mut progress = Progress::default();
    branches.iter().for_each(|(_, checkpoint)| progress.merge(&checkpoint.progress));
    let response = Response::complete(root, &progress, results);
    let summary = Response { results: None, ..response.clone() };
    let mut object = ports.objects.create_object(&root.summary(), "application/json").await?;
    object
        .write(
            &serde_json::to_vec(&summary)
                .map_err(|error| PortError::permanent("write the summary", error))?,
        )
        .await?;
    object.finish().await?;
    info!(run.id = %root.run_id, items = progress.counts.total(), failures = progress.counts.failures(), "complete");
    Ok(response)
}

/// Where the results go that nobody asked for and nobody waits for.
pub(crate) fn own_results(root: &RunPlace) -> S3Uri {
    S3Uri { bucket: root.bucket.clone(), key: root.results() }
}

pub(crate) fn unknown(asked: &Continuation) -> FunctionError {
    FunctionError::Refused(format!("there is no fan-out {} to go on with", asked.run_id))
}
