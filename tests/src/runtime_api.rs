//! A Lambda Runtime API for tests: hands events to a function's process, one by one, and returns what
//! it answers.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use batchwright::ports::{Clock, SystemClock};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

const PREFIX: &str = "/2018-06-01/runtime/invocation";

/// What a function answers to an event.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Its result.
    Response(Value),
    /// Its error: `errorType` and `errorMessage`.
    Error(Value),
}

/// A function's process and the Runtime API that it asks. Dropped, it ends the process.
pub struct Function {
    process: Child,
    events: mpsc::Sender<(Value, Duration)>,
    answers: mpsc::Receiver<Answer>,
}

struct Api {
    events: Mutex<mpsc::Receiver<(Value, Duration)>>,
    answers: mpsc::Sender<Answer>,
}

impl Function {
    /// Starts a function with these variables, and no others but those of Lambda. Every AWS endpoint is
    /// a closed port of this machine.
    pub async fn start(program: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let (events, inbox) = mpsc::channel(1);
        let (outbox, answers) = mpsc::channel(1);
        let api = Arc::new(Api { events: Mutex::new(inbox), answers: outbox });
        let router = Router::new()
            .route(&format!("{PREFIX}/next"), get(next))
            .route(&format!("{PREFIX}/{{id}}/response"), post(response))
            .route(&format!("{PREFIX}/{{id}}/error"), post(error))
            .with_state(api);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let process = command(program, variables).env("AWS_LAMBDA_RUNTIME_API", address).spawn();
        Ok(Self { process: process.with_context(|| program.to_owned())?, events, answers })
    }

    /// What the function answers to an event, when it has so long for it.
    pub async fn invoke(&mut self, event: Value, time: Duration) -> Result<Answer> {
        self.events.send((event, time)).await?;
        self.answers.recv().await.context("the function has gone")
    }

    /// Ends the function. Returns what it wrote.
    pub async fn end(mut self) -> Result<Output> {
        self.process.start_kill()?;
        Ok(self.process.wait_with_output().await?)
    }
}

/// Holds that a function does not start without any one of its variables, and says which is missing.
///
/// # Panics
///
/// Where it starts, or does not name the variable.
pub async fn needs_each_variable(program: &str, variables: &[(&str, &str)]) -> Result<()> {
    for (missing, _) in variables {
        let others: Vec<_> = variables.iter().copied().filter(|(name, _)| name != missing).collect();
        let output = fails_to_start(program, &others).await?;
        let log = String::from_utf8(output.stdout)?;
        assert!(!output.status.success(), "{missing}");
        assert!(log.contains(&format!("the environment variable {missing} is not set")), "{log}");
    }
    Ok(())
}

/// Runs a function that is to fail before it asks for an event, and returns what it wrote.
pub async fn fails_to_start(program: &str, variables: &[(&str, &str)]) -> Result<Output> {
    Ok(command(program, variables).env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").output().await?)
}

fn command(program: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("AWS_LAMBDA_FUNCTION_NAME", "function-under-test")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Waits for an event, as Lambda freezes a function that has none.
async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some((event, time)) = api.events.lock().await.recv().await else {
        return std::future::pending().await;
    };
    let time_ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let deadline = SystemClock.now().plus_millis(time_ms).as_millis().to_string();
    let headers = [
        ("lambda-runtime-aws-request-id", "request-1".to_owned()),
        ("lambda-runtime-deadline-ms", deadline),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:1:function:f".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0".to_owned()),
    ];
    (headers, event.to_string()).into_response()
}

async fn response(State(api): State<Arc<Api>>, Path(_): Path<String>, body: Bytes) -> Response {
    hand_on(&api, Answer::Response, &body).await
}

async fn error(State(api): State<Arc<Api>>, Path(_): Path<String>, body: Bytes) -> Response {
    hand_on(&api, Answer::Error, &body).await
}

/// What is no JSON reaches the test as text.
async fn hand_on(api: &Api, kind: fn(Value) -> Answer, body: &[u8]) -> Response {
    let text = || Value::String(String::from_utf8_lossy(body).into_owned());
    let answer = serde_json::from_slice(body).unwrap_or_else(|_| text());
    // The test has gone where nobody takes it: nothing is left to be told.
    let _ = api.answers.send(kind(answer)).await;
    axum::http::StatusCode::ACCEPTED.into_response()
}
