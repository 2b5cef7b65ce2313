//! The list.

use std::pin::Pin;
use std::task::{Context, Poll};

use batchwright_lines::lines::{Line, Lines};
use batchwright_lines::source::Source as Unpacked;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, Stream};
use serde_json::value::RawValue;
use tokio::io::AsyncBufRead;

use crate::fan_out::limits::SYNC_PAYLOAD_MAX_BYTES;
use crate::fan_out::{Invocation, Json, Resolved, Source, Terms, invocation_of};
use crate::ports::PortError;

/// Bytes of one line: a payload that goes by reference may be longer than one that is sent.
const LINE_MAX_BYTES: usize = 4 * SYNC_PAYLOAD_MAX_BYTES;

/// One item of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its place in the list.
    pub index: u64,
    /// Whom to call with what, or why that can't be told.
    pub content: Result<Prepared, String>,
}

/// An item that can be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    pub(super) to: Resolved,
    pub(super) payload: Vec<u8>,
}

/// A list, as it comes. An error is the list's: nothing follows it.
pub struct Items<'a> {
    stream: BoxStream<'a, Result<Item, PortError>>,
    has_many_functions: bool,
}

impl<'a> Items<'a> {
    /// Of one function alone.
    pub fn of_one_function(stream: BoxStream<'a, Result<Item, PortError>>) -> Self {
        Self { stream, has_many_functions: false }
    }

    /// Of functions that each item names.
    pub fn of_many_functions(stream: BoxStream<'a, Result<Item, PortError>>) -> Self {
        Self { stream, has_many_functions: true }
    }

    /// Whether items may be of different functions: then one that waits for room at its own must not hold up
    /// those behind it.
    pub fn have_many_functions(&self) -> bool {
        self.has_many_functions
    }
}

impl Stream for Items<'_> {
    type Item = Result<Item, PortError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(cx)
    }
}

/// What a line of a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A payload.
    Payloads,
    /// An invocation.
    Invocations,
}

impl Prepared {
    fn of(terms: &Terms, invocation: &Invocation, payload: Vec<u8>) -> Result<Self, String> {
        Ok(Self { to: terms.resolve(invocation)?, payload })
    }

    fn of_invocation(terms: &Terms, invocation: &Invocation) -> Result<Self, String> {
        let payload = invocation.payload.as_ref().map(Json::get).unwrap_or_default();
        Self::of(terms, invocation, payload.as_bytes().to_vec())
    }

    /// `number` is the line's.
    fn of_line(terms: &Terms, kind: Kind, number: u64, line: &[u8]) -> Result<Self, String> {
        let wrong = |why: String| format!("line {number}: {why}");
        match kind {
            Kind::Payloads => {
                let checked: Result<&RawValue, _> = serde_json::from_slice(line);
                checked.map_err(|error| wrong(format!("not JSON: {error}")))?;
                Self::of(terms, &Invocation::default(), line.to_vec()).map_err(wrong)
            }
            Kind::Invocations => {
                let json: &RawValue =
                    serde_json::from_slice(line).map_err(|error| wrong(format!("not JSON: {error}")))?;
                let invocation = invocation_of(json.get()).map_err(wrong)?;
                Self::of_invocation(terms, &invocation).map_err(wrong)
            }
        }
    }
}

/// The items of a call, from `first` to before `end`. `None` where the call names an object.
pub fn inline<'a>(source: &'a Source, terms: &'a Terms, first: u64, end: Option<u64>) -> Option<Items<'a>> {
    let from = usize::try_from(first).unwrap_or(usize::MAX);
    let until = end.and_then(|end| usize::try_from(end).ok());
    let bounds = |length: usize| from.min(length)..until.unwrap_or(length).clamp(from.min(length), length);
    let numbered = move |(n, content): (usize, _)| Ok(Item { index: first + n as u64, content });
    match source {
        Source::Payloads(payloads) => {
            let each = move |payload: &Json| {
                Prepared::of(terms, &Invocation::default(), payload.get().as_bytes().to_vec())
            };
            let items = payloads[bounds(payloads.len())].iter().map(each).enumerate().map(numbered);
            Some(Items::of_one_function(stream::iter(items).boxed()))
        }
        Source::Invocations(invocations) => {
            let each = move |invocation: &Invocation| Prepared::of_invocation(terms, invocation);
            let items = invocations[bounds(invocations.len())].iter().map(each).enumerate().map(numbered);
            Some(Items::of_many_functions(stream::iter(items).boxed()))
        }
        Source::PayloadsUri(_) | Source::InvocationsUri(_) => None,
    }
}

