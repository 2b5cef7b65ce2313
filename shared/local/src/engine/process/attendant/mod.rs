//! The process between the engine and an attempt's command: this program, forked from one that was started again.
//!
//! A container ends with its first process, whatever that process started. Process groups can't promise this,
//! because `timeout`, `setsid` and shells with job control leave them. So the attendant is a child subreaper:
//! the system makes it the parent of every orphan among its descendants, and it ends them all before it ends.
//! It is no shell, because a shell reads and changes the environment that it hands on. It outlives the engine.
//!
//! | signal | what the attendant does |
//! | --- | --- |
//! | SIGTERM | sends SIGTERM to the command alone, as a container runtime does, and SIGKILL to everything after the grace |
//! | SIGALRM, of its own | does the same where the attempt has run too long, unless the engine has |
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
//! | `starter` | the process that forks attendants |
//! | `order` | what is to be run |
//! | `task` | which unit may start, and what the end of one means for the others |
//! | `command`, `container` | one unit: a process, or a container |
//! | `remains` | what processes leave behind |

mod command;
mod container;
mod order;
mod remains;
mod starter;
mod task;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use rustix::process::{Signal, setsid};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::folder::Folder;

pub(super) use order::{Order, Run, Unit};
use task::Task;

/// The first argument of a program that is started to start attendants. The second is the folder of all attempts.
const ATTEND: &str = "attend-attempts";

/// What an engine asks of the process that starts attendants.
pub(super) const START: &str = "start";
pub(super) const TERMINATE: &str = "terminate";
pub(super) const KILL: &str = "kill";

/// What that answers.
pub(super) const ATTENDED: &str = "ended";
pub(super) const REFUSED: &str = "refused";

/// The signal that asks an attendant to end everything: SIGKILL would end the attendant, and nothing else.
pub(super) const KILL_ALL: Signal = Signal::USR1;

/// The signal by which an attendant wakes itself when the attempt has run too long.
const TIME_OUT: Signal = Signal::ALARM;

/// The signal by which an attendant wakes itself when the grace of a node is over.
const KILL_NODES: Signal = Signal::USR2;

/// Attends attempts where this process was started for that, and returns its exit code. `None`: it was not.
///
/// To be called first in the `main` of the program that [`AttendantProgram`] names, before it has a second thread: each
/// attempt's attendant is a fork of this process, and returns from here too.
///
/// [`AttendantProgram`]: super::AttendantProgram
pub fn attend_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let (asked, attempts) = (arguments.next()?, arguments.next()?);
    if asked != ATTEND || arguments.next().is_some() {
        return None;
    }
    let done = match starter::serve(Path::new(&attempts)) {
        Ok(Some(folder)) => attend(&folder),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    // There is nobody to tell an error: the engine sees that an attempt has no end, and counts it as lost.
    Some(done.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

/// Runs what an attempt's order says, waits for its end, and ends what it left behind.
fn attend(folder: &Folder) -> io::Result<()> {
    let mut signals = Signals::new([SIGALRM, SIGCHLD, SIGTERM, SIGUSR1, SIGUSR2, SIGINT, SIGHUP, SIGQUIT])?;
    // A session of its own, without a terminal, as a container has. A fork leads no group, so nothing refuses it.
    setsid()?;
    let order = Order::read(&folder.order())?;
    if order.runtime.is_none() {
        // A container's processes belong to its runtime.
        remains::adopt_orphans()?;
    }
    let is_found = folder.has_begun();
    folder.announce(order.units.len())?;
    let mut task = Task::new(folder, &order);
    if is_found {
        task.find_again();
    }
    if order.runtime.is_some() {
        folder.begin()?;
    }
    task.advance();
    task.limit_time();
    while !task.is_over() {
        for signal in signals.wait() {
            match signal {
                SIGCHLD => task.reap(),
                SIGTERM => task.stop(),
                SIGALRM => task.time_out(),
                SIGUSR1 => task.kill(),
                SIGUSR2 => task.kill_nodes(),
                // Meant for the program at the terminal, not for its jobs.
                _ => {}
            }
        }
        task.advance();
        task.limit_time();
        if order.runtime.is_some() && task.has_started() {
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

/// The first file descriptor behind those of standard input, output and errors.
const AFTER_STANDARD: i32 = 3;

/// The program that attends attempts.
#[derive(Debug, Clone)]
pub struct AttendantProgram {
    program: OsString,
}

impl AttendantProgram {
    /// This program, whose `main` calls [`attend_if_asked`] first. A program that does not would start itself
    /// anew with each engine.
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

    /// Starts it for the attempts of a folder: without environment, and out of reach of the terminal's signals.
    /// Requests go to its input, and answers come from its output.
    pub(super) fn spawn(&self, attempts: &Path) -> io::Result<tokio::process::Child> {
        // What a caller of this program left open, as a shell's lock, would stay open as long as any job runs.
        close_fds::set_fds_cloexec_threadsafe(AFTER_STANDARD, &[]);
        tokio::process::Command::new(&self.program)
            .arg(ATTEND)
            .arg(attempts)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
    }
}
