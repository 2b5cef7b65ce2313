//! Adapters for AWS, one module and one feature a service.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `clients` | the one place where clients are configured: behaviour version, TLS, time-outs, retries, endpoints |
//! | `error` | the one place where an SDK error becomes throttled, retryable, ambiguous or permanent |
//! | `dynamodb` | the job store and the run store |

mod clients;
#[cfg(feature = "aws-dynamodb")]
pub mod dynamodb;
mod error;

pub use clients::{Connection, connect};
