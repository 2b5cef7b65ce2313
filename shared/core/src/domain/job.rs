//! The records kept of a job: one head, and one item for each submission, child and node.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::children::Children;
use super::classify::classify;
use super::follow_up::FollowUp;
use super::ids::{JobId, JobName, Nonce, RunId};
use super::newer::Newer;
use super::spec::JobSpec;
use super::status::JobStatus;
use super::times::{JobTimes, Timestamp};
use super::tries::{Try, TryEnd};

/// The right of one submitter to submit a job. While it stands nobody else submits the job; only the
/// reconciler clears one that has expired, after it has asked Batch what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Marks the submission that is made under this claim.
    pub nonce: Nonce,
    /// From here on the reconciler looks into it.
    pub expires_at: Timestamp,
    /// Where the submission under it goes; `None`: into the spec's own queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_queue: Option<String>,
    /// It is found by a sheet that names the job, and not listed by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_sheet: bool,
}

/// What is known of a job as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobHead {
    /// The spec that was, or is being, submitted.
    pub spec: JobSpec,
    /// The run that claimed it last.
    pub run_id: RunId,
    /// Claims so far: numbers the nonces.
    pub claims: u32,
    /// What its nonces are made from, beside the job's name: [`Nonce::seed`].
    #[serde(default)]
    pub nonce_seed: String,
    /// The claim that stands now.
    pub claim: Option<Claim>,
    /// The latest submission: the last of `job_tries`.
    pub job_id: Option<JobId>,
    /// Every submission, oldest first, but for [`JobHead::earlier_tries`].
    pub job_tries: Vec<JobId>,
    /// Submissions before those of `job_tries`, which the head no longer names: [`JobHead::TRIES_KEPT`]. Their
    /// items stay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub earlier_tries: u32,
    /// What is known of `job_tries`: absent for those that an older version submitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<Try>,
    /// How many of `job_tries` were made before a person last asked for the job: the budget of
    /// `maxTries` counts from here.
    pub tries_before: u32,
    /// Why Batch refused the last claim's submission, where it did.
    pub refusal: Option<String>,
    /// When the latest submission was written down: the end of `SubmitJob`, by our own clock. Batch's
    /// `createdAt` is by its clock, and comes with the first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
    /// When the head changed last.
    pub updated_at: Timestamp,
    /// What a newer version wrote beside it.
    #[serde(flatten)]
    pub newer: Newer,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl JobHead {
    /// Whether a nonce is that of one of its claims, of whatever time.
    pub fn has_issued(&self, nonce: &Nonce) -> bool {
        nonce.is_of(&self.spec.job_name, &self.nonce_seed, self.claims)
    }

    /// Submissions since a person last asked for the job.
    pub fn tries_used(&self) -> u32 {
        u32::try_from(self.job_tries.len()).unwrap_or(u32::MAX).saturating_sub(self.tries_before)
    }

    /// The submissions that `tries_used` counts, oldest first.
    pub fn tries_since_asked(&self) -> &[JobId] {
        let before = usize::try_from(self.tries_before).unwrap_or(usize::MAX);
        self.job_tries.get(before..).unwrap_or_default()
    }

    /// Puts submissions, children and nodes in order: tries as they were made, children by their index.
    pub fn sort_submissions(&self, submissions: &mut [Submission]) {
        submissions.sort_by_cached_key(|submission| {
            let id = &submission.state.job_id;
            let root = id.root();
            let named = self.job_tries.iter().position(|submitted| *submitted == root);
            // What is not named is older, where the head has left tries out, and one too many otherwise.
            let unnamed = if self.earlier_tries > 0 { 0 } else { usize::MAX };
            let made = if named.is_none() { submission.state.times.created_at } else { None };
            (named.map_or(unnamed, |number| number + 1), made, id.array_index(), id.clone())
        });
    }

    /// How a submission ended, where a later one has replaced it.
    pub fn end_of(&self, job_id: &JobId) -> Option<TryEnd> {
        self.tries.iter().find(|known| known.job_id == *job_id).and_then(|known| known.end)
    }

    /// What is known of the children of the latest submission, where those that lose their hosts are run
    /// again.
    pub fn children(&self) -> Option<&Children> {
        let latest = self.job_id.as_ref()?;
        self.tries.iter().find(|known| known.job_id == *latest)?.children.as_ref()
    }

    /// Whether every child of the latest submission SUCCEEDED at last, though the submission FAILED.
    pub fn has_recovered(&self) -> bool {
        self.children().is_some_and(|children| children.outcome == Some(JobStatus::Succeeded))
    }

    /// Where the submission under the claim goes, or went.
    pub fn claimed_queue(&self) -> &str {
        let claimed = self.claim.as_ref().and_then(|claim| claim.job_queue.as_deref());
        claimed.unwrap_or(&self.spec.job_queue)
    }
}

