//! What a network does to calls and events, by a seed: decorators for tests and simulations.

mod engine;
mod events;

pub use engine::{FaultPlan, FaultyEngine};
pub use events::{EventCounts, EventFaults, FaultyEvents};
