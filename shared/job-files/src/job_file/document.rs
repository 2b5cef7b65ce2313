//! A file that is checked as a whole: its form, its jobs, its defaults, its definitions.

use super::defaults;
use super::format::Format;
use super::job;
use super::json;
use super::lined_value::{Data, LinedValue};
use super::local::{self, LocalSettings};
use super::nearest;
use super::order;
use super::problem::Problem;
use super::schema::Check;
use super::yaml;

/// Problems after which the rest of a file is not checked.
pub(super) const PROBLEMS_MAX: usize = 1_000;

/// A file that was found good.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) local: LocalSettings,
    pub(super) jobs: Vec<order::Checked>,
}

/// What may stand at the top of a file.
const PARTS: [&str; 4] = ["defaults", "dependsOnKnown", "jobs", "local"];

/// What stands beside the jobs.
#[derive(Debug, Default)]
struct Beside {
    local: LocalSettings,
    /// Jobs may depend on jobs of earlier files, too.
    depends_on_known: bool,
}

/// A job before it is checked.
struct Unchecked {
    node: LinedValue,
    path: String,
}

/// Reads and checks a whole file. Errs with all that is wrong.
pub(super) fn read(text: &str, name: &str) -> Result<Document, Vec<Problem>> {
    if text.trim_ascii().is_empty() {
        return Err(vec![Problem::of_file("the file is empty; write at least one job into it")]);
    }
    match Format::of(text, name, true) {
        Format::JsonLines => read_lines(text),
        Format::Json => read_root(json::parse(text, 1).map_err(|problem| vec![trailing(problem)])?),
        Format::Yaml => read_root(yaml::parse(text).map_err(|problem| vec![problem])?),
    }
}

fn trailing(problem: Problem) -> Problem {
    match problem.message.strip_suffix("trailing characters") {
        Some(place) => Problem {
            message: format!(
                "{place}there is more after the first value; put the jobs into one list, or each on a line of its own (JSON Lines)"
            ),
            ..problem
        },
        None => problem,
    }
}

fn read_lines(text: &str) -> Result<Document, Vec<Problem>> {
    let mut jobs = Vec::new();
    let mut problems = Vec::new();
    for (line, text) in (1..).zip(text.split('\n')).filter(|(_, text)| !text.trim_ascii().is_empty()) {
        match parse_line(text, line) {
            Ok(node) => jobs.push(Unchecked { node, path: String::new() }),
            Err(problem) => problems.push(problem),
        }
    }
    check_jobs(jobs, None, problems, Beside::default())
}

/// Parses one line of a JSON Lines file.
pub(super) fn parse_line(text: &str, line: u64) -> Result<LinedValue, Problem> {
    if let Ok(Some(_)) = json::more_after_first(text) {
        return Err(Problem::at_line(line, "has more than one value; put each job on a line of its own"));
    }
    json::parse(text, line)
}

fn read_root(mut root: LinedValue) -> Result<Document, Vec<Problem>> {
    match root.data {
        Data::List(items) => {
            let jobs = (0..).zip(items).map(|(index, node)| Unchecked { node, path: format!("[{index}]") });
            check_jobs(jobs.collect(), None, Vec::new(), Beside::default())
        }
        Data::Object(_) if PARTS.iter().any(|key| root.get(key).is_some()) => read_parts(&mut root),
        Data::Object(_) => {
            let jobs = vec![Unchecked { node: root, path: String::new() }];
            check_jobs(jobs, None, Vec::new(), Beside::default())
        }
        _ => {
            let message = format!("a job file must be an object or a list of objects, not {}", root.kind());
            Err(vec![Problem { line: root.line, field: None, message }])
        }
    }
}

