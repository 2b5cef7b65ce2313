//! The process that starts attendants: this program, started again once for an engine, which forks for each attempt.
//!
//! To execute the program anew for each attempt took a third of a short job's time: the loader writes some hundred
//! kilobytes of addresses into a file of this size before `main` begins. A fork has them already.
//!
//! It reads a request a line from its standard input, and answers a line on its standard output:
//!
//! | line | who | what it says |
//! | --- | --- | --- |
//! | `start NAME` | engine | attend the attempt of this folder, whose order is written |
//! | `terminate NAME`, `kill NAME` | engine | signal its attendant, if it has not ended |
//! | `ended NAME` | starter | its attendant has ended |
//! | `refused NAME WHY` | starter | the system made no process |
//!
//! It ends when the engine has gone, and its attendants go on. Where it is killed they go on too; the engine finds
//! them by what they wrote down, as an engine after it would, and starts another.
//!
//! A forked child has the thread alone that forked, with all memory as it was, so a lock that another thread held would
//! stay locked for ever. That is why this process must have one thread, and makes sure of it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use fork::{Fork, fork};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use rustix::stdio::{dup2_stdin, dup2_stdout};
use signal_hook::SigId;
use signal_hook::consts::SIGCHLD;
use signal_hook::low_level::{pipe, unregister};

use super::{ATTENDED, KILL, KILL_ALL, REFUSED, START, TERMINATE};
use crate::engine::process::folder::Folder;

/// Requests read in one go.
const CHUNK_BYTES: usize = 4096;

/// Starts attendants until the engine has gone. Returns in the starter with `None`, and in each attendant, which is
/// forked here, with the folder that it is to attend.
pub(super) fn serve(attempts: &Path) -> io::Result<Option<Folder>> {
    if threads() > 1 {
        return Err(io::Error::other(
            "a program with threads can't fork: call `attend_if_asked` first in `main`",
        ));
    }
    let mut starter = Starter::new()?;
    let mut unread = Vec::new();
    loop {
        let (has_input, has_ends) = starter.wait()?;
        if has_ends {
            starter.reap()?;
        }
        if has_input && !read_some(&mut unread)? {
            return Ok(None);
        }
        while let Some(end) = unread.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]);
            if let Some(name) = starter.obey(&line)? {
                starter.become_attendant()?;
                return Ok(Some(Folder::at(attempts.join(name))));
            }
        }
    }
}

struct Starter {
    /// The attendants that have not been waited for, so that their ids are their own still.
    running: HashMap<String, Pid>,
    names: HashMap<Pid, String>,
    /// Readable when a child has ended.
    ends: UnixStream,
    handler: SigId,
}

impl Starter {
    fn new() -> io::Result<Self> {
        let (ends, handler) = UnixStream::pair()?;
        ends.set_nonblocking(true)?;
        let handler = pipe::register(SIGCHLD, handler)?;
        Ok(Self { running: HashMap::new(), names: HashMap::new(), ends, handler })
    }

    /// Returns whether there is input, and whether a child may have ended.
    fn wait(&self) -> io::Result<(bool, bool)> {
        let input = io::stdin();
        let mut both = [PollFd::new(&input, PollFlags::IN), PollFd::new(&self.ends, PollFlags::IN)];
        match poll(&mut both, None) {
            Ok(_) => Ok((!both[0].revents().is_empty(), !both[1].revents().is_empty())),
            Err(Errno::INTR) => Ok((false, false)),
            Err(error) => Err(error.into()),
        }
    }

    /// Does what a line asks for. Returns the attempt's name in a new attendant.
    fn obey<'a>(&mut self, line: &'a str) -> io::Result<Option<&'a str>> {
        let Some((word, name)) = line.split_once(' ') else { return Ok(None) };
        match word {
            START => match fork() {
                Ok(Fork::Child) => return Ok(Some(name)),
                Ok(Fork::Parent(pid)) => {
                    let pid = Pid::from_raw(pid).ok_or(ErrorKind::InvalidData)?;
                    self.running.insert(name.to_owned(), pid);
                    self.names.insert(pid, name.to_owned());
                }
                Err(error) => tell(&format!("{REFUSED} {name} {error}"))?,
            },
            TERMINATE => self.signal(name, Signal::TERM),
            KILL => self.signal(name, KILL_ALL),
            _ => {}
        }
        Ok(None)
    }

    fn signal(&self, name: &str, signal: Signal) {
        if let Some(pid) = self.running.get(name) {
            // One that has ended and was not waited for needs no signal.
            let _ = kill_process(*pid, signal);
        }
    }

    /// Tells of all attendants that have ended.
    fn reap(&mut self) -> io::Result<()> {
        // What is to be read says that there is something to wait for, and nothing else.
        while matches!(self.ends.read(&mut [0; 64]), Ok(1..)) {}
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, _))) => {
                    if let Some(name) = self.names.remove(&pid) {
                        self.running.remove(&name);
                        tell(&format!("{ATTENDED} {name}"))?;
                    }
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    }

    /// Lets go of all that is the starter's, so that the engine sees its end when it comes.
    fn become_attendant(self) -> io::Result<()> {
        unregister(self.handler);
        let nothing = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&nothing)?;
        dup2_stdout(&nothing)?;
        Ok(())
    }
}

/// Reads what is there. Returns whether the engine is.
fn read_some(unread: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; CHUNK_BYTES];
    match rustix::io::read(io::stdin().as_fd(), &mut chunk) {
        Ok(0) => Ok(false),
        Ok(count) => {
            unread.extend_from_slice(&chunk[..count]);
            Ok(true)
        }
        Err(Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Errs where the engine has gone. A whole line leaves nothing in the buffer, which a child would write again.
fn tell(line: &str) -> io::Result<()> {
    io::stdout().write_all(format!("{line}\n").as_bytes())
}

/// How many threads this process has; 1 where there is no `/proc`.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_threads_starts_no_attendants() {
        // A test runs in a thread of its own.
        let refused = serve(Path::new("/nowhere")).unwrap_err();
        assert!(refused.to_string().contains("attend_if_asked"), "{refused}");
    }
}
