//! `LambdaCaller` against a server that speaks Lambda's `Invoke`: what is sent, what comes back, and that every
//! call is one request.

use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use batchwright::aws::LambdaCaller;
use batchwright::ports::{
    CallAnswer, CallError, ErrorKind, FunctionCall, FunctionCaller, InvocationType, LogType,
};
use batchwright_tests::emulators::{process::free_port, sdk_config};
use batchwright_tests::loopback::{Loopback, Reply};

/// What a loopback server does not answer by then is not answered.
const PATIENCE: Duration = Duration::from_millis(500);

fn plain() -> FunctionCall<'static> {
    FunctionCall::new("resize", b"{\"a\":1}").with(|call| call.timeout = PATIENCE)
}

async fn call(server: &Loopback, call: &FunctionCall<'_>) -> anyhow::Result<Result<CallAnswer, CallError>> {
    Ok(LambdaCaller::new(&sdk_config(server.endpoint_url()).await?).call(call).await)
}

#[tokio::test]
async fn all_of_an_answer_comes_back() -> anyhow::Result<()> {
    let reply = Reply::new(200, "[1.10]")
        .with("x-amz-executed-version", "7")
        .with("x-amzn-requestid", "a-request")
        .with("x-amz-log-result", "U1RBUlQKw6Q=");
    let server = Loopback::start([reply]).await?;
    let asked = plain().with(|call| {
        call.function = "arn:aws:lambda:eu-west-1:123456789012:function:resize";
        call.qualifier = Some("live");
        call.log_type = LogType::Tail;
        call.client_context = Some("e30=");
        call.tenant_id = Some("tenant 1");
        call.durable_execution_name = Some("order-7");
    });
    let answer = call(&server, &asked).await??;
    assert_eq!(
        answer,
        CallAnswer::default().with(|it| {
            it.status = 200;
            it.payload = b"[1.10]".to_vec();
            it.executed_version = Some("7".to_owned());
            it.log_tail = Some("START\nä".to_owned());
            it.headers = answer.headers.clone();
        })
    );
    assert_eq!((answer.request_id(), answer.json::<Vec<f64>>()?), (Some("a-request"), vec![1.1]));
    let requests = server.requests();
    let request = &requests[0];
    assert_eq!(
        request.line,
        "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aresize/invocations?Qualifier=live"
    );
    for (header, value) in [
        ("x-amz-invocation-type", "RequestResponse"),
        ("x-amz-log-type", "Tail"),
        ("x-amz-client-context", "e30="),
        ("x-amz-tenant-id", "tenant 1"),
        ("x-amz-durable-execution-name", "order-7"),
    ] {
        assert_eq!(request.header(header), Some(value), "{header}");
    }
    assert_eq!(request.body, b"{\"a\":1}");
    Ok(())
}

#[tokio::test]
async fn events_and_dry_runs_have_their_own_status() -> anyhow::Result<()> {
    for (kind, name, status) in
        [(InvocationType::Event, "Event", 202), (InvocationType::DryRun, "DryRun", 204)]
    {
        let server = Loopback::start([Reply::new(status, "")]).await?;
        let answer = call(&server, &plain().with(|call| call.invocation_type = kind)).await??;
        assert_eq!((answer.status, answer.payload.len(), answer.function_error), (status, 0, None));
        assert_eq!(server.requests()[0].header("x-amz-invocation-type"), Some(name));
    }
    Ok(())
}

#[tokio::test]
async fn a_function_that_ran_and_failed_is_an_answer() -> anyhow::Result<()> {
    let said = r#"{"errorMessage":"bad","errorType":"ValueError"}"#;
    let server = Loopback::start([Reply::new(200, said).with("x-amz-function-error", "Unhandled")]).await?;
    let answer = call(&server, &plain()).await??;
    assert_eq!(
        (answer.function_error.as_deref(), answer.payload),
        (Some("Unhandled"), said.as_bytes().to_vec())
    );
    Ok(())
}

