//! An S3 of our own that breaks as it is told: connections are cut, ranges ignored, answers lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use md5::{Digest as _, Md5};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::loopback::{Request, read_request};

/// What goes wrong with one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is cut behind so many bytes of the answer's body.
    CutAfter(usize),
    /// The range is ignored: the whole comes, with status 200.
    RangeIgnored,
    /// Another range comes than was asked for.
    OtherRange(usize),
    /// The bytes are not those whose checksum is told.
    WrongChecksum,
    /// It takes effect, and the connection is closed before the answer.
    AnswerLost,
    /// It takes effect, its answer is lost, and somebody else writes another object under the key.
    AnswerLostAndReplaced,
}

/// Requests that a fault can be told for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operation {
    Get,
    Head,
    Put,
    Copy,
    Create,
    Part,
    Complete,
    Abort,
    List,
    ListUploads,
}

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub struct BrokenS3 {
    endpoint_url: String,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    /// By `/bucket/key`.
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    begun: usize,
    faults: VecDeque<(Operation, Fault)>,
    region: Option<&'static str>,
    seen: Vec<(Operation, Request)>,
}

#[derive(Debug, Clone, Default)]
struct Object {
    bytes: Vec<u8>,
    etag: String,
}

#[derive(Debug, Default)]
struct Upload {
    path: String,
    parts: BTreeMap<u32, Vec<u8>>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    fn error(status: u16, code: &str) -> Self {
        Self::new(status, format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn etag_of_parts<'a>(parts: impl ExactSizeIterator<Item = &'a [u8]>) -> String {
    let count = parts.len();
    let digests: Vec<u8> = parts.flat_map(Md5::digest).collect();
    format!("\"{}-{count}\"", hex(&Md5::digest(&digests)))
}

impl BrokenS3 {
    /// Starts it, with nothing in it.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint_url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { endpoint_url, state, server })
    }

    /// Its endpoint, as AWS clients want it.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// Lets something go wrong with the next request of a kind.
    pub fn breaks(&self, operation: Operation, fault: Fault) {
        self.lock().faults.push_back((operation, fault));
    }

    /// Lies in a Region, and answers 301 to requests that are signed for any other.
    pub fn lies_in(&self, region: &'static str) {
        self.lock().region = Some(region);
    }

    /// Puts an object there, by `/bucket/key`.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.lock().put(path, bytes.into(), None);
    }

    /// Puts an object there that was written in parts, which its etag tells.
    pub fn put_in_parts(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let etag = etag_of_parts([bytes.as_slice()].into_iter());
        self.lock().put(path, bytes, Some(etag));
    }

