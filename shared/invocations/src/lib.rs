//! Many functions invoked at once: the rules in [`fan_out`], the loop over ports in [`use_cases::fan_out`].

use batchwright_core::{domain, ports};

pub mod fan_out;
pub mod use_cases;

#[cfg(all(test, feature = "schema"))]
use batchwright_core::schema;
#[cfg(test)]
use batchwright_stores::memory;
