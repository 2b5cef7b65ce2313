//! A submission becomes records.

use std::collections::{BTreeMap, HashMap};

use super::admission::{self, Admitted, Refusal};
use super::task::DescribedNode;
use super::{Core, JobRecord, MilliVcpus, Task};
use crate::domain::definition::find_definition;
use crate::domain::limits::CONTAINER_OVERRIDES_MAX_CHARS;
use crate::domain::overrides::container_override_chars;
use crate::domain::reasons::{DEPENDENCY_FAILED, OVERRIDES_TOO_LONG};
use crate::domain::spec::DependencyType;
use crate::domain::{JobId, JobSpec, JobStatus, SubmitJobRequest, Timestamp};
use crate::events::{ArrayPropertiesDetail, JobDetail, NodeDetails};

/// Jobs of the books that a submission depends on.
pub(crate) type Finished = HashMap<JobId, JobRecord>;

/// What a job waits for.
#[derive(Debug, Default, Clone)]
struct Waits {
    on: Vec<JobId>,
    failed: bool,
}

impl Core {
    /// The jobs that a request depends on and that the core does not hold: to be looked up in the
    /// books and given to [`Core::submit`].
    pub(crate) fn absent_dependencies(&self, spec: &JobSpec) -> Vec<JobId> {
        let size = spec.array_properties.as_ref().map_or(0, |array| array.size);
        let mut ids = Vec::new();
        for dependency in &spec.depends_on {
            let Some(job_id) = &dependency.job_id else { continue };
            ids.push(job_id.clone());
            if dependency.kind == Some(DependencyType::NToN) {
                ids.extend((0..size).map(|index| job_id.array_child(index)));
            }
        }
        ids.retain(|job_id| !self.jobs.contains_key(job_id));
        ids
    }

    /// Takes a job on.
    ///
    /// # Errors
    ///
    /// Where the job can't be run here, or depends on what is not known.
    pub(crate) fn submit(
        &mut self,
        request: &SubmitJobRequest,
        finished: &Finished,
        now: Timestamp,
    ) -> Result<JobId, Refusal> {
        let spec = request.spec();
        admission::check(spec)?;
        let waits = self.waits(spec, finished)?;
        let definition = find_definition(&self.definitions, &spec.job_definition);
        let sequence = self.sequence + 1;
        let job_id = self.ids.nth(sequence);
        let Admitted { detail, need, image, task } =
            admission::admit(spec, definition, self.runs_images, job_id.clone(), now)?;
        let detail = with_task(detail, task.as_deref());
        self.sequence = sequence;
        let overrides = spec.container_overrides.clone().unwrap_or_default();
        let chars = container_override_chars(spec, &overrides, definition);
        let verdict = (chars > CONTAINER_OVERRIDES_MAX_CHARS).then(|| OVERRIDES_TOO_LONG.to_owned());
        let (waiting_on, attempt, setup) = (Vec::new(), None, self.setup.clone());
        let record = JobRecord { sequence, detail, need, waiting_on, attempt, image, task, verdict, setup };
        match &spec.array_properties {
            None => {
                let nodes = nodes_of(&record);
                self.insert(JobRecord { waiting_on: waits.on.clone(), ..record });
                nodes.into_iter().for_each(|node| self.insert(node));
                self.begin(&job_id, waits.failed, now);
            }
            Some(array) => self.submit_array(&record, array.size, spec, &waits, finished, now),
        }
        self.settle(now);
        Ok(job_id)
    }

    fn submit_array(
        &mut self,
        base: &JobRecord,
        size: u32,
        spec: &JobSpec,
        waits: &Waits,
        finished: &Finished,
        now: Timestamp,
    ) {
        let job_id = base.job_id().clone();
        let mut parent = JobRecord { waiting_on: waits.on.clone(), ..base.clone() };
        parent.verdict = waits.failed.then(|| DEPENDENCY_FAILED.to_owned());
        parent.detail.array_properties = Some(ArrayPropertiesDetail::default().with(|it| {
            it.status_summary = all_submitted(size);
            it.size = Some(size);
        }));
        self.insert(parent);
        self.enter(&job_id, JobStatus::Pending, now);
        let mut failed = Vec::new();
        for index in 0..size {
            let own = self.child_waits(spec, &job_id, index, waits, finished);
            let mut child = JobRecord { waiting_on: own.on, ..base.clone() };
            child.detail.job_id = job_id.array_child(index);
            child.detail.job_arn = child.detail.job_arn.map(|arn| format!("{arn}:{index}"));
            child.detail.array_properties =
                Some(ArrayPropertiesDetail::default().with(|it| it.index = Some(index)));
            self.insert(child);
            failed.push(own.failed);
        }
        for (child, failed) in self.children(&job_id).iter().zip(failed) {
            self.begin(child, failed, now);
        }
    }

