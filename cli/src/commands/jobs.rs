//! `batchwright jobs`.

use std::io::{self, BufWriter};

use anyhow::{Context, anyhow};
use batchwright::domain::{Job, JobStatus};
use batchwright::ports::{Cursor, JobQueries};

use batchwright::use_cases::queries::children_ended;

use crate::args::{JobsArgs, Output};
use crate::exit::{Exit, Failure};
use crate::output::job_view::JobView;
use crate::output::records::Records;
use crate::output::table;

pub(crate) async fn jobs<S: JobQueries>(store: &S, args: &JobsArgs) -> Result<Exit, Failure> {
    let mut shown = Shown::new(args.shown.output);
    if args.names.is_empty() {
        show_all(store, args.status, args.submissions, &mut shown).await?;
    } else {
        let found = store.jobs_named(&args.names).await.context("the jobs can't be read")?;
        for (name, job) in args.names.iter().zip(found) {
            let job = job.ok_or_else(|| Failure::Broken(anyhow!("no job is named {name}")))?;
            show(store, &job, args.submissions, &mut shown).await?;
        }
    }
    shown.finish()?;
    Ok(Exit::Well)
}

async fn show_all<S: JobQueries>(
    store: &S,
    status: Option<JobStatus>,
    submissions: bool,
    shown: &mut Shown,
) -> Result<(), Failure> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = match status {
            Some(status) => store.jobs_with_status(status, cursor.as_ref()).await,
            None => store.jobs(None, cursor.as_ref()).await,
        };
        let page = page.context("the jobs can't be read")?;
        for job in &page.items {
            show(store, job, submissions, shown).await?;
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

async fn show<S: JobQueries>(
    store: &S,
    job: &Job,
    submissions: bool,
    shown: &mut Shown,
) -> Result<(), Failure> {
    let children_ended = children_ended(store, job).await.context("an array's children can't be read")?;
    shown.push(JobView { children_ended, ..JobView::of(job) })?;
    if !submissions {
        return Ok(());
    }
    let mut cursor: Option<Cursor> = None;
    loop {
        let page =
            store.submissions(job.name(), cursor.as_ref()).await.context("the submissions can't be read")?;
        for submission in &page.items {
            if Some(&submission.state.job_id) != job.head.job_id.as_ref() {
                shown.push(JobView::of_submission(submission))?;
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// Prints jobs as they come, or gathers them for a table.
enum Shown {
    Records(Records<BufWriter<io::Stdout>>),
    Table(Vec<JobView>),
}

impl Shown {
    fn new(output: Output) -> Self {
        match output {
            Output::Table => Self::Table(Vec::new()),
            output => Self::Records(Records::new(BufWriter::new(io::stdout()), output, "jobs")),
        }
    }

    fn push(&mut self, view: JobView) -> Result<(), Failure> {
        match self {
            Self::Records(records) => records.push(&view).context("stdout")?,
            Self::Table(views) => views.push(view),
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Records(records) => records.finish(&serde_json::Map::new()).context("stdout")?,
            Self::Table(views) if views.is_empty() => println!("no jobs"),
            Self::Table(views) => println!("{}", table::rendered(table::jobs(&views))),
        }
        Ok(())
    }
}
