//! `batchwright status`.

use anyhow::Context;
use batchwright::ports::JobStore;

use crate::args::{Output, StatusArgs};
use crate::exit::{Exit, Failure};
use crate::output::{human, table};

pub(crate) async fn status<S: JobStore>(store: &S, args: &StatusArgs) -> Result<Exit, Failure> {
    let counts = store.count_by_status().await.context("the jobs can't be counted")?;
    if args.shown.output != Output::Table {
        println!("{}", serde_json::json!({"counts": counts, "total": counts.total()}));
        return Ok(Exit::Well);
    }
    let mut rows = table::table(&["STATUS", "JOBS"]);
    for (status, count) in counts.iter() {
        rows.add_row([status.to_string(), count.to_string()]);
    }
    if counts.unsubmitted > 0 {
        rows.add_row(["not submitted".to_owned(), counts.unsubmitted.to_string()]);
    }
    println!("{}\n{} in all", table::rendered(rows), human::count(counts.total(), "job"));
    Ok(Exit::Well)
}
