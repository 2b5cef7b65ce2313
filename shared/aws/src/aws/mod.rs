//! Adapters for AWS, one module and one feature a service.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `batch` | `BatchJobEngine`: the jobs |
//! | `clients` | the one place where clients are configured: behaviour version, time-outs, retries, endpoints |
//! | `events` | `EventBridgeBus`: who is told of ends |
//! | `http` | what their requests go over: connections, keep-alive, TLS and whom it trusts |
//! | `lambda` | `LambdaInvoker`, `LambdaCaller`: the functions |
//! | `logs` | `CloudWatchLogSource`: the jobs' logs |
//! | `profile` | the credentials of a profile that somebody named |
//! | `s3` | `S3ObjectStore`: archives, reports and job files; `S3Buckets`: any object |
//! | `error` | the one place where an SDK error becomes throttled, retryable, ambiguous or permanent |
//! | `dynamodb` | the job store and the run store |

#[cfg(feature = "batch")]
mod batch;
mod clients;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
mod error;
#[cfg(feature = "events")]
mod events;
mod http;
#[cfg(feature = "lambda")]
mod lambda;
#[cfg(feature = "logs")]
mod logs;
mod profile;
#[cfg(feature = "s3")]
mod s3;

#[cfg(feature = "batch")]
pub use batch::BatchJobEngine;
pub use clients::{Connection, connect};
#[cfg(feature = "s3")]
pub use clients::{accelerated_s3_client, connect_unsigned, s3_client};
pub use error::in_words;
#[cfg(feature = "events")]
pub use events::EventBridgeBus;
pub use http::Roots;
#[cfg(feature = "lambda")]
pub use lambda::{Answer, LambdaCaller, LambdaInvoker};
#[cfg(feature = "logs")]
pub use logs::CloudWatchLogSource;
#[cfg(feature = "s3")]
pub use s3::{
    CopyLimits, OpenUpload, S3Buckets, S3ObjectReader, S3ObjectStore, S3ObjectWriter, UploadJournal,
};
