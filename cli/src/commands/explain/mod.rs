//! `batchwright explain`.

#[cfg(test)]
mod model_answers;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context;
use batchwright::domain::explain::{Facts, Situation, situation};
use batchwright::domain::{Job, JobName};
use batchwright::ports::{Clock, JobQueries, LogSource, ObjectStore, QueueSource, RunStore, SystemClock};
use batchwright::use_cases::explain::{Explanation, Logs, explain as explain_job};

use super::no_such_job;
use super::rejected::{Rejected, RejectedLine};
use crate::args::{ExplainArgs, Output};
use crate::exit::{Exit, Failure};
use crate::output::table::ROWS_MAX;
use crate::output::text::harmless_log;
use crate::output::{human, table};
use crate::selection::{for_each_job, named};

pub(crate) async fn explain<S, Q, L, O>(
    store: &S,
    queues: &Q,
    logs: &Logs<'_, L, O>,
    is_attended: bool,
    args: &ExplainArgs,
) -> Result<Exit, Failure>
where
    S: JobQueries + RunStore,
    Q: QueueSource,
    L: LogSource,
    O: ObjectStore,
{
    let found = named(store, &args.what).await?;
    let Some(name) = found.one_job(&args.what, args.shown.output).cloned() else {
        return overview(store, logs.archive, is_attended, args).await;
    };
    let job = store.job(&name).await.context("the job can't be read")?.ok_or_else(|| no_such_job(&name))?;
    let explained = explain_job(store, queues, logs, &SystemClock, &job, is_attended).await;
    let explained = explained.context("the job can't be explained")?;
    if args.shown.output == Output::Table {
        println!("{}", told(&explained));
    } else {
        println!(
            "{}",
            serde_json::to_string(&explained).context("the explanation can't be written as JSON")?
        );
    }
    Ok(Exit::Well)
}

/// The explanation as a person reads it.
fn told(explained: &Explanation) -> String {
    let status = explained.status.map_or_else(|| "not submitted".to_owned(), |status| status.to_string());
    let situation = explained.situation.to_string();
    let word = if situation == status { String::new() } else { format!(" ({situation})") };
    let mut told = format!("{} is {status}{word}. {}\n\n", explained.job_name, explained.meaning);
    if !explained.evidence.is_empty() {
        let mut rows = table::table(&["EVIDENCE", ""]);
        for evidence in &explained.evidence {
            rows.add_row([evidence.of.clone(), evidence.says.clone()]);
        }
        told.push_str(&table::rendered(rows));
        told.push_str("\n\n");
    }
    if !explained.log_tail.is_empty() {
        told.push_str("the end of its log:\n");
        for line in &explained.log_tail {
            let _ = writeln!(told, "  | {}", harmless_log(line));
        }
        told.push('\n');
    }
    let _ = write!(told, "what to do: {}\nagain: {}", explained.remedy, explained.again);
    told
}

/// Many jobs: how many are in each situation, and what to do about it.
async fn overview<S: JobQueries + RunStore, O: ObjectStore>(
    store: &S,
    archive: &O,
    is_attended: bool,
    args: &ExplainArgs,
) -> Result<Exit, Failure> {
    let words = std::slice::from_ref(&args.what);
    let rejected = Rejected::by(store, archive, words).await?;
    let mut situations: BTreeMap<&'static str, (Situation, u64, JobName)> = BTreeMap::new();
    let now = SystemClock.now();
    let note = &mut async |name: JobName, job: Option<Job>| {
        let unknown = if rejected.has(&name) { Situation::Refused } else { Situation::NeverSubmitted };
        let found = job.as_ref().map_or(unknown, |job| {
            let (dependency_failed_for_good, queue, run_is_cancelled) = (false, None, false);
            situation(&Facts { job, dependency_failed_for_good, queue, run_is_cancelled, is_attended, now })
        });
        situations.entry(found.as_str()).or_insert_with(|| (found, 0, name)).1 += 1;
        Ok(())
    };
    for_each_job(store, words, note).await?;
    let mut found: Vec<_> = situations.into_values().collect();
    found
        .sort_by_key(|(situation, count, _)| (*situation == Situation::Succeeded, std::cmp::Reverse(*count)));
    if args.shown.output != Output::Table {
        let told = found.iter().map(|(situation, count, example)| {
            serde_json::json!({"situation": situation, "jobs": count, "example": example,
                "meaning": situation.meaning(), "remedy": situation.remedy()})
        });
        let mut told = serde_json::json!({"situations": told.collect::<Vec<_>>()});
        if rejected.count > 0 {
            told["rejected"] = serde_json::json!({"count": rejected.count, "lines": rejected.lines});
        }
        println!("{told}");
        return Ok(Exit::Well);
    }
    for (situation, count, example) in &found {
        println!("{}: {situation}, as in {example}. {}", human::count(*count, "job"), situation.meaning());
        if *situation != Situation::Succeeded {
            println!("  what to do: {}", situation.remedy());
        }
    }
    let example = found.iter().find(|(situation, ..)| matches!(situation, Situation::Failed(_)));
    if let Some((_, _, name)) = example {
        println!("\n`batchwright explain {name} …` has the evidence of one job");
    }
    if rejected.count > 0 {
        println!("\n{}", rejected_told(&rejected));
    }
    Ok(Exit::Well)
}

/// As in `2 lines rejected, as the run's report says:`, and each of them with its reason.
fn rejected_told(rejected: &Rejected) -> String {
    let mut told = format!("{} rejected, as the run's report says:", human::count(rejected.count, "line"));
    for RejectedLine { line, job_name, reason, .. } in rejected.lines.iter().take(ROWS_MAX) {
        let job = job_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let _ = write!(told, "\n  line {line}{job}: {}", harmless_log(reason));
    }
    if rejected.count > ROWS_MAX as u64 {
        let _ = write!(told, "\n  and {} more: --output json has them", rejected.count - ROWS_MAX as u64);
    }
    told
}

#[cfg(test)]
mod tests {
    use batchwright::domain::JobStatus;

    use super::*;

    #[test]
    fn a_status_is_not_told_twice() {
        assert_eq!(JobStatus::Running.to_string(), Situation::Running.to_string());
        assert_eq!(JobStatus::Succeeded.to_string(), Situation::Succeeded.to_string());
    }
}