/// The items of JSON Lines, perhaps gzipped, from `first` to before `end`. `name` is the file's, for errors.
/// Blank lines are no items. A line that is wrong is an item that can't be sent.
pub async fn lines<'a, R: AsyncBufRead + Send + Unpin + 'a>(
    reader: R,
    name: &str,
    kind: Kind,
    terms: &'a Terms,
    first: u64,
    end: Option<u64>,
) -> Result<Items<'a>, PortError> {
    let mut list = List::open(reader, name).await?;
    list.end = end;
    let items = stream::try_unfold((list, first), move |(mut list, first)| async move {
        while list.index < first {
            if list.next(|_, _| ()).await?.is_none() {
                return Ok(None);
            }
        }
        let index = list.index;
        let content = list.next(|number, line| Prepared::of_line(terms, kind, number, line)).await?;
        Ok(content
            .map(|content| (Item { index, content: content.and_then(|content| content) }, (list, first))))
    });
    Ok(match kind {
        Kind::Payloads => Items::of_one_function(items.boxed()),
        Kind::Invocations => Items::of_many_functions(items.boxed()),
    })
}

/// How many items JSON Lines hold.
pub async fn count_lines<R: AsyncBufRead + Send + Unpin>(reader: R, name: &str) -> Result<u64, PortError> {
    let mut list = List::open(reader, name).await?;
    while list.next(|_, _| ()).await?.is_some() {}
    Ok(list.index)
}

/// Lines that are being read.
struct List<R> {
    source: Unpacked<R>,
    lines: Lines,
    name: String,
    index: u64,
    end: Option<u64>,
    /// Whether the first item is an array.
    is_array: bool,
}

impl<R: AsyncBufRead + Send + Unpin> List<R> {
    async fn open(reader: R, name: &str) -> Result<Self, PortError> {
        let failed = |error| PortError::retryable(READ, format!("{name}: {error}"));
        let source = Unpacked::open(reader).await.map_err(failed)?;
        let lines = Lines::of_at_most(LINE_MAX_BYTES);
        Ok(Self { source, lines, name: name.to_owned(), index: 0, end: None, is_array: false })
    }

    /// What `each` makes of the next line that is not blank, by its number; `None` at the end.
    async fn next<T>(
        &mut self,
        each: impl FnOnce(u64, &[u8]) -> T,
    ) -> Result<Option<Result<T, String>>, PortError> {
        if self.end.is_some_and(|end| self.index >= end) {
            return Ok(None);
        }
        let is_packed = matches!(self.source, Unpacked::Gzip(_));
        loop {
            let (number, line) = match self.lines.next(&mut self.source).await {
                Ok(Some(Line::Of(number, line))) => (number, line),
                Ok(Some(Line::TooLong(number))) => {
                    self.index += 1;
                    let why =
                        format!("line {number}: has more than {LINE_MAX_BYTES} bytes; put its payload on S3");
                    return Ok(Some(Err(why)));
                }
                Ok(None) => {
                    if self.index == 1 && self.is_array {
                        let name = &self.name;
                        tracing::warn!(
                            "{name}: is one line with an array, which is one payload; \
                             for one invocation for each element write one a line, as `jq -c '.[]'` does"
                        );
                    }
                    return Ok(None);
                }
                Err(error) => return Err(broken(&self.name, is_packed, &error)),
            };
            let line = if number == 1 { without_mark(&self.name, line)? } else { line };
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            if self.index == 0 {
                self.is_array = line.starts_with(b"[");
                if is_start_of_more(line) {
                    let message = format!(
                        "{}: its first line is the beginning of JSON over several lines; \
                         write one payload a line, as `jq -c '.[]'` does with an array",
                        self.name
                    );
                    return Err(PortError::permanent(READ, message));
                }
            }
            self.index += 1;
            return Ok(Some(Ok(each(number, line))));
        }
    }
}

/// A byte order mark is no part of JSON, and would make the first item one that can't be read.
fn without_mark<'a>(name: &str, line: &'a [u8]) -> Result<&'a [u8], PortError> {
    if let Some(rest) = line.strip_prefix(b"\xEF\xBB\xBF") {
        tracing::warn!("{name}: begins with a byte order mark, which is left out");
        return Ok(rest);
    }
    if line.starts_with(&ZSTD_MAGIC) {
        let why =
            format!("{name}: is compressed by zstd, which is not unpacked here; unpack it, or use gzip");
        return Err(PortError::permanent(READ, why));
    }
    if line.starts_with(b"\xFF\xFE") || line.starts_with(b"\xFE\xFF") {
        return Err(PortError::permanent(READ, format!("{name}: is UTF-16; write it as UTF-8")));
    }
    Ok(line)
}

/// How a zstd frame begins. Source: RFC 8878, section 3.1.1.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

const READ: &str = "read the list";

/// Whether a first line is an array, or the brace of an object, that does not end in it: a document that was meant
/// as the list. Without a look its first complete line would be invoked as a payload.
fn is_start_of_more(line: &[u8]) -> bool {
    let ends_early =
        || serde_json::from_slice::<&RawValue>(line).is_err_and(|error: serde_json::Error| error.is_eof());
    line == b"{" || (line.starts_with(b"[") && ends_early())
}

/// Gzip data that can't be unpacked stays so; anything else may pass.
fn broken(name: &str, is_packed: bool, error: &std::io::Error) -> PortError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let message = format!("{name}: {error}");
    match error.kind() {
        InvalidData | InvalidInput | UnexpectedEof if is_packed => {
            PortError::permanent(READ, format!("{message}; the gzip data is damaged, write it again"))
        }
        _ => PortError::retryable(READ, message),
    }
}
