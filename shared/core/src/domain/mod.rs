//! The words and the rules of batchwright. Nothing here does I/O or reads a clock.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `ids` | `JobName`, `JobId`, `RunId`, `Nonce` |
//! | `status` | the seven statuses of AWS Batch and their order |
//! | `spec` | a job as `SubmitJob` takes it |
//! | `definition` | a job definition for the embedded engine |
//! | `command`, `overrides` | a command with its parameters filled in, and how long overrides are at dispatch |
//! | `limits` | every quota that is checked, with its source |
//! | `job` | the records kept of a job: head, claim, submission, state |
//! | `claims` | who may submit a job: granted, released, turned into a submission |
//! | `transition` | which of two states of a submission stands |
//! | `cause`, `classify`, `reasons` | why a submission ended as it did, and the texts that tell |
//! | `tries` | what a head keeps of each submission |
//! | `retry` | whether an ended job is submitted again, and where |
//! | `follow_up` | what follows from a failure for the jobs that depend on the failed one |
//! | `children` | array children that lost their hosts, as jobs of their own |
//! | `object_settings` | how an object of S3 is kept, beside its bytes |
//! | `plan` | what is to be done with a job of a file |
//! | `run` | the record of one job file's run, and what may follow on what |
//! | `rerun` | which jobs are run again when a person asks |
//! | `allowed` | the queues and definitions that jobs may name |
//! | `explain`, `queue` | why a job is where it is, and what that means |
//! | `stop` | what is done with a job that somebody wants stopped |
//! | `s3_uri` | `S3Uri`: where things lie in S3, and the patterns of keys |
//! | `wildcard` | patterns of names and ARNs |
//! | `backoff` | how long to wait between calls that failed |
//! | `suggest` | the known name that an unknown one was meant to be |
//! | `times`, `units` | milliseconds, durations, memory units |

pub mod allowed;
pub mod backoff;
pub mod cause;
pub mod children;
pub mod claims;
mod classify;
pub mod command;
pub mod definition;
pub mod explain;
pub mod follow_up;
pub mod ids;
pub mod job;
pub mod limits;
mod newer;
pub mod object_settings;
pub mod overrides;
pub mod plan;
pub mod queue;
pub mod reasons;
pub mod rerun;
pub mod retention;
pub mod retry;
pub mod run;
pub mod run_end;
mod runtime;
pub mod s3_uri;
pub mod spec;
pub mod status;
pub mod stop;
pub mod suggest;
pub mod times;
pub mod transition;
pub mod tries;
pub mod units;
pub mod wildcard;

pub use allowed::Allowed;
pub use cause::Cause;
pub use children::{ChildOf, Children};
pub use claims::{ClaimOutcome, NewClaim, NewSubmission, RecordOutcome, SheetId};
pub use definition::JobDefinition;
pub use follow_up::FollowUp;
pub use ids::{JobId, JobName, Nonce, RunId};
pub use job::{Attempt, Claim, Job, JobHead, JobState, LogStream, LogsRecord, NextLook, Submission};
pub use newer::{FORMAT_VERSION, Newer};
pub use object_settings::ObjectSettings;
pub use queue::JobQueue;
pub use rerun::Rerun;
pub use run::{Cancellation, Checkpoint, OpenLine, Run, RunCounts, RunState, SourceVersion};
pub use run_end::{Ending, RunEnd, RunOutcome, Walk};
pub use runtime::RuntimeChoice;
pub use s3_uri::{S3Prefix, S3Uri};
pub use spec::{JobSpec, SubmitJobRequest};
pub use status::{JobStatus, StatusCounts};
pub use stop::Stop;
pub use times::Timestamp;
pub use tries::{Try, TryEnd};
