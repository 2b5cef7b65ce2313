//! The same with many objects, each with its own result.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use batchwright::function::FunctionError;
use batchwright::objects::{Failure, each};
use batchwright::ports::Buckets;
use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::bounds::in_a_call;
use crate::answer::{Entry, OperationResult, Response};
use crate::config::Config;
use crate::sink::Sink;

/// Where a call reaches, and until when.
pub(super) struct Many<'a, B> {
    pub(super) buckets: &'a B,
    pub(super) config: &'a Config,
    pub(super) end: Instant,
}

impl<B: Buckets> Many<'_, B> {
    /// For work that ends by itself in time, and tidies up: it is not dropped.
    pub(super) fn settling(&self) -> Self {
        Self { end: self.end + Duration::from_secs(3_600), ..*self }
    }

    pub(super) async fn run<'i, T, F: Future<Output = Result<OperationResult, Failure>>>(
        &self,
        items: &'i [T],
        name: impl Fn(&'i T) -> &'i str,
        concurrency: usize,
        results_uri: Option<String>,
        work: impl Fn(&'i T) -> F,
    ) -> Result<Response, FunctionError> {
        let names = items.iter().map(&name);
        let mut sink = Sink::open(self.buckets, self.config, results_uri.as_deref(), names).await?;
        let mut results = pin!(each(items, concurrency, Some(self.end), work));
        let mut names = items.iter().map(&name);
        while let (Some(became), Some(uri)) = (results.next().await, names.next()) {
            if let Err(error) = sink.push(Entry::of(uri.to_owned(), became.map_err(in_a_call))).await {
                sink.abort().await;
                return Err(error);
            }
        }
        sink.finish().await
    }
}
