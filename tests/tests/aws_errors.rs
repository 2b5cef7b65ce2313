//! What AWS answers, and what does not come, as callers see it; and that `SubmitJob` is sent once.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_config::timeout::TimeoutConfig;
use batchwright::ClientError;
use batchwright::aws::dynamodb::{DynamoDbJobStore, Tables};
use batchwright::aws::{
    BatchJobEngine, CloudWatchLogSource, LambdaInvoker, S3Buckets, S3ObjectStore, s3_client,
};
use batchwright::domain::{JobId, JobName, JobSpec, LogStream, S3Uri, Stop, SubmitJobRequest};
use batchwright::objects::FailureCode;
use batchwright::ports::{
    AsyncInvoker as _, ErrorKind, JobEngine as _, JobQueries as _, JobStopper as _, LogSource as _,
    LogSourceError, ObjectStore as _, PortError, ServiceAnswer,
};
use batchwright_tests::emulators::{process::free_port, sdk_config};
use batchwright_tests::loopback::{Loopback, Reply};

/// What a loopback server does not answer by then is not answered.
const PATIENCE: Duration = Duration::from_millis(500);

async fn config(endpoint_url: &str) -> anyhow::Result<aws_config::SdkConfig> {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
    Ok(sdk_config(endpoint_url).await?.into_builder().timeout_config(timeouts).build())
}

async fn batch(endpoint_url: &str) -> anyhow::Result<BatchJobEngine> {
    Ok(BatchJobEngine::new(aws_sdk_batch::Client::new(&config(endpoint_url).await?)))
}

fn request() -> anyhow::Result<SubmitJobRequest> {
    Ok(SubmitJobRequest::verbatim(JobSpec::new(JobName::parse("job")?, "queue", "definition")))
}

fn throttled(seconds: Option<u64>) -> ErrorKind {
    ErrorKind::Throttled { retry_after: seconds.map(Duration::from_secs) }
}

