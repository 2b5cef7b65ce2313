//! What must hold between the fields of an object, or the entries of a list.

use std::collections::HashSet;

use super::lined_value::{Data, LinedValue};
use super::schema::Check;
use crate::domain::Nonce;
use crate::domain::children::{CHILD_MARK, is_child_name};
use crate::domain::limits::{TAG_KEY_MAX_CHARS, TAG_VALUE_MAX_CHARS, TAGS_MAX};

/// The fields by which a job says what its definition's containers change, of which it may use one.
const OVERRIDES: [&str; 4] =
    ["containerOverrides", "nodeOverrides", "ecsPropertiesOverride", "eksPropertiesOverride"];

/// The members of `containerProperties` that a definition may have among its own.
pub(super) const SHORT_FORM: [&str; 4] = ["image", "command", "environment", "resourceRequirements"];

/// How a job, or the defaults of jobs, may say what their definitions' containers change.
pub(super) fn overrides(job: &LinedValue, check: &mut Check) {
    if let (Some(command), Some(overrides)) = (job.get("command"), job.get("containerOverrides")) {
        if overrides.get("command").is_some() {
            let message = "is given twice: it is short for containerOverrides.command; remove one of the two";
            check.member("command", |check| check.problem(command, message));
        }
    } else if let Some(command) = job.get("command") {
        for other in &OVERRIDES[1..] {
            if job.get(other).is_some() {
                let message =
                    format!("is short for containerOverrides.command and can't be combined with {other}");
                check.member("command", |check| check.problem(command, message));
            }
        }
    }
    one_platform(job, check);
}

/// What a job that is complete must keep to.
pub(super) fn job(job: &LinedValue, check: &mut Check) {
    overrides(job, check);
    let array = job.get("arrayProperties");
    if let (Some(array), Some(_)) = (array, job.get("nodeOverrides")) {
        let message = "can't be combined with nodeOverrides: a multi-node job can't be an array";
        check.member("arrayProperties", |check| check.problem(array, message));
    }
    if array.is_none() {
        array_dependencies(job, check);
    }
    self_dependencies(job, check);
    resubmitted_children(job, check);
    sealed(job, check);
    if let Some(name) = job.get("jobName").filter(|name| name.text().is_some_and(is_child_name)) {
        let message = format!(
            "ends in {CHILD_MARK} and a number: such names are kept for the children of arrays; give it another"
        );
        check.member("jobName", |check| check.problem(name, message));
    }
}

/// What an array must keep to whose children are run again as jobs of their own.
fn resubmitted_children(job: &LinedValue, check: &mut Check) {
    let Some(flag) = job.get("resubmitChildren").filter(|flag| flag.data == Data::Bool(true)) else { return };
    let mut problem =
        |message: String| check.member("resubmitChildren", |check| check.problem(flag, message));
    if job.get("arrayProperties").is_none() {
        problem("needs an array job; give arrayProperties.size or remove it".to_owned());
    }
    for other in &OVERRIDES[1..] {
        if job.get(other).is_some() {
            problem(format!(
                "can't be combined with {other}: a child learns its index from containerOverrides.environment"
            ));
        }
    }
    let entries = job.get("dependsOn").map(LinedValue::items).unwrap_or_default();
    if entries.iter().any(|entry| entry.text_of("type") == Some("SEQUENTIAL")) {
        problem("can't be combined with SEQUENTIAL: the children behind a lost one fail with it".to_owned());
    }
    if job.get("maxTries").is_some_and(|tries| tries.data == Data::Number(1.into())) {
        problem(
            "has no effect with maxTries 1, which leaves no try for a lost child; give 2 or more".to_owned(),
        );
    }
}

/// What is sealed is taken from Batch's description of one container.
fn sealed(job: &LinedValue, check: &mut Check) {
    let Some(flag) = job.get("sealed").filter(|flag| flag.data == Data::Bool(true)) else { return };
    for other in OVERRIDES[1..].iter().filter(|other| job.get(other).is_some()) {
        let message = format!(
            "can't be combined with {other}: only containerOverrides.environment and parameters are sealed; keep secrets in \
             the job definition's secrets instead"
        );
        check.member("sealed", |check| check.problem(flag, message));
    }
}

