//! What an attendant is to run, as the engine writes it: strings that each end with a NUL byte, which neither
//! arguments nor environments can hold.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What to run, and where its output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::process) struct Order {
    /// The log stream that takes in the output.
    pub(in crate::engine::process) log_stream: OsString,
    /// Where the command runs.
    pub(in crate::engine::process) directory: PathBuf,
    /// The file to execute.
    pub(in crate::engine::process) program: PathBuf,
    /// The program's name, as it was given, and its arguments.
    pub(in crate::engine::process) command: Vec<OsString>,
    /// All of its environment; the last of equal names wins.
    pub(in crate::engine::process) environment: Vec<(OsString, OsString)>,
}

impl Order {
    /// Writes it for the attendant alone: environments hold secrets.
    pub(in crate::engine::process) fn write(&self, path: &Path) -> io::Result<()> {
        let bytes = self.encode()?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(&bytes)
    }

    pub(in crate::engine::process) fn read(path: &Path) -> io::Result<Self> {
        Self::decode(&fs::read(path)?).ok_or_else(|| {
            io::Error::new(ErrorKind::InvalidData, format!("{}: the order is not whole", path.display()))
        })
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        push(&mut bytes, &[&self.log_stream])?;
        push(&mut bytes, &[self.directory.as_os_str()])?;
        push(&mut bytes, &[self.program.as_os_str()])?;
        push(&mut bytes, &[self.command.len().to_string().as_ref()])?;
        for argument in &self.command {
            push(&mut bytes, &[argument])?;
        }
        for (name, value) in &self.environment {
            push(&mut bytes, &[name, "=".as_ref(), value])?;
        }
        // The end: an order that was cut short must not run.
        bytes.push(0);
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut strings = bytes.strip_suffix(b"\0\0")?.split(|&byte| byte == 0);
        let mut next = || strings.next().map(|string| OsString::from_vec(string.to_vec()));
        let (log_stream, directory, program) = (next()?, next()?.into(), next()?.into());
        let count: usize = next()?.to_str()?.parse().ok()?;
        let command = (0..count).map(|_| next()).collect::<Option<_>>()?;
        let environment = strings.map(pair).collect::<Option<_>>()?;
        Some(Self { log_stream, directory, program, command, environment })
    }
}

fn push(bytes: &mut Vec<u8>, parts: &[&OsStr]) -> io::Result<()> {
    for part in parts {
        if part.as_bytes().contains(&0) {
            let what = format!("{part:?} holds a NUL character; commands and environments can't");
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.push(0);
    Ok(())
}

/// Name and value: the name ends at the first `=`.
fn pair(text: &[u8]) -> Option<(OsString, OsString)> {
    let at = text.iter().position(|&byte| byte == b'=')?;
    let part = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    Some((part(&text[..at]), part(&text[at + 1..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(command: &[&str], environment: &[(&str, &str)]) -> Order {
        Order {
            log_stream: "d/default/t".into(),
            directory: "/work of\n mine".into(),
            program: "/bin/sh".into(),
            command: command.iter().map(Into::into).collect(),
            environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order");
        let mut bytes = order(&["sh"], &[]);
        bytes.command.push(OsString::from_vec(vec![0xff, 0xfe]));
        for written in [
            order(&["sh", "-c", "echo \"a b\"\n", ""], &[("a.b", "=x=\n"), ("EMPTY", ""), ("1abc", "ü")]),
            order(&["sh"], &[("IFS", ","), ("", "nameless")]),
            order(&["sh", ""], &[]),
            bytes,
        ] {
            written.write(&path).unwrap();
            assert_eq!(Order::read(&path).unwrap(), written);
        }
    }

    #[test]
    fn an_order_that_was_cut_short_is_none() {
        let whole = order(&["sh", "-c", "true"], &[("A", "1"), ("B", "")]).encode().unwrap();
        for end in 0..whole.len() {
            assert_eq!(Order::decode(&whole[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn a_nul_character_is_refused_and_not_taken_for_an_end() {
        for bad in [order(&["sh", "a\0b"], &[]), order(&["sh"], &[("A", "1\0B=2")])] {
            assert!(bad.encode().unwrap_err().to_string().contains("NUL character"));
        }
    }
}