#[cfg(test)]
impl JobHead {
    /// The head of a job that was submitted so often, for the tests of rules.
    pub(crate) fn submitted_as(spec: JobSpec, job_tries: Vec<JobId>) -> Self {
        Self {
            spec,
            run_id: RunId::derive("file", "1", "0"),
            claims: 1,
            nonce_seed: String::new(),
            claim: None,
            job_id: job_tries.last().cloned(),
            job_tries,
            earlier_tries: 0,
            tries: Vec::new(),
            tries_before: 0,
            refusal: None,
            submitted_at: None,
            updated_at: Timestamp::default(),
            newer: super::Newer::default(),
        }
    }
}

/// What Batch says of one submission, child or node, in an event or in `DescribeJobs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are JobDetail's own")]
pub struct JobState {
    pub job_name: JobName,
    pub job_id: JobId,
    /// Of the claim under which it was submitted; `None` where another program submitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    pub status: JobStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub job_queue: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub job_definition: String,
    #[serde(flatten)]
    pub times: JobTimes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The container's `reason`, of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_cancelled: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_terminated: bool,
    /// The attempts that have ended, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// The log streams of the attempt that runs, or ran last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_streams: Vec<LogStream>,
    /// Why logs of the job are not in CloudWatch Logs, where some are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs_elsewhere: Option<String>,
    /// `arrayProperties.size`: this is the parent of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array_size: Option<u32>,
    /// `nodeProperties.numNodes`: this is the parent of a multi-node job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_nodes: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl JobState {
    /// A submission of which nothing but its id is known yet.
    pub fn submitted(job_name: JobName, job_id: JobId, nonce: Option<Nonce>) -> Self {
        Self {
            job_name,
            job_id,
            nonce,
            status: JobStatus::Submitted,
            status_reason: None,
            job_queue: String::new(),
            job_definition: String::new(),
            times: JobTimes::default(),
            exit_code: None,
            reason: None,
            is_cancelled: false,
            is_terminated: false,
            attempts: Vec::new(),
            log_streams: Vec::new(),
            logs_elsewhere: None,
            array_size: None,
            num_nodes: None,
        }
    }

    /// Why it ended; `None` while it has not, and where it SUCCEEDED.
    pub fn cause(&self) -> Option<Cause> {
        (self.status == JobStatus::Failed).then(|| classify(self))
    }

    /// Whether its end may lead to another submission. Which causes do is for the job to say, and a state
    /// does not know its job: every failure that nobody asked for counts.
    pub fn may_be_tried_again(&self) -> bool {
        let stopped = matches!(self.cause(), None | Some(Cause::Cancelled | Cause::Terminated));
        self.job_id.parent().is_none() && !stopped
    }

    /// Whether it has ended and something is left to be looked into: whether the job is submitted again,
    /// whether its children or nodes have ended too. Then the store keeps it in view until that is done.
    pub fn has_loose_ends(&self) -> bool {
        self.may_be_tried_again() || (self.status.is_terminal() && self.parts() > 0)
    }

    /// Children and nodes that it has.
    pub fn parts(&self) -> u32 {
        self.array_size.or(self.num_nodes).unwrap_or(0)
    }

    /// The id of its n-th child or node.
    pub fn part(&self, index: u32) -> JobId {
        if self.array_size.is_some() { self.job_id.array_child(index) } else { self.job_id.node(index) }
    }

    /// Every log stream of every attempt, each once, oldest first.
    pub fn all_log_streams(&self) -> Vec<&LogStream> {
        let mut streams: Vec<&LogStream> = Vec::new();
        for stream in self.attempts.iter().flat_map(|attempt| &attempt.log_streams).chain(&self.log_streams) {
            if !streams.contains(&stream) {
                streams.push(stream);
            }
        }
        streams
    }
}

