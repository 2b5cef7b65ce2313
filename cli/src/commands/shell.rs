//! `batchwright completions` and `batchwright man`.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::{Exit, Failure};

pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    // Into memory first, because the generator panics where its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "batchwright", &mut script);
    io::stdout().write_all(&script).context("stdout")?;
    Ok(Exit::Well)
}

pub(crate) fn man(folder: &Path) -> Result<Exit, Failure> {
    let failed = |error: io::Error| Failure::Rejected(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    println!("{}: man --local-file {}", folder.display(), folder.join("batchwright.1").display());
    Ok(Exit::Well)
}
