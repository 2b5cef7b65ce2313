//! The fields of a job, as `SubmitJob` has them, and our own beside them.
//!
//! Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html>

use super::rules;
use super::schema::{Field, Kind, Object, anything, optional, required};
use super::text_rules as text;
use crate::domain::limits::{
    ARRAY_SIZE_MAX, ARRAY_SIZE_MIN, ATTEMPT_DURATION_MIN_SECONDS, ATTEMPTS_MAX, DEPENDENCIES_MAX,
    ECS_TASK_CONTAINERS_MAX, ECS_TASKS_MAX, EKS_CONTAINERS_MAX, EVALUATE_ON_EXIT_MAX, MAX_TRIES_MAX,
    MEMORY_MIN_MIB, SCHEDULING_PRIORITY_MAX,
};
use crate::domain::spec::JobField;

const ANY_NUMBER: usize = usize::MAX;
const I32_MAX: i64 = i32::MAX as i64;

/// A job of a job file.
pub(super) static JOB: Object = Object { fields: &JOB_FIELDS, rule: rules::job };

static JOB_FIELDS: [Field; JobField::ALL.len()] = {
    let mut fields = [const { job_field(JobField::JobName) }; JobField::ALL.len()];
    let mut at = 0;
    while at < fields.len() {
        fields[at] = job_field(JobField::ALL[at]);
        at += 1;
    }
    fields
};

/// How a field is checked. One that is in the table and not here does not compile.
const fn job_field(field: JobField) -> Field {
    let kind = match field {
        JobField::JobName => return required(field.name(), Kind::Text(text::JOB_NAME)),
        JobField::JobQueue => return required(field.name(), Kind::Text(text::JOB_QUEUE)),
        JobField::JobDefinition => return required(field.name(), Kind::Text(text::JOB_DEFINITION)),
        JobField::Command => COMMAND,
        JobField::MaxTries => Kind::Whole(1, MAX_TRIES_MAX),
        JobField::FallbackQueue => Kind::Object(&FALLBACK_QUEUE),
        JobField::RetryOn => Kind::List(&RETRY_ON, ANY_NUMBER, rules::distinct_causes),
        JobField::ResubmitChildren | JobField::Sealed | JobField::PropagateTags => Kind::Flag,
        JobField::ShareIdentifier => Kind::Text(text::SHARE_IDENTIFIER),
        JobField::SchedulingPriorityOverride => Kind::Whole(0, SCHEDULING_PRIORITY_MAX),
        JobField::ArrayProperties => Kind::Object(&ARRAY_PROPERTIES),
        JobField::DependsOn => Kind::List(&A_DEPENDENCY, DEPENDENCIES_MAX, anything),
        JobField::Parameters => Kind::Map(rules::parameters),
        JobField::ContainerOverrides => Kind::Object(&CONTAINER_OVERRIDES),
        JobField::NodeOverrides => Kind::Object(&NODE_OVERRIDES),
        JobField::RetryStrategy => Kind::Object(&RETRY_STRATEGY),
        JobField::Timeout => Kind::Object(&TIMEOUT),
        JobField::Tags => Kind::Map(rules::tags),
        JobField::EksPropertiesOverride => Kind::Object(&EKS_PROPERTIES),
        JobField::EcsPropertiesOverride => Kind::Object(&ECS_PROPERTIES),
        JobField::ConsumableResourcePropertiesOverride => Kind::Object(&CONSUMABLE_RESOURCES),
    };
    optional(field.name(), kind)
}

/// A job definition for the embedded engine, as `RegisterJobDefinition` has it.
pub(super) static DEFINITION: Object = Object {
    fields: &[
        required("jobDefinitionName", Kind::Text(text::DEFINITION_NAME)),
        optional("type", Kind::OneOf(&["container", "multinode"])),
        optional("containerProperties", Kind::Object(&CONTAINER_PROPERTIES)),
        IMAGE,
        DEFINITION_COMMAND,
        ENVIRONMENT,
        RESOURCE_REQUIREMENTS,
        optional("parameters", Kind::Map(rules::parameters)),
        optional("timeout", Kind::Object(&TIMEOUT)),
        optional("retryStrategy", Kind::Object(&RETRY_STRATEGY)),
        // What describe-job-definitions prints beside them.
        optional("jobDefinitionArn", Kind::Anything),
        optional("revision", Kind::Whole(1, I32_MAX)),
        optional("status", Kind::OneOf(&["ACTIVE", "INACTIVE"])),
        optional("schedulingPriority", Kind::Anything),
        optional("nodeProperties", Kind::Anything),
        optional("tags", Kind::Anything),
        optional("propagateTags", Kind::Anything),
        optional("platformCapabilities", Kind::Anything),
        optional("ecsProperties", Kind::Anything),
        optional("eksProperties", Kind::Anything),
        optional("containerOrchestrationType", Kind::Anything),
        optional("consumableResourceProperties", Kind::Anything),
        optional("resourceRetentionPolicy", Kind::Anything),
    ],
    rule: rules::definition,
};

