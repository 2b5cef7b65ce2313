use anyhow::Result;
use serde_json::json;

use super::{MINUTE, answers_errs_and_answers_again};

const VARIABLES: &[(&str, &str)] = &[("_HANDLER", "s3-serializer"), ("BATCHWRIGHT_ALLOWED_BUCKETS", "ours")];

#[tokio::test]
async fn it_answers_reports_an_error_and_answers_again() -> Result<()> {
    let event = json!({"operation": "access", "uris": ["s3://theirs/key"]});
    let refused = "s3://theirs/key is none of what this function may touch: see BATCHWRIGHT_ALLOWED_BUCKETS";
    let expected = json!({"succeeded": 0, "failed": 1, "results": [
        {"uri": "s3://theirs/key", "error": {"code": "NOT_ALLOWED", "message": refused}},
    ]});
    let error =
        json!({"errorType": "Refused", "errorMessage": "a call is an object with the field operation"});
    answers_errs_and_answers_again(VARIABLES, (event, MINUTE), expected, error).await
}
