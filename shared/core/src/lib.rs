//! The words and the rules of batchwright, and what they need of the world. Every other crate stands on this one;
//! it knows of no adapter, no job file and no function.
//!
//! - [`domain`]: names, statuses, the job's spec, and every rule, pure and synchronous.
//! - [`events`]: the shapes in which AWS delivers Batch and S3 events.
//! - [`json`]: values as JSON, where what JSON can't hold is refused.
//! - [`ports`]: what the use cases need, in our own types.

pub mod domain;
pub mod events;
pub mod json;
pub mod ports;
#[cfg(feature = "schema")]
pub mod schema;
mod with;
