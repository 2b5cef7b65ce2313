//! `batchwright rerun`: chosen jobs, run again as a run of their own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use batchwright::domain::children::asked_child_spec;
use batchwright::domain::{Job, JobDefinition, JobName, JobSpec, Rerun, RunId};
use batchwright::ports::{Clock, JobQueries, RunStore, SystemClock};
use batchwright::use_cases::failed_children::failed_children;
use serde_json::{Map, Value, json};

use super::summary::open_job_file;
use crate::args::{RerunArgs, RunArgs};
use crate::exit::Failure;
use crate::output::human;
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
    let mut chosen = Chosen::of(store, wanted, args.children);
    for word in &args.what {
        if let Named::File(path) = named(store, word).await? {
            chosen.take_from_file(&path).await?;
            chosen.files.insert(path);
            continue;
        }
        let choose = &mut async |name: JobName, job: Option<Job>| {
            let spec = job.as_ref().map(|job| job.head.spec.clone());
            chosen.take(name, job, spec).await
        };
        for_each_job(store, std::slice::from_ref(word), choose).await?;
    }
    let Chosen { jobs, runs, mut files, .. } = chosen;
    if jobs.is_empty() {
        return Ok(None);
    }
    eprintln!("{} to run again", human::count(jobs.len() as u64, "job"));
    files.extend(sources(store, &runs).await?);
    let Said { of, files } = Said::by(files)?;
    let local = local_of_all(&files).await?;
    let file = folder.join(format!("rerun-{}.json", SystemClock.now().as_millis()));
    std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let document = json!({"dependsOnKnown": true, "jobs": jobs, "local": local});
    for (path, content) in [(&said_by(&file), json!(of)), (&file, document)] {
        std::fs::write(path, content.to_string())
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    Ok(Some(args.run.with_file(&args.place, &args.shown, file)))
}

/// Jobs that are to run again.
struct Chosen<'a, S> {
    store: &'a S,
    wanted: Rerun,
    /// Of arrays, only the children that FAILED.
    children: bool,
    taken: BTreeSet<JobName>,
    jobs: Vec<JobSpec>,
    /// Whose job files say what the jobs need of this machine.
    runs: BTreeSet<RunId>,
    files: BTreeSet<PathBuf>,
}

impl<'a, S: JobQueries> Chosen<'a, S> {
    fn of(store: &'a S, wanted: Rerun, children: bool) -> Self {
        let (taken, jobs, runs, files) = Default::default();
        Self { store, wanted, children, taken, jobs, runs, files }
    }

    /// Takes a job where it is wanted and was not taken before; `spec` is what is run.
    async fn take(
        &mut self,
        name: JobName,
        known: Option<Job>,
        spec: Option<JobSpec>,
    ) -> Result<(), Failure> {
        if !self.wanted.wants(name.as_str(), known.as_ref()) || !self.taken.insert(name) {
            return Ok(());
        }
        // A child's own job belongs to its array, which runs it.
        let Some(spec) = spec.filter(|spec| spec.child_of.is_none()) else { return Ok(()) };
        if spec.seal.is_some() {
            return Err(Failure::Rejected(format!(
                "{}: its environment is sealed, so that only its job file can tell it; run that again: batchwright run FILE --rerun",
                spec.job_name
            )));
        }
        self.runs.extend(known.as_ref().map(|job| job.head.run_id.clone()));
        match known.filter(|_| self.children && spec.array_properties.is_some()) {
            Some(array) if spec.resubmit_children => self.take_children(&array, &spec).await?,
            Some(_) => {
                eprintln!(
                    "{}: all of it runs again, because its job has no \"resubmitChildren\": true",
                    spec.job_name
                );
                self.jobs.push(spec);
            }
            None => self.jobs.push(spec),
        }
        Ok(())
    }

