//! The process between the engine and an attempt's command: this program, started again.
//!
//! A container ends with its first process, whatever that process started. Process groups can't promise this,
//! because `timeout`, `setsid` and shells with job control leave them. So the attendant is a child subreaper:
//! the system makes it the parent of every orphan among its descendants, and it ends them all before it ends.
//! It is no shell, because a shell reads and changes the environment that it hands on. It outlives the engine.
//!
//! | signal | what the attendant does |
//! | --- | --- |
//! | SIGTERM | sends SIGTERM to the command alone, as a container runtime does |
//! | SIGUSR1 | sends SIGKILL to everything |
//!
//! On systems other than Linux there is no subreaper: there it ends the command's process group.

mod order;
mod remains;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpgid, getppid, kill_process, setpgid, setsid, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use super::folder::Folder;

pub(super) use order::Order;

/// The first argument of a program that is started as an attendant. The second is the attempt's folder.
pub(super) const ATTEND: &str = "attend-attempt";

/// The signal that asks an attendant to end everything: SIGKILL would end the attendant, and nothing else.
pub(super) const KILL_ALL: Signal = Signal::USR1;

/// Attends an attempt where this process was started for it, and returns its exit code. `None`: it was not.
///
/// To be called first in the `main` of the program that [`AttendantProgram`] names.
///
/// [`AttendantProgram`]: super::AttendantProgram
pub fn attend_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let (asked, folder) = (arguments.next()?, arguments.next()?);
    if asked != ATTEND || arguments.next().is_some() {
        return None;
    }
    let folder = Folder::at(folder);
    // There is nobody to tell an error: the engine sees that the attempt has no end, and counts it as lost.
    Some(attend(&folder).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

/// Runs the command of an attempt, waits for its end, and ends what it left behind.
fn attend(folder: &Folder) -> io::Result<()> {
    let mut signals = Signals::new([SIGCHLD, SIGTERM, SIGUSR1, SIGINT, SIGHUP, SIGQUIT])?;
    leave_session();
    remains::adopt_orphans()?;
    let order = Order::read(&folder.order())?;
    folder.reserve_exit()?;
    folder.announce()?;
    let command = match start(&order, folder) {
        Ok(command) => command,
        Err(error) => {
            let program = order.command.first().map(|name| name.to_string_lossy()).unwrap_or_default();
            return folder.refuse(&format!("CannotStartContainerError: exec: {program:?}: {error}"));
        }
    };
    let code = wait_for(command, &mut signals);
    // The code is kept before the clean-up and valid after it: an attempt is over when nothing of it is left.
    let noted = folder.note_exit(code);
    remains::end_all(command);
    noted.and_then(|()| folder.confirm_exit())
}

/// Moves into a session of its own, without a terminal, as a container is. A leader of a process group, which
/// the engine made it so that Ctrl-C at the engine's terminal spares it, can't do that: it joins the engine's
/// group for one moment, in which its signal handlers spare it.
fn leave_session() {
    if let Some(group) = getppid().and_then(|parent| getpgid(Some(parent)).ok()) {
        // Refused where the engine is gone already. Then the session stays, which does no harm.
        let _ = setpgid(None, Some(group));
    }
    let _ = setsid();
}

fn start(order: &Order, folder: &Folder) -> io::Result<Pid> {
    let output = folder.open_output()?;
    let (name, arguments) = order.command.split_first().ok_or(io::ErrorKind::InvalidData)?;
    let child = Command::new(&order.program)
        .arg0(name)
        .args(arguments)
        .env_clear()
        .envs(order.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&order.directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    // It is waited for below, with its orphans: by process id alone.
    Pid::from_raw(child.id().cast_signed()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Waits until the command has ended, and passes signals on. Returns its exit code, or 128 + the signal that
/// ended it.
fn wait_for(command: Pid, signals: &mut Signals) -> i32 {
    loop {
        for signal in signals.wait() {
            match signal {
                SIGCHLD => {
                    if let Some(code) = reap(command) {
                        return code;
                    }
                }
                // Nobody but this process waits for the command, so the id is the command's still.
                SIGTERM => drop(kill_process(command, Signal::TERM)),
                SIGUSR1 => remains::kill_all(command),
                // Meant for the program at the terminal, not for its jobs.
                _ => {}
            }
        }
    }
}

/// Takes in the children that have ended. Returns the command's exit code, where it is among them.
fn reap(command: Pid) -> Option<i32> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                return status.exit_status().or(signal);
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// How a program is started that attends an attempt.
#[derive(Debug, Clone)]
pub struct AttendantProgram {
    program: OsString,
}

impl AttendantProgram {
    /// This program, whose `main` calls [`attend_if_asked`] first. A program that does not would start itself
    /// for each attempt.
    pub fn this() -> io::Result<Self> {
        // The file may have been replaced since the start, by another version of the program.
        let own = Path::new("/proc/self/exe");
        let program = if own.exists() { own.to_owned() } else { std::env::current_exe()? };
        Ok(Self { program: program.into() })
    }

    /// The program at a path, whose `main` calls [`attend_if_asked`] first.
    pub fn at(path: impl Into<OsString>) -> Self {
        Self { program: path.into() }
    }

    /// Starts it for the attempt of a folder, whose order is written: without input, output and environment,
    /// and out of reach of the terminal's signals.
    pub(super) fn spawn(&self, folder: &Folder) -> io::Result<tokio::process::Child> {
        tokio::process::Command::new(&self.program)
            .arg(ATTEND)
            .arg(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
    }
}