const MAX_TRIES: Field = optional("maxTries", Kind::Whole(1, MAX_TRIES_MAX));

static FALLBACK_QUEUE: Object = Object {
    fields: &[
        required("jobQueue", Kind::Text(text::JOB_QUEUE)),
        optional("afterLosses", Kind::Whole(1, MAX_TRIES_MAX)),
    ],
    rule: anything,
};

static RETRY_ON: Kind = Kind::TextOrObject(
    text::RETRIED_CAUSE,
    &Object { fields: &[required("cause", Kind::Text(text::RETRIED_CAUSE)), MAX_TRIES], rule: anything },
);

/// Source: <https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html>
static CONTAINER_PROPERTIES: Object = Object {
    fields: &[
        IMAGE,
        DEFINITION_COMMAND,
        ENVIRONMENT,
        RESOURCE_REQUIREMENTS,
        optional("vcpus", Kind::Whole(1, I32_MAX)),
        optional("memory", Kind::Whole(MEMORY_MIN_MIB, I32_MAX)),
        optional("jobRoleArn", Kind::Anything),
        optional("executionRoleArn", Kind::Anything),
        optional("volumes", Kind::Anything),
        optional("mountPoints", Kind::Anything),
        optional("readonlyRootFilesystem", Kind::Anything),
        optional("privileged", Kind::Anything),
        optional("ulimits", Kind::Anything),
        optional("user", Kind::Anything),
        optional("instanceType", Kind::Anything),
        optional("linuxParameters", Kind::Anything),
        optional("logConfiguration", Kind::Anything),
        optional("secrets", Kind::Anything),
        optional("networkConfiguration", Kind::Anything),
        optional("fargatePlatformConfiguration", Kind::Anything),
        optional("enableExecuteCommand", Kind::Anything),
        optional("ephemeralStorage", Kind::Anything),
        optional("runtimePlatform", Kind::Anything),
        optional("repositoryCredentials", Kind::Anything),
    ],
    rule: rules::container_overrides,
};

/// Batch takes no empty string in a command. Kubernetes does.
const COMMAND: Kind = Kind::List(&Kind::Text(text::ANY), ANY_NUMBER, anything);
const EKS_COMMAND: Kind = Kind::List(&Kind::AnyText, ANY_NUMBER, anything);
const IMAGE: Field = optional("image", Kind::Text(text::ANY));
const DEFINITION_COMMAND: Field = optional("command", COMMAND);
const ENVIRONMENT: Field = optional("environment", Kind::List(&A_VARIABLE, ANY_NUMBER, rules::environment));
const RESOURCE_REQUIREMENTS: Field =
    optional("resourceRequirements", Kind::List(&A_RESOURCE, ANY_NUMBER, rules::resources));

static A_VARIABLE: Kind = Kind::Object(&VARIABLE);
static A_RESOURCE: Kind = Kind::Object(&RESOURCE);

pub(super) static VARIABLE: Object = Object {
    fields: &[required("name", Kind::Text(text::VARIABLE_NAME)), optional("value", Kind::AnyText)],
    rule: anything,
};

static RESOURCE: Object = Object {
    fields: &[
        required("type", Kind::OneOf(&["VCPU", "MEMORY", "GPU"])),
        required("value", Kind::Text(text::ANY)),
    ],
    rule: rules::resource,
};

static CONTAINER_OVERRIDES: Object = Object {
    fields: &[
        optional("vcpus", Kind::Whole(1, I32_MAX)),
        optional("memory", Kind::Whole(MEMORY_MIN_MIB, I32_MAX)),
        DEFINITION_COMMAND,
        optional("instanceType", Kind::Text(text::ANY)),
        ENVIRONMENT,
        RESOURCE_REQUIREMENTS,
    ],
    rule: rules::container_overrides,
};

static ARRAY_PROPERTIES: Object =
    Object { fields: &[required("size", Kind::Whole(ARRAY_SIZE_MIN, ARRAY_SIZE_MAX))], rule: anything };

static A_DEPENDENCY: Kind = Kind::Object(&DEPENDENCY);

static DEPENDENCY: Object = Object {
    fields: &[
        optional("jobId", Kind::Text(text::JOB_ID)),
        optional("jobName", Kind::Text(text::JOB_NAME)),
        optional("type", Kind::OneOf(&["N_TO_N", "SEQUENTIAL"])),
    ],
    rule: rules::dependency,
};

