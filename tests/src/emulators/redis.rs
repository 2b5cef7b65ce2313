//! Redis itself, of Debian's package, unpacked into `.tools` and not installed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, bail, ensure};

use super::process::Server;
use super::venv::has_python;

/// The server, and the libraries that a machine may not have.
const PACKAGES: [&str; 5] = ["redis-server", "redis-tools", "libatomic1", "libjemalloc2", "liblzf1"];

/// A Redis that runs.
#[derive(Debug)]
pub struct Redis {
    server: Server,
}

impl Redis {
    /// The one of this test program, started by the first test that asks; `None` where this machine has no
    /// `redis-server` and none of Debian's packages, or no `python3`, under which every server runs.
    pub fn shared() -> anyhow::Result<Option<&'static Self>> {
        static SHARED: OnceLock<Result<Option<Redis>, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start(&[]).map_err(|why| format!("{why:#}")));
        shared.as_ref().map(Option::as_ref).map_err(|why| anyhow::anyhow!("{why}"))
    }

    /// One of its own, with more settings.
    pub fn start(settings: &[&str]) -> anyhow::Result<Option<Self>> {
        if !has_python("redis-server") {
            return Ok(None);
        }
        let Some(program) = installed()? else { return Ok(None) };
        let server = Server::start("redis", |port, scratch| {
            let mut command = program.command();
            // With TLS it listens on that port alone.
            let tls = settings.contains(&"--tls-cert-file");
            let (plain, with_tls) = if tls { (0, port) } else { (port, 0) };
            command.args(["--bind", "127.0.0.1", "--port", &plain.to_string()]);
            if tls {
                command.args(["--tls-port", &with_tls.to_string()]);
            }
            command.args(["--save", "", "--dir"]).arg(scratch).args(settings);
            Ok(command)
        })?;
        Ok(Some(Self { server }))
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The URL of an empty store on it.
    pub fn new_store(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        format!("redis://{}?prefix=store-{number}", self.server.address())
    }
}

/// Where the program is.
#[derive(Debug)]
struct Program {
    path: PathBuf,
    libraries: Option<PathBuf>,
}

impl Program {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    fn runs(&self) -> bool {
        self.command().arg("--version").output().is_ok_and(|output| output.status.success())
    }
}

/// The machine's own, or Debian's in the workspace's `.tools`, fetched where it is missing. Test programs that ask at
/// once wait for the first of them.
fn installed() -> anyhow::Result<Option<Program>> {
    let own = Program { path: "redis-server".into(), libraries: None };
    if own.runs() {
        return Ok(Some(own));
    }
    if Command::new("apt-get").arg("--version").output().is_err() {
        eprintln!("skipped: this machine has neither redis-server nor apt-get, which would fetch it");
        return Ok(None);
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    fs::create_dir_all(&tools).with_context(|| format!("making {}", tools.display()))?;
    let root = tools.canonicalize()?.join("redis");
    let lock = File::create(root.with_added_extension("lock"))?;
    lock.lock().context("waiting for another test program that fetches redis-server")?;
    let path = root.join("usr/bin/redis-server");
    if !path.exists() {
        fetch(&root)?;
    }
    let folders = fs::read_dir(root.join("usr/lib"))?.filter_map(Result::ok).map(|entry| entry.path());
    let libraries = folders.into_iter().find(|folder| folder.join("libjemalloc.so.2").exists());
    let program = Program { path, libraries };
    ensure!(program.runs(), "{program:?} does not run; remove {} to fetch it anew", root.display());
    Ok(Some(program))
}

/// Into a folder beside, so that what was interrupted is not taken for whole.
fn fetch(root: &Path) -> anyhow::Result<()> {
    let unfinished = root.with_added_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let downloads = unfinished.join("downloads");
    fs::create_dir_all(&downloads)?;
    let mut download = Command::new("apt-get");
    download.args(["download", "--quiet"]).args(PACKAGES).current_dir(&downloads);
    if run(&mut download).is_err() {
        // The lists of packages are missing, or name versions that are gone.
        run(Command::new("apt-get").args(["update", "--quiet"]))?;
        run(&mut download)?;
    }
    for package in fs::read_dir(&downloads)? {
        run(Command::new("dpkg").arg("--extract").arg(package?.path()).arg(&unfinished))?;
    }
    fs::rename(&unfinished, root).with_context(|| format!("moving {}", unfinished.display()))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
