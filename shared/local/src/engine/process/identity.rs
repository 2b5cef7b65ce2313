//! Whether a process is still the one that was started: process ids are used again.

use std::{fs, io};

use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::domain::JobId;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The lines that [`Identity::of_this_process`] writes.
pub(super) const IDENTITY_LINES: usize = 3;

/// A process, as it wrote itself down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pid: Pid,
    /// Which start of the machine it belongs to; empty where the system does not tell.
    boot: String,
    /// When it started, in the system's own words.
    start: String,
}

impl Identity {
    /// This process, in the form that [`Identity::parse`] reads: its id, the boot id, and its line of `/proc` or
    /// of `ps`.
    pub(super) fn of_this_process() -> io::Result<String> {
        let pid = getpid();
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        let line = line_of(pid).ok_or(io::ErrorKind::NotFound)?;
        // A program's name may hold a line break.
        let line = line.trim().replace('\n', " ");
        Ok(format!("{}\n{}\n{line}\n", pid.as_raw_nonzero(), boot.trim()))
    }

    /// Reads what an attendant wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = Pid::from_raw(lines.next()?.parse().ok()?)?;
        let boot = lines.next()?.trim().to_owned();
        let line = lines.next()?;
        let start = stat_fields(line).map_or_else(|| line.trim().to_owned(), |(_, start)| start);
        Some(Self { pid, boot, start })
    }

    /// Whether the machine has not been started again since.
    pub(super) fn is_of_this_boot(&self) -> bool {
        fs::read_to_string(BOOT_ID).unwrap_or_default().trim() == self.boot
    }

    /// Whether the process still runs. One that nobody has waited for yet has ended.
    pub(super) fn is_alive(&self) -> bool {
        self.is_of_this_boot() && start_of(self.pid).as_ref() == Some(&self.start)
    }

    /// Signals the process, where it still runs.
    pub(super) fn signal(&self, signal: Signal) {
        if self.is_alive() {
            // One that has ended meanwhile needs no signal.
            let _ = kill_process(self.pid, signal);
        }
    }
}

/// Ends what a job left running when its attendant was killed, by the job's id in the environment. Returns
/// whether something was there. Only where there is a `/proc`.
pub(super) fn kill_remains(job_id: &JobId) -> bool {
    let mark = format!("AWS_BATCH_JOB_ID={job_id}");
    let mut found = false;
    for pid in processes() {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        if environment.split(|&byte| byte == 0).any(|pair| pair == mark.as_bytes()) && start_of(pid).is_some()
        {
            // One that has ended meanwhile needs no signal.
            found |= kill_process(pid, Signal::KILL).is_ok();
        }
    }
    found
}

/// The children of a process, by a look at every process: `/proc/<pid>/task/<tid>/children` is not in every
/// kernel.
#[cfg(target_os = "linux")]
pub(super) fn children_of(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().to_string();
    let is_child =
        |pid: &Pid| line_of(*pid).is_some_and(|line| field(&line, PARENT) == Some(parent.as_str()));
    processes().filter(is_child).collect()
}

/// Every process of the machine; none where there is no `/proc`.
fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").ok().into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
}

/// When a process that still runs started.
fn start_of(pid: Pid) -> Option<String> {
    let line = line_of(pid)?;
    match stat_fields(&line) {
        Some((state, start)) => (state != "Z" && state != "X").then_some(start),
        None => Some(line.trim().to_owned()).filter(|start| !start.is_empty()),
    }
}

/// A process's line of `/proc/<pid>/stat`; of `ps`, its start time alone, where there is no `/proc`.
fn line_of(pid: Pid) -> Option<String> {
    let pid = pid.as_raw_nonzero().to_string();
    if cfg!(target_os = "linux") {
        return fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    }
    let output = std::process::Command::new("/bin/ps").args(["-o", "lstart=", "-p", &pid]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Places after the program's name in a line of `/proc/<pid>/stat`. Source: `proc_pid_stat(5)`, fields 3, 4, 22.
const STATE: usize = 0;
#[cfg(target_os = "linux")]
const PARENT: usize = 1;
const START: usize = 19;

/// A field of a line of `/proc/<pid>/stat`. The program's name before it, in parentheses, may hold anything.
fn field(stat: &str, place: usize) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(place)
}

/// State and start time in a line of `/proc/<pid>/stat`.
fn stat_fields(stat: &str) -> Option<(String, String)> {
    Some((field(stat, STATE)?.to_owned(), field(stat, START)?.to_owned()))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_and_no_other_with_its_number() {
        let this = Identity::parse(&Identity::of_this_process().unwrap()).unwrap();
        assert!(this.is_alive());
        assert!(!Identity { start: "1".into(), ..this.clone() }.is_alive(), "the number was used again");
        assert!(!Identity { boot: "another".into(), ..this }.is_alive(), "the machine was started again");
    }

    #[test]
    fn a_line_of_proc_is_read_whatever_the_program_is_called() {
        let line = "7 (a) b (c)) S 1 9 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 555 0 0";
        assert_eq!(stat_fields(line), Some(("S".into(), "555".into())));
        assert_eq!(stat_fields("nonsense"), None);
        assert_eq!(Identity::parse("x\n\n\n"), None);
        assert_eq!(Identity::parse(""), None);
    }

    #[test]
    fn a_process_is_among_its_parents_children() {
        let parent = rustix::process::getppid().unwrap();
        assert!(children_of(parent).contains(&getpid()));
        assert!(!children_of(getpid()).contains(&parent));
    }
}
