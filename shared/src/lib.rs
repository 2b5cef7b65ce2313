//! A control plane for AWS Batch.
//!
//! This crate is the front door: it re-exports the crates of its folder, and a feature chooses which. Dependencies
//! point one way: the use cases call [`ports`], which speak in the types of [`domain`], and adapters implement
//! the ports.
//!
//! | module | crate (feature) | what it holds |
//! | --- | --- | --- |
//! | [`domain`] | `batchwright-core` | names, statuses, the job's spec, what is kept of jobs and runs |
//! | [`events`] | `batchwright-core` | the shapes in which AWS delivers Batch and S3 events |
//! | [`ports`] | `batchwright-core` | what the use cases need of the world |
//! | [`memory`], `directory`, `redis`, `sqlite` | `batchwright-stores` (`redis`, `sqlite`) | ports in memory, in a folder, on Redis, on SQLite |
//! | [`Client`], `Documents`, `Functions`, `files`, `blocking`, `store`, `aio_aws` | `batchwright-client` (`client`) | the front door for programs that keep a process |
//! | `serial`, `objects` | `batchwright-serial` (`serializer`) | formats as streams, and objects of any bucket |
//! | `fan_out` | `batchwright-invocations` (`fan-out`) | many functions invoked at once, each once |
//! | `aws` | `batchwright-aws` (`aws-…`) | the ports on AWS |
//!
//! A program that submits and follows jobs needs [`Client`] and what is named beside it, and the types of [`domain`] and
//! [`ports`] that these hand out. Who writes a store or an engine needs all of [`ports`], and of [`domain`] the rules by
//! which a store decides (`claims`, `transition`, `follow_up`).
//!
//! Programs that do batchwright's work themselves, as its functions and its command line do, need its `parts`:
//!
//! | module | crate (feature) | what it holds |
//! | --- | --- | --- |
//! | all of `domain` | `batchwright-core` (`parts`) | every rule |
//! | `job_file` | `batchwright-job-files` (`jobs`) | job files, read as a stream and checked |
//! | `use_cases` | `batchwright-control` (`jobs`) | submit, record a state, collect logs, reconcile, run a file |
//! | `pace` | `batchwright-control` (`jobs`) | calls kept to a quota |
//! | `use_cases::fan_out`, all of `fan_out` | `batchwright-invocations` (`fan-out`, `parts`) | the fan-out's loop, its checkpoints and ledgers |
//! | `engine`, `local`, `wire` | `batchwright-local` (`local`, `parts`) | the embedded engine, its controller, AWS's protocols over it |
//! | `function` | `batchwright-function` (`function`) | what every Lambda function shares |
//!
//! What a test of this crate, or of a program on it, needs beside that is public with the feature `testing` alone: the
//! engine's inside, its simulation by a script of one's own, calls and events that a network loses, and doubles of
//! services. It may change in any version.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(all(feature = "client", feature = "local"), doc = include_str!("front_page.md"))]

#[cfg(any(
    feature = "aws-batch",
    feature = "aws-dynamodb",
    feature = "aws-events",
    feature = "aws-lambda",
    feature = "aws-logs",
    feature = "aws-s3"
))]
#[doc(inline)]
pub use batchwright_aws::aws;
#[cfg(feature = "client")]
#[doc(inline)]
pub use batchwright_client::{
    AnyEngine, AnyLogSource, AnyStore, Client, ClientError, Config, Functions, JobFileError, JobToRun, Ran,
    ReportOutcome, StopLine, StopOutcome, Store, Submitted, aio_aws, blocking, dates, store, uuids,
};
#[cfg(all(feature = "client", feature = "serializer"))]
#[doc(inline)]
pub use batchwright_client::{Documents, files};
#[cfg(feature = "jobs")]
#[doc(inline)]
pub use batchwright_control::pace;
#[doc(inline)]
pub use batchwright_core::domain::{JobName, JobSpec, JobStatus};
#[cfg(feature = "schema")]
#[doc(inline)]
pub use batchwright_core::schema;
#[doc(inline)]
pub use batchwright_core::{events, ports};
#[cfg(feature = "function")]
#[doc(inline)]
pub use batchwright_function::function;
#[cfg(feature = "jobs")]
#[doc(inline)]
pub use batchwright_job_files::job_file;
#[cfg(all(feature = "local", feature = "parts"))]
#[doc(inline)]
pub use batchwright_local::local;
#[cfg(feature = "serializer")]
#[doc(inline)]
pub use batchwright_serial::{objects, serial};
#[cfg(all(feature = "sqlite", feature = "testing"))]
#[doc(hidden)]
pub use batchwright_stores::Gathering;
#[doc(inline)]
pub use batchwright_stores::directory;
#[cfg(feature = "redis")]
#[doc(inline)]
pub use batchwright_stores::redis;
#[cfg(feature = "sqlite")]
#[doc(inline)]
pub use batchwright_stores::sqlite;

