//! Many at once.

use std::future::Future;

use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use super::failure::Failure;

/// Does the same with each, up to `concurrency` at once. The results come in the order of the items, and
/// one that fails takes no other with it. What is not done by the end fails with the time; what has not
/// begun by then never does.
pub fn each<I, T, F>(
    items: I,
    concurrency: usize,
    end: Option<Instant>,
    work: impl Fn(I::Item) -> F,
) -> impl Stream<Item = Result<T, Failure>>
where
    I: IntoIterator,
    F: Future<Output = Result<T, Failure>>,
{
    stream::iter(items).map(move |item| by(end, work(item))).buffered(concurrency.max(1))
}

/// What is done by the end, if there is one.
pub(super) async fn by<T>(
    end: Option<Instant>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match end {
        None => work.await,
        Some(end) if Instant::now() >= end => Err(Failure::time_over()),
        Some(end) => timeout_at(end, work).await.unwrap_or_else(|_| Err(Failure::time_over())),
    }
}
