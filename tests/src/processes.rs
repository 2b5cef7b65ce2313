//! Engines in this test program whose jobs are real processes.

use std::io;
use std::path::Path;

use anyhow::Context as _;
use batchwright::engine::{AttendantProgram, ProcessSettings, job_environment};

/// Jobs run in `workdir`, or each attempt in a folder of its own. `caller` is where a person would be.
///
/// # Errors
///
/// Where this program's own file can't be found.
pub fn settings(caller: &Path, workdir: Option<&Path>) -> anyhow::Result<ProcessSettings> {
    Ok(ProcessSettings {
        attendant: attendant()?,
        workdir: workdir.map(Path::to_owned),
        caller_folder: caller.to_owned(),
        containers: None,
        container_environment: Vec::new(),
        environment: job_environment(std::env::vars_os(), &[]),
        keep_workdirs: false,
    })
}

/// The binary of this package, which cargo builds beside the folder of its tests.
fn attendant() -> anyhow::Result<AttendantProgram> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("a test program outside of a target folder")?;
    let program = folder.join("attendant");
    if !program.exists() {
        let why = format!("{} is not built: run the tests of a whole test target", program.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, why).into());
    }
    Ok(AttendantProgram::at(program))
}