/// One of Batch's own attempts within a submission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are AttemptDetail's own")]
pub struct Attempt {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log_streams: Vec<LogStream>,
}

/// Where one container of one attempt writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogStream {
    /// The log group, where the job says: `awslogs-group` of its `logConfiguration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The Region, where the job says: `awslogs-region`. `None`: the job's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The stream's name.
    pub name: String,
    /// The container's name, where the job has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

impl LogStream {
    /// Where Batch writes when a definition does not say.
    pub const DEFAULT_GROUP: &'static str = "/aws/batch/job";

    /// The log group that holds the stream.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(Self::DEFAULT_GROUP)
    }
}

/// The item of one submission, array child or node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// The newest state that is known.
    pub state: JobState,
    /// Its archived logs, once they were looked for.
    pub logs: Option<LogsRecord>,
    /// When it was last heard of: the item changed, or Batch said that nothing had.
    pub updated_at: Timestamp,
    /// What has been decided about what follows from its end.
    #[serde(default)]
    pub follow_up: FollowUp,
}

impl Submission {
    /// From when on its log waits to be looked at; `None` where it has not ended, or no look is due any more.
    pub fn logs_wait_since(&self) -> Option<Timestamp> {
        if !self.state.status.is_terminal() {
            return None;
        }
        let ended_at = self.state.times.stopped_at.unwrap_or(self.updated_at);
        self.logs.as_ref().map_or(Some(ended_at), |logs| logs.waits_since(ended_at))
    }
}

/// What the log collector found, and where it put it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LogsRecord {
    /// The key of the manifest in the archive.
    pub manifest_key: String,
    /// Every stream that there is was read to its end after the log had settled.
    pub complete: bool,
    /// Why it is not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_reason: Option<String>,
    /// Events archived.
    pub events: u64,
    /// When the log is looked at again. Absent while it is still settling, and where an older version wrote
    /// this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_look: Option<NextLook>,
}

/// When a log that has settled is looked at again: what an agent delivers late is found by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NextLook {
    /// From this moment on.
    At(Timestamp),
    /// Only where somebody asks for it.
    Never,
}

impl LogsRecord {
    /// What the keys of an archive's own objects begin with, as in `logs/tile-7/4c75…`.
    pub fn own_folder(job_name: &JobName, job_id: &JobId) -> String {
        format!("logs/{job_name}/{job_id}")
    }

    /// The key of a manifest that has an object of its own.
    pub fn own_manifest_key(job_name: &JobName, job_id: &JobId) -> String {
        format!("{}/manifest.json", Self::own_folder(job_name, job_id))
    }

    /// From when on the log waits to be looked at, that of a job which ended at `ended_at`; `None` where it does
    /// not.
    pub fn waits_since(&self, ended_at: Timestamp) -> Option<Timestamp> {
        match self.next_look {
            Some(NextLook::At(moment)) => Some(moment),
            Some(NextLook::Never) => None,
            None => (!self.complete).then_some(ended_at),
        }
    }
}

/// A job with its latest submission: what `jobs` shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The job as a whole.
    pub head: JobHead,
    /// The item of `head.job_id`.
    pub latest: Option<Submission>,
}

impl Job {
    /// The job's name.
    pub fn name(&self) -> &JobName {
        &self.head.spec.job_name
    }

    /// The latest submission's status; `None` where there is none. An array FAILED whose children have all
    /// SUCCEEDED at last is SUCCEEDED.
    pub fn status(&self) -> Option<JobStatus> {
        match &self.latest {
            _ if self.head.has_recovered() => Some(JobStatus::Succeeded),
            Some(submission) => Some(submission.state.status),
            None => self.head.job_id.as_ref().map(|_| JobStatus::Submitted),
        }
    }

    /// Whether the latest submission is an array that FAILED with its children, and those that lost
    /// their hosts are, or will be, run again: the job has not ended.
    pub fn is_recovering(&self) -> bool {
        let open = self.head.children().is_some_and(|children| children.outcome.is_none());
        open && self.state().and_then(JobState::cause) == Some(Cause::Child)
    }

    /// The latest submission's state.
    pub fn state(&self) -> Option<&JobState> {
        self.latest.as_ref().map(|submission| &submission.state)
    }
}
