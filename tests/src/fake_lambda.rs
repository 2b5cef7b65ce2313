//! A Lambda endpoint whose functions do what their payloads say, with as much room as a test gives it. It also takes
//! objects, as far as results need that, in every bucket but one.
//!
//! A payload is `{"id": n, "do": [act, …]}`: the n-th request of an id does the n-th act, the last one for ever. An act is
//! `ok:MS`, `error:STATUS:TYPE`, `retry-after:SECONDS`, `cut-before` (the connection is lost before the function
//! runs), `cut-after`, `torn` (half an answer), `fails`, `echo`, `big:BYTES`, `bad-log` or `raw:TEXT`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::loopback::{Request, read_request};

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The bucket that is not there.
pub const NO_SUCH_BUCKET: &str = "no-such-bucket";

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Requests to functions.
    pub requests: u64,
    /// Those that were refused for want of room.
    pub refused: u64,
    /// The most functions that ran at once.
    pub peak: usize,
    /// How often each payload came, by its id, or else by its text.
    pub tries: BTreeMap<String, usize>,
    /// How often a function ran with it.
    pub ran: BTreeMap<String, u32>,
    /// The bodies as they came.
    pub bodies: Vec<Vec<u8>>,
    /// The paths, decoded no further than HTTP asks.
    pub paths: Vec<String>,
    /// Objects that were put, by path.
    pub objects: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug)]
struct State {
    seen: Seen,
    running: usize,
    room: usize,
    refuses_objects: bool,
}

/// The endpoint. It ends when it is dropped.
#[derive(Debug)]
pub struct FakeLambda {
    endpoint_url: String,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl FakeLambda {
    /// Starts it, with any room.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint_url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State {
            seen: Seen::default(),
            running: 0,
            room: usize::MAX,
            refuses_objects: false,
        }));
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { endpoint_url, state, server })
    }

    /// As AWS clients want it.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// How many functions may run at once from now on.
    pub fn set_room(&self, room: usize) {
        lock(&self.state).room = room;
    }

    /// Whether objects are refused from now on, once they have come whole.
    pub fn refuse_objects(&self, refuses: bool) {
        lock(&self.state).refuses_objects = refuses;
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        lock(&self.state).seen.clone()
    }

    /// Waits until something was seen.
    ///
    /// # Panics
    ///
    /// Where it is not seen in a minute: the program under test has ended, or hangs.
    pub async fn until(&self, is_so: impl Fn(&Seen) -> bool) {
        let seen = async {
            while !is_so(&lock(&self.state).seen) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "not seen: {:?}", self.seen().requests);
    }
}

impl Drop for FakeLambda {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a function that runs, also one whose caller has gone.
struct Running(Arc<Mutex<State>>);

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.0).running -= 1;
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(request)) = read_request(&mut stream).await {
        let answer = match request.line.contains("/functions/") {
            true => invoked(&request, &state).await,
            false => stored(&request, &state),
        };
        let Some(answer) = answer else { return };
        let is_whole = answer.sent.is_none();
        if answer.write(&mut stream).await.is_err() || !is_whole {
            return;
        }
    }
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How much of the body is sent, where that is not all.
    sent: Option<usize>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), sent: None }
    }

    fn error(status: u16, error_type: &str) -> Self {
        let answer = Self::new(status, format!("{{\"message\":\"{error_type} it is\"}}"));
        answer.with("x-amzn-errortype", error_type)
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    async fn write(self, stream: &mut BufReader<TcpStream>) -> std::io::Result<()> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = if self.status == 204 {
            String::new()
        } else {
            format!("content-length: {}\r\n", self.body.len())
        };
        let head = format!("HTTP/1.1 {} X\r\n{length}{headers}\r\n", self.status);
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&self.body[..self.sent.unwrap_or(self.body.len())]).await?;
        stream.flush().await
    }
}

