//! The program as a person runs it: real processes, real files, real signals.

mod bad_input;
mod examples;
mod interrupted;
mod support;
