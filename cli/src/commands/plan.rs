//! `batchwright plan`.

use std::io::{self, BufWriter};

use anyhow::Context;
use batchwright::domain::JobSpec;
use batchwright::domain::definition::find_definition;
use batchwright::domain::plan::{Plan, Skip};
use batchwright::engine::{Capacity, has_images, refusal};
use batchwright::ports::{JobQueries, RunStore};
use batchwright::use_cases::plan_file::{PlanFileError, Planned, plan_file};
use serde::Serialize;

use super::processes;
use super::run::read_definitions;
use super::summary::open_job_file;
use crate::args::{Output, PlanArgs};
use crate::exit::{Exit, Failure};
use crate::output::records::Records;
use crate::output::{human, table};

/// How a job runs that runs in no container.
const PROCESS: &str = "process";

/// One line of a plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    line: u64,
    job_name: Option<String>,
    /// SUBMIT, SKIP or REJECT.
    action: &'static str,
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    /// Of a job that would run on this machine: `process`, or the runtime of its container.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_by: Option<&'static str>,
}

impl Row {
    fn of(
        line: u64,
        planned: Planned,
        too_large: impl Fn(&JobSpec) -> Option<String>,
        runs_by: impl Fn(&JobSpec) -> Option<&'static str>,
    ) -> Row {
        let (spec, action, reason, replaces) = match planned {
            Planned::Invalid(problems) => {
                let reasons: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let reason = Some(reasons.join("; "));
                return Row { line, job_name: None, action: "REJECT", reason, replaces: None, runs_by: None };
            }
            Planned::Job(spec, Plan::Submit { replaces: None }) => {
                (spec, "SUBMIT", "it is new".to_owned(), None)
            }
            Planned::Job(spec, Plan::Submit { replaces }) => {
                (spec, "SUBMIT", "its latest submission ended".to_owned(), replaces)
            }
            Planned::Job(spec, Plan::Skip(skip @ Skip::Changed)) => {
                (spec, "SKIP", format!("changed: {skip}"), None)
            }
            Planned::Job(spec, Plan::Skip(skip)) => (spec, "SKIP", skip.to_string(), None),
            Planned::Twice(spec) => {
                (spec, "SKIP", "the job of an earlier line has its name, and is submitted".to_owned(), None)
            }
            Planned::Waits(spec, why) => (spec, "SUBMIT", format!("as soon as it can be: {why}"), None),
            Planned::Rejected(spec, why) => (spec, "REJECT", why, None),
        };
        let job_name = Some(spec.job_name.to_string());
        let reason = match too_large(&spec).filter(|_| action == "SUBMIT") {
            Some(lack) => format!("{reason}; it will stay RUNNABLE: {lack}"),
            None => reason,
        };
        let runs_by = runs_by(&spec).filter(|_| action == "SUBMIT");
        let replaces = replaces.map(|id| id.to_string());
        Row { line, job_name, action, reason: Some(reason), replaces, runs_by }
    }
}

/// `capacity` is that of the machine on which the jobs would run, where that is known.
pub(crate) async fn plan<S: JobQueries + RunStore>(
    store: &S,
    args: &PlanArgs,
    capacity: Option<Capacity>,
) -> Result<Exit, Failure> {
    let mut file = open_job_file(&args.file).await?;
    let mut definitions = read_definitions(&args.job_definitions).await?;
    definitions.extend(file.local().job_definitions.iter().cloned());
    let too_large =
        |spec: &JobSpec| capacity?.too_small_for(spec, find_definition(&definitions, &spec.job_definition));
    let runtime = match args.containers.or(file.local().containers).filter(|_| capacity.is_some()) {
        Some(choice) => Some(processes::runtime(choice)?.name()),
        None => None,
    };
    let has_image = |spec: &JobSpec| {
        find_definition(&definitions, &spec.job_definition)
            .is_some_and(|definition| has_images(spec, definition))
    };
    let runs_by = |spec: &JobSpec| {
        capacity?;
        Some(runtime.filter(|_| has_image(spec)).unwrap_or(PROCESS))
    };
    let refuses = |spec: &JobSpec| {
        capacity?;
        refusal(spec, find_definition(&definitions, &spec.job_definition), runtime.is_some())
    };
    let mut in_containers = 0;
    let (mut submit, mut skip, mut reject) = (0, 0, 0);
    let mut rows = table::table(&["JOB", "ACTION", "WHY"]);
    let mut records = Records::new(BufWriter::new(io::stdout()), args.shown.output, "plan");
    let mut printed = Ok(());
    let planned = plan_file(store, &mut file, args.rerun, refuses, |line, planned| {
        let row = Row::of(line, planned, too_large, runs_by);
        in_containers += u64::from(row.runs_by.is_some_and(|by| by != PROCESS));
        *(match row.action {
            "SUBMIT" => &mut submit,
            "SKIP" => &mut skip,
            _ => &mut reject,
        }) += 1;
        if args.shown.output == Output::Table {
            let job = row.job_name.unwrap_or_else(|| format!("line {line}"));
            rows.add_row([job, row.action.to_owned(), row.reason.unwrap_or_default()]);
        } else if printed.is_ok() {
            printed = records.push(&row);
        }
    });
    planned.await.map_err(|error| match error {
        PlanFileError::File(error) => Failure::Rejected(error.to_string()),
        PlanFileError::Port(error) => Failure::Broken(error.into()),
    })?;
    printed.context("stdout")?;
    if args.shown.output == Output::Table {
        println!("{}", table::rendered(rows));
        let how = match runtime {
            _ if capacity.is_none() => String::new(),
            Some(runtime) if in_containers > 0 => format!(
                " ({in_containers} in {runtime} containers, {} as processes of this machine)",
                submit - in_containers
            ),
            _ => " (as processes of this machine)".to_owned(),
        };
        println!("{} to submit{how}, {skip} to skip, {reject} to reject", human::count(submit, "job"));
    } else {
        let counts = serde_json::json!({"submit": submit, "skip": skip, "reject": reject});
        records.finish(counts.as_object().unwrap_or(&serde_json::Map::new())).context("stdout")?;
    }
    Ok(if reject > 0 { Exit::JobsFailed } else { Exit::Well })
}
