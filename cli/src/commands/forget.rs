//! `batchwright forget`.

use anyhow::Context;
use batchwright::domain::JobId;
use batchwright::ports::{JobQueries, JobRemoval};

use crate::args::ForgetArgs;
use crate::exit::{Exit, Failure};

/// Removes what is known of jobs, also where that can't be read. What runs goes on.
pub(crate) async fn forget<S: JobQueries + JobRemoval>(
    store: &S,
    args: &ForgetArgs,
) -> Result<Exit, Failure> {
    for name in &args.names {
        let is_unknown = matches!(store.job(name).await, Ok(None));
        let submissions = store.remove_job(name).await.context("the job can't be removed")?;
        if is_unknown && submissions.is_empty() {
            println!("{name}: nothing is known of it");
            continue;
        }
        let ids: Vec<&str> = submissions.iter().map(JobId::as_str).collect();
        println!("{name}: forgotten, with the submissions [{}]", ids.join(", "));
    }
    Ok(Exit::Well)
}
