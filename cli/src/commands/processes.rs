//! How jobs run as processes of this machine.

use std::path::{Path, PathBuf};

use anyhow::Context;
use batchwright::engine::{AttendantProgram, ProcessSettings, job_environment};

use super::summary::open_job_file;
use crate::args::ProcessArgs;
use crate::exit::Failure;

/// The settings of the command line, and those of a job file below them.
pub(super) async fn settings(
    args: &ProcessArgs,
    job_file: Option<&Path>,
) -> Result<ProcessSettings, Failure> {
    let caller_folder = std::env::current_dir().context("the working directory can't be told")?;
    let workdir = match (&args.workdir, job_file) {
        (Some(given), _) => Some(folder("--workdir", given.clone())?),
        (None, Some(file)) => workdir_of(file).await?,
        (None, None) => None,
    };
    Ok(ProcessSettings {
        attendant: AttendantProgram::this().context("the program's own file can't be found")?,
        workdir,
        caller_folder,
        environment: job_environment(std::env::vars_os(), &args.env),
        keep_workdirs: args.keep_workdirs,
    })
}

/// `local.workdir` of a job file, relative to where the file is.
async fn workdir_of(file: &Path) -> Result<Option<PathBuf>, Failure> {
    // What is wrong with the file is told when it is run.
    let Ok(opened) = open_job_file(file).await else { return Ok(None) };
    let Some(workdir) = &opened.local().workdir else { return Ok(None) };
    let beside = file.parent().unwrap_or(Path::new(""));
    folder(&format!("{}: local.workdir", file.display()), beside.join(workdir)).map(Some)
}

fn folder(named_by: &str, path: PathBuf) -> Result<PathBuf, Failure> {
    // The path of a file in this folder has an empty parent.
    let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path };
    if path.is_dir() {
        return Ok(path);
    }
    Err(Failure::Rejected(format!("{named_by}: {} is no folder; make it, or name another", path.display())))
}
