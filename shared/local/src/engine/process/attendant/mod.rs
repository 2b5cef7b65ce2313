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
//! | SIGUSR2, of its own | sends SIGKILL to the nodes whose grace is over |
//!
//! On systems other than Linux there is no subreaper: there it ends the command's process group.
//!
//! Where an attempt runs as containers, the attendant calls the runtime instead. The containers' processes belong to
//! the runtime, so an attendant that was killed is started again, and finds them by their names.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `order` | what is to be run |
//! | `task` | which unit may start, and what the end of one means for the others |
//! | `command`, `container` | one unit: a process, or a container |
//! | `remains` | what processes leave behind |

mod command;
mod container;
mod order;
mod remains;
mod task;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use rustix::process::{Signal, getpgid, getppid, setpgid, setsid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::folder::Folder;

pub(super) use order::{Order, Run, Unit};
use task::Task;

/// The first argument of a program that is started as an attendant. The second is the attempt's folder.
pub(super) const ATTEND: &str = "attend-attempt";

/// The signal that asks an attendant to end everything: SIGKILL would end the attendant, and nothing else.
pub(super) const KILL_ALL: Signal = Signal::USR1;

/// The signal by which an attendant wakes itself when the grace of a node is over.
const KILL_NODES: Signal = Signal::USR2;

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

/// Runs what an attempt's order says, waits for its end, and ends what it left behind.
fn attend(folder: &Folder) -> io::Result<()> {
    let mut signals = Signals::new([SIGCHLD, SIGTERM, SIGUSR1, SIGUSR2, SIGINT, SIGHUP, SIGQUIT])?;
    leave_session();
    let order = Order::read(&folder.order())?;
    if order.runtime.is_none() {
        // A container's processes belong to its runtime.
        remains::adopt_orphans()?;
    }
    let is_found = folder.has_begun();
    folder.reserve_ends(order.units.len())?;
    folder.announce()?;
    let mut task = Task::new(folder, &order);
    if is_found {
        task.find_again();
    }
    folder.begin()?;
    task.advance();
    while !task.is_over() {
        for signal in signals.wait() {
            match signal {
                SIGCHLD => task.reap(),
                SIGTERM => task.terminate(),
                SIGUSR1 => task.kill(),
                SIGUSR2 => task.kill_nodes(),
                // Meant for the program at the terminal, not for its jobs.
                _ => {}
            }
        }
        task.advance();
        if task.has_started() {
            folder.note_start()?;
        }
    }
    // How it ended is kept before the clean-up and valid after it: an attempt is over when nothing of it is left.
    let noted = folder.note_ends(&task.ends());
    match &order.runtime {
        None => remains::end_all(task.commands()),
        Some(runtime) => {
            for name in order.containers() {
                // One that can't be removed now is removed when an engine starts on the folder.
                let _ = runtime.remove(name);
            }
        }
    }
    noted.and_then(|()| folder.confirm_ends())
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
