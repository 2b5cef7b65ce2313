//! Event in, answer out.

use batchwright::fan_out::Counts;
use batchwright::function::{Answer, FunctionError, Invocation, Metric};
use batchwright::ports::{AsyncInvoker, CheckpointStore, Clock, FunctionCaller, ObjectStore};
use batchwright::use_cases::fan_out::FanOutError;
use serde_json::value::RawValue;

use crate::config::Config;
use crate::request::{Request, read};
use crate::response::Response;
use crate::run::{go_on, run};
use crate::tree::{branch, start_tree};

/// The ports that the fan-out uses.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Ports<F, O, C, I> {
    pub caller: F,
    /// The one bucket: lists, results, checkpoints.
    pub objects: O,
    pub clock: C,
    /// For the rest of the list.
    pub invoker: I,
}

/// Handles one invocation. The event is taken as it came, because its payloads are passed on so.
///
/// Errs where the call is wrong or another invocation runs its fan-out under the same request, and where a
/// port failed: called again under its id, the fan-out goes on.
pub async fn handle<F, O, C, I>(
    ports: &Ports<F, O, C, I>,
    config: &Config,
    event: &RawValue,
    invocation: &Invocation,
) -> Result<Answer<Response>, FunctionError>
where
    F: FunctionCaller,
    O: ObjectStore + CheckpointStore,
    C: Clock,
    I: AsyncInvoker,
{
    let (body, new) = match read(event, config, invocation)? {
        Request::Call(job) => match start_tree(ports, invocation, &job).await? {
            Some(response) => (response, Counts::default()),
            None => run(ports, config, invocation, &job).await?,
        },
        Request::Continue(asked) => match asked.branch {
            None => go_on(ports, config, invocation, &asked).await?,
            Some(number) => branch(ports, config, invocation, &asked, number).await?,
        },
    };
    Ok(Answer { body, metrics: metrics(&new) })
}

/// What became of items in this invocation.
fn metrics(new: &Counts) -> Vec<Metric> {
    vec![
        Metric::count("InvocationsSucceeded", new.succeeded),
        Metric::count("InvocationsFailed", new.function_error),
        Metric::count("InvocationsRejected", new.rejected),
        Metric::count("InvocationsUnknown", new.unknown),
        Metric::count("InvocationsNotRun", new.not_run),
    ]
}

/// What a fan-out's error is to the function's caller.
pub(crate) fn failed(error: FanOutError) -> FunctionError {
    match error {
        FanOutError::Refused(why) | FanOutError::Halted(why) => FunctionError::Refused(why),
        FanOutError::TakenOver(_) => FunctionError::NotYet(error.to_string()),
        FanOutError::Port(error) => error.into(),
    }
}
