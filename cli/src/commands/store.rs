//! `batchwright store`.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::Context;
use batchwright::domain::{Job, JobHead, JobName, JobStatus, Submission};
use batchwright::ports::{JobQueries, JobRemoval, RunStore};
use batchwright::use_cases::queries::for_each_submission_of;
use serde::Serialize;

use super::confirm::{is_confirmed, somebody_can_answer};
use crate::args::{ExportArgs, RemoveArgs};
use crate::exit::{Exit, Failure};
use crate::output::human;
use crate::selection::for_each_job;

/// One line of an export.
#[derive(Serialize)]
struct Line<'a> {
    head: &'a JobHead,
    submissions: &'a [Submission],
}

pub(crate) async fn export<S: JobQueries + RunStore>(store: &S, args: &ExportArgs) -> Result<Exit, Failure> {
    let mut out: BufWriter<Box<dyn Write>> = BufWriter::new(match &args.out {
        None => Box::new(io::stdout()),
        Some(path) => {
            let file = File::create(path);
            Box::new(file.map_err(|error| Failure::Rejected(format!("{}: {error}", path.display())))?)
        }
    });
    let mut jobs: u64 = 0;
    let write = &mut async |_: JobName, job: Option<Job>| {
        let Some(job) = job else { return Ok(()) };
        let mut submissions = Vec::new();
        for_each_submission_of(store, job.name(), |submission| submissions.push(submission))
            .await
            .context("the submissions can't be read")?;
        job.head.sort_submissions(&mut submissions);
        let line = Line { head: &job.head, submissions: &submissions };
        serde_json::to_writer(&mut out, &line).context("stdout")?;
        out.write_all(b"\n").context("stdout")?;
        jobs += 1;
        Ok(())
    };
    for_each_job(store, &args.what, write).await?;
    out.flush().context("stdout")?;
    if let Some(path) = &args.out {
        println!("{}: {}", path.display(), human::count(jobs, "job"));
    }
    Ok(Exit::Well)
}

pub(crate) async fn remove<S>(store: &S, args: &RemoveArgs) -> Result<Exit, Failure>
where
    S: JobQueries + JobRemoval + RunStore,
{
    let (mut names, mut left) = (Vec::new(), 0_u64);
    let choose = &mut async |name: JobName, job: Option<Job>| {
        match job.map(|job| is_under_way(&job)) {
            Some(false) => names.push(name),
            Some(true) => left += 1,
            None => {}
        }
        Ok(())
    };
    for_each_job(store, &args.what, choose).await?;
    let count = human::count(names.len() as u64, "job");
    if !args.yes {
        somebody_can_answer("remove")?;
        if !is_confirmed(&format!("forget {count} with all that is known of them"))? {
            return Ok(Exit::Well);
        }
    }
    for name in &names {
        store.remove_job(name).await.with_context(|| format!("{name} can't be removed"))?;
    }
    println!("{count} removed, {left} under way left alone");
    Ok(if left > 0 { Exit::JobsFailed } else { Exit::Well })
}

fn is_under_way(job: &Job) -> bool {
    let open = job.status().is_some_and(|status: JobStatus| !status.is_terminal());
    open || job.head.claim.is_some() || job.is_recovering()
}
