use anyhow::Result;
use batchwright_tests::runtime_api::{Answer, Function, needs_each_variable};
use serde_json::json;

use super::{MINUTE, PROGRAM};

const VARIABLES: &[(&str, &str)] = &[
    ("_HANDLER", "log-collector"),
    ("BATCHWRIGHT_JOBS_TABLE", "jobs"),
    ("BATCHWRIGHT_RUNS_TABLE", "runs"),
    ("BATCHWRIGHT_BUCKET", "bucket"),
];

#[tokio::test]
async fn it_answers_reports_an_error_and_answers_again() -> Result<()> {
    let mut function = Function::start(PROGRAM, VARIABLES).await?;
    let event = json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": "poison"}]});
    let expected = json!({"batchItemFailures": [{"itemIdentifier": "m"}]});
    assert_eq!(function.invoke(event.clone(), MINUTE).await?, Answer::Response(expected));
    let error =
        json!({"errorType": "InvalidEvent", "errorMessage": "not an event that is read here: a number"});
    assert_eq!(function.invoke(json!(7), MINUTE).await?, Answer::Error(error));
    assert!(matches!(function.invoke(event, MINUTE).await?, Answer::Response(_)));
    let log = String::from_utf8(function.end().await?.stdout)?;
    let errors: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("\"level\":\"ERROR\"") && !line.contains("message.id"))
        .collect();
    assert_eq!(errors.len(), 1, "an error is logged once: {log}");
    Ok(())
}

#[tokio::test]
async fn it_does_not_start_without_a_variable_and_says_which() -> Result<()> {
    needs_each_variable(PROGRAM, VARIABLES).await
}
