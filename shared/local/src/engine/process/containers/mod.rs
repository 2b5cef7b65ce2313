//! Attempts as containers of docker or podman.
//!
//! The engine says what `create` is to be told, and the attendant calls the runtime: `create`, `start`,
//! `logs --follow`, `wait`, `inspect`, `rm`. Containers have names and labels by which they are found again.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `runtime` | which runtime there is, and how its command line is called |
//! | `arguments` | what a job definition says, as arguments of `create` |
//! | `reasons` | why a container did not run or was ended, in the words of ECS |

mod arguments;
mod reasons;
mod runtime;

pub(super) use arguments::{Names, create};
pub(super) use reasons::{OUT_OF_MEMORY, told};
pub(super) use runtime::Kind;
pub use runtime::{ContainerRuntime, NoRuntime};
