//! An answer that is read as a stream: `InvokeWithResponseStream`.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvokeWithResponseStreamResponseEvent as Part;
use aws_sdk_lambda::types::ResponseStreamingInvocationType as StreamedType;

use super::caller::{ANSWER_LOST, call_error, decoded};
use super::headers::Headers;
use crate::aws::error::in_words;
use crate::ports::{CallAnswer, CallError, ErrorKind, FunctionCall, InvocationType};

/// The whole of a streamed answer. An answer that breaks off is lost: its function has run, wholly or in part.
pub(super) async fn streamed(client: &Client, call: &FunctionCall<'_>) -> Result<CallAnswer, CallError> {
    let request = client
        .invoke_with_response_stream()
        .function_name(call.function)
        .set_qualifier(call.qualifier.map(str::to_owned))
        .invocation_type(match call.invocation_type {
            InvocationType::DryRun => StreamedType::DryRun,
            _ => StreamedType::RequestResponse,
        })
        .log_type(call.log_type.as_str().into())
        .set_client_context(call.client_context.map(str::to_owned))
        .set_tenant_id(call.tenant_id.map(str::to_owned))
        .payload(Blob::new(call.payload));
    let headers = Headers::default();
    let request = request.customize().interceptor(headers.clone());
    let mut answer = request.send().await.map_err(|error| call_error(&error))?;
    let mut whole = CallAnswer::default().with(|it| {
        it.status = u16::try_from(answer.status_code).unwrap_or_default();
        it.executed_version = answer.executed_version.take();
        it.headers = headers.taken();
    });
    loop {
        match answer.event_stream.recv().await {
            Ok(Some(Part::PayloadChunk(chunk))) => {
                whole
                    .payload
                    .extend_from_slice(chunk.payload.as_ref().map(AsRef::as_ref).unwrap_or_default());
            }
            Ok(Some(Part::InvokeComplete(end))) => {
                whole.log_tail = end.log_result.as_deref().map(decoded);
                whole.function_error = end.error_code;
                if let (Some(_), Some(details)) = (&whole.function_error, end.error_details) {
                    whole.payload = details.into_bytes();
                }
                return Ok(whole);
            }
            Ok(Some(_)) => {}
            Ok(None) if whole.status == 204 => return Ok(whole),
            Ok(None) => return Err(lost("the stream ended before the answer did".to_owned())),
            Err(error) => return Err(lost(in_words(&error))),
        }
    }
}

fn lost(message: String) -> CallError {
    CallError::new(ErrorKind::Ambiguous, ANSWER_LOST, message)
}
