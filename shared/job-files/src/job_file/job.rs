//! One job: checked, its short forms written out, made a [`JobSpec`].

use serde_json::Value;

use super::job_schema::JOB;
use super::lined_value::{Data, LinedValue};
use super::nothing::{prune, strip_unknown};
use super::problem::Problem;
use super::schema::Check;
use crate::domain::children::child_spec;
use crate::domain::definition::find_definition;
use crate::domain::limits::{CONTAINER_OVERRIDES_MAX_CHARS, SUBMIT_PAYLOAD_MAX_BYTES};
use crate::domain::overrides::{container_override_chars, task_override_chars};
use crate::domain::spec::{ContainerOverrides, EcsPropertiesOverride};
use crate::domain::{JobDefinition, JobId, JobSpec, Nonce, SubmitJobRequest};

/// As long as every id.
const ANY_ID: &str = "00000000-0000-0000-0000-000000000000";

/// Checks one job as a job file has it and writes its short forms out.
///
/// Errs with everything that is wrong with it. What `dependsOn` names is not looked for.
pub fn check_job(job: Value) -> Result<JobSpec, Vec<Problem>> {
    read(job.into(), "", &[])
}

/// Checks a `SubmitJob` request as AWS Batch does: members that it does not know are left alone, our own fields among
/// them, and overrides that are too long are left for the dispatch to fail.
///
/// Errs with everything that is wrong with it.
pub fn check_request(request: Value) -> Result<JobSpec, Vec<Problem>> {
    let mut request = request.into();
    strip_unknown(&mut request, &JOB);
    let mut check = Check::at("");
    let (request, spec) = checked(request, &mut check)?;
    payload(&request, request_bytes(&spec), &mut check);
    if check.problems.is_empty() { Ok(spec) } else { Err(check.problems) }
}

/// Checks the job at a path and makes it a spec. The definitions are those that stand beside it.
pub(super) fn read(
    job: LinedValue,
    path: &str,
    definitions: &[JobDefinition],
) -> Result<JobSpec, Vec<Problem>> {
    let mut check = Check::at(path);
    let (job, spec) = checked(job, &mut check)?;
    sizes(&job, &spec, find_definition(definitions, &spec.job_definition), &mut check);
    if check.problems.is_empty() { Ok(spec) } else { Err(check.problems) }
}

fn checked(mut job: LinedValue, check: &mut Check) -> Result<(LinedValue, JobSpec), Vec<Problem>> {
    prune(&mut job, &JOB);
    check.object(&job, &JOB);
    if !check.problems.is_empty() {
        return Err(std::mem::take(&mut check.problems));
    }
    write_out_command(&mut job);
    let spec: JobSpec = serde_json::from_value(job.to_json()).map_err(|error| {
        check.problem(&job, error.to_string());
        std::mem::take(&mut check.problems)
    })?;
    Ok((job, spec))
}

fn write_out_command(job: &mut LinedValue) {
    let Some(command) = job.take("command") else { return };
    let mut overrides = job
        .take("containerOverrides")
        .unwrap_or_else(|| LinedValue::new(command.line, Data::Object(Vec::new())));
    overrides.put("command", command);
    job.put("containerOverrides", overrides);
}

/// What can only be measured once the job is whole.
fn sizes(job: &LinedValue, spec: &JobSpec, definition: Option<&JobDefinition>, check: &mut Check) {
    let container = |check: &mut Check, node: Option<&LinedValue>, overrides: &Option<ContainerOverrides>| {
        if let (Some(node), Some(overrides)) = (node, overrides) {
            let chars = container_override_chars(spec, overrides, None);
            check.member("containerOverrides", |check| override_chars(node, chars, check));
        }
    };
    let ecs = |check: &mut Check, node: Option<&LinedValue>, overrides: &Option<EcsPropertiesOverride>| {
        if let (Some(node), Some(overrides)) = (node, overrides) {
            let chars = task_override_chars(spec, overrides);
            check.member("ecsPropertiesOverride", |check| override_chars(node, chars, check));
        }
    };
    // A child's own job has two variables more.
    let largest = spec.array_properties.as_ref().map_or(0, |array| array.size);
    let id = JobId::parse(ANY_ID).ok().filter(|_| spec.resubmit_children);
    let child = id.and_then(|id| child_spec(spec, &id, largest));
    let widest = child.as_ref().unwrap_or(spec);
    single_container(job, spec, widest, definition, check);
    ecs(check, job.get("ecsPropertiesOverride"), &spec.ecs_properties_override);
    let nodes = job.get("nodeOverrides").and_then(|nodes| nodes.get("nodePropertyOverrides"));
    let ranges = spec.node_overrides.iter().flat_map(|nodes| &nodes.node_property_overrides);
    for (index, (node, range)) in
        nodes.map(LinedValue::items).unwrap_or_default().iter().zip(ranges).enumerate()
    {
        check.member("nodeOverrides", |check| {
            check.member("nodePropertyOverrides", |check| {
                check.item(index, |check| {
                    container(check, node.get("containerOverrides"), &range.container_overrides);
                    ecs(check, node.get("ecsPropertiesOverride"), &range.ecs_properties_override);
                });
            });
        });
    }
    payload(job, request_bytes(spec).max(child.as_ref().map_or(0, request_bytes)), check);
}

