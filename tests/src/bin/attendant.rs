//! The attendant of the attempts that tests run in their own process.

use std::process::ExitCode;

fn main() -> ExitCode {
    batchwright::engine::attend_if_asked().unwrap_or(ExitCode::FAILURE)
}
