//! What a submission becomes, or why it is refused.

use super::arn;
use super::ids::JobIds;
use super::image::Image;
use super::task::Task;
use super::vcpus::{self, MilliVcpus};
use crate::domain::command::{overlay, substitute};
use crate::domain::limits::{ARRAY_SIZE_MAX, ARRAY_SIZE_MIN, ATTEMPTS_MAX, DEPENDENCIES_MAX};
use crate::domain::spec::{ContainerOverrides, Dependency, DependencyType};
use crate::domain::{JobDefinition, JobId, JobName, JobSpec, JobStatus, Timestamp};
use crate::events::{ContainerDetail, JobDetail};

/// A submission that the engine does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job {job_name:?}: {why}")]
pub(crate) struct Refusal {
    job_name: String,
    why: String,
}

impl Refusal {
    pub(crate) fn new(job_name: &JobName, why: impl Into<String>) -> Self {
        Self { job_name: job_name.to_string(), why: why.into() }
    }
}

/// Checks what a submission says on its own: nothing is asked of other jobs.
pub(crate) fn check(spec: &JobSpec) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::new(&spec.job_name, why));
    if spec.eks_properties_override.is_some() {
        return refuse(
            "eksPropertiesOverride is not supported on the embedded engine; give the command in containerOverrides"
                .to_owned(),
        );
    }
    if let Some(array) = &spec.array_properties
        && !(ARRAY_SIZE_MIN..=ARRAY_SIZE_MAX).contains(&i64::from(array.size))
    {
        return refuse(format!(
            "arrayProperties.size is {}, allowed are {ARRAY_SIZE_MIN} to {ARRAY_SIZE_MAX}",
            array.size
        ));
    }
    if spec.depends_on.len() > DEPENDENCIES_MAX {
        return refuse(format!(
            "dependsOn has {} entries, at most {DEPENDENCIES_MAX} are allowed",
            spec.depends_on.len()
        ));
    }
    let attempts = spec.retry_strategy.as_ref().and_then(|strategy| strategy.attempts);
    if let Some(attempts) = attempts.filter(|&attempts| !(1..=ATTEMPTS_MAX).contains(&i64::from(attempts))) {
        return refuse(format!("retryStrategy.attempts is {attempts}, allowed are 1 to {ATTEMPTS_MAX}"));
    }
    let is_array = spec.array_properties.is_some();
    for (index, dependency) in spec.depends_on.iter().enumerate() {
        check_dependency(dependency, is_array)
            .map_err(|why| Refusal::new(&spec.job_name, format!("dependsOn[{index}]: {why}")))?;
    }
    Ok(())
}

fn check_dependency(dependency: &Dependency, is_array: bool) -> Result<(), String> {
    match (&dependency.job_id, dependency.kind) {
        _ if dependency.job_name.is_some() => {
            Err("a dependency by jobName must be resolved to a jobId before it is submitted".into())
        }
        (_, Some(_)) if !is_array => Err("a type is allowed for array jobs only; leave it out".into()),
        (Some(_), None | Some(DependencyType::NToN)) | (None, Some(DependencyType::Sequential)) => Ok(()),
        (Some(_), Some(DependencyType::Sequential)) => {
            Err("SEQUENTIAL is about the job's own children; leave the jobId out".into())
        }
        (Some(_), Some(kind)) => Err(format!("the type {} is not known to this engine", kind.as_str())),
        (None, _) => Err("the jobId is missing".into()),
    }
}

/// What a submission becomes.
pub(crate) struct Admitted {
    /// As it is described once it is submitted.
    pub(crate) detail: JobDetail,
    pub(crate) need: MilliVcpus,
    /// `None`: it runs as a process.
    pub(crate) image: Option<Box<Image>>,
    /// `None`: it has one container and no nodes.
    pub(crate) task: Option<Box<Task>>,
}

/// Admits a job by what its definition says.
pub(crate) fn admit(
    spec: &JobSpec,
    definition: Option<&JobDefinition>,
    runs_images: bool,
    job_id: JobId,
    now: Timestamp,
) -> Result<Admitted, Refusal> {
    let (detail, need) = describe(spec, definition, job_id, now)?;
    let refuse = |why: String| Refusal::new(&spec.job_name, format!("job definition: {why}"));
    let image = definition.map_or(Ok(None), Image::of).map_err(refuse)?;
    let task = Task::of(spec, definition, &detail.parameters).map_err(refuse)?;
    check_commands(spec, &detail, image.as_deref(), task.as_deref(), runs_images)?;
    Ok(Admitted { detail, need, image, task })
}

/// Why the embedded engine would refuse a job, whatever it depends on; `None` where it would not. `runs_images`: a
/// container runtime runs the images of definitions.
pub fn refusal(spec: &JobSpec, definition: Option<&JobDefinition>, runs_images: bool) -> Option<String> {
    // Names become ids before a job is submitted.
    let mut resolved = spec.clone();
    resolved.depends_on.retain(|dependency| dependency.job_name.is_none());
    let (any_id, now) = (JobIds::seeded(0).nth(1), Timestamp::from_millis(0));
    let admitted = check(&resolved).and_then(|()| admit(&resolved, definition, runs_images, any_id, now));
    admitted.err().map(|refusal| refusal.why)
}

