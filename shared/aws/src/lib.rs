//! The ports on AWS: one module and one feature a service.

use batchwright_core::{domain, events, ports};
#[cfg(feature = "dynamodb")]
use batchwright_stores::memory;

pub mod aws;
