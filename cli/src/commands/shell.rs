//! `batchwright completions` and `batchwright man`.

use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::{Exit, Failure};

pub(crate) fn completions(shell: Shell) -> Exit {
    clap_complete::generate(shell, &mut Cli::command(), "batchwright", &mut io::stdout());
    Exit::Well
}

pub(crate) fn man(folder: &Path) -> Result<Exit, Failure> {
    let failed = |error: io::Error| Failure::Rejected(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    println!("{}: man --local-file {}", folder.display(), folder.join("batchwright.1").display());
    Ok(Exit::Well)
}