/// The words of batchwright, and the rules by which a store decides. Nothing here does I/O or reads a clock.
///
/// The feature `parts` adds every other rule.
pub mod domain {
    #[cfg(feature = "parts")]
    #[doc(inline)]
    pub use batchwright_core::domain::*;
    #[doc(inline)]
    pub use batchwright_core::domain::{
        Attempt, Cancellation, Cause, Checkpoint, ChildOf, Children, Claim, ClaimOutcome, FollowUp, Job,
        JobHead, JobId, JobName, JobSpec, JobState, JobStatus, LogStream, LogsRecord, NewClaim,
        NewSubmission, Newer, NextLook, Nonce, ObjectSettings, OpenLine, RecordOutcome, Run, RunCounts,
        RunEnd, RunId, RunOutcome, RunState, S3Prefix, S3Uri, SourceVersion, StatusCounts, Stop, Submission,
        SubmitJobRequest, Timestamp, Try, TryEnd, claims, follow_up, ids, job, limits, object_settings, run,
        s3_uri, spec, status, times, transition, tries,
    };
}

/// What a program says to the embedded engine: how much of the machine it may use, how it runs processes and
/// containers, and why it can't.
///
/// The feature `testing` adds what the engine is made of: the engine itself, its books and runners, its simulation, and
/// the faults of a network. None of that is kept compatible.
#[cfg(all(feature = "local", feature = "parts"))]
pub mod engine {
    #[cfg(feature = "testing")]
    #[doc(inline)]
    pub use batchwright_local::engine::*;
    #[doc(inline)]
    pub use batchwright_local::engine::{
        AttendantProgram, BooksError, Capacity, ContainerRuntime, MilliVcpus, NoRuntime, ProcessRunnerError,
        ProcessSettings, Variable, VirtualClock, attend_if_asked, has_images, job_environment,
        passed_environment, refusal,
    };
}

/// The embedded engine behind the wire protocols of AWS Batch and CloudWatch Logs, on a loopback port.
///
/// The feature `testing` adds the protocols over an engine that a test has started.
#[cfg(all(feature = "local", feature = "parts"))]
pub mod wire {
    #[cfg(feature = "testing")]
    #[doc(inline)]
    pub use batchwright_local::wire::serve_engine;
    #[doc(inline)]
    pub use batchwright_local::wire::{
        Access, EventTarget, InvalidTarget, ServeOptions, WireError, WireServer,
    };
}

/// Many functions invoked at once, each once: what is asked for, and what becomes of it. `Functions::fan_out` does it.
///
/// The feature `parts` adds what the fan-out function and `batchwright invoke` are made of.
#[cfg(feature = "fan-out")]
pub mod fan_out {
    #[cfg(feature = "client")]
    #[doc(inline)]
    pub use batchwright_client::FannedOut;
    #[cfg(feature = "parts")]
    #[doc(inline)]
    pub use batchwright_invocations::fan_out::*;
    #[doc(inline)]
    pub use batchwright_invocations::fan_out::{
        Counts, FanOutCall, InvalidCall, Invocation, ItemOutcome, ItemResult, Json, LargePayloads, Payload,
        Tolerated, read_call,
    };
    #[doc(inline)]
    pub use batchwright_invocations::use_cases::fan_out::FanOutError;
}

/// Stores that last as long as the process, with the conditions of the real ones.
///
/// The feature `testing` adds functions and logs that a test fills, and that count what they are asked.
pub mod memory {
    #[cfg(feature = "testing")]
    #[doc(inline)]
    pub use batchwright_stores::memory::*;
    #[doc(inline)]
    pub use batchwright_stores::memory::{
        InMemoryBucketWriter, InMemoryBuckets, InMemoryJobStore, InMemoryObjectStore, InMemoryObjectWriter,
    };
}

/// What batchwright does, as free functions over ports.
#[cfg(any(feature = "jobs", all(feature = "fan-out", feature = "parts")))]
pub mod use_cases {
    #[cfg(feature = "jobs")]
    #[doc(inline)]
    pub use batchwright_control::use_cases::*;
    #[cfg(all(feature = "fan-out", feature = "parts"))]
    #[doc(inline)]
    pub use batchwright_invocations::use_cases::fan_out;
}
