//! Every metric and every field of the log, in one place: docs/metrics.md is made of these lines, and a test compares
//! them with what the sources emit.

/// A metric: its name, the functions that count it, and what one of it is.
pub type Declared = (&'static str, &'static str, &'static str);

/// The metrics, in CloudWatch's namespace `batchwright`, with the dimension `function`.
pub const METRICS: &[Declared] = &[
    ("ClaimsAdopted", "reconciler", "an expired claim whose submission was found in AWS Batch"),
    ("ClaimsReleased", "reconciler", "an expired claim under which nothing had been submitted"),
    (
        "EndsWaiting",
        "state-handler",
        "an end whose follow-up waits for a decision on a dependency, or for children of an array",
    ),
    ("EventsNotOurs", "state-handler", "a state change of a job that another program submitted"),
    ("FilesRejected", "submitter", "a job file that was refused as a whole"),
    ("InvocationsFailed", "fan-out", "an item whose function failed"),
    ("InvocationsNotRun", "fan-out", "an item that was not invoked"),
    ("InvocationsRejected", "fan-out", "an item that can't be invoked as it is"),
    ("InvocationsSucceeded", "fan-out", "an item whose function succeeded"),
    ("InvocationsUnknown", "fan-out", "an item that may or may not have run"),
    ("JobsFailed", "state-handler", "a job that ended FAILED"),
    (
        "JobsHeldBack",
        "reconciler",
        "a job that is RUNNABLE for long, in a queue that is disabled, broken or blocked",
    ),
    ("JobsRejected", "submitter", "a job that can't be submitted as it is"),
    ("JobsResubmitted", "state-handler, reconciler", "another submission of a job, by batchwright itself"),
    ("JobsSkipped", "submitter", "a job that was left alone: SUCCEEDED, in flight or claimed"),
    ("JobsStopped", "reconciler", "a job of a cancelled run that was told to stop"),
    ("JobsSubmitted", "submitter", "a job that was submitted"),
    ("JobsSucceeded", "state-handler", "a job that ended SUCCEEDED"),
    ("LogEventsArchived", "log-collector", "a log event in an archive that was written"),
    ("LogsArchived", "log-collector, reconciler", "an archive of a job's logs that was written"),
    (
        "MessagesHandedBack",
        "submitter, state-handler, log-collector",
        "a message that goes back to its queue",
    ),
    ("MessagesRefused", "submitter, state-handler, log-collector", "a message that can never be handled"),
    ("ObjectsFailed", "s3-serializer", "an object for which the operation failed"),
    ("ObjectsSucceeded", "s3-serializer", "an object for which the operation succeeded"),
    ("PassesCutShort", "reconciler", "a pass whose time was over before it was through"),
    ("Postponed", "reconciler", "something that a failing service left for the next pass"),
    ("QueuesBlocked", "state-handler", "an event that tells of a queue whose first job can't be placed"),
    ("RunsContinued", "reconciler", "a run that the submitter was told to continue"),
    ("RunsEnded", "state-handler, reconciler", "a run whose last job has ended, and whose end was told"),
    ("StatesRecorded", "state-handler", "a state that was newer than the one known"),
    ("StatesStale", "state-handler", "a state that was known, or older"),
    ("SubmissionsLost", "reconciler", "a submission that AWS Batch no longer knows"),
    ("SubmissionsUnknown", "submitter", "a SubmitJob without an answer"),
    ("SurplusTerminated", "submitter, state-handler, reconciler", "a second submission of a job, terminated"),
    ("UnreadableItems", "reconciler", "an item of a table that this version can't read"),
];

/// The fields of the log beside `timestamp`, `level` and `message`.
pub const LOG_FIELDS: &[(&str, &str)] = &[
    ("array.id", "the id of an array"),
    ("event.name", "what S3 says has happened to an object"),
    ("events.lost", "events that could not be delivered"),
    ("file.path", "a file of this machine"),
    ("item.index", "the place of an item in a fan-out"),
    ("item.key", "an item of a table, as `jobName/jobId`"),
    ("job.arn", "the ARN of a job"),
    ("job.id", "the id of a submission, child or node"),
    ("job.name", "the name of a job"),
    ("job.status", "the status in an event"),
    ("log.stream", "a stream of CloudWatch Logs"),
    ("message.id", "the id of a queue's message"),
    ("metric.surplus_submissions", "1 beside a surplus submission"),
    ("objects.failed", "objects for which an operation failed"),
    ("objects.succeeded", "objects for which an operation succeeded"),
    ("queue.arn", "the ARN of a job queue"),
    ("run.branch", "the branch of a fan-out that is split"),
    ("run.checkpoint", "jobs of a run that have been dealt with"),
    ("run.id", "the id of a run"),
    ("run.source", "the job file of a run"),
    ("run.state", "how far a run has come"),
    ("s3.bucket", "a bucket"),
    ("s3.key", "a key"),
    ("wait.ms", "a wait, in milliseconds"),
];
