//! Lines to stdout and stderr, where the reader may be gone.
//!
//! `println!` and `eprintln!` of the standard library panic then (`batchwright jobs | head`). In this crate they
//! mean these: a closed stdout ends the program as SIGPIPE would, a closed stderr is no reason to stop.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

use super::text::harmless_lines;

/// The exit code of a program that SIGPIPE ended: 128 + 13.
pub(crate) const CLOSED_PIPE: u8 = 141;

/// The context of every error of stdout, by which one that was closed is told from other broken pipes.
const STDOUT: &str = "stdout";

macro_rules! println {
    ($($text:tt)*) => { $crate::output::streams::out(format_args!($($text)*)) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::output::streams::err(format_args!($($text)*)) };
}

/// Writes a line to stdout.
pub(crate) fn out(text: Arguments<'_>) {
    let mut out = io::stdout().lock();
    let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) else { return };
    if error.kind() != ErrorKind::BrokenPipe {
        err(format_args!("batchwright: {STDOUT}: {error}"));
        std::process::exit(4);
    }
    std::process::exit(CLOSED_PIPE.into());
}

/// Writes a line to stderr, harmless: what went wrong often quotes what others wrote. Nobody could be told that it
/// failed.
pub(crate) fn err(text: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless_lines(&text.to_string()));
}

/// Whether an error is that stdout was closed.
pub(crate) fn is_closed_stdout(error: &anyhow::Error) -> bool {
    let is_broken = |cause: &(dyn std::error::Error + 'static)| {
        let kind = match (cause.downcast_ref::<io::Error>(), cause.downcast_ref::<serde_json::Error>()) {
            (Some(error), _) => Some(error.kind()),
            (None, Some(error)) => error.io_error_kind(),
            (None, None) => None,
        };
        kind == Some(ErrorKind::BrokenPipe)
    };
    error.to_string() == STDOUT && error.chain().any(is_broken)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_closed_stdout_is_told_from_other_broken_pipes() {
        let broken = || Err::<(), _>(io::Error::from(ErrorKind::BrokenPipe));
        assert!(is_closed_stdout(&broken().context("stdout").unwrap_err()));
        assert!(!is_closed_stdout(&broken().context("the table can't be read").unwrap_err()));
        let full = Err::<(), _>(io::Error::from(ErrorKind::StorageFull)).context("stdout");
        assert!(!is_closed_stdout(&full.unwrap_err()));
    }
}
