//! An endpoint in this test program, and requests to it as they stand on the wire.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use batchwright::local::StateDir;
use batchwright::ports::SystemClock;
use batchwright::wire::{Access, ServeOptions, WireServer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::processes;

/// A job that has not ended by then does not end.
const END_LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at a job.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// An endpoint that is served until it is stopped.
#[derive(Debug)]
pub struct Endpoint {
    /// As clients are told it.
    pub url: String,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<anyhow::Result<usize>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Of HTTP.
    pub status: u16,
    /// The type of a refusal, from where each protocol has it.
    pub kind: Option<String>,
    /// What tells it from other answers.
    pub request_id: Option<String>,
    /// The JSON.
    pub body: Value,
}

/// Options for an endpoint in a folder, whose jobs run there too.
///
/// # Panics
///
/// Where the program that attends attempts is not built.
pub fn options(folder: &Path) -> ServeOptions {
    ServeOptions {
        state_dir: StateDir::new(folder.join("state")),
        host: std::net::Ipv4Addr::LOCALHOST.into(),
        port: 0,
        access: Access::default(),
        vcpus: Some(4),
        processes: processes::settings(folder, Some(folder)).expect("cargo builds the package's binaries"),
        queues: Vec::new(),
        definitions: Vec::new(),
        events_to: None,
    }
}

impl Endpoint {
    /// Opens and serves it.
    pub async fn start(options: ServeOptions) -> anyhow::Result<Self> {
        let server = WireServer::open(options, SystemClock).await?;
        let url = server.url()?;
        let address: SocketAddr = url.strip_prefix("http://").context("no http")?.parse()?;
        ensure!(address.ip().is_loopback(), "{address} is not of this machine alone");
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            let unfinished = server.serve(async move { _ = stopped.await });
            Ok(unfinished.await?)
        });
        Ok(Self { url, address, stop, served })
    }

    /// Stops it. Returns how many jobs had not ended.
    pub async fn stop(self) -> anyhow::Result<usize> {
        _ = self.stop.send(());
        self.served.await?
    }

    /// An operation of AWS Batch.
    pub async fn batch(&self, operation: &str, body: Value) -> anyhow::Result<Answer> {
        self.request("POST", &format!("/v1/{operation}"), &[], &body.to_string()).await
    }

    /// One that is answered.
    pub async fn ok(&self, operation: &str, body: Value) -> anyhow::Result<Value> {
        let answer = self.batch(operation, body).await?;
        ensure!(answer.status == 200, "{operation}: {answer:?}");
        Ok(answer.body)
    }

    /// An operation of CloudWatch Logs.
    pub async fn logs(&self, operation: &str, body: Value) -> anyhow::Result<Answer> {
        let target = format!("Logs_20140328.{operation}");
        let headers = [("X-Amz-Target", target.as_str()), ("Content-Type", "application/x-amz-json-1.1")];
        self.request("POST", "/", &headers, &body.to_string()).await
    }

    /// A request as it stands.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if headers.iter().all(|(name, _)| *name != "Host") {
            request.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let (head, body) = text.split_once("\r\n\r\n").context("an answer without a head")?;
        let status = head.split(' ').nth(1).context("an answer without a status")?.parse()?;
        let body: Value = serde_json::from_str(body).with_context(|| format!("{head}\n\n{body}"))?;
        let in_head = head.lines().find_map(|line| line.strip_prefix("x-amzn-errortype: "));
        let kind = in_head.or(body["__type"].as_str()).map(str::to_owned);
        let request_id = head.lines().find_map(|line| line.strip_prefix("x-amzn-requestid: "));
        Ok(Answer { status, kind, request_id: request_id.map(str::to_owned), body })
    }

    /// One that is refused. Returns the message.
    pub async fn refused(&self, operation: &str, body: Value) -> anyhow::Result<String> {
        let answer = self.batch(operation, body).await?;
        let is_client = answer.status == 400 && answer.kind.as_deref() == Some("ClientException");
        ensure!(is_client && answer.request_id.is_some(), "{operation}: {answer:?}");
        Ok(answer.body["message"].as_str().unwrap_or_default().to_owned())
    }

    /// Submits a job that runs a command, and returns its id.
    pub async fn submit(&self, name: &str, command: &[&str]) -> anyhow::Result<String> {
        let body = json!({
            "jobName": name, "jobQueue": "q", "jobDefinition": "d",
            "containerOverrides": {"command": command},
        });
        let answer = self.ok("submitjob", body).await?;
        Ok(answer["jobId"].as_str().context("no jobId")?.to_owned())
    }

    /// The description of a job.
    pub async fn described(&self, job_id: &str) -> anyhow::Result<Value> {
        let mut answer = self.ok("describejobs", json!({"jobs": [job_id]})).await?;
        Ok(answer["jobs"][0].take())
    }

    /// Waits for a job's end, and returns its description.
    pub async fn ended(&self, job_id: &str) -> anyhow::Result<Value> {
        self.described_as(job_id, |job| ["SUCCEEDED", "FAILED"].iter().any(|end| job["status"] == *end)).await
    }

    /// Waits until a job's description is as it is looked for.
    pub async fn described_as(
        &self,
        job_id: &str,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let looked_for = async {
            loop {
                let job = self.described(job_id).await?;
                if is_wanted(&job) {
                    return Ok(job);
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        tokio::time::timeout(END_LIMIT, looked_for).await.context("the job does not get there")?
    }
}