/// The job as it is described after its submission, and its need.
pub(crate) fn describe(
    spec: &JobSpec,
    definition: Option<&JobDefinition>,
    job_id: JobId,
    now: Timestamp,
) -> Result<(JobDetail, MilliVcpus), Refusal> {
    let need = vcpus::need(spec.container_overrides.as_ref(), definition).map_err(|text| {
        let why = format!("VCPU {text:?} is not a number above 0, as in \"1\" or \"0.25\"");
        Refusal::new(&spec.job_name, why)
    })?;
    let has = |member: &str| definition.is_some_and(|definition| definition.more.contains_key(member));
    let name = || arn::definition_name(&spec.job_definition);
    if has("eksProperties") {
        let why =
            format!("job definition {:?} is for EKS, and such jobs don't run on the embedded engine", name());
        return Err(Refusal::new(&spec.job_name, why));
    }
    for (given, overrides, properties) in [
        (spec.node_overrides.is_some(), "nodeOverrides", "nodeProperties"),
        (spec.ecs_properties_override.is_some(), "ecsPropertiesOverride", "ecsProperties"),
    ] {
        if given && !has(properties) {
            let why = format!("{overrides} is given, and job definition {:?} has no {properties}", name());
            return Err(Refusal::new(&spec.job_name, why));
        }
    }
    let given = spec.container_overrides.as_ref().is_some_and(|it| *it != ContainerOverrides::default());
    for (properties, instead) in
        [("nodeProperties", "nodeOverrides"), ("ecsProperties", "ecsPropertiesOverride")]
    {
        // Source: SubmitJob's "Container overrides should not be set for ecsProperties jobs."
        if given && has(properties) {
            let why = format!(
                "containerOverrides (or command) is given, and job definition {:?} has {properties}: give {instead}",
                name()
            );
            return Err(Refusal::new(&spec.job_name, why));
        }
    }
    if has("nodeProperties") && spec.array_properties.is_some() {
        let why = "arrayProperties is given, and a multi-node job can't be an array".to_owned();
        return Err(Refusal::new(&spec.job_name, why));
    }
    let mut parameters = definition.map(|definition| definition.parameters.clone()).unwrap_or_default();
    parameters.extend(spec.parameters.clone());
    let mut container = container(spec, definition);
    container.command = substitute(&container.command, &parameters);
    let job_arn = arn::arn("job", job_id.as_str());
    let detail = JobDetail::new(spec.job_name.clone(), job_id, JobStatus::Submitted).with(|detail| {
        detail.job_arn = Some(job_arn);
        detail.job_queue = arn::arn("job-queue", &spec.job_queue);
        detail.share_identifier = spec.share_identifier.clone();
        detail.scheduling_priority = spec.scheduling_priority_override;
        detail.created_at = Some(now.as_millis());
        detail.retry_strategy = spec.retry_strategy.clone().or_else(|| definition?.retry_strategy.clone());
        detail.depends_on = spec.depends_on.clone();
        detail.job_definition = arn::definition_arn(&spec.job_definition);
        detail.parameters = parameters;
        detail.container = Some(container);
        detail.timeout = spec.timeout.clone().or_else(|| definition?.timeout.clone());
        detail.tags = spec.tags.clone();
        detail.propagate_tags = spec.propagate_tags;
    });
    Ok((detail, need))
}

/// Every container needs a command, unless its image is run, which has one.
fn check_commands(
    spec: &JobSpec,
    detail: &JobDetail,
    image: Option<&Image>,
    task: Option<&Task>,
    runs_images: bool,
) -> Result<(), Refusal> {
    let mut only = detail.container.iter().map(|container| (container, image.is_some()));
    let several = task.into_iter().flat_map(|task| &task.containers);
    let mut several = several.map(|one| (&one.container, one.image.is_some()));
    let lacks_command = |(container, has_image): (&ContainerDetail, bool)| match container.command.first() {
        Some(program) => program.is_empty(),
        None => !(runs_images && has_image),
    };
    let lacking = if task.is_some() { several.any(lacks_command) } else { only.any(lacks_command) };
    if !lacking {
        return Ok(());
    }
    let name = arn::definition_name(&spec.job_definition);
    let why = match task {
        None => format!(
            "there is no command to run: give containerOverrides.command, or define {name:?} with a command"
        ),
        Some(_) => format!(
            "a container of {name:?} has no command to run: give it one, or run images with --containers"
        ),
    };
    Err(Refusal::new(&spec.job_name, why))
}

fn container(spec: &JobSpec, definition: Option<&JobDefinition>) -> ContainerDetail {
    let overrides = spec.container_overrides.clone().unwrap_or_default();
    let definition = definition.cloned().unwrap_or_default();
    let log_configuration = definition.log_configuration().cloned();
    let log_configuration = log_configuration.and_then(|value| serde_json::from_value(value).ok());
    let mut resource_requirements = definition.resource_requirements;
    resource_requirements
        .retain(|base| overrides.resource_requirements.iter().all(|own| own.kind != base.kind));
    resource_requirements.extend(overrides.resource_requirements);
    ContainerDetail::default().with(|it| {
        it.image = definition.image;
        it.vcpus = overrides.vcpus;
        it.memory = overrides.memory;
        it.command = overrides.command.unwrap_or(definition.command);
        it.log_configuration = log_configuration;
        it.environment = overlay(&definition.environment, &overrides.environment);
        it.resource_requirements = resource_requirements;
    })
}
