//! Invokes the functions of a list, each once, and keeps one result for each.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `items` | the list, from a call or as lines |
//! | `invoke_all` | the loop: what is started, tried again, settled |
//! | `attempt` | one request |
//! | `ledger` | what a loop writes down; `StreamedLedger`, for results that nothing is resumed from |
//! | `results_file`, `digest` | results in a file of this machine, from which a run goes on |
//! | `checkpointed` | results on S3, so that another invocation can go on |
//! | `place` | keys of a fan-out's objects |
//! | `take_up` | a fan-out that is begun, or gone on with |
//! | `finish` | the results of all parts together |
//! | `tree` | a list that is split among copies |
//!
//! # How a fan-out survives being killed
//!
//! Its objects lie under `fan-out/runs/<runId>/`: a checkpoint, parts with results, and what an order needs
//! to be gone on with. The checkpoint divides the list by two indices, and knows which items between
//! them have their result in a part too (`done`):
//!
//! ```text
//!   0 ........ next ............ started ........ end
//!   result in   may have been     not started
//!   a part      started
//! ```
//!
//! 1. Before an item is invoked, a checkpoint whose `started` lies behind it is saved. It lies as far behind as there is room
//!    for more calls, so that no more is in doubt than could be in flight. With `checkpointsAhead` it lies some further where
//!    calls are short, because they would wait for checkpoints else.
//! 2. Results are brought into order as far as memory allows. A part with some is written, then the checkpoint that
//!    counts it. A part's key is made of its number and the generation, so that a part without a checkpoint is never
//!    read.
//! 3. Whoever takes a fan-out up saves the checkpoint with a generation of its own first. Every save is on
//!    condition that nobody else has saved since: an invocation that was believed dead and is not fails
//!    at its next save, before it starts anything more. So no item is started by two of them.
//! 4. Items from `next` to `started` are then those of which nobody knows. They are invoked again only
//!    where the call is `idempotent`; else their result is `UNKNOWN`.
//!
//! A fan-out that stops by itself, before its deadline, leaves nothing in doubt: it waits for the
//! answers that are under way, and tells which items only wait for another attempt (`open`). Results that are in
//! no part yet are put aside (`early`) with each checkpoint, so that a kill puts those items alone in doubt that
//! were in flight or about to start. An answer that does not come until the very end of its time is an answer
//! that was lost.
//!
//! A lease in the checkpoint, renewed while the loop runs, keeps a second invocation from taking over a
//! fan-out that is alive. It saves work only: that nothing is started twice does not hang on clocks.

mod attempt;
mod checkpointed;
mod digest;
mod finish;
mod invoke_all;
mod items;
mod ledger;
mod place;
mod results_file;
mod take_up;
#[cfg(test)]
mod tests;
mod tree;

pub use digest::digest_list;
pub use finish::{Results, finish};
pub use invoke_all::{Came, Ended, Start, Stop, invoke_all};
pub use items::{Item, Items, Kind, count_lines, inline, lines};
pub use ledger::{Kept, LastStep, Ledger, LineWriter, Note, Plain, Step, StreamedLedger};
pub use place::{PREFIX, RunPlace, readable, writable};
pub use results_file::{ResultsFile, StandardOutput, Wanted};
pub use take_up::{End, FanOut, StoredOrder, load_order, run_fan_out, store_order};
pub use tree::{Branch, Tree, plan_tree};

use crate::ports::PortError;

/// How long a fan-out of which nothing is heard is believed to run.
const LEASE_MS: i64 = 45_000;

/// Between two signs of life.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(15);

/// Why a fan-out did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum FanOutError {
    /// It can't be done as it was asked for.
    #[error("{0}")]
    Refused(String),
    /// It can't go on, and nothing more is started: the reason is told once, and not of each item.
    #[error("{0}")]
    Halted(String),
    /// Another invocation has taken it over.
    #[error("the fan-out {0} was taken over by another invocation")]
    TakenOver(String),
    /// A port failed; called again, it goes on.
    #[error(transparent)]
    Port(#[from] PortError),
}
