//! How the attempts of a run are started, kept for whoever takes its jobs up.
//!
//! A job that has not started when its run is interrupted is started by the next program that works in the folder. It
//! must get what its own run was given, or it would run its commands in a folder of somebody else.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::containers::ContainerRuntime;
use super::environment::Variable;
use super::settings::ProcessSettings;

/// What of [`ProcessSettings`] decides how an attempt is started. Paths are strings of the system, because those of JSON
/// are text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setup {
    job_file: Option<OsString>,
    workdir: Option<OsString>,
    caller_folder: OsString,
    environment: Vec<Variable>,
    containers: Option<ContainerRuntime>,
    container_environment: Vec<Variable>,
}

impl Setup {
    /// With paths that hold wherever a program is started.
    pub(crate) fn of(settings: &ProcessSettings) -> io::Result<Self> {
        let absolute = |path: &PathBuf| std::path::absolute(path).map(PathBuf::into_os_string);
        Ok(Self {
            job_file: settings.job_file.as_ref().map(absolute).transpose()?,
            workdir: settings.workdir.as_ref().map(absolute).transpose()?,
            caller_folder: absolute(&settings.caller_folder)?,
            environment: settings.environment.clone(),
            containers: settings.containers.clone(),
            container_environment: settings.container_environment.clone(),
        })
    }

    /// The job file whose jobs are started so.
    pub(crate) fn job_file(&self) -> Option<&Path> {
        self.job_file.as_ref().map(Path::new)
    }

    pub(super) fn workdir(&self) -> Option<&Path> {
        self.workdir.as_ref().map(Path::new)
    }

    pub(super) fn caller_folder(&self) -> &Path {
        Path::new(&self.caller_folder)
    }

    pub(super) fn environment(&self) -> &[Variable] {
        &self.environment
    }

    pub(super) fn containers(&self) -> Option<&ContainerRuntime> {
        self.containers.as_ref()
    }

    pub(super) fn container_environment(&self) -> &[Variable] {
        &self.container_environment
    }
}

/// The setups that a state folder keeps, a file each, which only its owner may read: environments hold secrets.
#[derive(Debug, Clone)]
pub(crate) struct KeptSetups {
    folder: PathBuf,
}

impl KeptSetups {
    pub(crate) fn of(state: &Path) -> Self {
        Self { folder: state.join("setups") }
    }

    /// Keeps one under a name, instead of the one that has it. It outlives the machine's sudden end, as the books do.
    pub(crate) fn keep(&self, name: &str, setup: &Setup) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let (path, new) = (self.path(name)?, self.folder.join(".new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(setup)?)?;
        file.sync_all()?;
        fs::rename(new, path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Keeps one instead of those that earlier runs of its job file have left: the file's jobs are to be started as its latest
    /// run says.
    pub(crate) fn replace_of_its_file(&self, setup: &Setup) -> io::Result<()> {
        for name in self.names()? {
            if setup.job_file.is_some() && self.read(&name)?.job_file == setup.job_file {
                self.keep(&name, setup)?;
            }
        }
        Ok(())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).is_ok_and(|path| path.exists())
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<Setup> {
        let path = self.path(name)?;
        let failed = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let bytes = fs::read(&path).map_err(failed)?;
        serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))
    }

    /// The names of all.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
        let names: Vec<String> = names.collect::<io::Result<_>>()?;
        Ok(names.into_iter().filter(|name| self.path(name).is_ok()).collect())
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name)?)
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("{name:?} names no setup")));
        }
        Ok(self.folder.join(name))
    }
}

/// How this engine starts attempts: by its own setup, or by one that is kept.
pub(super) struct Setups {
    own: Arc<Setup>,
    kept: KeptSetups,
    read: Mutex<HashMap<String, Arc<Setup>>>,
}

impl Setups {
    pub(super) fn new(own: Setup, kept: KeptSetups) -> Self {
        Self { own: Arc::new(own), kept, read: Mutex::default() }
    }

    pub(super) fn own(&self) -> &Setup {
        &self.own
    }

