//! The program itself, asked by a Lambda Runtime API on this machine. It reaches no AWS service.

use std::time::Duration;

use anyhow::Result;
use batchwright_tests::runtime_api::fails_to_start;

mod fan_out;
mod log_collector;
mod reconciler;
mod s3_serializer;
mod state_handler;
mod submitter;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bootstrap");
const MINUTE: Duration = Duration::from_secs(60);

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
