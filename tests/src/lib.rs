//! What the suites under `tests/` share.

pub mod contract;
pub mod emulators;
pub mod loopback;
pub mod npm;
pub mod recorded;
pub mod runtime_api;
pub mod schema;
pub mod stack;
pub mod template;
pub mod wire;
pub mod world;
