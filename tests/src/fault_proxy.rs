//! A network between a client and an endpoint, in which answers get lost.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use crate::loopback::{Request, read_request};

/// What becomes of one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing.
    None,
    /// It takes effect; the connection is closed before the answer.
    CloseAfterEffect,
    /// The connection is closed before it takes effect.
    CloseBeforeEffect,
    /// It takes effect; the answer never comes.
    SilenceAfterEffect,
    /// It takes effect, and is answered with 500.
    ErrorAfterEffect,
    /// It takes effect; the connection is closed in the midst of the answer.
    CutAnswer,
    /// It is answered with 429, without effect.
    ThrottleBeforeEffect,
    /// It is answered with 503, without effect.
    UnavailableBeforeEffect,
    /// It is kept on the way, and takes effect when it is told to: by then nobody waits for the answer.
    Late(Arc<Notify>),
}

/// Hands requests on, and does to those of one operation what it was told, in turn.
#[derive(Debug)]
pub struct FaultProxy {
    endpoint_url: String,
    seen: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

/// What every connection shares.
struct Shared {
    upstream: SocketAddr,
    choose: Box<dyn Fn(&str) -> Fault + Send + Sync>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl FaultProxy {
    /// Starts it before an endpoint, as in `http://127.0.0.1:4567`; `operation` is a part of the request's
    /// line, as in `/v1/submitjob`.
    pub async fn start(
        upstream: &str,
        operation: &'static str,
        faults: impl Into<VecDeque<Fault>>,
    ) -> anyhow::Result<Self> {
        let faults = Mutex::new(faults.into());
        let choose = move |line: &str| match faults.lock() {
            Ok(mut faults) if line.contains(operation) => faults.pop_front().unwrap_or(Fault::None),
            _ => Fault::None,
        };
        Self::choosing(upstream, choose).await
    }

    /// The same, which is told by each request's line what becomes of it.
    pub async fn choosing(
        upstream: &str,
        choose: impl Fn(&str) -> Fault + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let upstream = upstream.strip_prefix("http://").context("no http")?.parse()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint_url = format!("http://{}", listener.local_addr()?);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new(Shared { upstream, choose: Box::new(choose), seen: Arc::clone(&seen) });
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                // A connection that breaks is what this is for.
                connections.spawn(async move { shared.pass_on(stream).await.ok() });
            }
        });
        Ok(Self { endpoint_url, seen, server })
    }

    /// Its endpoint, as AWS clients want it.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// How many requests have come whose line holds this.
    pub fn count(&self, operation: &str) -> usize {
        let seen = self.seen.lock().map(|seen| seen.iter().filter(|line| line.contains(operation)).count());
        seen.unwrap_or_default()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// One request; the connection is closed behind it.
    async fn pass_on(&self, stream: TcpStream) -> anyhow::Result<()> {
        let mut stream = BufReader::new(stream);
        let Some(request) = read_request(&mut stream).await? else { return Ok(()) };
        if let Ok(mut seen) = self.seen.lock() {
            seen.push(request.line.clone());
        }
        let answer = match (self.choose)(&request.line) {
            Fault::None => self.ask(&request).await?,
            Fault::CloseBeforeEffect => return Ok(()),
            Fault::CloseAfterEffect => {
                self.ask(&request).await?;
                return Ok(());
            }
            Fault::SilenceAfterEffect => {
                self.ask(&request).await?;
                std::future::pending().await
            }
            Fault::Late(told) => {
                told.notified().await;
                self.ask(&request).await?;
                return Ok(());
            }
            Fault::ErrorAfterEffect => {
                self.ask(&request).await?;
                refusal(500, "ServerException")
            }
            Fault::CutAnswer => {
                let mut answer = self.ask(&request).await?;
                answer.truncate(answer.len().saturating_sub(10));
                answer
            }
            Fault::ThrottleBeforeEffect => refusal(429, "TooManyRequestsException"),
            Fault::UnavailableBeforeEffect => refusal(503, "ServiceUnavailable"),
        };
        stream.write_all(&answer).await?;
        Ok(stream.shutdown().await?)
    }

    /// The endpoint's answer as it stands.
    async fn ask(&self, request: &Request) -> anyhow::Result<Vec<u8>> {
        let mut head =
            format!("{} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", request.line, self.upstream);
        let own = ["host", "connection", "content-length", "transfer-encoding"];
        for (name, value) in request.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", request.body.len()));
        let mut upstream = TcpStream::connect(self.upstream).await?;
        upstream.write_all(head.as_bytes()).await?;
        upstream.write_all(&request.body).await?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

fn refusal(status: u16, code: &str) -> Vec<u8> {
    let body = r#"{"message": "by the proxy"}"#;
    let head = format!("HTTP/1.1 {status} X\r\nx-amzn-errortype: {code}\r\nconnection: close\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
