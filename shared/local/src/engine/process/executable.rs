//! Why a command can't be started, in the words of a container runtime.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file to execute for a program's name, in a directory. Errs with why it can't be executed.
pub(super) fn find(program: &str, directory: &Path, search_path: &OsStr) -> Result<PathBuf, String> {
    if !directory.is_dir() {
        return Err(told(&format!("chdir to {directory:?}: no such directory")));
    }
    let refused = |why: &str| told(&format!("exec: {program:?}: {why}"));
    if program.contains('/') {
        let path = directory.join(program);
        return check(&path).map(|()| path).map_err(refused);
    }
    let candidates: Vec<PathBuf> =
        std::env::split_paths(search_path).map(|folder| directory.join(folder).join(program)).collect();
    if let Some(found) = candidates.iter().find(|candidate| check(candidate).is_ok()) {
        return Ok(found.clone());
    }
    let denied = candidates.iter().any(|candidate| candidate.is_file());
    Err(refused(if denied { "permission denied" } else { "executable file not found in $PATH" }))
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
            assert_eq!(find(name, folder.path(), path).err(), expected, "{name}");
        }
        assert_eq!(find("program", Path::new("/"), path), Ok(program.clone()));
        assert!(find("program", &program, path).unwrap_err().contains("no such directory"));
    }
}