    fn insert(&mut self, record: JobRecord) {
        let job_id = record.job_id().clone();
        for dependency in &record.waiting_on {
            self.dependants.entry(dependency.clone()).or_default().push(job_id.clone());
        }
        self.count_in(&record);
        self.jobs.insert(job_id.clone(), record);
        self.change(&job_id, |_| ());
    }

    fn begin(&mut self, job_id: &JobId, dependency_failed: bool, now: Timestamp) {
        let waits = self.jobs.get(job_id).is_some_and(|record| !record.waiting_on.is_empty());
        if dependency_failed {
            self.fail(job_id, DEPENDENCY_FAILED, now);
        } else if waits {
            self.enter(job_id, JobStatus::Pending, now);
        } else {
            self.make_runnable(job_id, now);
        }
    }

    /// What the whole job waits for: dependencies without a type.
    fn waits(&self, spec: &JobSpec, finished: &Finished) -> Result<Waits, Refusal> {
        let mut waits = Waits::default();
        for (index, dependency) in spec.depends_on.iter().enumerate() {
            let Some(job_id) = &dependency.job_id else { continue };
            let refuse =
                |why: String| Refusal::new(&spec.job_name, format!("dependsOn[{index}]: job {job_id} {why}"));
            let known = self.jobs.get(job_id).or_else(|| finished.get(job_id));
            let known = known.ok_or_else(|| refuse("is not known to the engine".into()))?;
            if dependency.kind.is_none() {
                waits.add(job_id, known.status());
                continue;
            }
            let own = spec.array_properties.as_ref().map(|array| array.size);
            if known.array_size() != own {
                let size = known.array_size().map_or("no array".to_owned(), |size| format!("of size {size}"));
                return Err(refuse(format!("is {size}; N_TO_N needs arrays of equal size")));
            }
        }
        Ok(waits)
    }

    /// What one child waits for.
    fn child_waits(
        &self,
        spec: &JobSpec,
        parent: &JobId,
        index: u32,
        of_all: &Waits,
        finished: &Finished,
    ) -> Waits {
        let mut waits = of_all.clone();
        for dependency in &spec.depends_on {
            match (dependency.kind, &dependency.job_id) {
                (Some(DependencyType::NToN), Some(array)) => {
                    let other = array.array_child(index);
                    let known = self.jobs.get(&other).or_else(|| finished.get(&other));
                    waits.add(&other, known.map_or(JobStatus::Failed, JobRecord::status));
                }
                (Some(DependencyType::Sequential), _) if index > 0 => {
                    waits.add(&parent.array_child(index - 1), JobStatus::Submitted);
                }
                _ => {}
            }
        }
        waits
    }
}

/// The job as it is described: by its containers or nodes where it has several.
fn with_task(mut detail: JobDetail, task: Option<&Task>) -> JobDetail {
    if let Some(task) = task {
        detail.container = None;
        detail.node_properties = task.node_properties();
        detail.ecs_properties = task.ecs_properties();
    }
    detail
}

/// The nodes of a job, each a record of its own, which only the job moves.
fn nodes_of(job: &JobRecord) -> Vec<JobRecord> {
    let Some(task) = &job.task else { return Vec::new() };
    let node = |(node, index): (DescribedNode, u32)| {
        let mut detail = job.detail.clone();
        detail.job_id = job.job_id().node(index);
        detail.job_arn = detail.job_arn.map(|arn| format!("{arn}#{index}"));
        detail.node_properties = None;
        detail.node_details = Some(NodeDetails::default().with(|it| {
            it.node_index = i32::try_from(index).ok();
            it.is_main_node = Some(task.main_node == Some(index));
        }));
        detail.container = node.container;
        detail.ecs_properties = node.ecs_properties;
        let need = MilliVcpus::default();
        JobRecord { detail, need, image: None, task: None, ..job.clone() }
    };
    task.described_nodes().into_iter().zip(0_u32..).map(node).collect()
}

/// AWS always counts all seven statuses, and clients read each without a look whether it is there.
fn all_submitted(size: u32) -> BTreeMap<String, i64> {
    let count = |status| if status == JobStatus::Submitted { i64::from(size) } else { 0 };
    JobStatus::ALL.into_iter().map(|status| (status.as_str().to_owned(), count(status))).collect()
}

impl Waits {
    fn add(&mut self, job_id: &JobId, status: JobStatus) {
        match status {
            JobStatus::Succeeded => {}
            JobStatus::Failed => self.failed = true,
            _ if self.on.contains(job_id) => {}
            _ => self.on.push(job_id.clone()),
        }
    }
}
