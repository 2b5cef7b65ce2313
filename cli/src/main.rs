//! The program `batchwright`.
fn main() {}