    /// The bytes of an object.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.lock().objects.get(path).map(|object| object.bytes.clone())
    }

    /// Uploads that have begun and not ended.
    pub fn uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    /// Parts of these uploads.
    pub fn parts(&self) -> usize {
        self.lock().uploads.values().map(|upload| upload.parts.len()).sum()
    }

    /// Requests of a kind so far.
    pub fn seen(&self, operation: Operation) -> Vec<Request> {
        let state = self.lock();
        let seen = state.seen.iter().filter(|(found, _)| *found == operation);
        seen.map(|(_, request)| request.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for BrokenS3 {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(request)) = read_request(&mut stream).await {
        let (answer, sent) = state.lock().unwrap_or_else(PoisonError::into_inner).answer(&request);
        let Some(answer) = answer else { return };
        let is_head = request.line.starts_with("HEAD ");
        let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
        if !answer.headers.iter().any(|(name, _)| *name == "content-length") {
            let _ = write!(head, "content-length: {}\r\n", answer.body.len());
        }
        for (name, value) in &answer.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let body = if is_head { &[][..] } else { &answer.body[..sent.unwrap_or(answer.body.len())] };
        let bytes = [head.as_bytes(), b"\r\n", body].concat();
        if stream.write_all(&bytes).await.is_err() || sent.is_some() {
            let _lost = stream.shutdown().await;
            return;
        }
    }
}

fn operation(method: &str, query: &str, request: &Request) -> Operation {
    match method {
        "GET" if query.contains("uploads") => Operation::ListUploads,
        "GET" if query.contains("list-type=2") => Operation::List,
        "GET" => Operation::Get,
        "HEAD" => Operation::Head,
        "PUT" if query.contains("partNumber=") => Operation::Part,
        "PUT" if request.header("x-amz-copy-source").is_some() => Operation::Copy,
        "PUT" => Operation::Put,
        "POST" if query.contains("uploadId=") => Operation::Complete,
        "POST" => Operation::Create,
        _ => Operation::Abort,
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

impl State {
    /// The answer, none where it is lost, and how much of its body comes where that is not all.
    fn answer(&mut self, request: &Request) -> (Option<Answer>, Option<usize>) {
        let (method, target) = request.line.split_once(' ').unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let operation = operation(method, query, request);
        self.seen.push((operation, request.clone()));
        if let Some(region) = self.region {
            let signed_for =
                request.header("authorization").and_then(|it| it.split('/').nth(2)).unwrap_or_default();
            if signed_for != region {
                return (
                    Some(Answer::error(301, "PermanentRedirect").with("x-amz-bucket-region", region)),
                    None,
                );
            }
        }
        let next = self.faults.iter().position(|(wanted, _)| *wanted == operation);
        let fault = next.and_then(|at| self.faults.remove(at)).map(|(_, fault)| fault);
        let answer = self.done(operation, path, query, request, fault.as_ref());
        match fault {
            Some(Fault::CutAfter(bytes)) => (Some(answer), Some(bytes)),
            Some(Fault::AnswerLost) => (None, None),
            Some(Fault::AnswerLostAndReplaced) => {
                self.put(path, b"somebody else's".to_vec(), None);
                (None, None)
            }
            _ => (Some(answer), None),
        }
    }

    fn done(
        &mut self,
        operation: Operation,
        path: &str,
        query: &str,
        request: &Request,
        fault: Option<&Fault>,
    ) -> Answer {
        match operation {
            Operation::Get | Operation::Head => self.read(path, request, fault),
            Operation::Put => self.write(path, request.body.clone(), request),
            Operation::Copy => match self.copied(request) {
                Some(source) => {
                    let written = self.write(path, source, request);
                    let etag = self.objects.get(path).map(|object| object.etag.clone()).unwrap_or_default();
                    match written.status {
                        200 => Answer::new(
                            200,
                            format!("<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>"),
                        ),
                        _ => written,
                    }
                }
                None => Answer::error(404, "NoSuchKey"),
            },
            Operation::Create => {
                self.begun += 1;
                let id = format!("upload-{}", self.begun);
                self.uploads.insert(id.clone(), Upload { path: path.to_owned(), ..Upload::default() });
                Answer::new(
                    200,
                    format!(
                        "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                    ),
                )
            }
            Operation::Part => {
                let number =
                    parameter(query, "partNumber").and_then(|number| number.parse().ok()).unwrap_or(0);
                let copied = self.copied(request);
                let part = copied.clone().unwrap_or_else(|| request.body.clone());
                let etag = format!("\"{}\"", hex(&Md5::digest(&part)));
                match self.uploads.get_mut(parameter(query, "uploadId").unwrap_or_default()) {
                    Some(upload) => {
                        upload.parts.insert(number, part);
                        match copied {
                            Some(_) => Answer::new(
                                200,
                                format!("<CopyPartResult><ETag>{etag}</ETag></CopyPartResult>"),
                            ),
                            None => Answer::new(200, "").with("etag", etag),
                        }
                    }
                    None => Answer::error(404, "NoSuchUpload"),
                }
            }
            Operation::Complete => self.complete(path, query, request),
            Operation::Abort => match self.uploads.remove(parameter(query, "uploadId").unwrap_or_default()) {
                Some(_) => Answer::new(204, ""),
                None => Answer::error(404, "NoSuchUpload"),
            },
            Operation::List => self.list(path, query),
            Operation::ListUploads => {
                let listed: String = self.uploads.iter().map(|(id, upload)| {
                    let key = upload.path.splitn(3, '/').nth(2).unwrap_or_default();
                    format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>2026-11-24T00:00:00.000Z</Initiated></Upload>")
                }).collect();
                Answer::new(200, format!("<ListMultipartUploadsResult>{listed}</ListMultipartUploadsResult>"))
            }
        }
    }

    /// One page of all keys under a prefix, or of those on its level with the folders beside them.
    fn list(&self, path: &str, query: &str) -> Answer {
        let of = |name| parameter(query, name).unwrap_or_default().replace("%2F", "/");
        let (prefix, is_level) = (of("prefix"), of("delimiter") == "/");
        let bucket = format!("/{}/", path.trim_matches('/'));
        let (mut folders, mut listed) = (BTreeSet::new(), String::new());
        for (key, object) in &self.objects {
            let Some(key) = key.strip_prefix(&bucket).filter(|key| key.starts_with(&prefix)) else {
                continue;
            };
            match key[prefix.len()..].split_once('/').filter(|_| is_level) {
                Some((folder, _)) => drop(folders.insert(format!("{prefix}{folder}/"))),
                None => {
                    let (size, etag) = (object.bytes.len(), &object.etag);
                    let _ = write!(
                        listed,
                        "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag><LastModified>2026-11-24T00:00:00.000Z</LastModified></Contents>"
                    );
                }
            }
        }
        for folder in folders {
            let _ = write!(listed, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
        }
        Answer::new(
            200,
            format!("<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"),
        )
    }

    /// The bytes that a request wants copied: of an object, or of a range of it.
    fn copied(&self, request: &Request) -> Option<Vec<u8>> {
        let source = request.header("x-amz-copy-source")?;
        let object = self.objects.get(&format!("/{}", source.split('?').next()?))?;
        match request.header("x-amz-copy-source-range") {
            Some(range) => {
                let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
                object.bytes.get(first.parse().ok()?..=last.parse().ok()?).map(<[u8]>::to_vec)
            }
            None => Some(object.bytes.clone()),
        }
    }

    fn read(&self, path: &str, request: &Request, fault: Option<&Fault>) -> Answer {
        let Some(object) = self.objects.get(path) else { return Answer::error(404, "NoSuchKey") };
        if request.header("if-match").is_some_and(|etag| etag != object.etag) {
            return Answer::error(412, "PreconditionFailed");
        }
        let asked = request
            .header("range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let total = object.bytes.len();
        let answer = match (asked, fault) {
            (None, Some(Fault::WrongChecksum)) => {
                // Of no bytes at all.
                return Answer::new(200, object.bytes.clone())
                    .with("etag", &object.etag)
                    .with("x-amz-checksum-crc32", "AAAAAA==");
            }
            (None, _) | (_, Some(Fault::RangeIgnored)) => Answer::new(200, object.bytes.clone()),
            (Some(start), fault) => {
                let start: usize = match fault {
                    Some(Fault::OtherRange(other)) => *other,
                    _ => start,
                };
                let range = format!("bytes {start}-{}/{total}", total.saturating_sub(1));
                Answer::new(206, &object.bytes[start.min(total)..]).with("content-range", range)
            }
        };
        answer.with("etag", &object.etag)
    }

    fn write(&mut self, path: &str, bytes: Vec<u8>, request: &Request) -> Answer {
        if let Some(refused) = self.refused(path, request) {
            return refused;
        }
        self.put(path, bytes, None);
        Answer::new(200, "").with("etag", &self.objects[path].etag)
    }

    fn refused(&self, path: &str, request: &Request) -> Option<Answer> {
        let found = self.objects.get(path).map(|object| object.etag.as_str());
        let holds = match (request.header("if-none-match"), request.header("if-match")) {
            (Some(_), _) => found.is_none(),
            (None, Some(etag)) => found == Some(etag),
            (None, None) => true,
        };
        (!holds).then(|| Answer::error(412, "PreconditionFailed"))
    }

    fn complete(&mut self, path: &str, query: &str, request: &Request) -> Answer {
        let id = parameter(query, "uploadId").unwrap_or_default();
        if !self.uploads.contains_key(id) {
            return Answer::error(404, "NoSuchUpload");
        }
        if let Some(refused) = self.refused(path, request) {
            return refused;
        }
        let Some(upload) = self.uploads.remove(id) else { return Answer::error(404, "NoSuchUpload") };
        let etag = etag_of_parts(upload.parts.values().map(Vec::as_slice));
        self.put(path, upload.parts.into_values().flatten().collect(), Some(etag.clone()));
        Answer::new(
            200,
            format!("<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"),
        )
    }

    fn put(&mut self, path: &str, bytes: Vec<u8>, etag: Option<String>) {
        let etag = etag.unwrap_or_else(|| format!("\"{}\"", hex(&Md5::digest(&bytes))));
        self.objects.insert(path.to_owned(), Object { bytes, etag });
    }
}
