//! `batchwright watch`.

use std::time::Duration;

use anyhow::Context;
use batchwright::domain::{Job, JobName, JobStatus, RunState};
use batchwright::ports::{Clock, JobQueries, RunStore, SystemClock};
use batchwright::use_cases::array_counts::array_counts;
use tokio::time::Instant;

use crate::args::WatchArgs;
use crate::exit::{Exit, Failure};
use crate::output::job_view::JobView;
use crate::output::overview::{Overview, Sight};
use crate::output::screen::Screen;
use crate::selection::{Named, for_each_job, named};

/// Between two looks, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// `is_attended`: whether a process is there that runs the jobs.
pub(crate) async fn watch<S: JobQueries + RunStore>(
    store: &S,
    is_attended: impl Fn() -> bool,
    args: &WatchArgs,
) -> Result<Exit, Failure> {
    let mut screen = Screen::new();
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let following = async {
        let mut was_attended = true;
        loop {
            let started = Instant::now();
            let overview = look(store, &args.what, screen.is_terminal()).await?;
            if overview.has_ended() {
                // Told once, on stdout.
                return Ok::<_, Failure>(overview);
            }
            screen.show(&overview, SystemClock.now());
            let is_attended = is_attended();
            if was_attended && !is_attended {
                eprintln!("no process runs the jobs of this folder: run the job file again, and they go on");
            }
            was_attended = is_attended;
            tokio::time::sleep(pause_after(started.elapsed())).await;
        }
    };
    let watched = tokio::select! {
        biased;
        () = interrupted => None,
        overview = following => Some(overview?),
    };
    drop(screen);
    let Some(overview) = watched else {
        eprintln!("interrupted: what was watched goes on; the same command watches it again");
        return Ok(Exit::Interrupted);
    };
    println!("{}", overview.line());
    let well = overview.counts[JobStatus::Succeeded] == overview.counts.total();
    Ok(if well { Exit::Well } else { Exit::JobsFailed })
}

/// The pause after a look. One that takes long is followed by nine times its length, so that who watches a large run
/// looks at its table for a tenth of the time at most.
pub(super) fn pause_after(look: Duration) -> Duration {
    LOOK_EVERY.max(look * 9)
}

/// One look at the jobs that the words name; without words, at all.
async fn look<S: JobQueries + RunStore>(
    store: &S,
    words: &[String],
    with_children: bool,
) -> Result<Overview, Failure> {
    let mut overview = Overview::default();
    for word in words {
        if let Named::Run(run) = named(store, word).await? {
            overview.is_submitting |= run.state == RunState::Submitting;
        }
    }
    for_each_job(store, words, &mut async |_: JobName, job: Option<Job>| {
        note(&mut overview, store, job.as_ref(), with_children).await
    })
    .await?;
    Ok(overview)
}

/// One look at the jobs of a file.
#[cfg(feature = "aws")]
pub(super) async fn look_at_file<S: JobQueries>(
    store: &S,
    path: &std::path::Path,
    with_children: bool,
) -> Result<Overview, Failure> {
    let mut overview = Overview::default();
    crate::selection::for_each_of_file(store, path, &mut async |_: JobName, job: Option<Job>| {
        note(&mut overview, store, job.as_ref(), with_children).await
    })
    .await?;
    Ok(overview)
}

/// Takes a job into an overview.
///
/// `with_children`: with the progress of a few arrays, whose children are all read for that.
async fn note<S: JobQueries>(
    overview: &mut Overview,
    store: &S,
    job: Option<&Job>,
    with_children: bool,
) -> Result<(), Failure> {
    let claimed = job.is_some_and(|job| job.head.claim.is_some());
    overview.claimed += u64::from(claimed);
    let Some((job, status)) = job.and_then(|job| Some((job, job.status()?))) else {
        overview.counts.unsubmitted += 1;
        overview.open += u64::from(claimed);
        return Ok(());
    };
    overview.open += u64::from(!status.is_terminal() || job.is_recovering() || claimed);
    let mut sight = match job.state() {
        Some(state) => Sight::of(state, || JobView::of(job).why()),
        None => Sight::submitted(job.name()),
    };
    // One that recovered SUCCEEDED, whatever became of its latest submission.
    sight.status = status;
    sight.created = sight.created.or(job.head.submitted_at);
    overview.note(&sight);
    if !with_children || status.is_terminal() || !overview.shows_more_arrays() {
        return Ok(());
    }
    if let Some(children) = array_counts(store, job).await.context("an array's children can't be read")? {
        let ended = children.counts[JobStatus::Succeeded] + children.counts[JobStatus::Failed];
        overview.note_array(job.name().clone(), ended, children.size.into());
    }
    Ok(())
}
