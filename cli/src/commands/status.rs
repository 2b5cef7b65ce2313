//! `batchwright status`.

use anyhow::{Context, anyhow};
use batchwright::domain::JobName;
use batchwright::ports::JobQueries;
use batchwright::use_cases::queries::children_ended;

use crate::args::{Output, StatusArgs};
use crate::exit::{Exit, Failure};
use crate::output::job_view::JobView;
use crate::output::try_view::{TryView, tries};
use crate::output::{human, table};

pub(crate) async fn status<S: JobQueries>(store: &S, args: &StatusArgs) -> Result<Exit, Failure> {
    if let Some(name) = &args.name {
        return status_of(store, name, args.shown.output).await;
    }
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

/// One job with each of its tries.
async fn status_of<S: JobQueries>(store: &S, name: &JobName, output: Output) -> Result<Exit, Failure> {
    let job = store.job(name).await.context("the job can't be read")?;
    let job = job.ok_or_else(|| Failure::Broken(anyhow!("no job is named {name}")))?;
    let mut known = Vec::new();
    for job_id in &job.head.job_tries {
        known.extend(store.submission(job_id).await.context("the job's tries can't be read")?);
    }
    let find = |job_id: &_| known.iter().find(|submission| submission.state.job_id == *job_id).cloned();
    let children_ended = children_ended(store, &job).await.context("the array's children can't be read")?;
    let view = JobView { children_ended, tries: TryView::of(&job.head, find), ..JobView::of(&job) };
    if output != Output::Table {
        println!("{}", serde_json::to_string(&view).context("the job can't be written as JSON")?);
        return Ok(Exit::Well);
    }
    println!("{}", table::rendered(table::jobs(std::slice::from_ref(&view))));
    if !view.tries.is_empty() {
        println!("\n{}", table::rendered(tries(&view.tries)));
    }
    Ok(Exit::Well)
}
