//! One run, as far as an invocation gets.

use batchwright::domain::{Checkpoint, Run, RunCounts, RunId, RunState, S3Uri, SourceVersion};
use batchwright::events::Continuation;
use batchwright::function::{FunctionError, Invocation};
use batchwright::job_file::{self, JobFileError, Problem};
use batchwright::ports::{
    AsyncInvoker, Clock, JobEngine, JobStore, ObjectStore, ObjectWriter, PortError, RunStore, SubmissionPace,
};
use batchwright::use_cases::run_file::{
    ReportLine, ReportOutcome, RunEnd, RunFile, RunFileError, reject_file, run_file,
};
use serde::Serialize;
use serde_json::Value;
use tracing::{info, warn};

use crate::config::Config;
use crate::handler::Ports;
use crate::interruption::Interruptible;
use crate::request::{CALLS, Request};

/// Problems of a rejected file that a summary holds. All of them stand in the report.
const PROBLEMS_MAX: usize = 20;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// The run.
    pub run_id: RunId,
    /// Its job file.
    pub source: String,
    /// SUBMITTING: what is left will be gone on with.
    pub state: RunState,
    /// Jobs dealt with so far.
    pub checkpoint: Checkpoint,
    /// What became of them.
    pub counts: RunCounts,
    /// Those of them that became so in this invocation.
    #[serde(skip)]
    pub(crate) new_counts: RunCounts,
    /// Submissions of this invocation that were one too many, and were terminated.
    #[serde(skip)]
    pub(crate) surplus: u64,
    /// What is wrong with the file, where it was rejected: the first twenty problems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Runs a file until its end, or until shortly before the deadline; then has another invocation go on.
pub(crate) async fn run<S, E, P, C, O, I>(
    ports: &Ports<S, E, P, C, O, I>,
    config: &Config,
    invocation: &Invocation,
    request: Request,
) -> Result<RunSummary, FunctionError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    O: ObjectStore,
    I: AsyncInvoker,
{
    let (run_id, uri, version, rerun) = match request {
        Request::File { run_id, uri, version, rerun } => (run_id, uri, version, rerun),
        Request::Jobs { run_id, document, rerun } => {
            let uri = S3Uri { bucket: config.bucket.clone(), key: format!("{CALLS}{run_id}.json") };
            keep(&ports.objects, &uri.key, &document).await?;
            (run_id, uri, SourceVersion::default(), rerun)
        }
    };
    let margin_ms = i64::try_from(config.stop_margin.as_millis()).unwrap_or(i64::MAX);
    let mut order = RunFile {
        source_version: version,
        rerun,
        concurrency: config.concurrency,
        deadline: Some(invocation.deadline.plus_millis(-margin_ms)),
        allowed: config.allowed.clone(),
        seals_all: config.seals_all,
        ..RunFile::new(run_id, uri.to_string())
    };
    let before = ports.store.run(&order.run_id).await?;
    if let Some(run) = before.as_ref().filter(|run| run.source != order.source) {
        return Err(FunctionError::Refused(format!(
            "the run {} is of {}, and the call names {}; name the run's own file, or leave continue out for a run of its own",
            run.run_id, run.source, order.source
        )));
    }
    if let Some(run) = before.as_ref().filter(|run| run.state != RunState::Submitting) {
        return Ok(RunSummary::of(run.clone(), &run.counts, Vec::new(), 0));
    }
    if let Some(run) = &before {
        order.source_version.clone_from(&run.source_version);
    }
    let (checkpoint, counts) = before.map(|run| (run.checkpoint, run.counts)).unwrap_or_default();
    let mut surplus = 0;
    let left = submit_all(ports, &uri, &mut order, &mut surplus).await?;
    let run = ports.store.run(&order.run_id).await?.ok_or_else(|| {
        PortError::retryable("run", format!("the run {} was removed while it was under way", order.run_id))
    })?;
    if run.state == RunState::Submitting && left != Left::ToAnother {
        go_on(ports, invocation, &order, checkpoint < run.checkpoint).await;
    }
    info!(run.id = %run.run_id, run.source = run.source, run.state = ?run.state, run.checkpoint = run.checkpoint.0, "run");
    let problems = if let Left::Rejected(problems) = left { problems } else { Vec::new() };
    Ok(RunSummary::of(run, &counts, problems, surplus))
}

/// How an invocation leaves a run.
#[derive(PartialEq)]
enum Left {
    /// At its end, or where the next goes on.
    AtCheckpoint,
    /// Its file is wrong, and why.
    Rejected(Vec<String>),
    /// To another invocation, which has come further.
    ToAnother,
}

impl RunSummary {
    fn of(run: Run, before: &RunCounts, problems: Vec<String>, surplus: u64) -> Self {
        let Run { run_id, source, state, checkpoint, counts, .. } = run;
        let new_counts = since(before, &counts);
        Self { run_id, source, state, checkpoint, counts, new_counts, surplus, problems }
    }
}

