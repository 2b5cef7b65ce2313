//! Why a command can't be started, in the words of a container runtime.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// `None` where the program can be started in that directory.
pub(super) fn obstacle(program: &str, directory: &Path, search_path: &OsStr) -> Option<String> {
    if !directory.is_dir() {
        return Some(told(&format!("chdir to {directory:?}: no such directory")));
    }
    if program.contains('/') {
        let why = check(&directory.join(program)).err()?;
        return Some(told(&format!("exec: {program:?}: {why}")));
    }
    let candidates: Vec<PathBuf> =
        std::env::split_paths(search_path).map(|folder| directory.join(folder).join(program)).collect();
    if candidates.iter().any(|candidate| check(candidate).is_ok()) {
        return None;
    }
    let denied = candidates.iter().any(|candidate| candidate.is_file());
    let why = if denied { "permission denied" } else { "executable file not found in $PATH" };
    Some(told(&format!("exec: {program:?}: {why}")))
}

fn told(why: &str) -> String {
    format!("CannotStartContainerError: {why}")
}

fn check(path: &Path) -> Result<(), &'static str> {
    let Ok(metadata) = fs::metadata(path) else { return Err("no such file or directory") };
    if metadata.is_dir() {
        return Err("is a directory");
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err("permission denied");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obstacles_are_told_before_anything_is_started() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, program) = (folder.path().join("plain"), folder.path().join("program"));
        for (path, mode) in [(&plain, 0o644), (&program, 0o755)] {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = folder.path().as_os_str();
        for (name, expected) in [
            ("program", None),
            ("./program", None),
            ("plain", Some("exec: \"plain\": permission denied")),
            ("./plain", Some("exec: \"./plain\": permission denied")),
            ("absent", Some("exec: \"absent\": executable file not found in $PATH")),
            ("./absent", Some("exec: \"./absent\": no such file or directory")),
            ("/", Some("exec: \"/\": is a directory")),
        ] {
            let expected = expected.map(|why| format!("CannotStartContainerError: {why}"));
            assert_eq!(obstacle(name, folder.path(), path), expected, "{name}");
        }
        assert!(obstacle("program", &program, path).unwrap().contains("no such directory"));
    }
}
