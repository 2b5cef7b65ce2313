//! Formats as streams ([`serial`]), and what is done with objects of any bucket ([`objects`]).

use batchwright_core::{domain, ports};

pub mod objects;
pub mod serial;

#[cfg(test)]
use batchwright_stores::memory;
