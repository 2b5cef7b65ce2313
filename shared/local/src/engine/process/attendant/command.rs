//! A unit that is a process.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::order::Run;

/// Starts it. Errs with why it can't be started, in the words of ECS.
pub(super) fn start(run: &Run, output: impl FnOnce() -> io::Result<File>) -> Result<Pid, String> {
    let name = match run {
        Run::Process { command, .. } => command.first().cloned().unwrap_or_default(),
        Run::Container { name, .. } => name.into(),
    };
    spawn(run, output)
        .map_err(|error| format!("CannotStartContainerError: exec: {:?}: {error}", name.to_string_lossy()))
}

fn spawn(run: &Run, output: impl FnOnce() -> io::Result<File>) -> io::Result<Pid> {
    let Run::Process { directory, program, command, environment } = run else {
        return Err(io::Error::other("no container runtime is named"));
    };
    let output = output()?;
    let (name, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidData)?;
    let child = Command::new(program)
        .arg0(name)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    // It is waited for with its orphans, by process id alone.
    Pid::from_raw(child.id().cast_signed()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
