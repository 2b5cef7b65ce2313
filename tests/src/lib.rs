//! What the suites under `tests/` share.

pub mod aio_aws;
pub mod broken_s3;
pub mod browser;
pub mod bus;
pub mod contract;
pub mod crash;
pub mod emulators;
pub mod fake_lambda;
pub mod fault_proxy;
pub mod invoke;
pub mod loopback;
pub mod model;
pub mod npm;
pub mod podman;
pub mod processes;
pub mod public_api;
pub mod recorded;
pub mod runtime_api;
pub mod schema;
pub mod shifted_clock;
pub mod slow_link;
pub mod small_stack;
pub mod stack;
pub mod template;
pub mod wire;
pub mod world;
