//! All functions are one program, because they are made of the same code: it is built, linked and uploaded once. The
//! template's `Handler` says which function a process is.

use std::pin::Pin;
use std::process::ExitCode;

use batchwright::function::{ConfigError, environment, main as start, text};

/// A third less of the CPU time goes into the SDK's many small allocations than with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Starts a function.
type Start = fn() -> Pin<Box<dyn Future<Output = Result<(), lambda_runtime::Error>>>>;

/// Each function by its handler's name. Nothing of the others is made.
const FUNCTIONS: [(&str, Start); 6] = [
    ("fan-out", || Box::pin(fan_out::start())),
    ("log-collector", || Box::pin(log_collector::start())),
    ("reconciler", || Box::pin(reconciler::start())),
    ("s3-serializer", || Box::pin(s3_serializer::start())),
    ("state-handler", || Box::pin(state_handler::start())),
    ("submitter", || Box::pin(submitter::start())),
];

/// Lambda sets it to the function's `Handler`.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const HANDLER: &str = "_HANDLER";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    start(async { function()?().await }).await
}

/// The function that this process is. Errs with the names of all where the environment names none of them.
fn function() -> Result<Start, ConfigError> {
    let names = FUNCTIONS.map(|(name, _)| name).join(", ");
    let expected = format!("a function, which a template does by Handler: one of {names}");
    let value = text(&environment, HANDLER, &expected)?;
    let known = FUNCTIONS.iter().find(|(name, _)| *name == value);
    known.map(|(_, start)| *start).ok_or(ConfigError::Invalid { name: HANDLER, value, expected })
}
