//! `batchwright s3`: objects and local files.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `args` | the command line |
//! | `place` | where something is read and written: a file, standard input, an object |
//! | `file` | a file that appears whole |
//! | `documents` | `load`, `dump`, `convert`, `validate` |
//! | `looks` | `info`, `access`, `wait`, `copy` |
//! | `list` | `list` |
//! | `uri` | `uri` |
//! | `results` | what is printed |

pub(crate) mod args;
mod documents;
mod file;
#[cfg(feature = "aws")]
mod list;
#[cfg(feature = "aws")]
mod looks;
mod place;
mod results;
mod uri;

use args::{S3Args, S3Command};
use place::Reach;

use crate::exit::{Exit, Failure};

/// Does what the command line says.
pub(crate) async fn run(args: &S3Args) -> Result<Exit, Failure> {
    let reach = Reach::new(args);
    match &args.command {
        S3Command::Load(load) => documents::load(&reach, load).await,
        S3Command::Dump(dump) => documents::dump(&reach, dump).await,
        S3Command::Convert(convert) => documents::convert(&reach, convert).await,
        S3Command::Validate(validate) => documents::validate(&reach, validate).await,
        S3Command::Uri(uri) => uri::uri(uri),
        #[cfg(feature = "aws")]
        S3Command::Info(info) => looks::info(reach.buckets().await, info).await,
        #[cfg(feature = "aws")]
        S3Command::Access(access) => looks::access(reach.buckets().await, access).await,
        #[cfg(feature = "aws")]
        S3Command::Wait(wait) => looks::wait(reach.buckets().await, wait).await,
        #[cfg(feature = "aws")]
        S3Command::Copy(copy) => looks::copy(reach.buckets().await, copy).await,
        #[cfg(feature = "aws")]
        S3Command::List(list) => list::list(reach.buckets().await, list).await,
    }
}
