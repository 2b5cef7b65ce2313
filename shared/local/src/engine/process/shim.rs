//! The shell script around a command, and how it is spawned.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::folder::Folder;
use crate::engine::core::Launch;

/// Arguments: the attempt's folder, then the command.
///
/// The shim survives the SIGTERM that its group gets, because it has the exit code to write. It says
/// who it is by linking a whole file: where that name is taken, an engine has declared the attempt
/// lost, and the command must not run. `exec` in a subshell runs programs only, no built-ins. When the
/// command has ended, what it left behind in the group is ended too, the shim with it, as a
/// container's processes end with its first.
const SCRIPT: &str = r#"
trap : TERM INT HUP
exec 3>&2 2>/dev/null
folder=$1
shift
if read -r boot </proc/sys/kernel/random/boot_id && read -r start </proc/$$/stat; then :; else
    boot=
    start=$(command -p ps -o lstart= -p $$)
fi
printf '%s\n' "$$" "$boot" "$start" >"$folder/pid.new" || exit 1
command -p ln "$folder/pid.new" "$folder/pid" || exit 1
(exec 2>&3 3>&-; exec "$@")
code=$?
printf '%s\n' "$code" >"$folder/exit.new" && command -p mv "$folder/exit.new" "$folder/exit"
kill -KILL 0
"#;

/// Spawns the shim: in its own process group, without input, its output appended to a file.
pub(super) fn spawn(launch: &Launch, folder: &Folder, working_directory: &Path) -> io::Result<Child> {
    let output = OpenOptions::new().create(true).append(true).open(folder.output())?;
    Command::new("/bin/sh")
        .args(["-c", SCRIPT, "sh"])
        .arg(folder.path())
        .args(&launch.command)
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(working_directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
}
