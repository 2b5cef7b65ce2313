//! What running a file would do. Nothing is written or submitted.

use tokio::io::AsyncBufRead;

use crate::domain::plan::{Plan, plan};
use crate::domain::{JobName, JobSpec};
use crate::job_file::{Entry, JobFile, JobFileError, Problem};
use crate::ports::{JobQueries, PortError};

/// What would be done with one line of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Planned {
    /// What would be done with a job.
    Job(Box<JobSpec>, Plan),
    /// The line holds no valid job.
    Invalid(Vec<Problem>),
}

/// Why a plan could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The file can't be read, or is wrong.
    #[error(transparent)]
    File(#[from] JobFileError),
    /// The state can't be read.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Names that are looked up at once.
const BATCH: usize = 100;

/// Calls `each` with the line and the plan of every job, in the order in which they would be submitted.
pub async fn plan_file<S: JobQueries, R: AsyncBufRead + Send + Unpin>(
    store: &S,
    file: &mut JobFile<R>,
    rerun: bool,
    mut each: impl FnMut(u64, Planned) + Send,
) -> Result<(), PlanFileError> {
    let mut batch: Vec<Entry> = Vec::with_capacity(BATCH);
    loop {
        let entry = file.next().await?;
        let ended = entry.is_none();
        batch.extend(entry);
        if batch.len() == BATCH || ended {
            plan_batch(store, std::mem::take(&mut batch), rerun, &mut each).await?;
        }
        if ended {
            return Ok(());
        }
    }
}

async fn plan_batch<S: JobQueries>(
    store: &S,
    batch: Vec<Entry>,
    rerun: bool,
    each: &mut (impl FnMut(u64, Planned) + Send),
) -> Result<(), PortError> {
    let names: Vec<JobName> =
        batch.iter().filter_map(|entry| entry.job.as_ref().ok().map(|spec| spec.job_name.clone())).collect();
    let mut known = store.jobs_named(&names).await?.into_iter();
    for Entry { line, job } in batch {
        let planned = match job {
            Err(problems) => Planned::Invalid(problems),
            Ok(spec) => {
                let decided = plan(&spec, known.next().flatten().as_ref(), rerun, None);
                Planned::Job(Box::new(spec), decided)
            }
        };
        each(line, planned);
    }
    Ok(())
}
