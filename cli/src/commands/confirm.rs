//! A question before something is stopped, forgotten or delivered.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;

use crate::exit::Failure;

/// Errs, and names the way round it, where there is no terminal on which a person could answer.
pub(super) fn somebody_can_answer(command: &str) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage(format!("{command} asks before it acts; give --yes where nobody can answer")))
}

/// Whether a person says yes.
pub(super) fn is_confirmed(question: &str) -> Result<bool, Failure> {
    eprint!("{question}? [y/N] ");
    io::stderr().flush().context("stderr")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("stdin")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
