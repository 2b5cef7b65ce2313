//! What an attendant is to run, as the engine writes it.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::containers::ContainerRuntime;
use crate::engine::core::StartsAfter;

/// All that runs in one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::engine::process) struct Order {
    /// What runs containers; `None` where processes run.
    pub(in crate::engine::process) runtime: Option<ContainerRuntime>,
    /// How long it may run once something of it has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine::process) timeout_seconds: Option<u32>,
    /// One of most attempts.
    pub(in crate::engine::process) units: Vec<Unit>,
}

/// One container, or the process in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::engine::process) struct Unit {
    /// Its name within the task.
    pub(in crate::engine::process) name: String,
    /// The others of its node end when it ends.
    pub(in crate::engine::process) essential: bool,
    /// The index of its node; 0 where there are none.
    pub(in crate::engine::process) node: u32,
    /// All others end when it ends.
    pub(in crate::engine::process) decides: bool,
    /// What must hold of the others of its node before it starts.
    pub(in crate::engine::process) depends_on: Vec<StartsAfter>,
    /// The log stream that takes in its output.
    pub(in crate::engine::process) log_stream: String,
    pub(in crate::engine::process) run: Run,
}

/// How a unit is run. Paths are strings of the system, because those of JSON are text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::engine::process) enum Run {
    Process {
        /// Where the command runs.
        directory: OsString,
        /// The file to execute.
        program: OsString,
        /// The program's name, as it was given, and its arguments.
        command: Vec<OsString>,
        /// All of its environment; the last of equal names wins.
        environment: Vec<(OsString, OsString)>,
    },
    Container {
        /// By which the runtime knows it.
        name: String,
        image: String,
        /// The runtime's arguments that make it.
        create: Vec<OsString>,
        /// Whether its memory is limited.
        is_limited: bool,
    },
}

impl Order {
    /// Writes it, as one line, for the attendant alone: environments hold secrets.
    pub(in crate::engine::process) fn write(&self, path: &Path) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(&bytes)
    }

    pub(in crate::engine::process) fn read(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        // What follows it is the attendant's.
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        serde_json::from_slice(line).map_err(|error| {
            io::Error::new(
                ErrorKind::InvalidData,
                format!("{}: the order is not whole: {error}", path.display()),
            )
        })
    }

    /// The names of its containers.
    pub(in crate::engine::process) fn containers(&self) -> impl Iterator<Item = &str> {
        self.units.iter().filter_map(|unit| match &unit.run {
            Run::Container { name, .. } => Some(name.as_str()),
            Run::Process { .. } => None,
        })
    }
}

#[cfg(test)]
impl Unit {
    /// The only unit of a job.
    pub(in crate::engine::process) fn only(run: Run) -> Self {
        Self {
            name: "default".into(),
            essential: true,
            node: 0,
            decides: true,
            depends_on: Vec::new(),
            log_stream: "d/default/t".into(),
            run,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn order(command: &[&str], environment: &[(&str, &str)]) -> Order {
        let run = Run::Process {
            directory: "/work of\n mine".into(),
            program: "/bin/sh".into(),
            command: command.iter().map(Into::into).collect(),
            environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        };
        Order { runtime: None, timeout_seconds: Some(60), units: vec![Unit::only(run)] }
    }

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order");
        let mut bytes = order(&["sh"], &[]);
        let Run::Process { command, .. } = &mut bytes.units[0].run else { panic!("it is a process") };
        command.push(OsString::from_vec(vec![0xff, 0xfe]));
        for written in [
            order(&["sh", "-c", "echo \"a b\"\n", ""], &[("a.b", "=x=\n"), ("EMPTY", ""), ("1abc", "ü")]),
            order(&["sh"], &[("IFS", ","), ("", "nameless")]),
            order(&["sh", ""], &[]),
            bytes,
        ] {
            written.write(&path).unwrap();
            assert_eq!(Order::read(&path).unwrap(), written);
            OpenOptions::new().append(true).open(&path).unwrap().write_all(b"12\nwho\n  0\n").unwrap();
            assert_eq!(Order::read(&path).unwrap(), written, "what follows it is the attendant's");
        }
    }

    #[test]
    fn an_order_that_was_cut_short_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order");
        let whole = serde_json::to_vec(&order(&["sh", "-c", "true"], &[("A", "1"), ("B", "")])).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(Order::read(&path).is_err(), "cut at {end}");
        }
    }
}