    /// Errs with why an attempt can't be started, in the words of ECS.
    pub(super) fn named(&self, name: Option<&str>) -> Result<Arc<Setup>, String> {
        let Some(name) = name else { return Ok(Arc::clone(&self.own)) };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(setup) = read.get(name) {
            return Ok(Arc::clone(setup));
        }
        let setup = self.kept.read(name).map(Arc::new).map_err(|error| {
            format!(
                "ResourceInitializationError: how its run starts jobs can't be read ({error}); run its job file again"
            )
        })?;
        read.insert(name.to_owned(), Arc::clone(&setup));
        Ok(setup)
    }

    /// Every container runtime that attempts of this folder may have been started with.
    pub(super) fn runtimes(&self) -> Vec<ContainerRuntime> {
        let kept = self.kept.names().unwrap_or_default();
        let kept = kept.iter().filter_map(|name| self.named(Some(name)).ok());
        let mut runtimes: Vec<ContainerRuntime> = Vec::new();
        for setup in std::iter::once(Arc::clone(&self.own)).chain(kept) {
            if let Some(runtime) = setup.containers().filter(|&runtime| !runtimes.contains(runtime)) {
                runtimes.push(runtime.clone());
            }
        }
        runtimes
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn setup(job_file: &str, workdir: &str) -> Setup {
        Setup {
            job_file: Some(job_file.into()),
            workdir: Some(workdir.into()),
            caller_folder: OsString::from_vec(vec![b'/', 0xff]),
            environment: vec![("TOKEN".into(), OsString::from_vec(vec![0xfe, b'=', b'\n']))],
            containers: None,
            container_environment: Vec::new(),
        }
    }

    #[test]
    fn a_setup_is_read_as_it_was_kept_and_by_its_owner_alone() {
        let state = tempfile::tempdir().unwrap();
        let kept = KeptSetups::of(state.path());
        assert_eq!((kept.names().unwrap().len(), kept.has("a")), (0, false));
        kept.keep("a", &setup("/a.yaml", "/one")).unwrap();
        kept.keep("a", &setup("/a.yaml", "/two")).unwrap();
        assert_eq!((kept.names().unwrap(), kept.has("a")), (vec!["a".to_owned()], true));
        assert_eq!(kept.read("a").unwrap(), setup("/a.yaml", "/two"));
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(kept.folder.clone()), 0o700);
        assert_eq!(mode(kept.folder.join("a")), 0o600);
        kept.remove("a").unwrap();
        assert_eq!(kept.names().unwrap().len(), 0);
    }

    #[test]
    fn the_latest_run_of_a_file_says_how_its_jobs_are_started_and_no_others() {
        let state = tempfile::tempdir().unwrap();
        let kept = KeptSetups::of(state.path());
        kept.keep("first", &setup("/a.yaml", "/one")).unwrap();
        kept.keep("other", &setup("/b.yaml", "/one")).unwrap();
        kept.keep("none", &Setup { job_file: None, ..setup("", "/one") }).unwrap();
        kept.replace_of_its_file(&setup("/a.yaml", "/two")).unwrap();
        kept.replace_of_its_file(&Setup { job_file: None, ..setup("", "/three") }).unwrap();
        let workdir = |name: &str| kept.read(name).unwrap().workdir.unwrap();
        assert_eq!(
            (workdir("first"), workdir("other"), workdir("none")),
            ("/two".into(), "/one".into(), "/one".into())
        );
    }

    #[test]
    fn an_attempt_whose_setup_is_gone_is_not_started_by_another() {
        let state = tempfile::tempdir().unwrap();
        let kept = KeptSetups::of(state.path());
        let setups = Setups::new(setup("/own.yaml", "/own"), kept.clone());
        assert_eq!(setups.named(None).unwrap().workdir(), Some(Path::new("/own")));
        for name in ["gone", "", "../a", ".new"] {
            let refused = setups.named(Some(name)).unwrap_err();
            assert!(refused.contains("run its job file again"), "{refused}");
            assert!(refused.starts_with("ResourceInitializationError: "), "{refused}");
        }
        kept.keep("there", &setup("/a.yaml", "/one")).unwrap();
        assert_eq!(setups.named(Some("there")).unwrap().workdir(), Some(Path::new("/one")));
    }
}