static RETRY_STRATEGY: Object = Object {
    fields: &[
        optional("attempts", Kind::Whole(1, ATTEMPTS_MAX)),
        optional(
            "evaluateOnExit",
            Kind::List(&Kind::Object(&EVALUATE_ON_EXIT), EVALUATE_ON_EXIT_MAX, anything),
        ),
    ],
    rule: rules::retry_strategy,
};

static EVALUATE_ON_EXIT: Object = Object {
    fields: &[
        optional("onStatusReason", Kind::Text(text::PATTERN)),
        optional("onReason", Kind::Text(text::PATTERN)),
        optional("onExitCode", Kind::Text(text::EXIT_CODE_PATTERN)),
        required("action", Kind::Text(text::ACTION)),
    ],
    rule: rules::evaluate_on_exit,
};

static TIMEOUT: Object = Object {
    fields: &[optional("attemptDurationSeconds", Kind::Whole(ATTEMPT_DURATION_MIN_SECONDS, I32_MAX))],
    rule: anything,
};

static NODE_OVERRIDES: Object = Object {
    fields: &[
        optional("numNodes", Kind::Whole(1, I32_MAX)),
        optional(
            "nodePropertyOverrides",
            Kind::List(&Kind::Object(&NODE_PROPERTY_OVERRIDE), ANY_NUMBER, anything),
        ),
    ],
    rule: anything,
};

static NODE_PROPERTY_OVERRIDE: Object = Object {
    fields: &[
        required("targetNodes", Kind::Text(text::TARGET_NODES)),
        optional("containerOverrides", Kind::Object(&CONTAINER_OVERRIDES)),
        optional("ecsPropertiesOverride", Kind::Object(&ECS_PROPERTIES)),
        optional("instanceTypes", Kind::List(&Kind::Text(text::ANY), ANY_NUMBER, anything)),
        optional("eksPropertiesOverride", Kind::Object(&EKS_PROPERTIES)),
        optional("consumableResourcePropertiesOverride", Kind::Object(&CONSUMABLE_RESOURCES)),
    ],
    rule: rules::one_platform,
};

static ECS_PROPERTIES: Object = Object {
    fields: &[optional(
        "taskProperties",
        Kind::List(&Kind::Object(&TASK_PROPERTIES), ECS_TASKS_MAX, rules::one_task),
    )],
    rule: anything,
};

static TASK_PROPERTIES: Object = Object {
    fields: &[optional(
        "containers",
        Kind::List(&Kind::Object(&TASK_CONTAINER), ECS_TASK_CONTAINERS_MAX, rules::distinct_names),
    )],
    rule: anything,
};

static TASK_CONTAINER: Object = Object {
    fields: &[
        DEFINITION_COMMAND,
        ENVIRONMENT,
        optional("name", Kind::Text(text::ANY)),
        RESOURCE_REQUIREMENTS,
    ],
    rule: anything,
};

static EKS_PROPERTIES: Object =
    Object { fields: &[optional("podProperties", Kind::Object(&POD_PROPERTIES))], rule: anything };

static POD_PROPERTIES: Object = Object {
    fields: &[
        optional("containers", EKS_CONTAINERS),
        optional("initContainers", EKS_CONTAINERS),
        optional("metadata", Kind::Object(&EKS_METADATA)),
    ],
    rule: anything,
};

const EKS_CONTAINERS: Kind =
    Kind::List(&Kind::Object(&EKS_CONTAINER), EKS_CONTAINERS_MAX, rules::distinct_names);

static EKS_CONTAINER: Object = Object {
    fields: &[
        optional("name", Kind::Text(text::ANY)),
        optional("image", Kind::Text(text::ANY)),
        optional("command", EKS_COMMAND),
        optional("args", EKS_COMMAND),
        optional("env", Kind::List(&A_VARIABLE, ANY_NUMBER, rules::environment)),
        optional("resources", Kind::Object(&EKS_RESOURCES)),
    ],
    rule: anything,
};

static EKS_RESOURCES: Object = Object {
    fields: &[optional("limits", Kind::Map(anything)), optional("requests", Kind::Map(anything))],
    rule: anything,
};

static EKS_METADATA: Object = Object {
    fields: &[
        optional("labels", Kind::Map(anything)),
        optional("annotations", Kind::Map(anything)),
        optional("namespace", Kind::Text(text::ANY)),
    ],
    rule: anything,
};

static CONSUMABLE_RESOURCES: Object = Object {
    fields: &[optional(
        "consumableResourceList",
        Kind::List(&Kind::Object(&CONSUMABLE_RESOURCE), ANY_NUMBER, anything),
    )],
    rule: anything,
};

static CONSUMABLE_RESOURCE: Object = Object {
    fields: &[
        required("consumableResource", Kind::Text(text::ANY)),
        optional("quantity", Kind::Whole(1, i64::MAX)),
    ],
    rule: anything,
};
