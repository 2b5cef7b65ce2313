//! `batchwright status`.

use anyhow::Context;
use batchwright::domain::{Job, JobName, JobStatus, Run, StatusCounts};
use batchwright::ports::{JobQueries, RunStore};
use batchwright::use_cases::array_counts::array_counts;

use super::{no_such_job, runs};
use crate::args::{Output, StatusArgs};
use crate::exit::{Exit, Failure};
use crate::output::job_view::JobView;
use crate::output::try_view::{TryView, tries};
use crate::output::{human, table};
use crate::selection::{Named, for_each_job, named};

pub(crate) async fn status<S: JobQueries + RunStore>(store: &S, args: &StatusArgs) -> Result<Exit, Failure> {
    let output = args.shown.output;
    let Some(word) = &args.what else {
        let counts = store.count_by_status().await.context("the jobs can't be counted")?;
        show_counts(None, &counts, output);
        return Ok(Exit::Well);
    };
    let found = named(store, word).await?;
    if let Some(name) = found.one_job(word, output) {
        return status_of(store, name, output).await;
    }
    let run = if let Named::Run(run) = found { Some(*run) } else { None };
    let mut counts = StatusCounts::default();
    let count = &mut async |_, job: Option<Job>| {
        match job.as_ref().and_then(Job::status) {
            Some(status) => counts[status] += 1,
            None => counts.unsubmitted += 1,
        }
        Ok(())
    };
    for_each_job(store, std::slice::from_ref(word), count).await?;
    show_counts(run.as_ref(), &counts, output);
    Ok(Exit::Well)
}

fn show_counts(run: Option<&Run>, counts: &StatusCounts, output: Output) {
    if output != Output::Table {
        let mut told = serde_json::json!({"counts": counts, "total": counts.total()});
        if let Some(run) = run {
            told["run"] = serde_json::json!(runs::told(run));
        }
        println!("{told}");
        return;
    }
    if let Some(run) = run {
        println!("{}", table::rendered(runs::table(std::slice::from_ref(run))));
        if let Some(cancellation) = &run.cancellation {
            let when = cancellation.requested_at.to_rfc3339_seconds();
            println!("{} at {when}: {}", run.state, cancellation.reason);
        }
        println!("");
    }
    let mut rows = table::table(&["STATUS", "JOBS"]);
    for (status, count) in counts.iter() {
        rows.add_row([status.to_string(), count.to_string()]);
    }
    if counts.unsubmitted > 0 {
        rows.add_row(["not submitted".to_owned(), counts.unsubmitted.to_string()]);
    }
    println!("{}\n{} in all", table::rendered(rows), human::count(counts.total(), "job"));
}

/// One job with each of its tries.
async fn status_of<S: JobQueries>(store: &S, name: &JobName, output: Output) -> Result<Exit, Failure> {
    let job = store.job(name).await.context("the job can't be read")?.ok_or_else(|| no_such_job(name))?;
    let mut known = Vec::new();
    for job_id in &job.head.job_tries {
        known.extend(store.submission(job_id).await.context("the job's tries can't be read")?);
    }
    let find = |job_id: &_| known.iter().find(|submission| submission.state.job_id == *job_id).cloned();
    let children = array_counts(store, &job).await.context("the array's children can't be read")?;
    let view = JobView { tries: TryView::of(&job.head, find), children, ..JobView::of(&job) };
    if output != Output::Table {
        println!("{}", serde_json::to_string(&view).context("the job can't be written as JSON")?);
        return Ok(Exit::Well);
    }
    println!("{}", table::rendered(table::jobs(std::slice::from_ref(&view))));
    if let Some(children) = &view.children {
        let counts = children.counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts.map(|(status, count)| format!("{count} {status}")).collect();
        println!(
            "\n{}: {}",
            human::count(children.size.into(), "child").replace("childs", "children"),
            counts.join(", ")
        );
        let failed = children.counts[JobStatus::Failed];
        if failed > children.failed.len() as u64 {
            println!(
                "the first {} that FAILED are told; --output json has their reasons",
                children.failed.len()
            );
        }
    }
    if !view.tries.is_empty() {
        println!("\n{}", table::rendered(tries(&view.tries)));
    }
    Ok(Exit::Well)
}
