//! What every adapter of a port must do, as suites that run on any of them. A suite takes a function
//! that makes an empty adapter, and relies on nothing that the port does not promise.
//!
//! | suite | port |
//! | --- | --- |
//! | [`job_store::holds`] | `JobStore`, by the five suites of its ports |
//! | [`run_store::holds`] | `RunStore` |
//! | [`object_store::holds`] | `ObjectStore` |
//! | [`checkpoint_store::holds`] | `CheckpointStore` |
//! | [`buckets::holds`] | `Buckets` |

pub mod buckets;
pub mod checkpoint_store;
pub mod fixtures;
pub mod job_store;
pub mod object_store;
pub mod run_store;

/// Runs each case on an adapter of its own; the first that errs is named.
macro_rules! run_cases {
    ($make:expr; $($case:path),+ $(,)?) => {{
        $({
            let adapter = $make().await.context("making an empty adapter")?;
            // A closure's frame is its own: else the futures of all cases stand on one stack at once.
            let case = || Box::pin($case(&adapter));
            case().await.context(stringify!($case))?;
        })+
        Ok(())
    }};
}
pub(crate) use run_cases;
