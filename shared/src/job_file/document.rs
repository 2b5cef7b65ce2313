//! A file that is checked as a whole: its form, its jobs, its defaults, its definitions.

use super::defaults;
use super::definitions::read_local;
use super::file::Entry;
use super::job;
use super::json;
use super::node::{Data, Node};
use super::order;
use super::problem::Problem;
use super::schema::Check;
use super::suggest::nearest;
use super::yaml;
use crate::domain::JobDefinition;

/// Problems after which the rest of a file is not checked.
const PROBLEMS_MAX: usize = 1_000;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    JsonLines,
    Yaml,
}

impl Format {
    /// Tells the format by how the text begins, and by the name's suffix where that could be either.
    /// `whole` says that the text is all there is of the file.
    pub(super) fn of(text: &str, name: &str, whole: bool) -> Self {
        let suffix = suffix(name);
        let text = text.trim_ascii_start();
        if text.is_empty() {
            return suffix.unwrap_or(Self::Yaml);
        }
        match (text.as_bytes()[0], suffix) {
            (_, Some(Self::Yaml)) => Self::Yaml,
            (b'{', _) if !whole => Self::of_beginning(text, suffix),
            (b'{' | b'[', _) => Self::of_json(text, suffix),
            (_, Some(suffix)) => suffix,
            (_, None) => Self::Yaml,
        }
    }

    /// Several values, the first of which ends with its line, are JSON Lines.
    fn of_json(text: &str, suffix: Option<Self>) -> Self {
        match json::more_after_first(text) {
            Ok(None) => Self::Json,
            Ok(Some(end)) if text[..end].contains('\n') => suffix.unwrap_or(Self::Json),
            Ok(Some(_)) if text.starts_with('{') => Self::JsonLines,
            Ok(Some(_)) => Self::Json,
            Err(_) if suffix == Some(Self::JsonLines) || first_line_is_a_value(text) => Self::JsonLines,
            Err(_) => Self::Json,
        }
    }

    fn of_beginning(text: &str, suffix: Option<Self>) -> Self {
        match suffix {
            Some(Self::JsonLines) => Self::JsonLines,
            _ if first_line_is_a_value(text) => Self::JsonLines,
            _ => Self::Json,
        }
    }
}

fn first_line_is_a_value(text: &str) -> bool {
    text.split_once('\n').is_some_and(|(line, _)| json::more_after_first(line).is_ok())
}

fn suffix(name: &str) -> Option<Format> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "json" => Some(Format::Json),
        "jsonl" | "ndjson" => Some(Format::JsonLines),
        "yaml" | "yml" => Some(Format::Yaml),
        _ => None,
    }
}

/// A file that was found good.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) definitions: Vec<JobDefinition>,
    pub(super) entries: Vec<Entry>,
}

/// A job before it is checked.
struct Unchecked {
    node: Node,
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
    check_jobs(jobs, problems, Vec::new())
}

/// Parses one line of a JSON Lines file.
pub(super) fn parse_line(text: &str, line: u64) -> Result<Node, Problem> {
    if let Ok(Some(_)) = json::more_after_first(text) {
        return Err(Problem::at_line(line, "has more than one value; put each job on a line of its own"));
    }
    json::parse(text, line)
}

fn read_root(mut root: Node) -> Result<Document, Vec<Problem>> {
    match root.data {
        Data::List(items) => {
            let jobs = (0..).zip(items).map(|(index, node)| Unchecked { node, path: format!("[{index}]") });
            check_jobs(jobs.collect(), Vec::new(), Vec::new())
        }
        Data::Object(_) if ["jobs", "defaults", "local"].iter().any(|key| root.get(key).is_some()) => {
            read_parts(&mut root)
        }
        Data::Object(_) => {
            check_jobs(vec![Unchecked { node: root, path: String::new() }], Vec::new(), Vec::new())
        }
        _ => {
            let message = format!("a job file must be an object or a list of objects, not {}", root.kind());
            Err(vec![Problem { line: root.line, field: None, message }])
        }
    }
}

/// Reads `{defaults, jobs, local}`.
fn read_parts(root: &mut Node) -> Result<Document, Vec<Problem>> {
    let mut check = Check::default();
    known_members(root, &["defaults", "jobs", "local"], &mut check);
    match root.get("jobs") {
        None => check.problem(root, "jobs is missing beside defaults and local; give a list of jobs"),
        Some(jobs) if !matches!(jobs.data, Data::List(_)) => {
            let message = format!("must be a list of jobs, not {}", jobs.kind());
            check.member("jobs", |check| check.problem(jobs, message));
        }
        Some(_) => {}
    }
    let mut problems = check.problems;
    let definitions = match root.get("local").map(read_local) {
        Some(Ok(definitions)) => definitions,
        Some(Err(mut wrong)) => {
            problems.append(&mut wrong);
            Vec::new()
        }
        None => Vec::new(),
    };
    let defaults = root.take("defaults");
    let wrong_defaults = defaults.as_ref().map(defaults::check).unwrap_or_default();
    if !wrong_defaults.is_empty() {
        // What is wrong here would be wrong in every job: it is said once.
        problems.extend(wrong_defaults);
        return Err(problems);
    }
    let Some(Node { data: Data::List(items), .. }) = root.take("jobs") else { return Err(problems) };
    let jobs = (0..).zip(items).map(|(index, mut node)| {
        if let Some(defaults) = &defaults {
            defaults::fill_in(&mut node, defaults);
        }
        Unchecked { node, path: format!("jobs[{index}]") }
    });
    check_jobs(jobs.collect(), problems, definitions)
}

/// Says which members of an object are none of the known ones.
pub(super) fn known_members(node: &Node, known: &[&str], check: &mut Check) {
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
    mut problems: Vec<Problem>,
    definitions: Vec<JobDefinition>,
) -> Result<Document, Vec<Problem>> {
    if jobs.is_empty() && problems.is_empty() {
        return Err(vec![Problem::of_file("the file has no jobs; write at least one into it")]);
    }
    let mut checked = Vec::with_capacity(jobs.len());
    let mut names = Vec::with_capacity(jobs.len());
    for Unchecked { node, path } in jobs {
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
        match job::read(node, &path) {
            Ok(spec) => checked.push(order::Checked { line, path, spec }),
            Err(mut wrong) => problems.append(&mut wrong),
        }
    }
    problems.extend(order::duplicates(&names));
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        return Err(problems);
    }
    let jobs = order::sort(checked)?;
    let entries = jobs.into_iter().map(|job| Entry { line: job.line, job: Ok(job.spec) }).collect();
    Ok(Document { definitions, entries })
}