/// A job of one container: its own overrides, or the definition's command once the job's parameters are in it.
fn single_container(
    job: &LinedValue,
    spec: &JobSpec,
    widest: &JobSpec,
    definition: Option<&JobDefinition>,
    check: &mut Check,
) {
    let several =
        [&job.get("nodeOverrides"), &job.get("ecsPropertiesOverride"), &job.get("eksPropertiesOverride")];
    if several.iter().any(|other| other.is_some()) {
        return;
    }
    let overrides = widest.container_overrides.clone().unwrap_or_default();
    // A child's own job has the array's index in its environment; the array's own variables count all the same.
    let chars = container_override_chars(spec, &overrides, definition);
    let field = ["containerOverrides", "parameters"].into_iter().find(|field| job.get(field).is_some());
    match field {
        Some(field) => {
            check.member(field, |check| override_chars(job.get(field).unwrap_or(job), chars, check));
        }
        None => override_chars(job, chars, check),
    }
}

fn payload(job: &LinedValue, bytes: usize, check: &mut Check) {
    if bytes > SUBMIT_PAYLOAD_MAX_BYTES {
        check.problem(
            job,
            format!(
                "the job takes {bytes} bytes as a SubmitJob request, at most {SUBMIT_PAYLOAD_MAX_BYTES} are allowed; put what is long into a file that the job reads"
            ),
        );
    }
}

fn override_chars(node: &LinedValue, chars: usize, check: &mut Check) {
    if chars > CONTAINER_OVERRIDES_MAX_CHARS {
        check.problem(
            node,
            format!(
                "makes overrides of {chars} characters as ECS counts them, with Batch's own variables and Ref:: filled in, and at most {CONTAINER_OVERRIDES_MAX_CHARS} are allowed: Batch would take the job and fail it when it starts; put what is long into a file that the job reads"
            ),
        );
    }
}

