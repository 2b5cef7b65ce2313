//! The list.

use batchwright_lines::lines::{Line, Lines};
use batchwright_lines::source::Source as Unpacked;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::AsyncBufRead;

use crate::fan_out::limits::SYNC_PAYLOAD_MAX_BYTES;
use crate::fan_out::{FunctionName, Invocation, Source, Terms, invocation_of};
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
    pub(super) function: FunctionName,
    pub(super) qualifier: Option<String>,
    pub(super) client_context: Option<String>,
    pub(super) payload: Vec<u8>,
}

/// A list, as it comes. An error is the list's: nothing follows it.
pub type Items<'a> = BoxStream<'a, Result<Item, PortError>>;

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
        let (function, qualifier, client_context) = terms.resolve(invocation)?;
        Ok(Self { function, qualifier, client_context, payload })
    }

    fn of_invocation(terms: &Terms, invocation: &Invocation) -> Result<Self, String> {
        let payload = invocation.payload.as_ref().map(ToString::to_string).unwrap_or_default();
        Self::of(terms, invocation, payload.into_bytes())
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
                let value: Value =
                    serde_json::from_slice(line).map_err(|error| wrong(format!("not JSON: {error}")))?;
                let invocation = invocation_of(value).map_err(wrong)?;
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
            let each = move |payload: &Value| {
                Prepared::of(terms, &Invocation::default(), payload.to_string().into_bytes())
            };
            let items = payloads[bounds(payloads.len())].iter().map(each).enumerate().map(numbered);
            Some(stream::iter(items).boxed())
        }
        Source::Invocations(invocations) => {
            let each = move |invocation: &Invocation| Prepared::of_invocation(terms, invocation);
            let items = invocations[bounds(invocations.len())].iter().map(each).enumerate().map(numbered);
            Some(stream::iter(items).boxed())
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
    Ok(items.boxed())
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
}

impl<R: AsyncBufRead + Send + Unpin> List<R> {
    async fn open(reader: R, name: &str) -> Result<Self, PortError> {
        let failed = |error| PortError::retryable("read the list", format!("{name}: {error}"));
        let source = Unpacked::open(reader).await.map_err(failed)?;
        let lines = Lines::of_at_most(LINE_MAX_BYTES);
        Ok(Self { source, lines, name: name.to_owned(), index: 0, end: None })
    }

    /// What `each` makes of the next line that is not blank, by its number; `None` at the end.
    async fn next<T>(
        &mut self,
        each: impl FnOnce(u64, &[u8]) -> T,
    ) -> Result<Option<Result<T, String>>, PortError> {
        if self.end.is_some_and(|end| self.index >= end) {
            return Ok(None);
        }
        loop {
            match self.lines.next(&mut self.source).await {
                Ok(None) => return Ok(None),
                Ok(Some(Line::Of(_, line))) if line.trim_ascii().is_empty() => {}
                Ok(Some(Line::Of(number, line))) => {
                    self.index += 1;
                    return Ok(Some(Ok(each(number, line.trim_ascii()))));
                }
                Ok(Some(Line::TooLong(number))) => {
                    self.index += 1;
                    let why =
                        format!("line {number}: has more than {LINE_MAX_BYTES} bytes; put its payload on S3");
                    return Ok(Some(Err(why)));
                }
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    /// Gzip data that can't be unpacked stays so; anything else may pass.
    fn broken(&self, error: &std::io::Error) -> PortError {
        let message = format!("{}: {error}", self.name);
        let is_packed = matches!(self.source, Unpacked::Gzip(_));
        match error.kind() {
            std::io::ErrorKind::InvalidData
            | std::io::ErrorKind::InvalidInput
            | std::io::ErrorKind::UnexpectedEof
                if is_packed =>
            {
                PortError::permanent(
                    "read the list",
                    format!("{message}; the gzip data is damaged, write it again"),
                )
            }
            _ => PortError::retryable("read the list", message),
        }
    }
}
