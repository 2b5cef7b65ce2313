//! `batchwright jobs`.

use std::io::{self, BufWriter};

use anyhow::Context;
use batchwright::domain::{Job, JobStatus};
use batchwright::ports::{Cursor, JobQueries, RunStore};
use batchwright::use_cases::array_counts::array_counts;
use batchwright::use_cases::queries::for_each_submission_of;

use crate::args::{JobsArgs, Output};
use crate::exit::{Exit, Failure};
use crate::output::job_view::JobView;
use crate::output::records::Records;
use crate::output::table;
use crate::selection::{for_each_job, tell_unreadable};

pub(crate) async fn jobs<S: JobQueries + RunStore>(store: &S, args: &JobsArgs) -> Result<Exit, Failure> {
    let mut shown = Shown::new(args.shown.output, args.submissions);
    match args.status {
        Some(status) if args.what.is_empty() => {
            show_all_with(store, status, args.submissions, &mut shown).await?;
        }
        status => {
            let show = &mut async |_, job: Option<Job>| match job {
                Some(job) if status.is_none_or(|status| job.status() == Some(status)) => {
                    show(store, &job, args.submissions, &mut shown).await
                }
                _ => Ok(()),
            };
            for_each_job(store, &args.what, show).await?;
        }
    }
    shown.finish()?;
    Ok(Exit::Well)
}

async fn show_all_with<S: JobQueries>(
    store: &S,
    status: JobStatus,
    submissions: bool,
    shown: &mut Shown,
) -> Result<(), Failure> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = store.jobs_with_status(status, cursor.as_ref()).await.context("the jobs can't be read")?;
        tell_unreadable(&page.unreadable);
        for job in &page.items {
            show(store, job, submissions, shown).await?;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn show<S: JobQueries>(
    store: &S,
    job: &Job,
    submissions: bool,
    shown: &mut Shown,
) -> Result<(), Failure> {
    let mut view = JobView::of(job);
    view.children = array_counts(store, job).await.context("the array's children can't be read")?;
    shown.push(view)?;
    if !submissions {
        return Ok(());
    }
    let mut found = Vec::new();
    for_each_submission_of(store, job.name(), |submission| {
        if Some(&submission.state.job_id) != job.head.job_id.as_ref() {
            found.push(submission);
        }
    })
    .await
    .context("the submissions can't be read")?;
    job.head.sort_submissions(&mut found);
    found.iter().try_for_each(|submission| shown.push(JobView::of_submission(&job.head, submission)))
}

/// Prints jobs as they come, or gathers them for a table.
enum Shown {
    Records(Records<BufWriter<io::Stdout>>),
    Table { views: Vec<JobView>, with_submissions: bool },
}

impl Shown {
    fn new(output: Output, with_submissions: bool) -> Self {
        match output {
            Output::Table => Self::Table { views: Vec::new(), with_submissions },
            output => Self::Records(Records::new(BufWriter::new(io::stdout()), output, "jobs")),
        }
    }

    fn push(&mut self, view: JobView) -> Result<(), Failure> {
        match self {
            Self::Records(records) => records.push(&view).context("stdout")?,
            Self::Table { views, .. } => views.push(view),
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Records(records) => records.finish(&serde_json::Map::new()).context("stdout")?,
            Self::Table { views, .. } if views.is_empty() => println!("no jobs"),
            Self::Table { views, with_submissions: true } => {
                println!("{}", table::rendered(table::submissions(&views)));
            }
            Self::Table { views, .. } => println!("{}", table::rendered(table::jobs(&views))),
        }
        Ok(())
    }
}
