use anyhow::Result;
use batchwright_tests::runtime_api::needs_each_variable;
use serde_json::json;

use super::{MINUTE, PROGRAM, answers_errs_and_answers_again};

const VARIABLES: &[(&str, &str)] = &[
    ("_HANDLER", "log-collector"),
    ("BATCHWRIGHT_JOBS_TABLE", "jobs"),
    ("BATCHWRIGHT_RUNS_TABLE", "runs"),
    ("BATCHWRIGHT_BUCKET", "bucket"),
];

#[tokio::test]
async fn it_answers_reports_an_error_and_answers_again() -> Result<()> {
    let event = json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": "poison"}]});
    let expected = json!({"batchItemFailures": [{"itemIdentifier": "m"}]});
    let error =
        json!({"errorType": "InvalidEvent", "errorMessage": "not an event that is read here: a number"});
    answers_errs_and_answers_again(VARIABLES, (event, MINUTE), expected, error).await
}

#[tokio::test]
async fn it_does_not_start_without_a_variable_and_says_which() -> Result<()> {
    needs_each_variable(PROGRAM, VARIABLES).await
}