/// Reads `{defaults, dependsOnKnown, jobs, local}`.
fn read_parts(root: &mut LinedValue) -> Result<Document, Vec<Problem>> {
    let mut check = Check::default();
    known_members(root, &PARTS, &mut check);
    match root.get("jobs") {
        None => check.problem(root, "jobs is missing beside defaults and local; give a list of jobs"),
        Some(jobs) if !matches!(jobs.data, Data::List(_)) => {
            let message = format!("must be a list of jobs, not {}", jobs.kind());
            check.member("jobs", |check| check.problem(jobs, message));
        }
        Some(_) => {}
    }
    let known = root.get("dependsOnKnown");
    if let Some(node) = known.filter(|node| !matches!(node.data, Data::Bool(_))) {
        check.member("dependsOnKnown", |check| {
            check.problem(node, format!("must be true or false, not {}", node.kind()));
        });
    }
    let depends_on_known = known.is_some_and(|node| matches!(node.data, Data::Bool(true)));
    let mut problems = check.problems;
    // YAML has it where a key is left without a value.
    for part in ["defaults", "local"] {
        if root.get(part).is_some_and(|part| part.data == Data::Null) {
            root.take(part);
        }
    }
    let local = root.get("local").map_or_else(|| Ok(LocalSettings::default()), local::read);
    let local = local.unwrap_or_else(|mut wrong| {
        problems.append(&mut wrong);
        LocalSettings::default()
    });
    let defaults = root.take("defaults");
    let wrong_defaults = defaults.as_ref().map(defaults::check).unwrap_or_default();
    if !wrong_defaults.is_empty() {
        // What is wrong here would be wrong in every job: it is said once.
        problems.extend(wrong_defaults);
        return Err(problems);
    }
    let Some(LinedValue { data: Data::List(items), .. }) = root.take("jobs") else { return Err(problems) };
    let jobs = (0..).zip(items).map(|(index, node)| Unchecked { node, path: format!("jobs[{index}]") });
    check_jobs(jobs.collect(), defaults.as_ref(), problems, Beside { local, depends_on_known })
}

/// Says which members of an object are none of the known ones.
pub(super) fn known_members(node: &LinedValue, known: &[&str], check: &mut Check) {
    if !node.is_object() {
        return check.problem(node, format!("must be an object, not {}", node.kind()));
    }
    for (key, value) in node.members().iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let remedy = match nearest(key, known.iter().copied()) {
            Some(name) => format!("the nearest known one is {name:?}"),
            None => format!("the known ones are {}", known.join(", ")),
        };
        check.member(key, |check| check.problem(value, format!("unknown field; {remedy}")));
    }
}

fn check_jobs(
    jobs: Vec<Unchecked>,
    defaults: Option<&LinedValue>,
    mut problems: Vec<Problem>,
    beside: Beside,
) -> Result<Document, Vec<Problem>> {
    if jobs.is_empty() && problems.is_empty() {
        return Err(vec![Problem::of_file("the file has no jobs; write at least one into it")]);
    }
    let mut checked = Vec::with_capacity(jobs.len());
    let mut names = Vec::with_capacity(jobs.len());
    for Unchecked { mut node, path } in jobs {
        if let Some(defaults) = defaults {
            defaults::fill_in(&mut node, defaults);
        }
        let name = node.get("jobName").unwrap_or(&node);
        names.push(order::Named {
            name: node.text_of("jobName").unwrap_or_default().to_owned(),
            line: name.line,
            path: if path.is_empty() { "jobName".to_owned() } else { format!("{path}.jobName") },
        });
        if problems.len() >= PROBLEMS_MAX {
            break;
        }
        let line = node.line.unwrap_or(0);
        match job::read(node, &path, &beside.local.job_definitions) {
            Ok(spec) => checked.push(order::Checked { line, path, spec: Box::new(spec) }),
            Err(mut wrong) => problems.append(&mut wrong),
        }
    }
    problems.extend(order::duplicates(&names));
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        return Err(problems);
    }
    drop(names);
    let jobs = order::sort(checked, beside.depends_on_known)?;
    Ok(Document { local: beside.local, jobs })
}
