//! The bytes and the lines of a file that may be gzipped. Lines have a limit, so that one endless line does not
//! fill the memory.

pub mod lines;
pub mod source;
