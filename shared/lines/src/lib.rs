//! The bytes and the lines of a file: unpacked where it is gzipped, each line within a limit.

pub mod lines;
pub mod source;
