//! What the use cases need of the world. Each port is small and speaks in our own types.

mod buckets;
mod checkpoint_store;
mod clock;
mod error;
mod function_caller;
mod function_invoker;
mod job_engine;
mod job_store;
mod log_source;
mod object_store;
mod paced_engine;
mod page;
mod run_store;
mod submission_pace;
mod token_bucket;

pub use buckets::{
    BucketInfo, Buckets, ConditionalWriter, Copied, CopyOptions, Depth, ListFrom, Listing, Look, NewObject,
    ObjectInfo, WriteCondition, Written,
};
pub use checkpoint_store::{CheckpointStore, Stored, Version};
pub use clock::{Clock, SystemClock};
pub use error::{ErrorKind, PortError};
pub use function_caller::{
    CONNECTION_FAILED, CallAnswer, CallError, FunctionCall, FunctionCaller, InvocationType, LogType,
    NO_CREDENTIALS,
};
pub use function_invoker::FunctionInvoker;
pub use job_engine::{JobEngine, JobSummary};
pub use job_store::{Applied, ClaimOutcome, JobStore, NewClaim, NewSubmission, RecordOutcome};
pub use log_source::{LogEvent, LogPage, LogSource, LogSourceError};
pub use object_store::{ObjectStore, ObjectWriter};
pub use paced_engine::PacedEngine;
pub use page::{Cursor, Page};
pub use run_store::RunStore;
pub use submission_pace::{SubmissionPace, Unpaced};
pub use token_bucket::TokenBucket;
