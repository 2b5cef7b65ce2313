use std::time::Duration;

use anyhow::Result;
use batchwright_tests::runtime_api::needs_each_variable;
use serde_json::json;

use super::{PROGRAM, answers_errs_and_answers_again};

const VARIABLES: &[(&str, &str)] = &[
    ("_HANDLER", "reconciler"),
    ("BATCHWRIGHT_JOBS_TABLE", "jobs"),
    ("BATCHWRIGHT_RUNS_TABLE", "runs"),
    ("BATCHWRIGHT_BUCKET", "bucket"),
    ("BATCHWRIGHT_SUBMITTER", "submitter"),
];

#[tokio::test]
async fn it_answers_reports_an_error_and_answers_again() -> Result<()> {
    let event = json!({"source": "aws.events", "detail-type": "Scheduled Event"});
    let expected = json!({
        "runsContinued": 0, "runsEnded": 0,
        "reconciled": {
            "claimsAdopted": 0, "claimsReleased": 0, "surplusTerminated": 0, "described": 0, "lost": 0,
            "resubmitted": 0, "postponed": 0, "unreadable": 0,
        },
        "jobsHeldBack": 0, "jobsStopped": 0, "unreadable": 0, "logsArchived": 0, "logsIncomplete": 0, "postponed": 0, "cutShort": true,
    });
    let error = json!({"errorType": "Refused", "errorMessage": "the reconciler takes a schedule's event or an empty object, not 7"});
    answers_errs_and_answers_again(VARIABLES, (event, Duration::ZERO), expected, error).await
}

#[tokio::test]
async fn it_does_not_start_without_a_variable_and_says_which() -> Result<()> {
    needs_each_variable(PROGRAM, VARIABLES).await
}
