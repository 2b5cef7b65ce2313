//! The engine's end of the process that starts attendants.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};

use super::attendant::{ATTENDED, AttendantProgram, KILL, REFUSED, START, TERMINATE};
use crate::engine::core::Signal;

/// Why an attendant is watched no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gone {
    /// It has ended.
    Ended,
    /// The system made no process.
    Refused(String),
    /// The process that started it has ended. What became of the attendant stands in the attempt's folder.
    Unwatched,
}

/// Starts attendants, by a process that lives as long as this.
pub(super) struct Starter {
    program: AttendantProgram,
    attempts: PathBuf,
    running: Mutex<Option<Running>>,
}

#[derive(Clone)]
struct Running {
    pid: Pid,
    requests: mpsc::UnboundedSender<String>,
    watched: Arc<Mutex<Watched>>,
}

/// Who is to be told of the end of which attempt's attendant. `None`: the starter has ended.
type Watched = Option<HashMap<String, oneshot::Sender<Gone>>>;

/// An attendant that was asked for.
pub(super) struct Started {
    name: String,
    requests: mpsc::UnboundedSender<String>,
    end: oneshot::Receiver<Gone>,
}

impl Starter {
    pub(super) fn new(program: AttendantProgram, attempts: PathBuf) -> Self {
        Self { program, attempts, running: Mutex::default() }
    }

    /// Starts the attendant of an attempt, by the name of its folder. Its order must be written.
    pub(super) fn start(&self, name: String) -> io::Result<Started> {
        let mut running = locked(&self.running);
        if let Some(started) = running.as_ref().and_then(|running| running.start(&name)) {
            return Ok(started);
        }
        let new = Running::new(&self.program, &self.attempts)?;
        let started = new.start(&name).ok_or(io::ErrorKind::BrokenPipe)?;
        *running = Some(new);
        Ok(started)
    }
}

impl Running {
    fn new(program: &AttendantProgram, attempts: &std::path::Path) -> io::Result<Self> {
        let mut child = program.spawn(attempts)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let pid =
            child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).ok_or(io::ErrorKind::BrokenPipe)?;
        let (requests, asked) = mpsc::unbounded_channel();
        let watched = Arc::new(Mutex::new(Some(HashMap::new())));
        // Two tasks, because each end may have to wait for the other to read.
        tokio::spawn(pass_on(asked, input));
        tokio::spawn(hear(child, output, Arc::clone(&watched)));
        Ok(Self { pid, requests, watched })
    }

    /// `None`: the starter has ended.
    fn start(&self, name: &str) -> Option<Started> {
        let mut watched = locked(&self.watched);
        // Its output may not have told yet, and who asks in vain loses an attempt.
        let watched = watched.as_mut().filter(|_| !self.has_ended())?;
        let (told, end) = oneshot::channel();
        watched.insert(name.to_owned(), told);
        // Where it ends before it reads this, those who wait for the end are told so.
        let _ = self.requests.send(format!("{START} {name}\n"));
        Some(Started { name: name.to_owned(), requests: self.requests.clone(), end })
    }

    /// Leaves its end to be waited for. Its id is its own until then, which is after `watched` was taken away.
    fn has_ended(&self) -> bool {
        let unwaited = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), unwaited), Ok(None))
    }
}

impl Started {
    /// Waits until the attendant has ended, or nobody is left to tell that.
    pub(super) async fn gone(&mut self) -> Gone {
        (&mut self.end).await.unwrap_or(Gone::Unwatched)
    }

    pub(super) fn signal(&self, signal: Signal) {
        let word = match signal {
            Signal::Terminate => TERMINATE,
            Signal::Kill => KILL,
        };
        // Where the starter has ended, the attendant is found and signalled again.
        let _ = self.requests.send(format!("{word} {}\n", self.name));
    }
}

/// Ends, and so closes the starter's input, when nobody may ask any more.
async fn pass_on(mut asked: mpsc::UnboundedReceiver<String>, mut input: ChildStdin) {
    while let Some(line) = asked.recv().await {
        if input.write_all(line.as_bytes()).await.is_err() {
            // The starter has ended, which its output tells too.
            return;
        }
    }
}

async fn hear(mut child: Child, output: ChildStdout, watched: Arc<Mutex<Watched>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Some((name, gone)) = told(&line) else { continue };
        let waits = locked(&watched).as_mut().and_then(|watched| watched.remove(name));
        if let Some(waits) = waits {
            // Nobody waits any more where the engine has stopped.
            let _ = waits.send(gone);
        }
    }
    locked(&watched).take();
    if let Err(error) = child.wait().await {
        tracing::warn!(%error, "the process that starts attendants could not be waited for");
    }
}

/// Whom a line is about, and what it says.
fn told(line: &str) -> Option<(&str, Gone)> {
    let (word, rest) = line.split_once(' ')?;
    match word {
        ATTENDED => Some((rest, Gone::Ended)),
        REFUSED => rest.split_once(' ').map(|(name, why)| (name, Gone::Refused(why.to_owned()))),
        _ => None,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_starters_lines_are_read() {
        for (line, expected) in [
            ("ended a.1", Some(("a.1", Gone::Ended))),
            (
                "refused a_3.2 no room (os error 11)",
                Some(("a_3.2", Gone::Refused("no room (os error 11)".into()))),
            ),
            ("refused a.1", None),
            ("ended", None),
            ("started a.1", None),
            ("", None),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }
}