/// Bytes of the request that will be made of the spec: with a nonce, and ids in place of names.
fn request_bytes(spec: &JobSpec) -> usize {
    let id = JobId::parse(ANY_ID).ok();
    let nonce = Nonce::derive(&spec.job_name, "", u32::MAX);
    SubmitJobRequest::new(spec, &nonce, |_| id.clone()).spec().payload_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(job: Value) -> Vec<String> {
        check_job(job).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_job_with_every_field_of_submit_job_is_read() {
        let job = json!({
            "jobName": "a", "jobQueue": "q", "jobDefinition": "d:1", "shareIdentifier": "A*",
            "schedulingPriorityOverride": 0, "arrayProperties": {"size": 2},
            "dependsOn": [{"jobId": "x", "type": "N_TO_N"}, {"type": "SEQUENTIAL"}, {"jobName": "b"}],
            "parameters": {"p": ""},
            "containerOverrides": {
                "vcpus": 1, "memory": 4, "command": ["a", "b"], "instanceType": "m5.large",
                "environment": [{"name": "N", "value": ""}, {"name": "M"}],
                "resourceRequirements": [{"type": "GPU", "value": "1"}]
            },
            "retryStrategy": {"attempts": 10, "evaluateOnExit": [{"onExitCode": "1*", "action": "retry"}]},
            "propagateTags": true, "timeout": {"attemptDurationSeconds": 60}, "tags": {"k": ""},
            "consumableResourcePropertiesOverride": {
                "consumableResourceList": [{"consumableResource": "licence", "quantity": 1}]
            },
            "maxTries": 1, "fallbackQueue": {"jobQueue": "od", "afterLosses": 2},
            "retryOn": ["TIMEOUT", {"cause": "OUT_OF_MEMORY", "maxTries": 2}]
        });
        let spec = check_job(job.clone()).unwrap();
        let mut expected = job;
        expected["retryStrategy"]["evaluateOnExit"][0]["action"] = json!("RETRY");
        assert_eq!(serde_json::to_value(&spec).unwrap(), expected);
    }

    #[test]
    fn jobs_of_several_nodes_containers_and_pods_are_read() {
        let base = json!({"jobName": "a", "jobQueue": "q", "jobDefinition": "d", "maxTries": 4});
        let container = json!({
            "command": ["a"], "environment": [{"name": "N", "value": "v"}], "name": "c",
            "resourceRequirements": [{"value": "0.25", "type": "VCPU"}, {"value": "512", "type": "MEMORY"}]
        });
        for (field, value) in [
            (
                "nodeOverrides",
                json!({"numNodes": 2, "nodePropertyOverrides": [
                    {"targetNodes": "0:", "containerOverrides": {"command": ["a"]}, "instanceTypes": ["m5.large"]}
                ]}),
            ),
            ("ecsPropertiesOverride", json!({"taskProperties": [{"containers": [container]}]})),
            (
                "eksPropertiesOverride",
                json!({"podProperties": {
                    "containers": [{"name": "c", "image": "i", "command": ["a"], "args": ["b"],
                        "env": [{"name": "N", "value": "v"}],
                        "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Mi"}}}],
                    "initContainers": [{"name": "i"}],
                    "metadata": {"labels": {"l": "v"}, "annotations": {"a": "v"}, "namespace": "n"}
                }}),
            ),
        ] {
            let mut job = base.clone();
            job[field] = value;
            assert_eq!(serde_json::to_value(check_job(job.clone()).unwrap()).unwrap(), job);
        }
    }

    #[test]
    fn command_is_written_out_beside_other_overrides() {
        let spec = check_job(json!({
            "jobName": "a", "jobQueue": "q", "jobDefinition": "d", "command": ["echo", "hi"],
            "containerOverrides": {"vcpus": 2}
        }));
        let overrides = spec.unwrap().container_overrides.unwrap();
        assert_eq!(
            (overrides.command.unwrap(), overrides.vcpus),
            (vec!["echo".into(), "hi".into()], Some(2))
        );
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let found = problems(json!({
            "jobname": "a", "jobQueue": "", "jobDefinition": 7, "arrayProperties": {"sizes": 2}, "tags": {"aws:x": 1}
        }));
        assert_eq!(
            found,
            [
                "arrayProperties.sizes: unknown field; the nearest known one is \"size\"",
                "jobDefinition: must be a string, not a number; put it in quotes",
                "jobQueue: is empty; give it a value",
                "jobname: unknown field; the nearest known one is \"jobName\"",
                "tags.aws:x: must be a string, not a number; put it in quotes",
                "tags.aws:x: begins with \"aws:\", which AWS keeps for itself; give it another key",
            ]
        );
    }

    #[test]
    fn a_childs_own_job_is_measured_too_and_has_a_name_that_no_other_may_have() {
        let with = |length: usize, resubmit: bool| {
            check_job(json!({
                "jobName": "a", "jobQueue": "q", "jobDefinition": "d", "arrayProperties": {"size": 10_000},
                "resubmitChildren": resubmit, "command": ["x".repeat(length)]
            }))
        };
        let longest = (7_000..8_192).rfind(|&length| with(length, false).is_ok()).unwrap();
        let told = with(longest, true).unwrap_err();
        assert!(told[0].message.starts_with("makes overrides of 8"), "{told:?}");
        assert!(with(longest - 120, true).is_ok());
        let taken = json!({"jobName": "a--bw-child-7", "jobQueue": "q", "jobDefinition": "d"});
        assert_eq!(
            problems(taken),
            [
                "jobName: ends in --bw-child- and a number: such names are kept for the children of arrays; give it another"
            ]
        );
    }

    #[test]
    fn the_payload_is_measured_as_it_will_be_sent() {
        let with = |length: usize| {
            check_job(json!({
                "jobName": "a", "jobQueue": "q", "jobDefinition": "d", "parameters": {"p": "x".repeat(length)}
            }))
        };
        let bytes = request_bytes(&with(0).unwrap());
        assert!(with(SUBMIT_PAYLOAD_MAX_BYTES - bytes).is_ok());
        assert!(with(SUBMIT_PAYLOAD_MAX_BYTES - bytes + 1).is_err());
    }
}
