//! `batchwright store relearn`.

use anyhow::Context;
use batchwright::ports::SystemClock;
use batchwright::use_cases::relearn::relearn as learn;

use crate::args::RelearnArgs;
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::stack::Stack;

/// The restored table may lag behind the moment that a person names, and clocks differ.
const EARLIER_MS: i64 = 3_600_000;

/// Has the table of a stack learn from AWS Batch, queue by queue.
pub(crate) async fn relearn(args: &RelearnArgs) -> Result<Exit, Failure> {
    let stack = Stack::find(&args.stack.named()?).await?;
    let since = args.since.plus_millis(-EARLIER_MS);
    let mut surplus = 0;
    for queue in &args.queues {
        let learned = learn(&stack.store, &stack.engine, &SystemClock, queue, since).await;
        let learned = learned.with_context(|| format!("not all of {queue} was learned; ask again"))?;
        surplus += learned.surplus;
        println!(
            "{queue}: {} taken in, {} known, {} of other programs, {} left out because another is under way",
            human::count(learned.taken_in, "submission"),
            learned.known,
            learned.strangers,
            learned.surplus
        );
    }
    Ok(if surplus > 0 { Exit::JobsFailed } else { Exit::Well })
}