/// `None`: the connection is closed without an answer.
async fn invoked(request: &Request, state: &Arc<Mutex<State>>) -> Option<Answer> {
    let payload: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let id = match &payload["id"] {
        Value::Null => String::from_utf8_lossy(&request.body).into_owned(),
        id => id.to_string(),
    };
    let (act, running) = {
        let mut state_now = lock(state);
        let State { seen, running, room, .. } = &mut *state_now;
        seen.requests += 1;
        seen.bodies.push(request.body.clone());
        seen.paths.push(request.line.clone());
        let tries = seen.tries.entry(id.clone()).or_default();
        *tries += 1;
        let acts = payload["do"].as_array().cloned().unwrap_or_default();
        let act = acts.get((*tries).min(acts.len()).wrapping_sub(1)).and_then(Value::as_str);
        let act = act.unwrap_or("ok:0").to_owned();
        let runs = !act.starts_with("error:") && !act.starts_with("retry-after:") && act != "cut-before";
        if runs && *running >= *room {
            seen.refused += 1;
            return Some(Answer::error(429, "TooManyRequestsException"));
        }
        if runs {
            *running += 1;
            seen.peak = seen.peak.max(*running);
            *seen.ran.entry(id).or_default() += 1;
        }
        (act, runs.then(|| Running(Arc::clone(state))))
    };
    let (name, of) = act.split_once(':').unwrap_or((act.as_str(), ""));
    if let ("ok", Ok(millis)) = (name, of.parse()) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    drop(running);
    if request.header("x-amz-invocation-type") == Some("Event") && name == "ok" {
        return Some(Answer::new(202, "").with("x-amzn-requestid", "1"));
    }
    let well = |body: Vec<u8>| Answer::new(200, body).with("x-amz-executed-version", "$LATEST");
    match name {
        "error" => {
            let (status, error_type) = of.split_once(':').unwrap_or((of, "ServiceException"));
            Some(Answer::error(status.parse().unwrap_or(500), error_type))
        }
        "retry-after" => Some(Answer::error(429, "TooManyRequestsException").with("retry-after", of)),
        "cut-before" | "cut-after" => None,
        "torn" => Some(Answer { sent: Some(5), ..well(b"{\"done\":true}".to_vec()) }),
        "fails" => {
            let said = br#"{"errorType":"ValueError","errorMessage":"bad"}"#;
            Some(well(said.to_vec()).with("x-amz-function-error", "Unhandled"))
        }
        "echo" => Some(well(request.body.clone())),
        "big" => Some(well(format!("\"{}\"", "x".repeat(of.parse().unwrap_or(0))).into_bytes())),
        "bad-log" => Some(well(b"{\"done\":true}".to_vec()).with("x-amz-log-result", "%%%not base64")),
        "raw" => Some(well(of.as_bytes().to_vec())),
        _ => Some(well(b"{\"done\":true}".to_vec())),
    }
}

/// As much of S3 as an object of results needs.
fn stored(request: &Request, state: &Arc<Mutex<State>>) -> Option<Answer> {
    let (method, path) = request.line.split_once(' ')?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path.starts_with(&format!("/{NO_SUCH_BUCKET}/")) {
        let body =
            "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>";
        return Some(Answer::new(404, if method == "HEAD" { "" } else { body }));
    }
    let mut state = lock(state);
    Some(match method {
        "POST" if query.starts_with("uploads") => {
            let body =
                "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>";
            Answer::new(200, body)
        }
        "DELETE" => Answer::new(204, ""),
        "HEAD" | "GET" => match state.seen.objects.get(path) {
            Some(object) if method == "GET" => Answer::new(200, object.clone()),
            Some(_) => Answer::new(200, "").with("etag", "\"1\""),
            None => Answer::new(404, ""),
        },
        "PUT" if state.refuses_objects => {
            let body = "<Error><Code>AccessDenied</Code><Message>the key may not be used</Message></Error>";
            Answer::new(403, body)
        }
        "PUT" => {
            state.seen.objects.insert(path.to_owned(), request.body.clone());
            Answer::new(200, "").with("etag", "\"1\"")
        }
        _ => Answer::new(501, ""),
    })
}
