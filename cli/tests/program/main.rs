//! The program as a person runs it: real processes, real files, real signals.

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has failed")]

mod again;
mod bad_input;
mod blocked;
mod examples;
mod golden;
mod imported;
mod interrupted;
mod looks;
mod machine;
mod on_a_terminal;
#[cfg(feature = "aws")]
mod place;
mod s3;
mod schemas;
mod stop;
mod support;
mod terminal;
mod two_files;
