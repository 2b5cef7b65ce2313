//! How jobs run on this machine: as processes, or their images as containers.

use std::path::{Path, PathBuf};

use anyhow::Context;
use batchwright::domain::RuntimeChoice;
use batchwright::engine::{
    AttendantProgram, ContainerRuntime, ProcessSettings, Variable, job_environment, passed_environment,
};
use batchwright::job_file::LocalSettings;

use super::summary::open_job_file;
use crate::args::ProcessArgs;
use crate::exit::Failure;

/// The settings of the command line, and those of a job file below them.
pub(super) async fn settings(
    args: &ProcessArgs,
    job_file: Option<&Path>,
) -> Result<ProcessSettings, Failure> {
    let caller_folder = std::env::current_dir().context("the working directory can't be told")?;
    let of_file = match job_file {
        Some(file) => of_file(file).await?,
        None => LocalSettings::default(),
    };
    let workdir = match &args.workdir {
        Some(given) => Some(folder("--workdir", given.clone())?),
        None => of_file.workdir,
    };
    let caller: Vec<Variable> = std::env::vars_os().collect();
    let containers = args.containers.or(of_file.containers).map(runtime);
    Ok(ProcessSettings {
        job_file: job_file.map(Path::to_owned),
        attendant: AttendantProgram::this().context("the program's own file can't be found")?,
        workdir,
        caller_folder,
        containers: containers.transpose()?,
        container_environment: passed_environment(&caller, &args.env),
        environment: job_environment(caller, &args.env),
        keep_workdirs: args.keep_workdirs,
    })
}

/// The runtime that a person asks for.
pub(super) fn runtime(choice: RuntimeChoice) -> Result<ContainerRuntime, Failure> {
    let caller: Vec<Variable> = std::env::vars_os().collect();
    ContainerRuntime::find(choice, &caller).map_err(|error| Failure::Rejected(error.to_string()))
}

/// The `local` of a job file, whose `workdir` is relative to where the file is.
async fn of_file(file: &Path) -> Result<LocalSettings, Failure> {
    // What is wrong with the file is told when it is run.
    let Ok(opened) = open_job_file(file).await else { return Ok(LocalSettings::default()) };
    let mut settings = opened.local().clone();
    if let Some(workdir) = &settings.workdir {
        let beside = file.parent().unwrap_or(Path::new(""));
        let named_by = format!("{}: local.workdir", file.display());
        settings.workdir = Some(folder(&named_by, beside.join(workdir))?);
    }
    Ok(settings)
}

fn folder(named_by: &str, path: PathBuf) -> Result<PathBuf, Failure> {
    // The path of a file in this folder has an empty parent.
    let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path };
    if path.is_dir() {
        return Ok(path);
    }
    Err(Failure::Rejected(format!("{named_by}: {} is no folder; make it, or name another", path.display())))
}
