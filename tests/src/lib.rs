//! What the suites under `tests/` share.

pub mod contract;
pub mod emulators;
pub mod wire;
