//! The `local` of a job file: what concerns the embedded engine alone.

use std::path::PathBuf;

use super::definitions::read_all;
use super::document::known_members;
use super::lined_value::{Data, LinedValue};
use super::problem::Problem;
use super::schema::Check;
use crate::domain::{JobDefinition, RuntimeChoice};

/// What a job file says for the embedded engine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LocalSettings {
    /// Job definitions that it brings.
    pub job_definitions: Vec<JobDefinition>,
    /// Where jobs run, as it is written: a path relative to the file's folder.
    pub workdir: Option<PathBuf>,
    /// What runs the images of jobs that have one; otherwise all jobs are processes.
    pub containers: Option<RuntimeChoice>,
}

/// Reads it. Errs with all that is wrong.
pub(super) fn read(local: &LinedValue) -> Result<LocalSettings, Vec<Problem>> {
    let mut check = Check::at("local");
    known_members(local, &["containers", "jobDefinitions", "workdir"], &mut check);
    let definitions = local.get("jobDefinitions");
    if let Some(node) = definitions.filter(|node| !matches!(node.data, Data::List(_))) {
        check.member("jobDefinitions", |check| {
            check.problem(node, format!("must be a list, not {}", node.kind()));
        });
    }
    let workdir = local.text_of("workdir");
    if let Some(node) = local.get("workdir").filter(|_| workdir.is_none_or(str::is_empty)) {
        check.member("workdir", |check| check.problem(node, "must be the path of a folder, as in \".\""));
    }
    let containers = local.text_of("containers").and_then(RuntimeChoice::parse);
    if let Some(node) = local.get("containers").filter(|_| containers.is_none()) {
        check.member("containers", |check| check.problem(node, "must be docker, podman or auto"));
    }
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    let nodes: Vec<&LinedValue> = definitions.map(LinedValue::items).unwrap_or_default().iter().collect();
    let job_definitions = read_all(&nodes, |index| format!("local.jobDefinitions[{index}]"))?;
    Ok(LocalSettings { job_definitions, workdir: workdir.map(PathBuf::from), containers })
}
