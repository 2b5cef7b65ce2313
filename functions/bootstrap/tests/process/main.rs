//! The program itself, asked by a Lambda Runtime API on this machine. It reaches no AWS service.

use std::time::Duration;

use anyhow::Result;
use batchwright_tests::runtime_api::{Answer, Function, fails_to_start};
use serde_json::{Value, json};

mod fan_out;
mod log_collector;
mod reconciler;
mod s3_serializer;
mod state_handler;
mod submitter;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bootstrap");
const MINUTE: Duration = Duration::from_secs(60);

/// A function answers an event, says what is wrong with 7, and answers the event again: all in one process, which logs the
/// error once. `time_left`: what it has for the event.
async fn answers_errs_and_answers_again(
    variables: &[(&str, &str)],
    (event, time_left): (Value, Duration),
    expected: Value,
    error: Value,
) -> Result<()> {
    let mut function = Function::start(PROGRAM, variables).await?;
    assert_eq!(function.invoke(event.clone(), time_left).await?, Answer::Response(expected));
    assert_eq!(function.invoke(json!(7), MINUTE).await?, Answer::Error(error.clone()));
    assert!(matches!(function.invoke(event, time_left).await?, Answer::Response(_)));
    let log = String::from_utf8(function.end().await?.stdout)?;
    // Of a message that a function gives back it tells too, by the message's id.
    let is_error = |line: &&str| line.contains("\"level\":\"ERROR\"") && !line.contains("message.id");
    let errors: Vec<&str> = log.lines().filter(is_error).collect();
    assert_eq!(errors.len(), 1, "an error is logged once: {log}");
    let told: Value = serde_json::from_str(errors[0])?;
    let of = |field: &str| error[field].as_str().unwrap_or_default();
    assert_eq!(told["message"], format!("{}: {}", of("errorType"), of("errorMessage")));
    Ok(())
}

#[tokio::test]
async fn an_event_that_nests_too_deep_is_told_in_one_short_line() -> Result<()> {
    let variables =
        &[("_HANDLER", "state-handler"), ("BATCHWRIGHT_JOBS_TABLE", "j"), ("BATCHWRIGHT_RUNS_TABLE", "r")];
    let mut function = Function::start(PROGRAM, variables).await?;
    // Deeper than serde_json reads, and not so deep that the test's own value could not be dropped.
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let Answer::Error(error) = function.invoke(deep, MINUTE).await? else { anyhow::bail!("it is read") };
    assert_eq!(error["errorType"], "InvalidEvent", "{error}");
    let log = String::from_utf8(function.end().await?.stdout)?;
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("\"level\":\"ERROR\"")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    assert!(
        errors[0].contains("malformed event: recursion limit exceeded") && errors[0].len() < 400,
        "{log}"
    );
    Ok(())
}

#[tokio::test]
async fn a_handler_that_is_none_of_the_functions_is_refused_with_their_names() -> Result<()> {
    for (variables, is) in [
        (&[("_HANDLER", "bootstrap")] as &[_], r#"is \"bootstrap\""#),
        (&[("_HANDLER", "")], r#"is \"\""#),
        (&[], "is not set"),
    ] {
        let output = fails_to_start(PROGRAM, variables).await?;
        let log = String::from_utf8(output.stdout)?;
        let expected = format!(
            "the environment variable _HANDLER {is}; set it to a function, which a template does by Handler: one of \
             fan-out, log-collector, reconciler, s3-serializer, state-handler, submitter"
        );
        assert!(!output.status.success() && log.contains(&expected), "{log}");
    }
    Ok(())
}
