//! Real containers for tests: podman with runc, and images built from scratch around a static busybox.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context as _, bail};
use batchwright::domain::RuntimeChoice;
use batchwright::engine::ContainerRuntime;

/// An image whose programs are `sh`, `sleep` and `busybox`.
pub const IMAGE: &str = "localhost/batchwright-test-busybox";

/// The same image, which says itself what it runs.
pub const SPEAKING_IMAGE: &str = "localhost/batchwright-test-speaking";

/// Machines like those of CI allow neither crun nor the limits that podman sets by itself.
const CONFIGURATION: &str = "[engine]\nruntime = \"runc\"\nevents_logger = \"file\"\n\
    [containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";

/// Podman with its configuration.
pub struct Podman {
    environment: Vec<(OsString, OsString)>,
}

impl Podman {
    /// Podman with the images of the tests; `None`, said aloud, where this machine has none. `.ci/podman` installs it.
    pub fn find() -> Option<Self> {
        static MADE: OnceLock<Option<Vec<(OsString, OsString)>>> = OnceLock::new();
        let environment = MADE.get_or_init(|| match Self::make() {
            Ok(podman) => Some(podman.environment),
            Err(error) => {
                eprintln!("NOT TESTED: containers, because {error:#}; .ci/podman installs what they need");
                None
            }
        });
        environment.clone().map(|environment| Self { environment })
    }

    fn make() -> anyhow::Result<Self> {
        let busybox = ["/usr/bin/busybox", "/bin/busybox"].map(PathBuf::from);
        let busybox = busybox.iter().find(|path| path.exists()).context("there is no busybox")?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/podman");
        fs::create_dir_all(&folder)?;
        let configuration = fs::canonicalize(&folder)?.join("containers.conf");
        fs::write(&configuration, CONFIGURATION)?;
        let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        environment.push(("CONTAINERS_CONF".into(), configuration.into()));
        let podman = Self { environment };
        podman.runtime()?;
        let context = tempfile::tempdir()?;
        for name in ["busybox", "sh", "sleep"] {
            fs::copy(busybox, context.path().join(name))?;
        }
        let plain = "FROM scratch\nCOPY busybox sh sleep /bin/\nENV PATH=/bin\n";
        let speaking =
            format!("{plain}ENTRYPOINT [\"/bin/busybox\"]\nCMD [\"echo\", \"the image speaks\"]\n");
        for (image, text) in [(IMAGE, plain), (SPEAKING_IMAGE, &speaking)] {
            fs::write(context.path().join("Containerfile"), text)?;
            let built = podman.call([
                "build".as_ref(),
                "--quiet".as_ref(),
                "--tag".as_ref(),
                image.as_ref(),
                context.path().as_os_str(),
            ])?;
            if !built.status.success() {
                bail!("podman build: {}", String::from_utf8_lossy(&built.stderr));
            }
        }
        Ok(podman)
    }

    /// For the engine.
    ///
    /// # Errors
    ///
    /// Where podman does not answer.
    pub fn runtime(&self) -> anyhow::Result<ContainerRuntime> {
        Ok(ContainerRuntime::find(RuntimeChoice::Podman, &self.environment)?)
    }

    /// What a program needs to find the same podman.
    pub fn environment(&self) -> &[(OsString, OsString)] {
        &self.environment
    }

    /// Calls podman.
    ///
    /// # Errors
    ///
    /// Where it can't be called.
    pub fn call(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    ) -> anyhow::Result<Output> {
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        Ok(Command::new("podman").args(arguments).env_clear().envs(environment).output()?)
    }

    /// The names of a state folder's containers, whatever has become of them.
    ///
    /// # Errors
    ///
    /// Where podman can't be called.
    pub fn containers_of(&self, state: &Path) -> anyhow::Result<Vec<String>> {
        let filter = format!("label=batchwright.state={}", state.display());
        let listed = self.call(["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])?;
        Ok(String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect())
    }
}
