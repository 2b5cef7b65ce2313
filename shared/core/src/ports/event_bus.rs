//! Where others are told of what has happened.

use std::future::Future;

use super::PortError;
use crate::events::Announcement;

/// An event bus.
pub trait EventBus: Send + Sync {
    /// Puts events. They are delivered at least once, in any order. Errs where one of them was not taken: then put
    /// all of them again.
    fn put(&self, events: &[Announcement]) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBus;

impl EventBus for NoBus {
    async fn put(&self, _: &[Announcement]) -> Result<(), PortError> {
        Ok(())
    }
}
