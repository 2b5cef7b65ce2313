//! Where the results go.

use std::fs::{File, Metadata, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use batchwright::domain::S3Uri;

use super::list::List;
use super::usage;
use crate::args::InvokeArgs;
use crate::exit::Failure;

/// The place of the results.
pub(super) enum ResultsPlace {
    /// Standard output, a pipe or a device: what is written can't be read again.
    Stream(File, String),
    /// A file, from which a run goes on.
    File(PathBuf),
    /// An object.
    Object(S3Uri),
}

impl ResultsPlace {
    pub(super) fn of(args: &InvokeArgs) -> Result<Self, Failure> {
        let place = match args.results.as_deref() {
            None => {
                let own = std::io::stdout().as_fd().try_clone_to_owned();
                let own = own.context("standard output can't be used")?;
                Self::Stream(own.into(), "standard output".to_owned())
            }
            Some(name) if name.starts_with("s3://") => Self::Object(S3Uri::parse(name).map_err(usage)?),
            Some(name) => match std::fs::metadata(name) {
                Ok(found) if found.is_dir() => {
                    return Err(Failure::Rejected(format!("{name}: is a folder; name a file in it")));
                }
                Ok(found) if !found.is_file() => {
                    let opened = OpenOptions::new().write(true).open(name);
                    Self::Stream(opened.with_context(|| format!("{name} can't be written"))?, name.to_owned())
                }
                _ => Self::File(PathBuf::from(name)),
            },
        };
        if (args.resume || args.overwrite) && matches!(place, Self::Stream(..)) {
            let why =
                "--resume and --overwrite are about a file or an object of results; name it with --results";
            return Err(Failure::Usage(why.to_owned()));
        }
        Ok(place)
    }

    /// Errs where results would be written into the list: it would be lost, or read on without end.
    pub(super) fn check_against(&self, list: &List) -> Result<(), Failure> {
        let list_file = match list {
            List::File(path) => std::fs::metadata(path).ok(),
            List::StandardInput => own(&std::io::stdin()),
            List::Here(_) | List::Object(..) => None,
        };
        let is_same = match (self, list) {
            (Self::Object(results), List::Object(_, list)) => results == list,
            (Self::Object(_), _) => false,
            (Self::Stream(file, _), _) => is_one_file(list_file, file.metadata().ok()),
            (Self::File(path), _) => {
                let beside = |ending: &str| {
                    let mut name = path.as_os_str().to_owned();
                    name.push(ending);
                    std::fs::metadata(Path::new(&name)).ok()
                };
                ["", ".journal", ".tidy"].iter().any(|ending| is_one_file(list_file.clone(), beside(ending)))
            }
        };
        if is_same {
            let why = "the results would be written into the list itself; name another place with --results";
            return Err(Failure::Rejected(why.to_owned()));
        }
        Ok(())
    }
}

/// Whether both are one file, whatever its names. Terminals and pipes are none.
fn is_one_file(one: Option<Metadata>, other: Option<Metadata>) -> bool {
    let identity = |file: Metadata| file.is_file().then(|| (file.dev(), file.ino()));
    let one = one.and_then(identity);
    one.is_some() && one == other.and_then(identity)
}

fn own(stream: &impl AsFd) -> Option<Metadata> {
    let own = stream.as_fd().try_clone_to_owned().ok()?;
    File::from(own).metadata().ok()
}

/// The file in which results wait until they become an object: in the folder of the program, under a name by which
/// the same command finds it again.
pub(super) struct SpooledObject {
    pub(super) path: PathBuf,
}

impl SpooledObject {
    pub(super) fn of(uri: &S3Uri, digest: &str) -> Self {
        let name = uri.key.rsplit('/').next().unwrap_or_default();
        Self { path: PathBuf::from(format!("batchwright-{}-{name}", &digest[..16])) }
    }

    /// Removes it, once it is an object.
    pub(super) fn remove(&self) {
        let mut journal = self.path.as_os_str().to_owned();
        journal.push(".journal");
        for path in [self.path.as_path(), Path::new(&journal)] {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!("{} is not needed any more and can't be removed: {error}", path.display());
            }
        }
    }
}
