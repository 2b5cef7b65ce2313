//! The ports on AWS: one module and one feature a service.

use batchwright_core::{domain, events, ports};

pub mod aws;
