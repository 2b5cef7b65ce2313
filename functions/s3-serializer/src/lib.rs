//! The S3 serializer: documents and sequences in S3, for callers that would rather not read them themselves.
//!
//! | what wakes it | what it does | what it answers |
//! | --- | --- | --- |
//! | `{"operation": "load", "uris": […]}` | reads objects | their values as JSON |
//! | `{"operation": "dump", "items": [{"to", "value"}]}` | writes values | digests and counts |
//! | `{"operation": "convert", "items": [{"uri", "to"}]}` | converts as streams, of any length | digests and counts |
//! | `{"operation": "validate", "uris": […]}` | reads to the end | what is wrong, and where |
//! | `{"operation": "access" or "info", "uris": […]}` | one `HEAD` each, of objects or buckets | yes or no; what is said of it |
//! | `{"operation": "list", "uri": "s3://…"}` | lists, with filters | a page, and where the next one starts |
//! | `{"operation": "copy", "items": [{"uri", "to"}]}` | has S3 copy | etags |
//! | `{"operation": "wait", "uris": […]}` | looks until the objects are there | what is said of them |
//!
//! Each URI has its own result, and one that fails takes no other with it. With `resultsUri` the results
//! are written as JSON Lines, where they would not fit into an answer. Every call takes a `caller` (requester pays,
//! unsigned), and those that write take `settings` (ACL, storage class, encryption, tags, metadata, …). An error of the function itself
//! means that the call can't be read, or its results can't be written.

mod answer;
mod call;
mod config;
mod fields;
mod handler;
mod operations;
#[cfg(feature = "schema")]
pub mod schema;
mod sink;
mod start;

pub use answer::{Entry, OperationResult, Response};
pub use call::Call;
pub use config::{Allowed, Config};
pub use handler::handle;
pub use start::start;
