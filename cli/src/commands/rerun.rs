//! `batchwright rerun`: chosen jobs, run again as a run of their own.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use batchwright::domain::{Job, JobName, JobSpec, Rerun};
use batchwright::ports::{Clock, JobQueries, RunStore, SystemClock};
use serde_json::{Value, json};

use super::summary::open_job_file;
use crate::args::{RerunArgs, RunArgs};
use crate::exit::Failure;
use crate::selection::{Named, for_each_job, named};

/// Chooses the jobs and writes them into a job file of their own, in `folder`. `None`: there is nothing to run.
pub(crate) async fn chosen<S: JobQueries + RunStore>(
    store: &S,
    args: &RerunArgs,
    folder: &Path,
) -> Result<Option<RunArgs>, Failure> {
    let wanted = Rerun {
        failed: args.failed,
        causes: args.cause.clone(),
        missing: args.missing,
        name: args.name.clone(),
    };
    let mut taken: BTreeSet<JobName> = BTreeSet::new();
    let mut jobs: Vec<JobSpec> = Vec::new();
    let mut local = json!({});
    for word in &args.what {
        if let Named::File(path) = named(store, word).await? {
            from_file(store, &path, &wanted, (&mut taken, &mut jobs)).await?;
            local = local_of(&path).await?;
            continue;
        }
        let choose = &mut async |name: JobName, job: Option<Job>| {
            if wanted.wants(name.as_str(), job.as_ref()) && taken.insert(name) {
                // A child's own job belongs to its array, which runs it.
                jobs.extend(job.map(|job| job.head.spec).filter(|spec| spec.child_of.is_none()));
            }
            Ok(())
        };
        for_each_job(store, std::slice::from_ref(word), choose).await?;
    }
    if jobs.is_empty() {
        return Ok(None);
    }
    eprintln!("{} to run again", crate::output::human::count(jobs.len() as u64, "job"));
    let file = folder.join(format!("rerun-{}.json", SystemClock.now().as_millis()));
    std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let document = json!({"dependsOnKnown": true, "jobs": jobs, "local": local});
    std::fs::write(&file, document.to_string())
        .with_context(|| format!("{} can't be written", file.display()))?;
    Ok(Some(args.run.with_file(&args.place, &args.shown, file)))
}

async fn from_file<S: JobQueries>(
    store: &S,
    path: &Path,
    wanted: &Rerun,
    (taken, jobs): (&mut BTreeSet<JobName>, &mut Vec<JobSpec>),
) -> Result<(), Failure> {
    let mut file = open_job_file(path).await?;
    while let Some(entry) = file.next().await.map_err(|error| Failure::Rejected(error.to_string()))? {
        let Ok(spec) = entry.job else { continue };
        let known = store.job(&spec.job_name).await.context("the job can't be read")?;
        if wanted.wants(spec.job_name.as_str(), known.as_ref()) && taken.insert(spec.job_name.clone()) {
            jobs.push(spec);
        }
    }
    Ok(())
}

/// What the file says for the embedded engine holds for its jobs wherever they are written down.
async fn local_of(path: &Path) -> Result<Value, Failure> {
    let file = open_job_file(path).await?;
    let settings = file.local();
    let mut local = json!({"jobDefinitions": settings.job_definitions});
    if let Some(workdir) = &settings.workdir {
        let beside = path.parent().unwrap_or(Path::new("")).join(workdir);
        let absolute =
            std::path::absolute(&beside).with_context(|| format!("{} has no path", beside.display()))?;
        local["workdir"] = json!(absolute);
    }
    if let Some(containers) = settings.containers {
        local["containers"] = json!(containers.as_str());
    }
    Ok(local)
}