#[tokio::test]
async fn submit_job_is_sent_once_whatever_comes_back() -> anyhow::Result<()> {
    let busy = || Reply::error(429, "TooManyRequestsException", "Too Many Requests");
    let table = [
        ("500", Reply::error(500, "ServerException", "oops"), ErrorKind::Ambiguous),
        ("503 without a body", Reply::new(503, ""), ErrorKind::Ambiguous),
        ("408", Reply::new(408, ""), ErrorKind::Ambiguous),
        ("closed", Reply::Close, ErrorKind::Ambiguous),
        ("silence", Reply::Silence, ErrorKind::Ambiguous),
        (
            "half an answer",
            Reply::Torn { headers: vec![], body: b"{}".repeat(9), sent: 3 },
            ErrorKind::Ambiguous,
        ),
        ("no JSON", Reply::new(200, "<html>"), ErrorKind::Ambiguous),
        ("no job id", Reply::new(200, r#"{"jobName": "job"}"#), ErrorKind::Ambiguous),
        ("429", busy(), throttled(None)),
        ("429 with a hint", busy().with("retry-after", "7"), throttled(Some(7))),
        ("400 ThrottlingException", Reply::error(400, "ThrottlingException", "slow"), throttled(None)),
        ("400", Reply::error(400, "ClientException", "no such queue"), ErrorKind::Permanent),
        ("403", Reply::error(403, "AccessDeniedException", "not yours"), ErrorKind::Permanent),
        ("expired", Reply::error(403, "ExpiredTokenException", "too old"), ErrorKind::Permanent),
    ];
    for (name, reply, kind) in table {
        let server = Loopback::start([reply]).await?;
        let error = batch(server.endpoint_url()).await?.submit_job(&request()?).await.unwrap_err();
        assert_eq!(error.kind, kind, "{name}: {error}");
        assert_eq!(error.is_of_caller(), ["403", "expired"].contains(&name), "{name}: {error}");
        assert_eq!(error.operation, "SubmitJob");
        let lines: Vec<_> = server.requests().into_iter().map(|request| request.line).collect();
        assert_eq!(lines, ["POST /v1/submitjob"], "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn submit_job_is_not_repeated_on_a_connection_that_dies_under_it() -> anyhow::Result<()> {
    let answer = r#"{"jobName": "job", "jobId": "8a9b"}"#;
    let server = Loopback::start([Reply::new(200, answer), Reply::Close, Reply::new(200, answer)]).await?;
    let batch = batch(server.endpoint_url()).await?;
    assert_eq!(batch.submit_job(&request()?).await?, JobId::parse("8a9b")?);
    let error = batch.submit_job(&request()?).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{error}");
    assert_eq!(server.requests().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_refusal_carries_batchs_own_words() -> anyhow::Result<()> {
    let server = Loopback::start([Reply::error(400, "ClientException", "JobQueue queue not found")]).await?;
    let error = batch(server.endpoint_url()).await?.submit_job(&request()?).await.unwrap_err();
    assert_eq!(error.to_string(), "SubmitJob: ClientException: JobQueue queue not found");
    Ok(())
}

#[tokio::test]
async fn what_was_never_sent_may_be_repeated() -> anyhow::Result<()> {
    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    let error = batch(&nobody).await?.submit_job(&request()?).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Retryable, "{error}");

    let no_host = config(&nobody).await?.into_builder().endpoint_url("http://nobody.invalid").build();
    let engine = BatchJobEngine::new(aws_sdk_batch::Client::new(&no_host));
    let error = engine.submit_job(&request()?).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Retryable, "{error}");

    let server = Loopback::start([Reply::Close]).await?;
    let no_tls = server.endpoint_url().replace("http", "https");
    let no_tls = config(&nobody).await?.into_builder().endpoint_url(no_tls).build();
    let engine = BatchJobEngine::new(aws_sdk_batch::Client::new(&no_tls));
    let error = engine.submit_job(&request()?).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Retryable, "{error}");
    Ok(())
}

#[tokio::test]
async fn without_credentials_nothing_is_sent_and_nothing_is_in_doubt() -> anyhow::Result<()> {
    #[derive(Debug)]
    struct Nobody;
    impl aws_sdk_batch::config::ProvideCredentials for Nobody {
        fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let none = aws_credential_types::provider::error::CredentialsError::not_loaded("none here");
            aws_credential_types::provider::future::ProvideCredentials::ready(Err(none))
        }
    }
    let server = Loopback::start([Reply::Close]).await?;
    let config = config(server.endpoint_url()).await?;
    let config = aws_sdk_batch::config::Builder::from(&config).credentials_provider(Nobody).build();
    let engine = BatchJobEngine::new(aws_sdk_batch::Client::from_conf(config));
    let error = engine.submit_job(&request()?).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
    assert!(server.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn idempotent_calls_are_repeated_until_they_succeed() -> anyhow::Result<()> {
    let described = r#"{"jobs": []}"#;
    for trouble in [
        Reply::Close,
        Reply::error(500, "ServerException", "oops"),
        Reply::error(429, "TooManyRequestsException", "slow"),
    ] {
        let server = Loopback::start([trouble, Reply::new(200, described)]).await?;
        let jobs = batch(server.endpoint_url()).await?.describe_jobs(&[JobId::parse("a")?]).await?;
        assert!(jobs.is_empty());
        assert_eq!(server.requests().len(), 2);
    }
    Ok(())
}

/// Each of the other adapters, on a server that gives one reply for ever; retries are off.
async fn calls(endpoint_url: &str) -> anyhow::Result<Vec<PortError>> {
    let config = config(endpoint_url).await?.into_builder();
    let config = config.retry_config(aws_config::retry::RetryConfig::disabled()).build();
    let id = JobId::parse("a")?;
    let stream = LogStream { group: None, name: "s".into(), container: None, region: None };
    let engine = BatchJobEngine::new(aws_sdk_batch::Client::new(&config));
    let logs = CloudWatchLogSource::new(aws_sdk_cloudwatchlogs::Client::new(&config));
    let lambda = LambdaInvoker::new(aws_sdk_lambda::Client::new(&config));
    let s3 = S3ObjectStore::new(s3_client(&config), "bucket");
    let logs_error = match logs.log_events(&stream, None).await {
        Err(LogSourceError::Port(error)) => error,
        other => anyhow::bail!("{other:?}"),
    };
    let errors = [
        engine.describe_jobs(std::slice::from_ref(&id)).await.err(),
        engine.list_jobs("queue", &JobName::parse("job")?, None).await.err(),
        engine.cancel_job(&id, "why").await.err(),
        engine.terminate_job(&id, "why").await.err(),
        Some(logs_error),
        lambda.invoke_later("function", b"{}").await.err(),
        s3.open_object("key").await.err(),
        s3.list_objects("", None).await.err(),
    ];
    errors.into_iter().map(|error| error.context("a call went well")).collect()
}

#[tokio::test]
async fn every_adapter_tells_throttled_from_retryable_from_refused() -> anyhow::Result<()> {
    let throttle = Reply::error(429, "TooManyRequestsException", "slow").with("retry-after", "2");
    for (reply, kind) in [
        (throttle, throttled(Some(2))),
        (Reply::error(400, "ThrottlingException", "slow"), throttled(None)),
        (Reply::error(500, "InternalFailure", "oops"), ErrorKind::Retryable),
        (Reply::new(503, ""), ErrorKind::Retryable),
        (Reply::Close, ErrorKind::Retryable),
        (Reply::Silence, ErrorKind::Retryable),
        (Reply::error(403, "AccessDeniedException", "not yours"), ErrorKind::Permanent),
    ] {
        let by_code_alone = matches!(&reply, Reply::Answer { status: 400, .. });
        let server = Loopback::start([reply.clone()]).await?;
        let mut errors = calls(server.endpoint_url()).await?;
        if by_code_alone {
            errors.retain(|error| !["GetObject", "ListObjectsV2"].contains(&error.operation));
        }
        for error in errors {
            assert_eq!(error.kind, kind, "{reply:?}: {error}");
            // S3's own answers are XML.
            let has_code = error.service_answer().is_some_and(|answer| answer.code.is_some());
            let is_refused = kind == ErrorKind::Permanent && has_code;
            assert_eq!(error.is_of_caller(), is_refused, "{reply:?}: {error}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_table_that_is_not_there_is_no_verdict_on_a_job() -> anyhow::Result<()> {
    let gone = Reply::error(400, "ResourceNotFoundException", "Requested resource not found");
    let server = Loopback::start([gone]).await?;
    let tables = Tables { jobs: "jobs".to_owned(), runs: "runs".to_owned() };
    let client = aws_sdk_dynamodb::Client::new(&config(server.endpoint_url()).await?);
    let error = DynamoDbJobStore::new(client, tables).job(&JobName::parse("a")?).await.unwrap_err();
    assert!(error.is_of_caller(), "{error}");
    Ok(())
}

#[tokio::test]
async fn s3_speaks_xml_and_slow_down_is_a_throttle() -> anyhow::Result<()> {
    let xml = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
    for (status, code, kind) in [
        (503, "SlowDown", throttled(None)),
        (500, "InternalError", ErrorKind::Retryable),
        (409, "OperationAborted", ErrorKind::Retryable),
        (404, "NoSuchBucket", ErrorKind::Permanent),
        (403, "AccessDenied", ErrorKind::Permanent),
    ] {
        let server = Loopback::start([Reply::new(status, xml(code))]).await?;
        let config = config(server.endpoint_url()).await?.into_builder();
        let config = config.retry_config(aws_config::retry::RetryConfig::disabled()).build();
        let s3 = S3ObjectStore::new(s3_client(&config), "bucket");
        let error = s3.open_object("key").await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(error.to_string(), format!("GetObject: s3://bucket/key: {code}: m"));
    }
    Ok(())
}

#[tokio::test]
async fn a_function_that_failed_has_answered() -> anyhow::Result<()> {
    let failure = r#"{"errorMessage": "no", "errorType": "E"}"#;
    let server =
        Loopback::start([Reply::new(200, failure).with("x-amz-function-error", "Unhandled")]).await?;
    let lambda = LambdaInvoker::new(aws_sdk_lambda::Client::new(&config(server.endpoint_url()).await?));
    let answer = lambda.invoke("function", b"{}").await?;
    assert_eq!(answer.function_error.as_deref(), Some("Unhandled"));
    assert_eq!(answer.payload, failure.as_bytes());
    let sent = &server.requests()[0];
    assert_eq!(sent.line, "POST /2015-03-31/functions/function/invocations");
    assert_eq!(sent.header("x-amz-invocation-type"), Some("RequestResponse"));
    assert_eq!(sent.body, b"{}");
    Ok(())
}

#[tokio::test]
async fn a_function_that_may_have_run_is_not_invoked_again() -> anyhow::Result<()> {
    let server = Loopback::start([Reply::error(500, "ServiceException", "oops")]).await?;
    let lambda = LambdaInvoker::new(aws_sdk_lambda::Client::new(&config(server.endpoint_url()).await?));
    let error = lambda.invoke("function", b"{}").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{error}");
    assert_eq!(server.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_event_is_handed_over_without_waiting() -> anyhow::Result<()> {
    let server = Loopback::start([Reply::new(202, "")]).await?;
    let lambda = LambdaInvoker::new(aws_sdk_lambda::Client::new(&config(server.endpoint_url()).await?));
    lambda.invoke_later("function:live", br#"{"a":1}"#).await?;
    let sent = &server.requests()[0];
    assert_eq!(sent.header("x-amz-invocation-type"), Some("Event"));
    assert_eq!(sent.json()?, serde_json::json!({"a": 1}));
    let error = lambda.invoke_later("function", &vec![b' '; 1024 * 1024 + 1]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert_eq!(server.requests().len(), 1, "what is too large is not sent");
    Ok(())
}

/// Status, code and request id of an error.
fn told(answer: Option<&ServiceAnswer>) -> (Option<u16>, Option<&str>, Option<&str>) {
    let of = |answer: &'_ ServiceAnswer| answer.status;
    let text = |of: fn(&ServiceAnswer) -> &Option<String>| answer.and_then(|answer| of(answer).as_deref());
    (answer.and_then(of), text(|answer| &answer.code), text(|answer| &answer.request_id))
}

#[tokio::test]
async fn an_error_keeps_status_code_request_id_and_the_sdks_own_error() -> anyhow::Result<()> {
    let refused = Reply::error(403, "AccessDeniedException", "not yours").with("x-amzn-requestid", "r-1");
    let server = Loopback::start([refused]).await?;
    let url = server.endpoint_url();
    let mut errors = calls(url).await?;
    errors.retain(|error| !["GetObject", "ListObjectsV2"].contains(&error.operation));
    let tables = Tables { jobs: "jobs".into(), runs: "runs".into() };
    let store = DynamoDbJobStore::new(aws_sdk_dynamodb::Client::new(&config(url).await?), tables);
    errors.push(store.job(&JobName::parse("a")?).await.err().context("DynamoDB refused nothing")?);
    errors.push(batch(url).await?.submit_job(&request()?).await.unwrap_err());
    assert_eq!(errors.len(), 8);
    for error in errors {
        let all = (Some(403), Some("AccessDeniedException"), Some("r-1"));
        assert_eq!(told(error.service_answer()), all, "{error}");
        ensure!(error.origin().is_some(), "{error}");
        let words = error.to_string();
        let error = ClientError::from(error);
        assert_eq!(told(error.service_answer()), all);
        assert_eq!(format!("{:#}", anyhow::Error::from(error)), words, "a chain says it once");
    }
    let error = batch(url).await?.submit_job(&request()?).await.unwrap_err();
    type Failed = aws_sdk_batch::error::SdkError<aws_sdk_batch::operation::submit_job::SubmitJobError>;
    ensure!(error.origin().and_then(|origin| origin.downcast_ref::<Failed>()).is_some(), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn what_s3_tells_reaches_the_user_with_and_without_a_body() -> anyhow::Result<()> {
    let xml = "<Error><Code>SlowDown</Code><Message>m</Message></Error>";
    let server = Loopback::start([Reply::new(503, xml).with("x-amz-request-id", "r-2")]).await?;
    let no_retries = aws_config::retry::RetryConfig::disabled();
    let without_retries = async |url: &str| {
        let config = config(url).await?.into_builder().retry_config(no_retries.clone()).build();
        anyhow::Ok(S3Buckets::new(s3_client(&config)))
    };
    let uri = S3Uri::parse("s3://bucket/key.json")?;
    let documents = batchwright::Documents::new(without_retries(server.endpoint_url()).await?);
    let failure = documents.get(&uri).await.unwrap_err();
    assert_eq!(told(failure.answer.as_deref()), (Some(503), Some("SlowDown"), Some("r-2")));
    ensure!(!serde_json::to_string(&failure)?.contains("r-2"), "what a function answers is as it was");
    let error = ClientError::from(failure);
    assert_eq!(told(error.service_answer()), (Some(503), Some("SlowDown"), Some("r-2")));

    // The answer to HEAD has no body, and so no code.
    let server = Loopback::start([Reply::new(500, "").with("x-amz-request-id", "r-3")]).await?;
    let documents = batchwright::Documents::new(without_retries(server.endpoint_url()).await?);
    let failure = documents.info(&uri).await.unwrap_err();
    ensure!(server.requests()[0].line.starts_with("HEAD "), "{:?}", server.requests());
    assert_eq!(told(failure.answer.as_deref()), (Some(500), None, Some("r-3")));

    // What the caller may not see is told in the same way.
    let xml = "<Error><Code>AccessDenied</Code><Message>m</Message></Error>";
    let denials = [
        Reply::new(403, xml).with("x-amz-request-id", "r-4"),
        Reply::new(403, "").with("x-amz-request-id", "r-5"),
    ];
    let server = Loopback::start(denials).await?;
    let documents = batchwright::Documents::new(without_retries(server.endpoint_url()).await?);
    let failure = documents.get(&uri).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Denied);
    assert_eq!(told(failure.answer.as_deref()), (Some(403), Some("AccessDenied"), Some("r-4")));
    let failure = documents.info(&uri).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Denied);
    assert_eq!(told(failure.answer.as_deref()), (Some(403), None, Some("r-5")));
    Ok(())
}

#[tokio::test]
async fn where_nobody_answered_nothing_is_told_and_the_origin_is_kept() -> anyhow::Result<()> {
    let server = Loopback::start([Reply::Close]).await?;
    let error = batch(server.endpoint_url()).await?.submit_job(&request()?).await.unwrap_err();
    assert_eq!(error.service_answer(), None);
    ensure!(error.origin().is_some());
    let ours = PortError::permanent("SubmitJob", "no");
    ensure!(ours.origin().is_none() && ours.service_answer().is_none());
    Ok(())
}

#[tokio::test]
async fn each_id_of_many_has_its_own_code() -> anyhow::Result<()> {
    let answer = r#"{"errors": [{"job": "b", "code": "ClientException", "message": "no such job"}]}"#;
    let server = Loopback::start([Reply::new(200, answer)]).await?;
    let ids = [JobId::parse("a")?, JobId::parse("b")?];
    let results = batch(server.endpoint_url()).await?.stop_jobs(&ids, Stop::Cancel, "why").await;
    ensure!(results[0].is_ok());
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(told(error.service_answer()), (None, Some("ClientException"), None));
    Ok(())
}
