use anyhow::Result;
use batchwright_tests::runtime_api::{Answer, Function};
use serde_json::json;

use super::{MINUTE, PROGRAM};
const VARIABLES: &[(&str, &str)] = &[("_HANDLER", "s3-serializer"), ("BATCHWRIGHT_ALLOWED_BUCKETS", "ours")];

#[tokio::test]
async fn it_answers_reports_an_error_and_answers_again() -> Result<()> {
    let mut function = Function::start(PROGRAM, VARIABLES).await?;
    let event = json!({"operation": "access", "uris": ["s3://theirs/key"]});
    let refused = "s3://theirs/key is none of what this function may touch: see BATCHWRIGHT_ALLOWED_BUCKETS";
    let expected = json!({"succeeded": 0, "failed": 1, "results": [
        {"uri": "s3://theirs/key", "error": {"code": "NOT_ALLOWED", "message": refused}},
    ]});
    assert_eq!(function.invoke(event.clone(), MINUTE).await?, Answer::Response(expected));
    let error =
        json!({"errorType": "Refused", "errorMessage": "a call is an object with the field operation"});
    assert_eq!(function.invoke(json!(7), MINUTE).await?, Answer::Error(error));
    assert!(matches!(function.invoke(event, MINUTE).await?, Answer::Response(_)));
    Ok(())
}
