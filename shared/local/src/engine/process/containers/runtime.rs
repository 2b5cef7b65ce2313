//! Which container runtime there is, and how its command line is called.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};

use crate::domain::RuntimeChoice;
use crate::engine::process::environment::{Variable, value_of};

/// The label of containers with the state folder that they belong to.
pub(super) const STATE_LABEL: &str = "batchwright.state";

/// The two kinds, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine::process) enum Kind {
    Docker,
    Podman,
}

/// There is no runtime that could be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}; leave --containers out to run processes")]
pub struct NoRuntime(String);

/// A container runtime of this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerRuntime {
    pub(super) kind: Kind,
    program: PathBuf,
    /// The caller's: the runtime finds its daemon, its storage and its registries by it. Containers don't see it.
    environment: Vec<Variable>,
}

/// A container as the runtime describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::process) struct ContainerState {
    pub(in crate::engine::process) is_running: bool,
    pub(in crate::engine::process) exit_code: i32,
    pub(in crate::engine::process) is_out_of_memory: bool,
}

impl ContainerRuntime {
    /// Looks for a runtime in the caller's `PATH`, and asks whether it works.
    ///
    /// # Errors
    ///
    /// Where there is none, or it does not answer.
    pub fn find(choice: RuntimeChoice, caller: &[Variable]) -> Result<Self, NoRuntime> {
        let kinds: &[Kind] = match choice {
            RuntimeChoice::Docker => &[Kind::Docker],
            RuntimeChoice::Podman => &[Kind::Podman],
            RuntimeChoice::Auto => &[Kind::Docker, Kind::Podman],
        };
        let mut obstacles = Vec::new();
        for &kind in kinds {
            match Self::of_kind(kind, caller) {
                Ok(runtime) => return Ok(runtime),
                Err(obstacle) => obstacles.push(obstacle),
            }
        }
        Err(NoRuntime(obstacles.join("; ")))
    }

    fn of_kind(kind: Kind, caller: &[Variable]) -> Result<Self, String> {
        let (name, question) = match kind {
            Kind::Docker => ("docker", "{{.Server.Version}}"),
            Kind::Podman => ("podman", "{{.Client.Version}}"),
        };
        let folders = std::env::split_paths(value_of(caller, "PATH")).map(|folder| folder.join(name));
        let program = folders.into_iter().find(|program| program.is_file());
        let program = program.ok_or_else(|| format!("{name} is not in PATH"))?;
        let runtime = Self { kind, program, environment: caller.to_vec() };
        let answer = runtime.call(["version", "--format", question]);
        let answer = answer.map_err(|error| format!("{name}: {error}"))?;
        if answer.status.success() {
            Ok(runtime)
        } else {
            Err(format!("{name} does not answer: {}", last_line(&answer.stderr)))
        }
    }

    pub(in crate::engine::process) fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Docker => "docker",
            Kind::Podman => "podman",
        }
    }

    /// Its command line with some arguments, without input.
    pub(in crate::engine::process) fn command(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Calls it and waits. Blocks.
    pub(in crate::engine::process) fn call(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> io::Result<Output> {
        self.command(arguments).output()
    }

    /// How a container is. `None`: it is not there.
    pub(in crate::engine::process) fn state(&self, name: &str) -> Option<ContainerState> {
        const FORMAT: &str = "{{.State.Running}} {{.State.ExitCode}} {{.State.OOMKilled}}";
        let answer = self.call(["container", "inspect", "--format", FORMAT, name]).ok()?;
        answer.status.success().then(|| ContainerState::parse(&String::from_utf8_lossy(&answer.stdout)))?
    }

    /// Whether an image is on this machine.
    pub(in crate::engine::process) fn has_image(&self, image: &str) -> bool {
        self.call(["image", "inspect", image]).is_ok_and(|answer| answer.status.success())
    }

    /// Sends a signal to a container's first process. One that has ended meanwhile needs none.
    pub(in crate::engine::process) fn signal(&self, name: &str, signal: &str) {
        let _ = self.call(["kill", "--signal", signal, name]);
    }

    /// Ends a container and removes it with its volumes. Returns whether it is gone.
    pub(in crate::engine::process) fn remove(&self, name: &str) -> bool {
        // `rm --force` alone would first send SIGTERM and wait.
        self.signal(name, "KILL");
        let _ = self.call(["rm", "--force", "--volumes", name]);
        self.state(name).is_none()
    }

    /// The names of the containers of a state folder, whatever has become of them.
    pub(in crate::engine::process) fn containers_of(&self, state: &Path) -> io::Result<Vec<String>> {
        let mut filter = std::ffi::OsString::from(format!("label={STATE_LABEL}="));
        filter.push(state);
        let arguments: [&OsStr; 6] = [
            "ps".as_ref(),
            "--all".as_ref(),
            "--filter".as_ref(),
            &filter,
            "--format".as_ref(),
            "{{.Names}}".as_ref(),
        ];
        let answer = self.call(arguments)?;
        Ok(String::from_utf8_lossy(&answer.stdout).lines().map(str::to_owned).collect())
    }
}

impl ContainerState {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut next = || words.next();
        Some(Self {
            is_running: next()? == "true",
            exit_code: next()?.parse().ok()?,
            is_out_of_memory: next()? == "true",
        })
    }
}

/// What a program says last of why it failed.
pub(super) fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it does not say why").trim().to_owned()
}

#[cfg(test)]
impl ContainerRuntime {
    pub(super) fn for_tests(kind: Kind) -> Self {
        Self { kind, program: "runtime".into(), environment: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_runtime_is_told_with_a_way_out() {
        let caller = [("PATH".into(), "/nonexistent".into())];
        let error = ContainerRuntime::find(RuntimeChoice::Auto, &caller).unwrap_err().to_string();
        assert_eq!(
            error,
            "docker is not in PATH; podman is not in PATH; leave --containers out to run processes"
        );
    }

    #[test]
    fn a_runtime_that_does_not_answer_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("docker");
        std::fs::write(&program, "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
            .unwrap();
        std::os::unix::fs::symlink("/bin/true", folder.path().join("podman")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let caller = [("PATH".into(), folder.path().into())];
        let error = ContainerRuntime::find(RuntimeChoice::Docker, &caller).unwrap_err().to_string();
        assert!(error.starts_with("docker does not answer: Cannot connect to the Docker daemon"), "{error}");
        assert_eq!(ContainerRuntime::find(RuntimeChoice::Auto, &caller).unwrap().name(), "podman");
    }

    #[test]
    fn what_inspect_prints_is_read() {
        let ended = ContainerState { is_running: false, exit_code: 137, is_out_of_memory: true };
        assert_eq!(ContainerState::parse("false 137 true\n"), Some(ended));
        assert_eq!(ContainerState::parse("[]\n"), None);
    }
}
