//! What the use cases need of the world. Each port is small and speaks in our own types.

mod async_invoker;
mod buckets;
mod checkpoint_store;
mod claim_store;
mod clock;
mod error;
mod event_bus;
mod function_caller;
mod job_engine;
mod job_queries;
mod job_removal;
mod job_stopper;
mod job_store;
mod log_source;
mod object_store;
mod page;
mod queue_source;
mod run_store;
mod state_store;
mod submission_pace;
mod submission_shares;
mod work_lists;

pub use async_invoker::AsyncInvoker;
pub use buckets::{
    BucketInfo, Buckets, Caller, ConditionalWriter, Copied, CopyOptions, Denial, Depth, ListFrom, Listing,
    Look, NewObject, ObjectInfo, WriteCondition, Written,
};
pub use checkpoint_store::{CheckpointStore, Stored, Version};
pub use claim_store::{ClaimStore, SHEET_MAX};
pub use clock::{Clock, SystemClock};
pub use error::{ErrorKind, PortError, ServiceAnswer};
pub use event_bus::{EventBus, NoBus};
pub use function_caller::{
    CONNECTION_FAILED, CallAnswer, CallError, FunctionCall, FunctionCaller, FunctionFailure, InvocationType,
    LogType, NO_CREDENTIALS,
};
pub use job_engine::{JobEngine, JobSummary};
pub use job_queries::JobQueries;
pub use job_removal::JobRemoval;
pub use job_stopper::{JobStopper, OneByOne, STOP_MAX};
pub use job_store::JobStore;
pub use log_source::{EMPTY_PAGES_MAX, LogEvent, LogPage, LogSource, LogSourceError};
pub use object_store::{ObjectStore, ObjectWriter};
pub use page::{Cursor, Page, Unreadable};
pub use queue_source::{NoQueues, QueueSource};
pub use run_store::RunStore;
pub use state_store::{Applied, StateStore};
pub use submission_pace::{SubmissionPace, Unpaced};
pub use submission_shares::SubmissionShares;
pub use work_lists::WorkLists;