#[tokio::test]
async fn every_call_is_one_request_whatever_comes_back() -> anyhow::Result<()> {
    let throttled =
        |seconds: Option<u64>| ErrorKind::Throttled { retry_after: seconds.map(Duration::from_secs) };
    let busy = || Reply::error(429, "TooManyRequestsException", "Rate Exceeded.");
    let table = [
        ("429", busy(), throttled(None), "TooManyRequestsException", Some(429)),
        (
            "429 with a hint",
            busy().with("retry-after", "7"),
            throttled(Some(7)),
            "TooManyRequestsException",
            Some(429),
        ),
        (
            "502 EC2",
            Reply::error(502, "EC2ThrottledException", "slow"),
            throttled(None),
            "EC2ThrottledException",
            Some(502),
        ),
        (
            "409",
            Reply::error(409, "ResourceConflictException", "updating"),
            ErrorKind::Retryable,
            "ResourceConflictException",
            Some(409),
        ),
        (
            "408 EFS",
            Reply::error(408, "EFSMountTimeoutException", "slow"),
            ErrorKind::Retryable,
            "EFSMountTimeoutException",
            Some(408),
        ),
        (
            "404",
            Reply::error(404, "ResourceNotFoundException", "no such function"),
            ErrorKind::Permanent,
            "ResourceNotFoundException",
            Some(404),
        ),
        (
            "413",
            Reply::error(413, "RequestTooLargeException", "too large"),
            ErrorKind::Permanent,
            "RequestTooLargeException",
            Some(413),
        ),
        (
            "403",
            Reply::error(403, "AccessDeniedException", "not yours"),
            ErrorKind::Permanent,
            "AccessDeniedException",
            Some(403),
        ),
        (
            "502 KMS",
            Reply::error(502, "KMSDisabledException", "disabled"),
            ErrorKind::Permanent,
            "KMSDisabledException",
            Some(502),
        ),
        (
            "500",
            Reply::error(500, "ServiceException", "oops"),
            ErrorKind::Ambiguous,
            "ServiceException",
            Some(500),
        ),
        ("503 without a body", Reply::new(503, ""), ErrorKind::Ambiguous, "Status503", Some(503)),
        ("closed", Reply::Close, ErrorKind::Ambiguous, "AnswerLost", None),
        ("silence", Reply::Silence, ErrorKind::Ambiguous, "Timeout", None),
        (
            "half an answer",
            Reply::Torn { headers: vec![], body: b"[]".repeat(9), sent: 3 },
            ErrorKind::Ambiguous,
            "AnswerLost",
            None,
        ),
    ];
    for (name, reply, kind, error_type, status) in table {
        let server = Loopback::start([reply]).await?;
        let error = call(&server, &plain()).await?.unwrap_err();
        assert_eq!(
            (error.kind, error.error_type.as_str(), error.status()),
            (kind, error_type, status),
            "{name}: {error}"
        );
        assert_eq!(server.requests().len(), 1, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_keeps_its_status_code_and_request_id() -> anyhow::Result<()> {
    for streamed in [false, true] {
        let reply = Reply::error(403, "AccessDeniedException", "not yours").with("x-amzn-requestid", "r-1");
        let server = Loopback::start([reply]).await?;
        let error = call(&server, &plain().with(|call| call.response_stream = streamed)).await?.unwrap_err();
        let told =
            error.answer.as_ref().map(|told| (told.status, told.code.as_deref(), told.request_id.as_deref()));
        assert_eq!(told, Some((Some(403), Some("AccessDeniedException"), Some("r-1"))), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_that_is_refused_tells_that_nothing_ran() -> anyhow::Result<()> {
    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    let error = LambdaCaller::new(&sdk_config(&nobody).await?).call(&plain()).await.unwrap_err();
    assert_eq!(
        (error.kind, error.error_type.as_str()),
        (ErrorKind::Retryable, "ConnectionFailed"),
        "{error}"
    );
    Ok(())
}

/// Parts of a streamed answer, as Lambda frames them.
fn framed(parts: &[(&str, &str)]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (event_type, payload) in parts {
        let content_type =
            if *event_type == "PayloadChunk" { "application/octet-stream" } else { "application/json" };
        let header =
            |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
        let message = Message::new(payload.as_bytes().to_vec())
            .add_header(header(":message-type", "event"))
            .add_header(header(":event-type", event_type))
            .add_header(header(":content-type", content_type));
        write_message_to(&message, &mut bytes)?;
    }
    Ok(bytes)
}

#[tokio::test]
async fn a_streamed_answer_comes_back_whole_or_is_lost() -> anyhow::Result<()> {
    let streamed = plain().with(|call| {
        call.response_stream = true;
        call.log_type = LogType::Tail;
    });
    let whole = framed(&[
        ("PayloadChunk", "[1,"),
        ("PayloadChunk", "2]"),
        ("InvokeComplete", r#"{"LogResult":"U1RBUlQKw6Q="}"#),
    ])?;
    let reply = |body: Vec<u8>| {
        Reply::new(200, body)
            .with("content-type", "application/vnd.amazon.eventstream")
            .with("x-amz-executed-version", "7")
    };
    let server = Loopback::start([reply(whole)]).await?;
    let answer = call(&server, &streamed).await??;
    assert_eq!(
        answer,
        CallAnswer::default().with(|it| {
            it.status = 200;
            it.payload = b"[1,2]".to_vec();
            it.executed_version = Some("7".to_owned());
            it.log_tail = Some("START\nä".to_owned());
            it.headers = answer.headers.clone();
        })
    );
    assert_eq!(answer.header("x-amz-executed-version"), Some("7"));
    assert!(server.requests()[0].line.ends_with("/functions/resize/response-streaming-invocations"));

    let said = r#"{"ErrorCode":"Runtime.Crash","ErrorDetails":"{\"errorType\":\"Crash\"}"}"#;
    let failed = framed(&[("PayloadChunk", "[1,"), ("InvokeComplete", said)])?;
    let answer = call(&Loopback::start([reply(failed)]).await?, &streamed).await??;
    assert_eq!(
        (answer.function_error.as_deref(), answer.payload),
        (Some("Runtime.Crash"), br#"{"errorType":"Crash"}"#.to_vec())
    );

    let cut = framed(&[("PayloadChunk", "[1,")])?;
    let error = call(&Loopback::start([reply(cut)]).await?, &streamed).await?.unwrap_err();
    assert_eq!((error.kind, error.error_type.as_str()), (ErrorKind::Ambiguous, "AnswerLost"), "{error}");
    let busy = Reply::error(429, "TooManyRequestsException", "Rate Exceeded.");
    let error = call(&Loopback::start([busy]).await?, &streamed).await?.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled { retry_after: None });
    Ok(())
}

#[tokio::test]
async fn an_answer_of_twenty_megabytes_comes_back_whole() -> anyhow::Result<()> {
    let part = "x".repeat(1_000_000);
    let mut parts = vec![("PayloadChunk", part.as_str()); 20];
    parts.push(("InvokeComplete", "{}"));
    let streamed = plain().with(|call| call.response_stream = true);
    for (asked, body, content_type) in [
        (streamed, framed(&parts)?, "application/vnd.amazon.eventstream"),
        (plain(), part.repeat(20).into_bytes(), "application/json"),
    ] {
        let server = Loopback::start([Reply::new(200, body).with("content-type", content_type)]).await?;
        let answer = call(&server, &asked).await??;
        assert_eq!(answer.payload.len(), 20_000_000, "{content_type}");
        assert!(answer.payload.iter().all(|byte| *byte == b'x'), "{content_type}");
    }
    Ok(())
}
