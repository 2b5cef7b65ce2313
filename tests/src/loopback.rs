//! A server that says what a test wants it to say, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is done with one request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// It is answered.
    Answer {
        /// The status.
        status: u16,
        /// Headers beside the length.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// It is answered, and the connection lost after so many bytes of the body.
    Torn {
        /// Headers beside the length.
        headers: Vec<(&'static str, String)>,
        /// The whole body.
        body: Vec<u8>,
        /// How many of its bytes arrive.
        sent: usize,
    },
    /// It is read, and the connection closed.
    Close,
    /// It is read, and never answered.
    Silence,
}

impl Reply {
    /// An answer without headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into() }
    }

    /// An error, as the services that speak JSON put it.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "message": message }).to_string();
        Self::new(status, body).with("x-amzn-errortype", code)
    }

    /// One more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer { headers, .. } | Self::Torn { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// As in `POST /v1/submitjob`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body).context("the body is not JSON")
    }
}

/// Gives its replies in turn, the last one for ever. It ends when it is dropped.
#[derive(Debug)]
pub struct Loopback {
    endpoint_url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    server: JoinHandle<()>,
}

impl Loopback {
    /// Starts it.
    pub async fn start(replies: impl Into<VecDeque<Reply>>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint_url = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let replies = Arc::new(Mutex::new(replies.into()));
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&replies), Arc::clone(&seen)));
            }
        });
        Ok(Self { endpoint_url, requests, server })
    }

    /// Its endpoint, as AWS clients want it.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().map(|requests| requests.clone()).unwrap_or_default()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(stream: TcpStream, replies: Arc<Mutex<VecDeque<Reply>>>, seen: Arc<Mutex<Vec<Request>>>) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(request)) = read_request(&mut stream).await {
        let reply = replies.lock().ok().and_then(|mut replies| {
            if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
        });
        if let Ok(mut seen) = seen.lock() {
            seen.push(request);
        }
        let goes_on = match reply.unwrap_or(Reply::Close) {
            Reply::Answer { status, headers, body } => {
                write_head(&mut stream, status, &headers, body.len()).await.is_ok()
                    && stream.write_all(&body).await.is_ok()
            }
            Reply::Torn { headers, body, sent } => {
                let is_range = headers.iter().any(|(name, _)| *name == "content-range");
                let status = if is_range || sent >= body.len() { 206 } else { 200 };
                if write_head(&mut stream, status, &headers, body.len()).await.is_ok() {
                    let _lost = stream.write_all(&body[..sent.min(body.len())]).await;
                    let _lost = stream.flush().await;
                }
                false
            }
            Reply::Close => false,
            Reply::Silence => std::future::pending().await,
        };
        if !goes_on {
            return;
        }
    }
}

async fn write_head(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    headers: &[(&str, String)],
    length: usize,
) -> std::io::Result<()> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await
}

/// `None` at the end of the connection.
pub(crate) async fn read_request(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Option<Request>> {
    let Some(line) = read_line(stream).await? else { return Ok(None) };
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    while let Some(header) = read_line(stream).await?.filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(':').context("a header without a colon")?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { line, headers, body: Vec::new() };
    match request.header("content-length").map(str::parse).transpose()? {
        Some(length) => {
            request.body.resize(length, 0);
            stream.read_exact(&mut request.body).await?;
        }
        None if request.header("transfer-encoding") == Some("chunked") => {
            request.body = read_chunks(stream).await?;
        }
        None => {}
    }
    Ok(Some(request))
}

async fn read_chunks(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = read_line(stream).await?.context("the connection ended within a body")?;
        let size = usize::from_str_radix(&size, 16)?;
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..]).await?;
        read_line(stream).await?;
        if size == 0 {
            return Ok(body);
        }
    }
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Option<String>> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await?;
    Ok((length > 0).then(|| line.trim_end().to_owned()))
}
