//! `batchwright s3`: objects and local files.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `args` | the command line |
//! | `place`, `remote` | where something is read and written: a file, standard input, an object of S3 |
//! | `file`, `pipe` | a file that appears whole; what is written in place |
//! | `settings` | options for how an object is kept |
//! | `signals` | signals that end the program: what it has begun is taken back |
//! | `journal`, `uploads` | multipart uploads that others have left behind |
//! | `documents` | `load`, `dump`, `convert`, `validate` |
//! | `recursive`, `transfer` | everything under a prefix; what is shown of a transfer |
//! | `looks` | `info`, `access`, `wait`, `copy` |
//! | `list` | `list` |
//! | `uri` | `uri` |
//! | `results` | what is printed |

pub(crate) mod args;
mod documents;
mod file;
#[cfg(feature = "aws")]
mod journal;
#[cfg(feature = "aws")]
mod list;
#[cfg(feature = "aws")]
mod looks;
mod pipe;
mod place;
mod recursive;
#[cfg(feature = "aws")]
mod remote;
mod results;
mod settings;
mod signals;
mod transfer;
#[cfg(feature = "aws")]
mod uploads;
mod uri;

use args::{S3Args, S3Command};
use place::Reach;

use crate::exit::{Exit, Failure};

/// Does what the command line says, until a signal ends it.
pub(crate) async fn run(args: &S3Args) -> Result<Exit, Failure> {
    let reach = Reach::new(args);
    signals::unless_ended(&reach, command(&reach, &args.command)).await
}

async fn command(reach: &Reach, command: &S3Command) -> Result<Exit, Failure> {
    match command {
        S3Command::Load(load) => documents::load(reach, load).await,
        S3Command::Dump(dump) => documents::dump(reach, dump).await,
        S3Command::Convert(convert) => documents::convert(reach, convert).await,
        S3Command::Validate(validate) => documents::validate(reach, validate).await,
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
        #[cfg(feature = "aws")]
        S3Command::Uploads(args) => uploads::uploads(reach.buckets().await, args).await,
    }
}
