//! Whether a process is still the one that was started: process ids are used again.

use std::fs;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::domain::JobId;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A process that led its group when it wrote this down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pid: Pid,
    /// Which start of the machine it belongs to; empty where the system does not tell.
    boot: String,
    /// When it started, in the system's own words.
    start: String,
}

impl Identity {
    /// Reads what the shim wrote: its process id, the boot id, and its line of `/proc` or of `ps`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = Pid::from_raw(lines.next()?.parse().ok()?)?;
        let boot = lines.next()?.trim().to_owned();
        let line = lines.next()?;
        let start = stat_fields(line).map_or_else(|| line.trim().to_owned(), |(_, start)| start);
        Some(Self { pid, boot, start })
    }

    /// Whether the process still runs. One that nobody has waited for yet has ended.
    pub(super) fn is_alive(&self) -> bool {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        boot.trim() == self.boot && start_of(self.pid).as_ref() == Some(&self.start)
    }

    /// Signals the group, where its leader still runs.
    pub(super) fn signal_group(&self, signal: Signal) {
        if self.is_alive() {
            signal_group(self.pid, signal);
        }
    }
}

/// Signals every process of a group.
pub(super) fn signal_group(leader: Pid, signal: Signal) {
    // A group that is gone needs no signal.
    let _ = kill_process_group(leader, signal);
}

/// Ends what a job left running when its shim was killed, by the job's id in the environment. Returns
/// whether something was there. Only where there is a `/proc`.
pub(super) fn kill_remains(job_id: &JobId) -> bool {
    let mark = format!("AWS_BATCH_JOB_ID={job_id}");
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    let mut found = false;
    for entry in entries.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|&byte| byte == 0).any(|pair| pair == mark.as_bytes()) && start_of(pid).is_some()
        {
            // One that has ended meanwhile needs no signal.
            found |= kill_process(pid, Signal::KILL).is_ok();
        }
    }
    found
}

/// When a process that still runs started.
fn start_of(pid: Pid) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        let (state, start) = stat_fields(&stat)?;
        return (state != "Z" && state != "X").then_some(start);
    }
    let pid = pid.as_raw_nonzero().to_string();
    let output = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &pid]).output().ok()?;
    let start = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!start.is_empty()).then_some(start)
}

/// State and start time in a line of `/proc/<pid>/stat`. The program's name, in
/// parentheses, may hold anything.
///
/// Source: `proc_pid_stat(5)`, fields 3 and 22.
fn stat_fields(stat: &str) -> Option<(String, String)> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Some(((*fields.first()?).to_owned(), (*fields.get(19)?).to_owned()))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn of_this_process() -> Identity {
        let pid = std::process::id();
        let boot = fs::read_to_string(BOOT_ID).unwrap();
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        Identity::parse(&format!("{pid}\n{boot}{stat}")).unwrap()
    }

    #[test]
    fn a_process_is_itself_and_no_other_with_its_number() {
        let this = of_this_process();
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
}
