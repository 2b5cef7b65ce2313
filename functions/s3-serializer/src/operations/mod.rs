//! What each operation does.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `bounds` | what is held of one object, and how that is told |
//! | `documents` | `load`, `validate`, `dump`, `convert` |
//! | `looks` | `access`, `info`, `wait`, `copy` |
//! | `list` | `list` |
//! | `many` | the same with many objects, each with its own result |
//! | `places` | URIs, formats and targets of a call |

mod bounds;
mod documents;
mod list;
mod looks;
mod many;
mod places;

use batchwright::function::FunctionError;
use batchwright::ports::Buckets;
use tokio::time::Instant;

use crate::answer::Response;
use crate::call::Call;
use crate::config::Config;
use many::Many;

/// Does what a call asks for, until the end.
pub(crate) async fn run<B: Buckets>(
    buckets: &B,
    config: &Config,
    call: Call,
    end: Instant,
) -> Result<Response, FunctionError> {
    let buckets = &buckets.called_by(call.caller().into());
    let many = Many { buckets, config, end };
    match call {
        Call::Load(call) => documents::load(many, call).await,
        Call::Validate(call) => documents::validate(many, call).await,
        Call::Dump(call) => documents::dump(many, call).await,
        Call::Convert(call) => documents::convert(many, call).await,
        Call::Copy(call) => looks::copy(many, call).await,
        Call::Access(call) => looks::access(many, call).await,
        Call::Info(call) => looks::info(many, call).await,
        Call::Wait(call) => looks::wait(many, call).await,
        Call::List(call) => list::list(many, call).await,
    }
}
