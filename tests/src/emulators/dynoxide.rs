//! dynoxide: DynamoDB on SQLite, a second opinion on the store.
//!
//! It runs as a program, never as a dependency: it links a SQLite of another version than the local store's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;

use super::process::Server;
use super::sdk_config;
use super::venv::has_python;

const VERSION: &str = "3.2.0";

/// The HTTP server and what it stores in, without the parts that take longest to build.
const FEATURES: &str = "cli,http-server,native-sqlite";

/// What `cargo test`, `cargo llvm-cov` and the like set for this workspace, and what would change where the
/// program goes or what it is.
const NOT_INHERITED: [&str; 9] = [
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "LLVM_PROFILE_FILE",
];

/// A dynoxide that runs, with its data in memory.
#[derive(Debug)]
pub struct Dynoxide {
    server: Server,
}

impl Dynoxide {
    /// The one of this test program, started by the first test that asks; `None` where this machine has no
    /// `python3`, under which every server runs.
    pub fn shared() -> anyhow::Result<Option<&'static Self>> {
        static SHARED: OnceLock<Result<Option<Dynoxide>, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start().map_err(|why| format!("{why:#}")));
        shared.as_ref().map(Option::as_ref).map_err(|why| anyhow::anyhow!("{why}"))
    }

    /// One of its own. The first start on a machine builds the program, which takes minutes.
    pub fn start() -> anyhow::Result<Option<Self>> {
        if !has_python("dynoxide") {
            return Ok(None);
        }
        let program = installed()?;
        let server = Server::start("dynoxide", |port, _| {
            let mut command = Command::new(&program);
            command.args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()]);
            Ok(command)
        })?;
        Ok(Some(Self { server }))
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A configuration that reaches it.
    pub async fn sdk_config(&self) -> anyhow::Result<SdkConfig> {
        sdk_config(&self.server.endpoint_url()).await
    }
}

/// The program in the workspace's `.tools`, built where it is missing. Test programs that ask at once wait
/// for the first of them.
fn installed() -> anyhow::Result<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    fs::create_dir_all(&tools).with_context(|| format!("making {}", tools.display()))?;
    let root = tools.canonicalize()?.join(format!("dynoxide-{VERSION}"));
    let lock = File::create(root.with_added_extension("lock"))?;
    lock.lock().context("waiting for another test program that installs dynoxide")?;
    let program = root.join("bin/dynoxide");
    if !program.exists() {
        install(&root)?;
    }
    Ok(program)
}

/// Without optimisation and debug information: the build is what takes time, not the suites. An
/// interrupted build goes on where it was.
fn install(root: &Path) -> anyhow::Result<()> {
    eprintln!("installing dynoxide {VERSION} into {}: this takes minutes, once", root.display());
    let target = root.join("target");
    let mut cargo = Command::new("cargo");
    cargo.args(["install", "dynoxide-rs", "--version", VERSION, "--locked", "--debug", "--quiet"]);
    cargo.args(["--no-default-features", "--features", FEATURES]);
    cargo.arg("--root").arg(root).arg("--target-dir").arg(&target);
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
    for name in NOT_INHERITED {
        cargo.env_remove(name);
    }
    let output = cargo.output().with_context(|| format!("starting {cargo:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{cargo:?} failed with {}: {said}", output.status);
    fs::remove_dir_all(&target).with_context(|| format!("removing {}", target.display()))
}
