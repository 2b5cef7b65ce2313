//! Any function, many at once.

use std::error::Error;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::primitives::Blob;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::error::{Effect, described, retry_after};
use super::headers::Headers;
use super::refusals::kind_of_refusal;
use super::stream::streamed;
use crate::ports::{
    CONNECTION_FAILED, CallAnswer, CallError, ErrorKind, FunctionCall, FunctionCaller, NO_CREDENTIALS,
};

/// The `error_type` of a call whose answer was lost: its function may have run.
pub(super) const ANSWER_LOST: &str = "AnswerLost";

/// Calls Lambda functions over one client, which keeps its connections for all of them.
#[derive(Debug, Clone)]
pub struct LambdaCaller {
    client: Client,
}

impl LambdaCaller {
    /// With the configuration's way to AWS, but neither its retries nor its time-outs of an answer: a call is
    /// one request, and waits as long as it says.
    pub fn new(config: &SdkConfig) -> Self {
        let connect = config.timeout_config().and_then(TimeoutConfig::connect_timeout);
        let mut timeouts = TimeoutConfig::builder()
            .disable_read_timeout()
            .disable_operation_timeout()
            .disable_operation_attempt_timeout();
        timeouts.set_connect_timeout(connect);
        let config = aws_sdk_lambda::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        Self { client: Client::from_conf(config.build()) }
    }
}

impl FunctionCaller for LambdaCaller {
    async fn call(&self, call: &FunctionCall<'_>) -> Result<CallAnswer, CallError> {
        let answer = async {
            match call.response_stream {
                true => streamed(&self.client, call).await,
                false => self.whole(call).await,
            }
        };
        tokio::time::timeout(call.timeout, answer).await.unwrap_or_else(|_| Err(timed_out(call.timeout)))
    }
}

impl LambdaCaller {
    async fn whole(&self, call: &FunctionCall<'_>) -> Result<CallAnswer, CallError> {
        let request = self
            .client
            .invoke()
            .function_name(call.function)
            .set_qualifier(call.qualifier.map(str::to_owned))
            .invocation_type(call.invocation_type.as_str().into())
            .log_type(call.log_type.as_str().into())
            .set_client_context(call.client_context.map(str::to_owned))
            .set_tenant_id(call.tenant_id.map(str::to_owned))
            .set_durable_execution_name(call.durable_execution_name.map(str::to_owned))
            .payload(Blob::new(call.payload));
        let headers = Headers::default();
        let request = request.customize().interceptor(headers.clone());
        let answer = request.send().await.map_err(|error| call_error(&error))?;
        Ok(CallAnswer::default().with(|it| {
            it.status = u16::try_from(answer.status_code).unwrap_or_default();
            it.payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
            it.function_error = answer.function_error;
            it.executed_version = answer.executed_version;
            it.log_tail = answer.log_result.map(|log| decoded(&log));
            it.headers = headers.taken();
        }))
    }
}

/// A log may be cut within a character. What is not base64 is shown as it is.
pub(super) fn decoded(log: &str) -> String {
    STANDARD.decode(log).map_or_else(|_| log.to_owned(), |log| String::from_utf8_lossy(&log).into_owned())
}

fn timed_out(after: Duration) -> CallError {
    let message = format!("no answer came within {} s; the function may have run", after.as_secs());
    CallError::new(ErrorKind::Ambiguous, "Timeout", message)
}

pub(super) fn call_error<E>(error: &SdkError<E>) -> CallError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let failed = described("Invoke", Effect::Once, error);
    let SdkError::ServiceError(service) = error else {
        let error_type = match (error, failed.kind) {
            (SdkError::ConstructionFailure(_), _) => "InvalidRequest",
            (_, ErrorKind::Ambiguous) => ANSWER_LOST,
            // Of what fails before it is sent, credentials that are not there alone stay so.
            (_, ErrorKind::Permanent) => NO_CREDENTIALS,
            _ => CONNECTION_FAILED,
        };
        return CallError::new(failed.kind, error_type, failed.message);
    };
    let status = service.raw().status().as_u16();
    let (code, message) = (service.err().code(), service.err().message());
    CallError {
        kind: kind_of_refusal(status, code, retry_after(service.raw())),
        error_type: code.map_or_else(|| format!("Status{status}"), str::to_owned),
        answer: failed.service_answer().cloned().map(Box::new),
        message: message.map_or(failed.message, str::to_owned),
    }
}