    async fn take_children(&mut self, array: &Job, spec: &JobSpec) -> Result<(), Failure> {
        let failed =
            failed_children(self.store, array).await.context("the array's children can't be read")?;
        self.jobs.extend(failed.iter().filter_map(|index| asked_child_spec(spec, *index)));
        Ok(())
    }

    async fn take_from_file(&mut self, path: &Path) -> Result<(), Failure> {
        let mut file = open_job_file(path).await?;
        while let Some(entry) = file.next().await.map_err(|error| Failure::Rejected(error.to_string()))? {
            let Ok(spec) = entry.job else { continue };
            let known = self.store.job(&spec.job_name).await.context("the job can't be read")?;
            self.take(spec.job_name.clone(), known, Some(spec)).await?;
        }
        Ok(())
    }
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

/// Beside a job file that `rerun` wrote: the paths of the job files whose `local` it repeats.
fn said_by(rerun: &Path) -> PathBuf {
    rerun.with_extension("files.json")
}

/// The job files that say what jobs need of this machine.
#[derive(Default)]
struct Said {
    /// Those that a person wrote, there or not: the next `rerun` asks them again.
    of: BTreeSet<PathBuf>,
    /// Those that are read now.
    files: BTreeSet<PathBuf>,
}

impl Said {
    /// Goes back from files that `rerun` wrote to those that a person did, because only these know of later changes.
    fn by(files: BTreeSet<PathBuf>) -> Result<Said, Failure> {
        let mut said = Said::default();
        for file in files {
            let absolute =
                std::path::absolute(&file).with_context(|| format!("{} has no path", file.display()))?;
            let Ok(kept) = std::fs::read(said_by(&absolute)) else {
                // As a person wrote it, or an earlier version, which kept nothing beside it.
                said.of.insert(absolute);
                said.files.insert(file);
                continue;
            };
            let known: BTreeSet<PathBuf> = serde_json::from_slice(&kept)
                .with_context(|| format!("{} can't be read", said_by(&absolute).display()))?;
            match known.iter().find(|known| !known.is_file()) {
                None => said.files.extend(known.iter().cloned()),
                Some(gone) => {
                    eprintln!(
                        "{} is not there: jobs run with the workdir, containers and job definitions that it named when they last ran again",
                        gone.display()
                    );
                    said.files.insert(file);
                }
            }
            said.of.extend(known);
        }
        Ok(said)
    }
}

/// Of `local`: where jobs run, and by what.
const SETTINGS: [&str; 2] = ["workdir", "containers"];

/// What the files say for the embedded engine, which holds for their jobs wherever they are written down.
async fn local_of_all(files: &BTreeSet<PathBuf>) -> Result<Value, Failure> {
    let mut definitions = Vec::new();
    let mut of_all: Option<Map<String, Value>> = None;
    for path in files {
        let (of_file, named) = local_of(path).await?;
        let known = of_all.get_or_insert_with(|| of_file.clone());
        // Absent is another value too: a job without a workdir must not run in that of another file.
        if let Some(name) = SETTINGS.into_iter().find(|&name| known.get(name) != of_file.get(name)) {
            let shown =
                |local: &Map<String, Value>| local.get(name).map_or("absent".to_owned(), Value::to_string);
            return Err(Failure::Usage(format!(
                "{}: local.{name} is {}, and {} in another of the job files: run them again one after the other",
                path.display(),
                shown(&of_file),
                shown(known)
            )));
        }
        for definition in named {
            if !definitions.contains(&definition) {
                definitions.push(definition);
            }
        }
    }
    let mut local = of_all.unwrap_or_default();
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
        // Of one folder by two ways both are compared; one that is not there is refused by `run`.
        let absolute = beside
            .canonicalize()
            .or_else(|_| std::path::absolute(&beside))
            .with_context(|| format!("{} has no path", beside.display()))?;
        local.insert("workdir".to_owned(), json!(absolute));
    }
    if let Some(containers) = settings.containers {
        local.insert("containers".to_owned(), json!(containers.as_str()));
    }
    Ok((local, settings.job_definitions.clone()))
}
