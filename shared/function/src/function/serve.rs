//! The loop of the Lambda runtime.

use std::fmt;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tracing::error;

use super::answer::{Answer, FunctionError};
use super::logging;
use super::metrics::metrics_line;
use crate::domain::Timestamp;
use crate::events::EventError;
use crate::ports::{Clock, SystemClock};

/// One call of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Lambda's id of the request: the same where Lambda itself repeats an asynchronous call.
    pub request_id: String,
    /// The function, by the name under which it can be invoked.
    pub function_name: String,
    /// When Lambda stops the function, whatever it is doing.
    pub deadline: Timestamp,
}

impl Invocation {
    fn of(context: &Context) -> Self {
        Self {
            request_id: context.request_id.clone(),
            function_name: context.env_config.function_name.clone(),
            deadline: Timestamp::from_millis(i64::try_from(context.deadline).unwrap_or(i64::MAX)),
        }
    }

    /// What is left until `margin` before the deadline.
    pub fn time_left(&self, clock: &impl Clock, margin: Duration) -> Duration {
        let left = u64::try_from(self.deadline.millis_since(clock.now())).unwrap_or(0);
        Duration::from_millis(left).saturating_sub(margin)
    }
}

/// Starts the log and runs the function; what it can't start for is logged, and ends the process, by
/// which Lambda knows that the initialisation failed.
pub async fn main(run: impl Future<Output = Result<(), lambda_runtime::Error>>) -> ExitCode {
    logging::start();
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(%error, "the function can't run");
            ExitCode::FAILURE
        }
    }
}

/// What the runtime logs of an invocation that failed, by `Debug`, and what it answers.
struct Told(FunctionError);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.error_type(), self.0)
    }
}

impl From<Told> for Diagnostic {
    fn from(told: Told) -> Self {
        told.0.into()
    }
}

/// Reads an event. The runtime would log what it can't read level by level, as Rust's `Debug`.
fn read<E: DeserializeOwned>(event: &RawValue) -> Result<E, FunctionError> {
    serde_json::from_str(event.get())
        .map_err(|error| EventError::Malformed { kind: "event", reason: error.to_string() }.into())
}

/// Answers invocations until Lambda ends the process. An error is logged once, by the runtime.
pub async fn serve<E, B, F>(handler: impl Fn(E, Invocation) -> F) -> Result<(), lambda_runtime::Error>
where
    E: DeserializeOwned,
    B: Serialize,
    F: Future<Output = Result<Answer<B>, FunctionError>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let invocation = Invocation::of(&event.context);
        let function = invocation.function_name.clone();
        // Boxed, because the compiler gives up on the layout of what nests too deep.
        let answer = read(&event.payload).map(|event| Box::pin(handler(event, invocation)));
        async move {
            let answered = match answer {
                Ok(answer) => answer.await,
                Err(error) => Err(error),
            };
            match answered {
                Ok(answer) => {
                    if let Some(line) = metrics_line(&function, SystemClock.now(), &answer.metrics) {
                        println!("{line}");
                    }
                    Ok(answer.body)
                }
                Err(error) => Err(Told(error)),
            }
        }
    }))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0)
        }
    }

    #[test]
    fn the_time_left_is_never_negative() {
        let invocation = Invocation {
            request_id: "r".to_owned(),
            function_name: "f".to_owned(),
            deadline: Timestamp::from_millis(100_000),
        };
        let margin = Duration::from_secs(60);
        for (now, left_ms) in [(0, 40_000), (39_999, 1), (40_000, 0), (100_000, 0), (200_000, 0)] {
            assert_eq!(invocation.time_left(&At(now), margin), Duration::from_millis(left_ms), "{now}");
        }
    }
}
