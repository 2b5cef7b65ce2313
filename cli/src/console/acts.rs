//! What the page asks to be done: each is a command of this program, run as a process of its own, and shown with what
//! it said. So a person at the console does what a person at a terminal does, and what was begun goes on when the
//! console ends.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use batchwright::domain::JobName;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::output::human;

/// Commands that are shown: the newest, and those under way.
const SHOWN: usize = 10;

/// Bytes of what a command said that are kept: the last.
const SAID_MAX: usize = 16 * 1024;

/// Jobs of one command: their names stand on a command line, which has an end.
const JOBS_MAX: usize = 1_000;

/// Names that are shown of a command.
const NAMES_SHOWN: usize = 3;

/// What is to be done with some jobs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    act: Act,
    jobs: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Act {
    Cancel,
    Terminate,
    Rerun,
}

impl Act {
    /// The command, which asks nobody: the page did.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Cancel => &["cancel", "--yes"],
            Self::Terminate => &["terminate", "--yes"],
            Self::Rerun => &["rerun"],
        }
    }
}

/// A command, as the page shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Begun {
    command: String,
    /// `None`: it is under way.
    exit: Option<i32>,
    said: String,
}

/// The commands that were begun.
#[derive(Debug)]
pub(crate) struct Acts {
    program: PathBuf,
    /// The options that say where the jobs are.
    place: Vec<OsString>,
    is_read_only: bool,
    begun: Arc<Mutex<VecDeque<(u64, Begun)>>>,
}

impl Acts {
    pub(crate) fn new(program: PathBuf, place: Vec<OsString>, is_read_only: bool) -> Self {
        Self { program, place, is_read_only, begun: Arc::default() }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// The newest first.
    pub(crate) fn shown(&self) -> Vec<Begun> {
        lock(&self.begun).iter().map(|(_, begun)| begun.clone()).collect()
    }

    /// How many are under way.
    pub(crate) fn under_way(&self) -> usize {
        lock(&self.begun).iter().filter(|(_, begun)| begun.exit.is_none()).count()
    }

    /// Begins a command. Errs, with the reason, where it can't be begun.
    pub(super) fn begin(&self, asked: &Asked) -> Result<(), String> {
        let names = named(&asked.jobs)?;
        let words = asked.act.words();
        let mut command = Command::new(&self.program);
        command.args(words).args(names.iter().map(JobName::as_str)).args(&self.place);
        // A group of its own: Ctrl-C ends the console, and no command that it has begun.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| format!("the command can't be started: {error}"))?;
        let shown = Begun { command: told(words[0], &names), exit: None, said: String::new() };
        let id = {
            let mut begun = lock(&self.begun);
            let id = begun.front().map_or(0, |(id, _)| id + 1);
            begun.push_front((id, shown));
            let oldest = begun.iter().rposition(|(_, begun)| begun.exit.is_some());
            if let Some(oldest) = oldest.filter(|_| begun.len() > SHOWN) {
                begun.remove(oldest);
            }
            id
        };
        tokio::spawn(follow(child, Arc::clone(&self.begun), id));
        Ok(())
    }
}

fn named(jobs: &[String]) -> Result<Vec<JobName>, String> {
    if jobs.is_empty() || jobs.len() > JOBS_MAX {
        return Err(format!(
            "name 1 to {JOBS_MAX} jobs; more are stopped and run again by the program itself"
        ));
    }
    jobs.iter().map(|name| JobName::parse(name).map_err(|error| error.to_string())).collect()
}

fn told(word: &str, names: &[JobName]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).map(JobName::as_str).collect();
    let more = names.len() - shown.len();
    let rest =
        if more > 0 { format!(" and {}", human::count(more as u64, "more job")) } else { String::new() };
    format!("{word} {}{rest}", shown.join(" "))
}

async fn follow(mut child: Child, begun: Arc<Mutex<VecDeque<(u64, Begun)>>>, id: u64) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    tokio::join!(listen(stdout, &begun, id), listen(stderr, &begun, id));
    // Ended by a signal, it has no code.
    let exit = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(-1);
    change(&begun, id, |begun| begun.exit = Some(exit));
}

async fn listen(from: Option<impl AsyncRead + Unpin>, begun: &Mutex<VecDeque<(u64, Begun)>>, id: u64) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..read]);
        change(begun, id, |begun| {
            begun.said.push_str(&text);
            let over = begun.said.len().saturating_sub(SAID_MAX);
            let cut = begun.said.ceil_char_boundary(over);
            begun.said.drain(..cut);
        });
    }
}

fn change(begun: &Mutex<VecDeque<(u64, Begun)>>, id: u64, change: impl FnOnce(&mut Begun)) {
    if let Some((_, begun)) = lock(begun).iter_mut().find(|(known, _)| *known == id) {
        change(begun);
    }
}

/// Nothing that holds it can leave it half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(act: Act, jobs: &[&str]) -> Asked {
        Asked { act, jobs: jobs.iter().map(|name| (*name).to_owned()).collect() }
    }

    async fn ended(acts: &Acts) -> Begun {
        loop {
            let newest = acts.shown().remove(0);
            if newest.exit.is_some() {
                return newest;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_command_is_shown_with_what_it_said_and_its_end() {
        let acts = Acts::new("/bin/echo".into(), vec!["--local".into()], false);
        acts.begin(&asked(Act::Terminate, &["a", "b", "c", "d"])).unwrap();
        assert_eq!(acts.under_way(), 1);
        let Begun { command, exit, said } = ended(&acts).await;
        assert_eq!((command.as_str(), exit), ("terminate a b c and 1 more job", Some(0)));
        assert_eq!(said, "terminate --yes a b c d --local\n");
        assert_eq!(acts.under_way(), 0);
    }

    #[tokio::test]
    async fn the_newest_are_kept() {
        let acts = Acts::new("/bin/false".into(), Vec::new(), false);
        for _ in 0..SHOWN + 3 {
            acts.begin(&asked(Act::Rerun, &["a"])).unwrap();
            assert_eq!(ended(&acts).await.exit, Some(1));
        }
        assert_eq!(acts.shown().len(), SHOWN);
    }

    #[tokio::test]
    async fn what_names_no_job_is_refused_with_the_reason() {
        let acts = Acts::new("/bin/echo".into(), Vec::new(), false);
        let many = vec!["a"; JOBS_MAX + 1];
        for (jobs, why) in [(&[][..], "name 1 to"), (&many, "name 1 to"), (&["--stack"], "--stack")] {
            let refused = acts.begin(&asked(Act::Cancel, jobs)).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        let gone = Acts::new("/no/such/program".into(), Vec::new(), false);
        assert!(gone.begin(&asked(Act::Cancel, &["a"])).unwrap_err().contains("can't be started"));
        assert!(acts.shown().is_empty());
    }
}
