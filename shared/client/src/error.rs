//! Why a client could not do what it was asked.

use crate::domain::JobName;
use crate::ports::{CallError, PortError, ServiceAnswer};
use batchwright_control::use_cases::run_file::RunFileError;
use batchwright_job_files::job_file::JobFileError;

/// Why a client could not do what it was asked. A job that FAILED is no error: its [`Job`](crate::domain::Job) says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The jobs are not as AWS Batch takes them: each problem by the job's place in the list and the field. Nothing was submitted.
    #[error(transparent)]
    Jobs(#[from] JobFileError),
    /// A call failed, and may be tried again or not: [`PortError::kind`] says which.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The store does not know the job.
    #[error("no job is named {0}; submit it, or adopt it by its job id")]
    UnknownJob(JobName),
    /// No store can be opened by this URL.
    #[error("the store {url:?} can't be opened: {reason}")]
    Store {
        /// As it was given.
        url: String,
        /// What is wrong, and what is right.
        reason: String,
    },
    /// What aio-aws has kept can't be read. Nothing was imported.
    #[error("{place} can't be imported: {reason}")]
    Kept {
        /// The file or the server, and the record.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// AWS Batch could not be asked about any job, again and again.
    #[error("AWS Batch could not be asked about the jobs {0} times in a row; the log says why")]
    NoNews(u32),
    /// The embedded engine can't be started.
    #[cfg(feature = "local")]
    #[error("the embedded engine can't be started: {0}")]
    Engine(String),
    /// An object could not be read or written: [`Failure::code`] says why.
    ///
    /// [`Failure::code`]: batchwright_serial::objects::Failure::code
    #[cfg(feature = "serializer")]
    #[error(transparent)]
    Object(#[from] batchwright_serial::objects::Failure),
    /// A function could not be called: [`CallError::kind`] says whether it may have run.
    #[error(transparent)]
    Function(#[from] CallError),
    /// A fan-out could not be done as it was asked for, or its results can't be kept.
    #[cfg(feature = "fan-out")]
    #[error(transparent)]
    FanOut(batchwright_invocations::use_cases::fan_out::FanOutError),
    /// A blocking client was used inside an async runtime, which it would stop.
    #[error("a blocking client can't be used inside an async runtime; use batchwright::Client there")]
    InsideRuntime,
    /// The runtime of a blocking client can't be started.
    #[error("no runtime can be started: {0}")]
    Runtime(#[source] std::io::Error),
}

impl ClientError {
    /// What AWS told: status, code, request id. `None` where no service answered; a [`PortError`] says more.
    pub fn service_answer(&self) -> Option<&ServiceAnswer> {
        match self {
            Self::Port(error) => error.service_answer(),
            #[cfg(feature = "serializer")]
            Self::Object(failure) => failure.answer.as_deref(),
            Self::Function(error) => error.answer.as_deref(),
            _ => None,
        }
    }
}

impl From<RunFileError> for ClientError {
    fn from(error: RunFileError) -> Self {
        match error {
            RunFileError::File(error) => error.into(),
            RunFileError::Port(error) => error.into(),
            // Run ids are drawn anew for each call, so that nobody else goes on with this run.
            overtaken @ RunFileError::Overtaken => PortError::permanent("run", overtaken).into(),
        }
    }
}
