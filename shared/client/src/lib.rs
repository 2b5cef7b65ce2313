//! The front door for programs that keep a process: submit jobs once, follow them, stop them, read their logs.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `config` | [`Config`]: everything that can be set |
//! | `client` | [`Client`]: made from one config, shared by its clones |
//! | `connect` | the ways to make one: AWS, this machine, a simulation, parts of your own |
//! | `submit`, `follow`, `stop`, `logs`, `find`, `adopt` | what a client does |
//! | `aio_aws` | [`Client::import`]: what aio-aws has kept in TinyDB or Redis |
//! | `restore` | [`store::restore`]: jobs put back from an export |
//! | `take_in` | submissions of other programs, put into the store |
//! | `limited` | the limit of calls under way, and their retries |
//! | `any` | stores, engines and logs chosen at run time |
//! | `store` | [`store::open`]: a store by its URL |
//! | `documents`, `files` | [`Documents`] of S3, and in files, as values |
//! | `functions`, `fan_out` | [`Functions`] of AWS Lambda, one, many, and lists that outlive the process |
//! | `dates`, `uuids` | dates of HTTP headers, and unique ids |
//! | `blocking` | the same for programs without a runtime |

use batchwright_core::{domain, events, ports};
#[cfg(feature = "local")]
use batchwright_local::engine;

mod adopt;
pub mod aio_aws;
mod any;
pub mod blocking;
mod client;
mod config;
#[cfg(any(feature = "aws", feature = "local"))]
mod connect;
pub mod dates;
#[cfg(feature = "serializer")]
mod documents;
mod error;
#[cfg(feature = "fan-out")]
mod fan_out;
#[cfg(feature = "serializer")]
pub mod files;
mod find;
mod follow;
mod functions;
mod limited;
mod logs;
mod reports;
mod restore;
mod stop;
pub mod store;
mod submit;
mod take_in;
pub mod uuids;

pub use any::{AnyEngine, AnyLogSource, AnyStore, Store};
pub use client::Client;
pub use config::Config;
#[cfg(feature = "serializer")]
pub use documents::Documents;
pub use error::ClientError;
#[cfg(feature = "fan-out")]
pub use fan_out::FannedOut;
pub use functions::Functions;
pub use submit::{Ran, Submitted};

// What a client hands out of the crates below it.
pub use batchwright_control::use_cases::queries::JobToRun;
pub use batchwright_control::use_cases::run_file::ReportOutcome;
pub use batchwright_control::use_cases::stop::{StopLine, StopOutcome};
pub use batchwright_job_files::job_file::JobFileError;
