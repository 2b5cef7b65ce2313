//! `batchwright rerun`: chosen jobs, run again as a run of their own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use batchwright::domain::{Job, JobDefinition, JobName, JobSpec, Rerun, RunId};
use batchwright::ports::{Clock, JobQueries, RunStore, SystemClock};
use serde_json::{Map, Value, json};

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
    let mut runs: BTreeSet<RunId> = BTreeSet::new();
    let mut files: BTreeSet<PathBuf> = BTreeSet::new();
    for word in &args.what {
        if let Named::File(path) = named(store, word).await? {
            from_file(store, &path, &wanted, (&mut taken, &mut jobs)).await?;
            files.insert(path);
            continue;
        }
        let choose = &mut async |name: JobName, job: Option<Job>| {
            if wanted.wants(name.as_str(), job.as_ref()) && taken.insert(name) {
                // A child's own job belongs to its array, which runs it.
                if let Some(head) = job.map(|job| job.head).filter(|head| head.spec.child_of.is_none()) {
                    runs.insert(head.run_id);
                    jobs.push(head.spec);
                }
            }
            Ok(())
        };
        for_each_job(store, std::slice::from_ref(word), choose).await?;
    }
    if jobs.is_empty() {
        return Ok(None);
    }
    eprintln!("{} to run again", crate::output::human::count(jobs.len() as u64, "job"));
    files.extend(sources(store, &runs).await?);
    let local = local_of_all(&files).await?;
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

/// The job files of runs of this machine, where they are still there.
async fn sources<S: RunStore>(store: &S, runs: &BTreeSet<RunId>) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for run_id in runs {
        let Some(run) = store.run(run_id).await.context("the run can't be read")? else { continue };
        let path = Path::new(&run.source);
        if path.is_file() {
            files.push(path.to_owned());
        } else if !run.source.contains("://") {
            eprintln!(
                "{} is not there: its jobs run without the workdir, containers and job definitions that it names",
                run.source
            );
        }
    }
    Ok(files)
}

/// What the files say for the embedded engine, which holds for their jobs wherever they are written down.
async fn local_of_all(files: &BTreeSet<PathBuf>) -> Result<Value, Failure> {
    let mut definitions = Vec::new();
    let mut local = Map::new();
    for path in files {
        let (of_file, named) = local_of(path).await?;
        for (name, value) in of_file {
            let known = local.entry(name.clone()).or_insert_with(|| value.clone());
            if *known != value {
                return Err(Failure::Usage(format!(
                    "{}: local.{name} is {value}, and {known} in another of the job files: run them again one after the other",
                    path.display()
                )));
            }
        }
        for definition in named {
            if !definitions.contains(&definition) {
                definitions.push(definition);
            }
        }
    }
    local.insert("jobDefinitions".to_owned(), json!(definitions));
    Ok(local.into())
}

/// Of one file: where its jobs run and by what, and its job definitions.
async fn local_of(path: &Path) -> Result<(Map<String, Value>, Vec<JobDefinition>), Failure> {
    let file = open_job_file(path).await?;
    let settings = file.local();
    let mut local = Map::new();
    if let Some(workdir) = &settings.workdir {
        let beside = path.parent().unwrap_or(Path::new("")).join(workdir);
        let absolute =
            std::path::absolute(&beside).with_context(|| format!("{} has no path", beside.display()))?;
        local.insert("workdir".to_owned(), json!(absolute));
    }
    if let Some(containers) = settings.containers {
        local.insert("containers".to_owned(), json!(containers.as_str()));
    }
    Ok((local, settings.job_definitions.clone()))
}
