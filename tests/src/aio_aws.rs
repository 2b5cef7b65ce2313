//! The page for those who come from aio-aws, so that its pieces of Rust are compiled with the tests of documents, and
//! its paths are resolved with rustdoc: a path that leads nowhere is a link that leads nowhere.
//!
#![doc = include_str!("../../docs/aio-aws.md")]
//!
//! ## Every path of the page
//!
#![doc = include_str!("aio_aws_paths.md")]

#[expect(unused_imports, reason = "the paths begin here")]
use batchwright::*;
