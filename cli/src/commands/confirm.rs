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

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes))
}

/// Whether a person says yes.
pub(super) fn is_confirmed(question: &str) -> Result<bool, Failure> {
    eprint!("{question}? [y/N] ");
    io::stderr().flush().context("stderr")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("stdin")?;
    Ok(is_yes(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_is_yes_in_any_case_and_nothing_else_is() {
        for answer in ["y", "Y", "yes", "YES", " Yes\n"] {
            assert!(is_yes(answer), "{answer:?}");
        }
        for answer in ["", "\n", "n", "no", "yeah", "yes please"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }
}
