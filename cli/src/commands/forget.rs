//! `batchwright forget`.

use anyhow::Context;
use batchwright::ports::JobRemoval;

use crate::args::ForgetArgs;
use crate::exit::{Exit, Failure};

/// Removes what is known of jobs, also where that can't be read. What runs goes on.
pub(crate) async fn forget<S: JobRemoval>(store: &S, args: &ForgetArgs) -> Result<Exit, Failure> {
    for name in &args.names {
        let submissions = store.remove_job(name).await.context("the job can't be removed")?;
        let ids: Vec<&str> = submissions.iter().map(batchwright::domain::JobId::as_str).collect();
        println!("{name}: forgotten, with the submissions [{}]", ids.join(", "));
    }
    Ok(Exit::Well)
}
