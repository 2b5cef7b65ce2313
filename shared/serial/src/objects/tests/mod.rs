//! The use cases over buckets in memory.

mod broken;
mod converting;
mod looking;

use crate::domain::{S3Prefix, S3Uri};
use crate::memory::InMemoryBuckets;

pub(super) fn uri(text: &str) -> S3Uri {
    S3Uri::parse(text).unwrap()
}

pub(super) fn place(text: &str) -> S3Prefix {
    S3Prefix::parse(text).unwrap()
}

/// Buckets with these objects.
pub(super) fn buckets(objects: &[(&str, &str)]) -> InMemoryBuckets {
    let buckets = InMemoryBuckets::with(["b", "empty"]);
    for (name, text) in objects {
        buckets.put(&uri(name), "application/octet-stream", text);
    }
    buckets
}
