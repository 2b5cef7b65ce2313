//! Functions that are started, and one that is waited for.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;

use super::super::error::{Effect, port_error};
use crate::domain::limits::{EVENT_PAYLOAD_MAX_BYTES, SYNC_PAYLOAD_MAX_BYTES};
use crate::ports::{AsyncInvoker, PortError};

const OPERATION: &str = "Invoke";

/// The longest that a function runs (15 min, AWS Lambda quotas), and a minute to start it and answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(16 * 60);

/// Invokes Lambda functions.
#[derive(Debug, Clone)]
pub struct LambdaInvoker {
    client: Client,
}

/// What a function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its result, or what Lambda says of its failure.
    pub payload: Vec<u8>,
    /// `FunctionError`: the function ran and failed (`Unhandled`, also where it ran out of time or
    /// memory). The status is 200 all the same.
    pub function_error: Option<String>,
    /// The version that ran.
    pub executed_version: Option<String>,
}

impl LambdaInvoker {
    /// Over a client, whose retries hold for [`AsyncInvoker::invoke_later`] alone.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Invokes a function and waits for its answer, up to 16 minutes. One request, never repeated: the
    /// function may do its work twice otherwise.
    ///
    /// # Errors
    ///
    /// `Throttled`: it did not run. `Ambiguous`: it may have run. `Permanent`: it will not run, also
    /// where the payload has more than 6,291,556 bytes. That it ran and failed is no error.
    pub async fn invoke(&self, function: &str, payload: &[u8]) -> Result<Answer, PortError> {
        check(function, payload, SYNC_PAYLOAD_MAX_BYTES)?;
        let one_request = aws_sdk_lambda::config::Builder::new()
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ANSWER_TIMEOUT).build());
        let answer = self
            .client
            .invoke()
            .function_name(function)
            .invocation_type(InvocationType::RequestResponse)
            .payload(Blob::new(payload))
            .customize()
            .config_override(one_request)
            .send()
            .await
            .map_err(|error| named(function, port_error(OPERATION, Effect::Once, error)))?;
        Ok(Answer {
            payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
            function_error: answer.function_error,
            executed_version: answer.executed_version,
        })
    }
}

impl AsyncInvoker for LambdaInvoker {
    async fn invoke_later(&self, function: &str, payload: &[u8]) -> Result<(), PortError> {
        check(function, payload, EVENT_PAYLOAD_MAX_BYTES)?;
        let call = self
            .client
            .invoke()
            .function_name(function)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload));
        let answer = call
            .send()
            .await
            .map_err(|error| named(function, port_error(OPERATION, Effect::Idempotent, error)))?;
        match answer.function_error {
            None => Ok(()),
            Some(error) => Err(PortError::permanent(OPERATION, format!("{function}: {error}"))),
        }
    }
}

fn check(function: &str, payload: &[u8], most: usize) -> Result<(), PortError> {
    if payload.len() <= most {
        return Ok(());
    }
    let message = format!(
        "{function}: the payload has {} bytes, at most {most} are taken; put it on S3 and pass its URI",
        payload.len()
    );
    Err(PortError::permanent(OPERATION, message))
}

fn named(function: &str, mut error: PortError) -> PortError {
    error.message = format!("{function}: {}", error.message);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_over_the_limit_is_refused_before_it_is_sent() {
        assert!(check("f", &[0; 8], 8).is_ok());
        let error = check("f", &[0; 9], 8).unwrap_err();
        assert!(!error.may_pass());
        assert_eq!(
            error.to_string(),
            "Invoke: f: the payload has 9 bytes, at most 8 are taken; put it on S3 and pass its URI"
        );
    }
}
