use anyhow::Result;
use batchwright_tests::runtime_api::{Answer, Function, needs_each_variable};
use serde_json::json;

use super::{MINUTE, PROGRAM};

const VARIABLES: &[(&str, &str)] =
    &[("_HANDLER", "fan-out"), ("BATCHWRIGHT_BUCKET", "bucket"), ("BATCHWRIGHT_FAN_OUT_TARGETS", "task-*")];

#[tokio::test]
async fn it_refuses_by_field_and_lives_on() -> Result<()> {
    let mut function = Function::start(PROGRAM, VARIABLES).await?;
    for (event, message) in [
        (json!(7), "the call: must be an object"),
        (
            json!({"functionName": "task-1", "payload": [1]}),
            "payload: unknown field; the nearest known one is \"payloads\"",
        ),
        (
            json!({"functionName": "other", "payloads": [1]}),
            "functionName: other is not among the functions that may be invoked (task-*); add it to the stack's FanOutTargets",
        ),
    ] {
        let error = json!({"errorType": "Refused", "errorMessage": message});
        assert_eq!(function.invoke(event, MINUTE).await?, Answer::Error(error));
    }
    Ok(())
}

#[tokio::test]
async fn it_does_not_start_without_a_variable_and_says_which() -> Result<()> {
    needs_each_variable(PROGRAM, VARIABLES).await
}
