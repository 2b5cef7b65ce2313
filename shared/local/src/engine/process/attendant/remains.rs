//! What a command leaves behind when it ends.

use std::io;

use rustix::process::{Pid, Signal};

/// Makes this process the parent of every orphan among its descendants.
#[cfg(target_os = "linux")]
pub(super) fn adopt_orphans() -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(io::Error::from)
}

/// Kills every child. Theirs become this process's own children as they end, and are met by [`end_all`].
#[cfg(target_os = "linux")]
pub(super) fn kill_all(_commands: &[Pid]) {
    for child in crate::engine::process::identity::children_of(rustix::process::getpid()) {
        // One that has ended meanwhile needs no signal. Nobody else waits for it, so the id is its own still.
        let _ = rustix::process::kill_process(child, Signal::KILL);
    }
}

/// Kills what is left, and returns when nothing is.
#[cfg(target_os = "linux")]
pub(super) fn end_all(commands: &[Pid]) {
    use rustix::io::Errno;
    use rustix::process::{WaitOptions, wait};

    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => {
                kill_all(commands);
                // Each end may bring new orphans, so after each the children are looked at again.
                let _ = wait(WaitOptions::empty());
            }
            // There is no child.
            Err(_) => return,
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

/// Kills the commands' process groups.
#[cfg(not(target_os = "linux"))]
pub(super) fn kill_all(commands: &[Pid]) {
    for command in commands {
        // A group that is gone needs no signal.
        let _ = rustix::process::kill_process_group(*command, Signal::KILL);
    }
}

/// As [`kill_all`]: without a subreaper nothing tells when the last has ended.
#[cfg(not(target_os = "linux"))]
pub(super) fn end_all(commands: &[Pid]) {
    kill_all(commands);
}
