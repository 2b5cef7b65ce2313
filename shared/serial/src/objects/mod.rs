//! What is done with objects of any bucket: one at a time here, many at once by [`each`].
//!
//! | file | what it holds |
//! | --- | --- |
//! | `load` | [`load`]: an object as JSON, within a bound |
//! | `convert` | [`convert`] from one object to another, [`dump`] of JSON into an object |
//! | `validate` | [`validate`]: all that is wrong with an object |
//! | `look` | [`access`] and [`info`] |
//! | `list` | [`list_all`] of a bucket or prefix, and [`list_page`] |
//! | `copy`, `wait` | [`copy`], and [`wait`] until an object is there |
//! | `many` | many at once, each with its own result, until a moment |
//! | `results` | [`ResultsFile`]: results as JSON Lines in an object |
//! | `failure` | [`Failure`]: why one of them failed |
//!
//! Nothing here holds an object: bytes pass from reader to writer. What is written appears whole, under
//! its condition, or not at all; what fails leaves no part of it behind.

mod convert;
mod copy;
mod failure;
mod list;
mod load;
mod look;
mod many;
mod results;
#[cfg(test)]
mod tests;
mod validate;
mod wait;

pub use convert::{ConvertRequest, Converted, Target, convert, convert_between, dump};
pub use copy::{CopiedObject, copy};
pub use failure::{Failure, FailureCode};
pub use list::{Filter, Listed, ListedPage, PageBounds, list_all, list_page};
pub use load::{LoadRequest, LoadedObject, load, load_from};
pub use look::{Access, Info, access, info, info_of_bucket};
pub use many::each;
pub use results::{ResultsFile, WrittenResults};
pub use validate::{Issue, Validated, validate, validate_from};
pub use wait::{Patience, wait};

use crate::domain::S3Uri;
use crate::ports::{ConditionalWriter, Look, PortError, Written};
use crate::serial::Format;

/// The answer of `load` and of every function that answers inline, in bytes. Source: AWS Lambda quotas,
/// "invocation payload", 6 MB, less what Lambda puts around it.
pub const ANSWER_MAX_BYTES: usize = 6_291_556;

/// What is there, or the failure that it is not.
fn found<T>(object: &S3Uri, look: Result<Look<T>, PortError>) -> Result<T, Failure> {
    match look? {
        Look::Found(found) => Ok(found),
        Look::Absent => {
            Err(Failure::new(FailureCode::NotFound, format!("{object}: there is no such object")))
        }
        Look::Denied(denial) => Err(denial.into()),
    }
}

/// The format that was named, or that the name tells.
fn format_of(name: &str, given: Option<Format>) -> Result<Format, Failure> {
    given.map_or_else(|| Format::of_name(name).map_err(Failure::invalid_request), Ok)
}

/// The etag of what was written, or the failure that its condition did not hold.
fn done(name: &str, written: Written) -> Result<Option<String>, Failure> {
    match written {
        Written::Done { etag } => Ok(etag),
        Written::Refused => Err(Failure::new(
            FailureCode::ConditionFailed,
            format!("{name}: its condition does not hold: another object is there, or none"),
        )),
    }
}

/// Commits where the work was done, else aborts: either has happened when this returns.
async fn settled<W: ConditionalWriter, T>(
    name: &str,
    writer: W,
    worked: Result<T, Failure>,
) -> Result<(T, Option<String>), Failure> {
    match worked {
        Ok(made) => Ok((made, done(name, writer.commit().await?)?)),
        Err(failure) => {
            writer.abort().await;
            Err(failure)
        }
    }
}
