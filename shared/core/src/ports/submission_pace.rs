//! How fast jobs may be submitted.

use std::future::Future;

/// Holds submissions back. It is asked before a claim is made, so that no claim grows old waiting.
pub trait SubmissionPace: Send + Sync {
    /// Returns when the next job may be submitted.
    fn admit(&self) -> impl Future<Output = ()> + Send;

    /// Batch says that it was too much.
    fn throttled(&self) {}
}

/// Submits as fast as it goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unpaced;

impl SubmissionPace for Unpaced {
    async fn admit(&self) {}
}
