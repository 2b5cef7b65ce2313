//! Folders of attempts that have ended, for others to come.
//!
//! A file system takes longer over a new file or folder than over anything else that a short job needs: ext4 without a
//! journal passes over each inode that was freed in the last minutes, for each that it gives out. So the folder of a
//! command that has left its own folders empty is not removed and made anew.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::folder::Folder;

/// They lie beside the attempts, and go with this.
pub(super) struct Spares {
    root: PathBuf,
    free: Mutex<Vec<Folder>>,
    number: AtomicU64,
}

impl Spares {
    /// Removes those that a killed engine has left.
    pub(super) fn new(root: PathBuf) -> io::Result<Self> {
        Folder::at(&root).remove()?;
        fs::create_dir(&root)?;
        Ok(Self { root, free: Mutex::default(), number: AtomicU64::new(0) })
    }

    /// Makes the folder of an attempt.
    pub(super) fn create(&self, folder: &Folder) -> io::Result<()> {
        let spare = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if spare.is_some_and(|spare| fs::rename(spare.path(), folder.path()).is_ok()) {
            return Ok(());
        }
        folder.create()
    }

    /// Puts the folder of an attempt away that has ended.
    pub(super) fn put_away(&self, folder: &Folder) -> io::Result<()> {
        if !folder.is_as_found() {
            return folder.remove();
        }
        let spare = Folder::at(self.root.join(self.number.fetch_add(1, Ordering::Relaxed).to_string()));
        // The attempt is gone with this, wherever the engine is killed.
        fs::rename(folder.path(), spare.path())?;
        if spare.clean().is_err() {
            return spare.remove();
        }
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(spare);
        Ok(())
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        if let Err(error) = Folder::at(&self.root).remove() {
            tracing::warn!(%error, folder = %self.root.display(), "folders for more attempts can't be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::engine::process::attendant::Order;
    use crate::engine::process::folder::UnitEnd;

    /// The folder of an attempt whose attendant has ended.
    fn ended(spares: &Spares, folder: &Folder) {
        spares.create(folder).unwrap();
        Order { runtime: None, timeout_seconds: None, units: Vec::new() }.write(&folder.order()).unwrap();
        folder.announce(0).unwrap();
        folder.note_ends(&[] as &[UnitEnd]).unwrap();
        folder.confirm_ends().unwrap();
    }

    #[test]
    fn only_a_folder_that_was_left_as_it_was_found_is_used_again() {
        type Change = fn(&Folder);
        let cases: [(&str, Change, bool); 7] = [
            ("nothing", |_| {}, true),
            ("output", |folder| drop(folder.open_output(0).unwrap()), true),
            ("a file", |folder| fs::write(folder.tmp().join("left"), "").unwrap(), false),
            ("a hidden folder", |folder| fs::create_dir(folder.home().join(".cache")).unwrap(), false),
            (
                "a mode",
                |folder| fs::set_permissions(folder.work(), Permissions::from_mode(0o777)).unwrap(),
                false,
            ),
            ("a folder less", |folder| fs::remove_dir(folder.work()).unwrap(), false),
            ("a folder more", |folder| fs::create_dir(folder.path().join("more")).unwrap(), false),
        ];
        for (what, change, is_used) in cases {
            let state = tempfile::tempdir().unwrap();
            let spares = Spares::new(state.path().join("spares")).unwrap();
            let (first, second) = (Folder::at(state.path().join("a")), Folder::at(state.path().join("b")));
            ended(&spares, &first);
            change(&first);
            spares.put_away(&first).unwrap();
            assert!(!first.path().exists(), "{what}");
            assert_eq!(spares.free.lock().unwrap().len(), usize::from(is_used), "{what}");
            spares.create(&second).unwrap();
            let mut names: Vec<_> =
                fs::read_dir(second.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.retain(|name| name != "order");
            names.sort();
            assert_eq!(names, ["home", "tmp", "work"], "{what}");
            assert_eq!(fs::read(second.order()).unwrap_or_default(), b"", "orders hold secrets");
            assert!(!second.is_announced() && second.ends().is_none(), "{what}");
            drop(spares);
            assert!(!state.path().join("spares").exists());
        }
    }

    #[test]
    fn the_folder_of_an_attempt_without_a_confirmed_end_is_not_used_again() {
        let state = tempfile::tempdir().unwrap();
        let spares = Spares::new(state.path().join("spares")).unwrap();
        let folder = Folder::at(state.path().join("a"));
        spares.create(&folder).unwrap();
        Order { runtime: None, timeout_seconds: None, units: Vec::new() }.write(&folder.order()).unwrap();
        folder.claim().unwrap();
        spares.put_away(&folder).unwrap();
        assert!(!folder.path().exists());
        assert_eq!(fs::read_dir(state.path().join("spares")).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_engine_left_is_removed() {
        let state = tempfile::tempdir().unwrap();
        fs::create_dir_all(state.path().join("spares/7/work")).unwrap();
        let spares = Spares::new(state.path().join("spares")).unwrap();
        assert_eq!(fs::read_dir(state.path().join("spares")).unwrap().count(), 0);
        drop(spares);
    }
}