/// At most one kind of overrides.
pub(super) fn one_platform(node: &LinedValue, check: &mut Check) {
    let mut given = OVERRIDES.iter().filter_map(|name| Some((name, node.get(name)?)));
    let Some((first, _)) = given.next() else { return };
    for (name, overrides) in given {
        let message = format!("can't be combined with {first}; keep the one that fits the job definition");
        check.member(name, |check| check.problem(overrides, message));
    }
}

fn array_dependencies(job: &LinedValue, check: &mut Check) {
    each_dependency(job, check, |dependency, check| {
        if let Some(kind @ ("N_TO_N" | "SEQUENTIAL")) = dependency.text_of("type") {
            let message = format!("{kind} needs an array job; give arrayProperties.size or remove the type");
            check.problem(dependency, message);
        }
    });
}

fn self_dependencies(job: &LinedValue, check: &mut Check) {
    let name = job.text_of("jobName");
    each_dependency(job, check, |dependency, check| {
        if name.is_some() && dependency.text_of("jobName") == name {
            check.problem(dependency, "the job depends on itself; remove the entry");
        }
    });
}

fn each_dependency(job: &LinedValue, check: &mut Check, look: impl Fn(&LinedValue, &mut Check)) {
    let entries = job.get("dependsOn").map(LinedValue::items).unwrap_or_default();
    check.member("dependsOn", |check| {
        for (index, entry) in entries.iter().enumerate() {
            check.item(index, |check| look(entry, check));
        }
    });
}

pub(super) fn dependency(entry: &LinedValue, check: &mut Check) {
    let (by_id, by_name) = (entry.get("jobId").is_some(), entry.get("jobName").is_some());
    match (by_id, by_name, entry.text_of("type")) {
        (true, true, _) => check.problem(entry, "has both jobId and jobName; keep one"),
        (false, false, Some("SEQUENTIAL")) => {}
        (false, false, _) => {
            check.problem(entry, "needs a jobId, or the jobName of a job of the same file");
        }
        _ => {}
    }
}

pub(super) fn parameters(parameters: &LinedValue, check: &mut Check) {
    if let Some(nonce) = parameters.get(Nonce::PARAMETER) {
        check.member(Nonce::PARAMETER, |check| {
            check.problem(nonce, "is reserved: it marks the job's submissions; give it another name");
        });
    }
}

pub(super) fn tags(tags: &LinedValue, check: &mut Check) {
    let members = tags.members();
    if members.len() > TAGS_MAX {
        check.problem(tags, format!("has {} tags, at most {TAGS_MAX} are allowed", members.len()));
    }
    for (key, value) in members {
        check.member(key, |check| {
            if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
                check.problem(value, "begins with \"aws:\", which AWS keeps for itself; give it another key");
            }
            let length = key.chars().count();
            if !(1..=TAG_KEY_MAX_CHARS).contains(&length) {
                let message =
                    format!("the key has {length} characters, 1 to {TAG_KEY_MAX_CHARS} are allowed");
                check.problem(value, message);
            }
            let length = value.text().map_or(0, |text| text.chars().count());
            if length > TAG_VALUE_MAX_CHARS {
                let message = format!("has {length} characters, at most {TAG_VALUE_MAX_CHARS} are allowed");
                check.problem(value, message);
            }
        });
    }
}

pub(super) fn environment(variables: &LinedValue, check: &mut Check) {
    // What stands behind a '=' is a value in the wrong place, and may be a secret.
    distinct(variables, "name", check, |name| {
        let name = name.split('=').next().unwrap_or_default();
        format!("the variable {name:?} is given twice; remove one")
    });
}

pub(super) fn resources(resources: &LinedValue, check: &mut Check) {
    distinct(resources, "type", check, |kind| format!("{kind} is given twice; remove one"));
}

pub(super) fn distinct_names(containers: &LinedValue, check: &mut Check) {
    distinct(containers, "name", check, |name| format!("the container {name:?} is given twice; remove one"));
}

