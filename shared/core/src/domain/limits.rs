//! Every quota and rule of AWS that is checked here, each with its source.

/// Characters in a job name. Source: `SubmitJob` API reference, `jobName`.
pub const JOB_NAME_MAX_CHARS: usize = 128;

/// Bytes of one `SubmitJob` request. Source: AWS Batch quotas, "Maximum job payload size".
pub const SUBMIT_PAYLOAD_MAX_BYTES: usize = 30 * 1024;

/// Characters of `containerOverrides`. A longer one is accepted at submission and the job FAILS at
/// dispatch ("Container Overrides length must be at most 8192"). Source: Amazon ECS `RunTask`.
pub const CONTAINER_OVERRIDES_MAX_CHARS: usize = 8_192;

/// Entries in `dependsOn`. Source: `SubmitJob` API reference.
pub const DEPENDENCIES_MAX: usize = 20;

/// The smallest array. Source: AWS Batch user guide, "Array jobs".
pub const ARRAY_SIZE_MIN: i64 = 2;

/// The largest array. Source: AWS Batch quotas.
pub const ARRAY_SIZE_MAX: i64 = 10_000;

/// `retryStrategy.attempts`. Source: `RetryStrategy` API reference.
pub const ATTEMPTS_MAX: i64 = 10;

/// Rules in `retryStrategy.evaluateOnExit`. Source: `RetryStrategy` API reference.
pub const EVALUATE_ON_EXIT_MAX: usize = 5;

/// Characters of a pattern in `evaluateOnExit`. Source: `EvaluateOnExit` API reference.
pub const EVALUATE_ON_EXIT_PATTERN_MAX_CHARS: usize = 512;

/// The shortest `timeout.attemptDurationSeconds`. Source: AWS Batch user guide, "Job timeouts".
pub const ATTEMPT_DURATION_MIN_SECONDS: i64 = 60;

/// From SIGTERM to SIGKILL, in seconds. Source: AWS Batch user guide, "Job timeouts".
pub const KILL_GRACE_SECONDS: u64 = 30;

/// The least `MEMORY`, in MiB. Source: `ResourceRequirement` API reference.
pub const MEMORY_MIN_MIB: i64 = 4;

/// Tags of a job; with `propagateTags` those of the definition count too. Source: AWS Batch user guide.
pub const TAGS_MAX: usize = 50;

/// Characters of a tag's key. Source: `TagResource` API reference.
pub const TAG_KEY_MAX_CHARS: usize = 128;

/// Characters of a tag's value. Source: `TagResource` API reference.
pub const TAG_VALUE_MAX_CHARS: usize = 256;

/// `schedulingPriorityOverride`. Source: `SubmitJob` API reference.
pub const SCHEDULING_PRIORITY_MAX: i64 = 9_999;

/// Characters of a `shareIdentifier`. Source: `SubmitJob` API reference.
pub const SHARE_IDENTIFIER_MAX_CHARS: usize = 255;

/// What the names of Batch's own environment variables begin with: it does not take such names from
/// others. Source: AWS Batch user guide, "AWS Batch job environment variables".
pub const RESERVED_ENVIRONMENT_PREFIX: &str = "AWS_BATCH";

/// Tasks in `ecsPropertiesOverride`. Source: `EcsPropertiesOverride` API reference.
pub const ECS_TASKS_MAX: usize = 1;

/// Containers of one task. Source: `EcsTaskProperties` API reference.
pub const ECS_TASK_CONTAINERS_MAX: usize = 10;

/// Containers, and as many init containers, of one pod. Source: `EksPodProperties` API reference.
pub const EKS_CONTAINERS_MAX: usize = 10;

/// Ids in one `DescribeJobs`. Source: `DescribeJobs` API reference.
pub const DESCRIBE_JOBS_MAX: usize = 100;

/// Bytes of the payload of a synchronous invocation, and of its answer. Source: AWS Lambda quotas, in the
/// exact form of the error that it answers.
pub const SYNC_PAYLOAD_MAX_BYTES: usize = 6_291_556;

/// Bytes of the payload of an asynchronous invocation. Source: AWS Lambda quotas.
pub const EVENT_PAYLOAD_MAX_BYTES: usize = 1024 * 1024;

/// Submissions of one job in all, where its spec does not say. As in aio-aws.
pub const DEFAULT_MAX_TRIES: u32 = 4;

/// The most submissions that a job may ask for. Ours: an item of the state stays far under 400 KB.
pub const MAX_TRIES_MAX: i64 = 100;

/// Bytes of a JSON or YAML job file: it is held and checked as a whole. Ours.
pub const WHOLE_FILE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Bytes up to which a JSON Lines file is checked as a whole before anything is submitted; a longer
/// one is checked line by line as it is read. Ours.
pub const WHOLE_LINES_MAX_BYTES: usize = 1024 * 1024;

/// Bytes of one line of a JSON Lines file. Ours: a `SubmitJob` payload, generously spaced.
pub const LINE_MAX_BYTES: usize = 256 * 1024;
