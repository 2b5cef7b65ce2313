//! A unit that is a container: a thread that calls the runtime, one step after another.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, getpid, kill_process};

use super::order::{Run, Unit};
use crate::engine::process::containers::{ContainerRuntime, Kind, OUT_OF_MEMORY, told};
use crate::engine::process::folder::UnitEnd;

/// How a container ends that SIGKILL reaches: 128 + 9.
const KILLED: i32 = 137;

/// A container, and the thread that watches it.
pub(super) struct Container(Arc<Watched>);

struct Watched {
    runtime: ContainerRuntime,
    unit: Unit,
    output: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The call of the runtime that may take long: it pulls the image.
    creating: Option<Pid>,
    has_started: bool,
    is_stopping: bool,
    was_killed: bool,
    end: Option<UnitEnd>,
}

impl Container {
    /// Runs it, or goes on watching it where an earlier attendant has started it. This process gets SIGCHLD when it
    /// has started and when it has ended.
    pub(super) fn watch(runtime: &ContainerRuntime, unit: &Unit, output: PathBuf, is_found: bool) -> Self {
        let state = Mutex::new(State { has_started: is_found, ..State::default() });
        let watched = Arc::new(Watched { runtime: runtime.clone(), unit: unit.clone(), output, state });
        let own = Arc::clone(&watched);
        thread::spawn(move || {
            let end = if is_found { own.follow_up() } else { own.run() };
            own.with(|state| state.end = Some(end));
            wake();
        });
        Self(watched)
    }

    pub(super) fn has_started(&self) -> bool {
        self.0.with(|state| state.has_started)
    }

    pub(super) fn end(&self) -> Option<UnitEnd> {
        self.0.with(|state| state.end.clone())
    }

    pub(super) fn terminate(&self) {
        if self.0.with(|state| {
            state.is_stopping = true;
            state.has_started
        }) {
            self.0.signal("TERM");
        }
    }

    /// Ends it, also while its image is pulled.
    pub(super) fn kill(&self) {
        let has_started = self.0.with(|state| {
            state.is_stopping = true;
            state.was_killed = true;
            if let Some(creating) = state.creating {
                // It is waited for by the thread that takes this lock first, so the id is its own still.
                let _ = kill_process(creating, Signal::KILL);
            }
            state.has_started
        });
        if has_started {
            self.0.signal("KILL");
        }
    }
}

impl Watched {
    fn run(&self) -> UnitEnd {
        let Run::Container { name, image, create, .. } = &self.unit.run else { return UnitEnd::default() };
        let refused = |error: &str, why: &[u8]| UnitEnd::refused(told(error, why));
        match self.create(create) {
            Ok(created) if created.status.success() => {}
            _ if self.with(|state| state.is_stopping) => return UnitEnd::default(),
            Ok(created) if self.runtime.has_image(image) => {
                return refused("CannotCreateContainerError", &created.stderr);
            }
            Ok(created) => return refused("CannotPullContainerError", &created.stderr),
            Err(error) => return refused("CannotCreateContainerError", error.to_string().as_bytes()),
        }
        if self.with(|state| state.is_stopping) {
            return UnitEnd::default();
        }
        match self.runtime.call(["start", name]) {
            Ok(started) if started.status.success() => {}
            Ok(started) => return refused("CannotStartContainerError", &started.stderr),
            Err(error) => return refused("CannotStartContainerError", error.to_string().as_bytes()),
        }
        let is_stopping = self.with(|state| {
            state.has_started = true;
            state.is_stopping
        });
        wake();
        if is_stopping {
            self.signal(if self.with(|state| state.was_killed) { "KILL" } else { "TERM" });
        }
        self.follow_up()
    }

    /// Takes in what it writes until it has ended, and tells how it ended.
    fn follow_up(&self) -> UnitEnd {
        let Some(name) = self.name() else { return UnitEnd::default() };
        let live = self.logs(true);
        let waited = self.runtime.call(["wait", name]);
        if let Ok((mut reader, copier)) = live {
            // The runtime may not see that nothing more will come.
            let _ = reader.kill();
            let _ = reader.wait();
            let _ = copier.join();
        }
        // What came last may be missing: what is in the runtime's log is what was written.
        if let Ok((mut reader, copier)) = self.logs(false) {
            let _ = copier.join();
            let _ = reader.wait();
        }
        let state = waited.ok().filter(|waited| waited.status.success()).and(self.runtime.state(name));
        let Some(state) = state.filter(|state| !state.is_running && state.exit_code >= 0) else {
            // Somebody removed it, or the runtime has lost it.
            return UnitEnd::default();
        };
        let reason = self.is_out_of_memory(state.is_out_of_memory, state.exit_code);
        UnitEnd {
            code: Some(state.exit_code),
            reason: reason.then(|| OUT_OF_MEMORY.to_owned()),
            ..UnitEnd::default()
        }
    }

    /// Podman does not see it on every machine. There a container whose memory is limited and that a SIGKILL ended
    /// which nobody sent has run out of it.
    fn is_out_of_memory(&self, told: bool, code: i32) -> bool {
        let is_limited = matches!(self.unit.run, Run::Container { is_limited: true, .. });
        let unsent = is_limited && code == KILLED && !self.with(|state| state.was_killed);
        told || (unsent && self.runtime.kind() == Kind::Podman)
    }

    fn create(&self, arguments: &[std::ffi::OsString]) -> io::Result<Output> {
        let mut command = self.runtime.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        self.with(|state| state.creating = Pid::from_raw(child.id().cast_signed()));
        let mut child = child;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        // A container's id is all that goes to the one while the other is read.
        child.stderr.take().map(|mut pipe| pipe.read_to_end(&mut stderr)).transpose()?;
        child.stdout.take().map(|mut pipe| pipe.read_to_end(&mut stdout)).transpose()?;
        let status = self.with(|state| {
            state.creating = None;
            child.wait()
        })?;
        Ok(Output { status, stdout, stderr })
    }

    /// Copies the runtime's log to the output, behind what is there.
    fn logs(&self, follow: bool) -> io::Result<(Child, thread::JoinHandle<io::Result<u64>>)> {
        let name = self.name().unwrap_or_default();
        let mut output = OpenOptions::new().create(true).append(true).open(&self.output)?;
        let known = output.metadata()?.len();
        let (mut reader, writer) = io::pipe()?;
        let arguments: &[&str] = if follow { &["logs", "--follow", name] } else { &["logs", name] };
        // The command holds the pipe's other end, so it must be gone before the end can be seen.
        let child = self.runtime.command(arguments).stdout(writer.try_clone()?).stderr(writer).spawn()?;
        let copier = thread::spawn(move || {
            io::copy(&mut (&mut reader).take(known), &mut io::sink())?;
            io::copy(&mut reader, &mut output)
        });
        Ok((child, copier))
    }

    fn name(&self) -> Option<&str> {
        match &self.unit.run {
            Run::Container { name, .. } => Some(name),
            Run::Process { .. } => None,
        }
    }

    fn signal(&self, signal: &str) {
        if let Some(name) = self.name() {
            self.runtime.signal(name, signal);
        }
    }

    fn with<T>(&self, call: impl FnOnce(&mut State) -> T) -> T {
        call(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets the attendant look at its units again.
fn wake() {
    let _ = kill_process(getpid(), Signal::CHILD);
}