/// A cause stands alone or in an object.
pub(super) fn distinct_causes(entries: &LinedValue, check: &mut Check) {
    let mut seen = HashSet::new();
    for (index, entry) in entries.items().iter().enumerate() {
        let Some(cause) = entry.text().or_else(|| entry.text_of("cause")) else { continue };
        if !seen.insert(cause) {
            let message = format!("{cause} is given twice; remove one");
            check.item(index, |check| check.problem(entry, message));
        }
    }
}

fn distinct(list: &LinedValue, key: &str, check: &mut Check, message: impl Fn(&str) -> String) {
    let mut seen = HashSet::new();
    for (index, entry) in list.items().iter().enumerate() {
        if let Some(text) = entry.text_of(key)
            && !seen.insert(text)
        {
            check.item(index, |check| check.problem(entry, message(text)));
        }
    }
}

/// Source: `ResourceRequirement` API reference.
pub(super) fn resource(resource: &LinedValue, check: &mut Check) {
    let (Some(value), Some(kind)) = (resource.get("value"), resource.text_of("type")) else { return };
    let Some(text) = value.text().filter(|text| !text.is_empty()) else { return };
    let whole = text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u32>().is_ok_and(|number| (1..=i32::MAX as u32).contains(&number));
    let (fits, expected) = match kind {
        "VCPU" => (
            whole || ["0.25", "0.5"].contains(&text),
            "\"0.25\", \"0.5\" or a whole number of vCPUs, as in \"2\"",
        ),
        "MEMORY" => {
            (whole && !["1", "2", "3"].contains(&text), "a whole number of MiB, at least 4, as in \"2048\"")
        }
        "GPU" => (whole, "a whole number of devices above 0, as in \"1\""),
        _ => return,
    };
    if !fits {
        let message = format!("must be {expected}, not {text:?}");
        check.member("value", |check| check.problem(value, message));
    }
}

pub(super) fn container_overrides(overrides: &LinedValue, check: &mut Check) {
    let required = overrides.get("resourceRequirements").map(LinedValue::items).unwrap_or_default();
    for (field, kind) in [("vcpus", "VCPU"), ("memory", "MEMORY")] {
        let Some(given) = overrides.get(field) else { continue };
        if required.iter().any(|resource| resource.text_of("type") == Some(kind)) {
            let message = format!(
                "is given again as {kind} in resourceRequirements; remove this one, which is deprecated"
            );
            check.member(field, |check| check.problem(given, message));
        }
    }
}

/// Source: `RetryStrategy` API reference.
pub(super) fn retry_strategy(strategy: &LinedValue, check: &mut Check) {
    let rules = strategy.get("evaluateOnExit").map(LinedValue::items).unwrap_or_default();
    if !rules.is_empty() && strategy.get("attempts").is_none() {
        check.problem(strategy, "evaluateOnExit needs attempts beside it; say how many there may be");
    }
}

pub(super) fn evaluate_on_exit(rule: &LinedValue, check: &mut Check) {
    if ["onStatusReason", "onReason", "onExitCode"].iter().all(|field| rule.get(field).is_none()) {
        check.problem(rule, "has no condition; give onStatusReason, onReason or onExitCode");
    }
}

/// Source: `EcsPropertiesOverride` API reference.
pub(super) fn one_task(tasks: &LinedValue, check: &mut Check) {
    if tasks.items().is_empty() {
        check.problem(tasks, "has no entries, 1 is needed");
    }
}

/// The short form has some of `containerProperties` beside the definition's own fields.
pub(super) fn definition(definition: &LinedValue, check: &mut Check) {
    let Some(nested) = definition.get("containerProperties") else { return };
    for (field, value) in nested.members() {
        if SHORT_FORM.contains(&field.as_str()) && definition.get(field).is_some() {
            check.member("containerProperties", |check| {
                check.member(field, |check| {
                    check.problem(value, "is given beside containerProperties too; remove one of the two");
                });
            });
        }
    }
}
