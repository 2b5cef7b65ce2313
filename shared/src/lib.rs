//! A control plane for AWS Batch.
//!
//! Dependencies point one way: [`use_cases`] call [`ports`], which speak in the types of [`domain`].
//! Adapters implement the ports: [`memory`], and, each behind a feature of its own, `sqlite`, `directory` and
//! `engine` (the embedded job engine).
//!
//! - [`domain`]: names, statuses, the job's spec, and every rule, pure and synchronous.
//! - [`job_file`]: job files, read as a stream, checked, with the line and field of what is wrong.
//! - [`events`]: the shapes in which AWS delivers Batch and S3 events.
//! - [`fan_out`]: the rules of invoking many functions at once.
//! - `objects`: what is done with objects of S3, and `serial`: their formats.
//! - [`use_cases`]: submit, record a state, collect logs, reconcile, run a file.

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "local")]
pub mod directory;
pub mod domain;
#[cfg(feature = "local")]
pub mod engine;
pub mod events;
pub mod fan_out;
#[cfg(feature = "function")]
pub mod function;
pub mod job_file;
#[cfg(all(feature = "local", feature = "sqlite"))]
pub mod local;
pub mod memory;
#[cfg(feature = "serializer")]
pub mod objects;
pub mod ports;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(feature = "serializer")]
pub mod serial;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod use_cases;
#[cfg(feature = "wire")]
pub mod wire;
mod yaml;