/// Keeps the jobs of a call as a job file, so that another invocation can go on with it.
async fn keep<O: ObjectStore>(objects: &O, key: &str, document: &Value) -> Result<(), PortError> {
    let mut object = objects.create_object(key, "application/json").await?;
    object.write(document.to_string().as_bytes()).await?;
    object.finish().await
}

/// Submits the jobs of a file.
async fn submit_all<S, E, P, C, O, I>(
    ports: &Ports<S, E, P, C, O, I>,
    uri: &S3Uri,
    order: &mut RunFile,
    surplus: &mut u64,
) -> Result<Left, FunctionError>
where
    S: JobStore + RunStore,
    E: JobEngine,
    P: SubmissionPace,
    C: Clock,
    O: ObjectStore,
{
    let Ports { store, engine, pace, clock, objects, .. } = ports;
    let wanted = &order.source_version;
    let opened = objects.open_version(&uri.key, wanted.version_id.as_deref()).await?;
    let (reader, found) = match opened.filter(|(_, found)| wanted.is_that_of(found)) {
        Some(opened) => opened,
        None => {
            let error = missing(uri, wanted);
            let is_rejected = match reject_file(store, objects, clock, order, &error).await {
                Ok(is_rejected) => is_rejected,
                Err(failed) => return left(Err(failed)),
            };
            return if is_rejected { left(Err(error.into())) } else { Ok(Left::AtCheckpoint) };
        }
    };
    if order.source_version.is_unknown() {
        order.source_version = found;
    }
    let order = &*order;
    let (reader, interruption) = Interruptible::new(reader);
    let running = async {
        let mut file = match job_file::open(reader, &order.source).await {
            Ok(file) => file,
            Err(error) => {
                reject_file(store, objects, clock, order, &error).await?;
                return Err(RunFileError::File(error));
            }
        };
        let each = |line: &ReportLine| *surplus += u64::from(line.outcome == ReportOutcome::Surplus);
        run_file(store, engine, pace, clock, objects, &mut file, order, each).await
    };
    tokio::select! {
        ended = running => left(ended),
        why = interruption.happens() => {
            Err(PortError::retryable("read the job file", format!("{uri}: {why}")).into())
        }
    }
}

fn left(ended: Result<RunEnd, RunFileError>) -> Result<Left, FunctionError> {
    match ended {
        Ok(RunEnd::Complete(_) | RunEnd::ToBeContinued(_) | RunEnd::Cancelled(_)) => Ok(Left::AtCheckpoint),
        Err(RunFileError::File(error)) => Ok(Left::Rejected(shown(&error))),
        Err(RunFileError::Overtaken) => Ok(Left::ToAnother),
        Err(RunFileError::Port(error)) => Err(error.into()),
    }
}

/// Why a run reads no further: it must not go on with another file's jobs.
fn missing(uri: &S3Uri, wanted: &SourceVersion) -> JobFileError {
    let message = match (&wanted.version_id, &wanted.e_tag) {
        (Some(version), _) => format!("there is no version {version} of it any more; upload it again"),
        (None, Some(e_tag)) => format!(
            "it was removed or replaced before it was read to its end (its ETag was {e_tag}); upload it again, and keep \
             versions in the bucket"
        ),
        (None, None) => "there is no such object; upload it again".to_owned(),
    };
    JobFileError { file: uri.to_string(), problems: vec![Problem { line: None, field: None, message }] }
}

fn shown(error: &JobFileError) -> Vec<String> {
    warn!(%error, "the job file is rejected");
    error.problems.iter().take(PROBLEMS_MAX).map(ToString::to_string).collect()
}

/// Has another invocation go on with the run. One that came no further is left to the reconciler, which
/// looks after a while: what holds it up may be gone by then, and no invocation calls the next for ever.
async fn go_on<S, E, P, C, O, I: AsyncInvoker>(
    ports: &Ports<S, E, P, C, O, I>,
    invocation: &Invocation,
    order: &RunFile,
    came_further: bool,
) {
    if !came_further {
        warn!(run.id = %order.run_id, "the run came no further; left to the reconciler");
        return;
    }
    let run = Continuation { run_id: order.run_id.clone(), source: order.source.clone(), rerun: false };
    match ports.invoker.invoke_later(&invocation.function_name, &run.payload()).await {
        Ok(()) => info!(run.id = %order.run_id, "handed on to the next invocation"),
        Err(error) => warn!(run.id = %order.run_id, %error, "can't be handed on; left to the reconciler"),
    }
}

fn since(before: &RunCounts, now: &RunCounts) -> RunCounts {
    RunCounts {
        submitted: now.submitted.saturating_sub(before.submitted),
        skipped: now.skipped.saturating_sub(before.skipped),
        changed: now.changed.saturating_sub(before.changed),
        rejected: now.rejected.saturating_sub(before.rejected),
        unknown: now.unknown.saturating_sub(before.unknown),
    }
}
