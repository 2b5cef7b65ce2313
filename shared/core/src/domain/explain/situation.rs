//! The situations that a job can be in, each with its word, what it means and what to do.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::domain::cause::Cause;

/// Where a job is, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Situation {
    /// It was never submitted.
    NeverSubmitted,
    /// Its submission was refused.
    Refused,
    /// A claim stands.
    BeingSubmitted,
    /// No process runs the jobs of the folder.
    Unattended,
    /// Jobs that it depends on have not ended.
    WaitsForJobs,
    /// Batch has not looked at it yet.
    JustSubmitted,
    /// Its queue takes jobs, and starts none.
    QueueDisabled,
    /// No compute environment of its queue can start anything.
    EnvironmentBroken,
    /// It asks for more than any compute environment of its queue may have.
    DoesNotFit,
    /// Another job at the queue's front holds it up.
    QueueBlocked,
    /// Its compute environments are at their `maxvCpus`.
    AtMaximum,
    /// It is the next, and there are no instances for it yet.
    WaitsForCapacity,
    /// Its container is being started.
    Starting,
    /// It runs.
    Running,
    /// Lost children of the array are run again.
    Recovering,
    /// It SUCCEEDED.
    Succeeded,
    /// It FAILED.
    Failed(Cause),
}

impl Situation {
    /// All that are no failure.
    pub const OTHERS: [Situation; 16] = [
        Self::NeverSubmitted,
        Self::Refused,
        Self::BeingSubmitted,
        Self::Unattended,
        Self::WaitsForJobs,
        Self::JustSubmitted,
        Self::QueueDisabled,
        Self::EnvironmentBroken,
        Self::DoesNotFit,
        Self::QueueBlocked,
        Self::AtMaximum,
        Self::WaitsForCapacity,
        Self::Starting,
        Self::Running,
        Self::Recovering,
        Self::Succeeded,
    ];

    /// Those of a RUNNABLE job.
    pub const IN_A_QUEUE: [Situation; 6] = [
        Self::QueueDisabled,
        Self::EnvironmentBroken,
        Self::DoesNotFit,
        Self::QueueBlocked,
        Self::AtMaximum,
        Self::WaitsForCapacity,
    ];

    /// Whether a job waits until somebody does something, and not only for capacity.
    pub const fn holds_back(self) -> bool {
        matches!(self, Self::QueueDisabled | Self::EnvironmentBroken | Self::DoesNotFit | Self::QueueBlocked)
    }

