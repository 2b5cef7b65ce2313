//! An event bus of Amazon EventBridge.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};

use super::error::{Effect, port_error};
use crate::events::{Announcement, SOURCE};
use crate::ports::{EventBus, PortError};

const OPERATION: &str = "PutEvents";

/// Codes of an entry that may be taken later. Source: the API reference of `PutEvents`, `PutEventsResultEntry`.
const PASSING: [&str; 2] = ["InternalFailure", "ThrottlingException"];

/// Puts events on one bus.
#[derive(Debug, Clone)]
pub struct EventBridgeBus {
    client: Client,
    bus: Option<String>,
    stack: String,
}

impl EventBridgeBus {
    /// `bus` is a name or an ARN; without one, nobody is told. `stack` is the name of the stack that tells.
    pub fn new(client: Client, bus: Option<String>, stack: impl Into<String>) -> Self {
        Self { client, bus, stack: stack.into() }
    }
}

impl EventBus for EventBridgeBus {
    async fn put(&self, events: &[Announcement]) -> Result<(), PortError> {
        let Some(bus) = self.bus.as_ref().filter(|_| !events.is_empty()) else { return Ok(()) };
        let entries: Result<Vec<PutEventsRequestEntry>, PortError> =
            events.iter().map(|event| entry(bus, &self.stack, event)).collect();
        let answer = self.client.put_events().set_entries(Some(entries?)).send().await;
        let answer = answer.map_err(|error| port_error(OPERATION, Effect::Idempotent, error))?;
        // The status is 200 though entries were refused.
        answer.entries().iter().find_map(refused).map_or(Ok(()), Err)
    }
}

fn entry(bus: &str, stack: &str, event: &Announcement) -> Result<PutEventsRequestEntry, PortError> {
    let detail = event.detail(stack).map_err(|why| PortError::permanent(OPERATION, why))?;
    let entry = PutEventsRequestEntry::builder().event_bus_name(bus).source(SOURCE);
    Ok(entry.detail_type(event.detail_type()).detail(detail).build())
}

fn refused(entry: &PutEventsResultEntry) -> Option<PortError> {
    let code = entry.error_code()?;
    let why = format!("{code}: {}", entry.error_message().unwrap_or("no message"));
    Some(if PASSING.contains(&code) {
        PortError::retryable(OPERATION, why)
    } else {
        PortError::permanent(OPERATION, why)
    })
}