    /// A word: the cause of a failure.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverSubmitted => "NEVER_SUBMITTED",
            Self::Refused => "REFUSED",
            Self::BeingSubmitted => "BEING_SUBMITTED",
            Self::Unattended => "UNATTENDED",
            Self::WaitsForJobs => "WAITS_FOR_JOBS",
            Self::JustSubmitted => "JUST_SUBMITTED",
            Self::QueueDisabled => "QUEUE_DISABLED",
            Self::EnvironmentBroken => "ENVIRONMENT_BROKEN",
            Self::DoesNotFit => "DOES_NOT_FIT",
            Self::QueueBlocked => "QUEUE_BLOCKED",
            Self::AtMaximum => "AT_MAXIMUM",
            Self::WaitsForCapacity => "WAITS_FOR_CAPACITY",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Recovering => "RECOVERING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed(cause) => cause.as_str(),
        }
    }

    /// What it means, in one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NeverSubmitted => "The job was never submitted.",
            Self::Refused => "The job was not submitted, or not again, because its submission was refused.",
            Self::BeingSubmitted => "A submitter is submitting the job, or died while it did.",
            Self::Unattended => "No process runs the jobs of this folder, so that nothing waiting starts.",
            Self::WaitsForJobs => "The job waits until the jobs that it depends on have ended.",
            Self::JustSubmitted => "Batch has taken the job on and has not looked at it yet.",
            Self::QueueDisabled => "The job queue is DISABLED: it takes jobs on and starts none.",
            Self::EnvironmentBroken => "No compute environment of the queue is both ENABLED and VALID.",
            Self::DoesNotFit => {
                "The job asks for more vCPUs, memory or GPUs than any compute environment of its queue may have."
            }
            Self::QueueBlocked => {
                "The job at the front of the queue can't be placed, and holds up those behind it."
            }
            Self::AtMaximum => {
                "The compute environments of the queue already use all the vCPUs that they may."
            }
            Self::WaitsForCapacity => "The job can start as soon as there is an instance for it.",
            Self::Starting => "An instance was found; the image is pulled and the container started.",
            Self::Running => "The job runs.",
            Self::Recovering => {
                "Children of the array lost their hosts and are run again, each as a job of its own."
            }
            Self::Succeeded => "The job did what it was to do.",
            Self::Failed(cause) => match cause {
                Cause::HostLost => {
                    "The host went away, usually by a Spot interruption: it says nothing of the program."
                }
                Cause::HostError => {
                    "The container runtime or the network of the host failed, not the program."
                }
                Cause::Timeout => "An attempt ran longer than timeout.attemptDurationSeconds allows.",
                Cause::OutOfMemory => {
                    "The container was killed because it used more memory than it was given."
                }
                Cause::Image => "The container's image could not be pulled.",
                Cause::Dependency => {
                    "A job that this one depends on failed, so that this one was never started."
                }
                Cause::Child => "At least one child of the array failed.",
                Cause::Configuration => {
                    "Batch can't run the job as it, its definition or its queue is set up."
                }
                Cause::Capacity => "No capacity was found within the queue's time limit.",
                Cause::Cancelled => "Somebody cancelled the job before it started.",
                Cause::Terminated => "Somebody terminated the job.",
                Cause::Lost => "Batch no longer knows the submission, and nobody saw how it ended.",
                Cause::ExitCode => "The program itself ended with an exit code other than 0.",
                Cause::Unknown => "Nothing that Batch said tells why the job failed.",
                Cause::Newer(_) => {
                    "A newer version of batchwright told why; this one does not know the word."
                }
            },
        }
    }

    /// What a person can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::NeverSubmitted => "Run its job file, or `batchwright rerun FILE --missing`.",
            Self::Refused => "Mend what the refusal names in the job file, and run it again.",
            Self::BeingSubmitted => {
                "Nothing: the reconciler looks into a claim ten minutes after it was made, and submits the job if \
                 nobody did."
            }
            Self::Unattended => "Run the job file again: what succeeded is not run twice.",
            Self::WaitsForJobs => "Nothing, or explain the job that it waits for.",
            Self::JustSubmitted => "Nothing; where it stays so for minutes, look at the status of AWS Batch.",
            Self::QueueDisabled => {
                "Enable the queue: aws batch update-job-queue --job-queue NAME --state ENABLED."
            }
            Self::EnvironmentBroken => {
                "Mend what the environment's statusReason names (often a role or a launch template), or enable it."
            }
            Self::DoesNotFit => {
                "Ask for less in resourceRequirements, or allow larger instance types; on one machine, run the job file \
                 again with --vcpus, or on a larger machine."
            }
            Self::QueueBlocked => {
                "Explain the job at the front; terminate it, or give the queue an environment that can hold it. A \
                 jobStateTimeLimitActions of the queue does so by itself."
            }
            Self::AtMaximum => "Wait, raise the environments' maxvCpus, or add an environment to the queue.",
            Self::WaitsForCapacity => {
                "Wait; where it takes long, allow more instance types, more zones, or On-Demand beside Spot, and look \
                 at the account's EC2 quotas."
            }
            Self::Starting => {
                "Nothing; where it takes minutes, look at the size of the image and at the registry."
            }
            Self::Running => "Nothing; `batchwright logs JOB` shows what it writes.",
            Self::Recovering => "Nothing; `batchwright jobs 'JOB--bw-child-*'` shows them.",
            Self::Succeeded => "Nothing; `batchwright rerun JOB` runs it again.",
            Self::Failed(cause) => match cause {
                Cause::HostLost => {
                    "Raise maxTries, name a fallbackQueue without Spot, or make the job shorter so that fewer hosts are \
                     lost under it."
                }
                Cause::HostError => "Run it again; with \"retryOn\": [\"HOST_ERROR\"] batchwright does so.",
                Cause::Timeout => "Raise the time limit, or find out in the log what it waited for.",
                Cause::OutOfMemory => {
                    "Raise MEMORY in resourceRequirements; with as much memory it ends the same way."
                }
                Cause::Image => {
                    "Check the image's name and tag, the execution role, the way to the registry and its rate limit."
                }
                Cause::Dependency => {
                    "Explain the job that it depends on; once that one succeeds, run both again."
                }
                Cause::Child => {
                    "Look at the children that failed; `batchwright rerun JOB` runs the array again, and with `--failed \
                     --children` these children alone, if the job has \"resubmitChildren\": true."
                }
                Cause::Configuration => {
                    "Mend what the reason names: requirements, roles, the definition, the queue."
                }
                Cause::Capacity => "Allow more instance types or zones, or raise the queue's time limit.",
                Cause::Cancelled | Cause::Terminated => {
                    "`batchwright rerun JOB` runs it again, if that was a mistake."
                }
                Cause::Lost => "Run it again; where it matters, look for what it wrote before.",
                Cause::ExitCode => "Read the end of its log; run it again once its cause is mended.",
                Cause::Newer(_) => "Explain it with the version that wrote it.",
                Cause::Unknown => {
                    "Read the evidence and the log; look at the events of the queue and the environment."
                }
            },
        }
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Situation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
