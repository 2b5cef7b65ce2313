//! The order of a file's jobs, and what they say of each other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::document::PROBLEMS_MAX;
use super::problem::Problem;
use crate::domain::JobSpec;
use crate::domain::spec::DependencyType;

/// Unknown dependencies of one file for which a near name is looked for: each takes a look at every name.
const SUGGESTIONS_MAX: usize = 10;

/// Names that a message on a circle holds: a circle may be as long as its file.
const CIRCLE_NAMES_MAX: usize = 20;

/// A job's name and where it stands.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) line: Option<u64>,
    pub(super) path: String,
}

/// A job that is right in itself.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) line: u64,
    pub(super) path: String,
    /// Boxed, because a file holds hundreds of thousands, and they are put into another order.
    pub(super) spec: Box<JobSpec>,
}

/// The names that stand twice.
pub(super) fn duplicates(jobs: &[Named]) -> Vec<Problem> {
    let mut first: HashMap<&str, &Named> = HashMap::new();
    let mut problems = Vec::new();
    for job in jobs.iter().filter(|job| !job.name.is_empty()) {
        if let Some(earlier) = first.get(job.name.as_str()) {
            let place = earlier.line.map_or_else(|| earlier.path.clone(), |line| format!("line {line}"));
            let message =
                format!("{:?} is the name of the job on {place} already; give it another", job.name);
            problems.push(Problem { line: job.line, field: Some(job.path.clone()), message });
        } else {
            first.insert(&job.name, job);
        }
    }
    problems
}

/// Puts every job behind those that it depends on by name, and leaves the order as it is otherwise.
///
/// Errs where a dependency is on no job of the file, unless `may_be_elsewhere`, on an array of another size, or in a circle. The
/// names are distinct.
pub(super) fn sort(jobs: Vec<Checked>, may_be_elsewhere: bool) -> Result<Vec<Checked>, Vec<Problem>> {
    let index: HashMap<&str, usize> =
        jobs.iter().enumerate().map(|(at, job)| (job.spec.job_name.as_str(), at)).collect();
    let mut problems = Vec::new();
    let mut waits_for: Vec<Vec<usize>> = vec![Vec::new(); jobs.len()];
    for (at, job) in jobs.iter().enumerate() {
        if problems.len() >= PROBLEMS_MAX {
            break;
        }
        for (entry, dependency) in job.spec.depends_on.iter().enumerate() {
            let Some(name) = &dependency.job_name else { continue };
            match index.get(name.as_str()) {
                None if may_be_elsewhere => {}
                None if problems.len() < SUGGESTIONS_MAX => {
                    problems.push(job.wrong(entry, unknown(name.as_str(), &index)));
                }
                None => problems.push(job.wrong(entry, elsewhere(name.as_str()))),
                Some(&other) => {
                    waits_for[at].push(other);
                    if dependency.kind == Some(DependencyType::NToN) {
                        problems.extend(sizes(job, &jobs[other]).map(|message| job.wrong(entry, message)));
                    }
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let order = order(&waits_for).map_err(|circle| vec![circular(&jobs, &circle)])?;
    let mut jobs: Vec<Option<Checked>> = jobs.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|at| jobs[at].take()).collect())
}

/// Puts jobs that are held in memory behind those of them that they depend on by name, and leaves their order as it is
/// otherwise: as [`open`](super::open) does with a file that it checks as a whole. Each comes with its place in the list given, from 0. A
/// dependency on none of them may be a job elsewhere.
///
/// Errs where a dependency is on an array of another size, or in a circle: the line of a problem is the job's place, from 1.
pub fn in_order(jobs: Vec<JobSpec>) -> Result<Vec<(usize, JobSpec)>, Vec<Problem>> {
    let checked = |(line, spec)| Checked { line, path: String::new(), spec: Box::new(spec) };
    let sorted = sort((1..).zip(jobs).map(checked).collect(), true)?;
    Ok(sorted.into_iter().map(|Checked { line, spec, .. }| (line as usize - 1, *spec)).collect())
}

impl Checked {
    fn wrong(&self, entry: usize, message: String) -> Problem {
        let field = match self.path.as_str() {
            "" => format!("dependsOn[{entry}]"),
            path => format!("{path}.dependsOn[{entry}]"),
        };
        Problem { line: Some(self.line).filter(|&line| line > 0), field: Some(field), message }
    }
}

fn unknown(name: &str, known: &HashMap<&str, usize>) -> String {
    let mut names: Vec<&str> = known.keys().copied().collect();
    names.sort_unstable();
    match super::nearest(name, names.into_iter()) {
        Some(near) => format!("no job of this file is named {name:?}; the nearest name is {near:?}"),
        None => elsewhere(name),
    }
}

fn elsewhere(name: &str) -> String {
    format!("no job of this file is named {name:?}; depend on a job elsewhere by its jobId")
}

fn sizes(job: &Checked, other: &Checked) -> Option<String> {
    let size = |job: &Checked| job.spec.array_properties.as_ref().map(|array| array.size);
    match (size(job), size(other)) {
        (own, theirs) if own == theirs => None,
        (_, None) => {
            Some(format!("N_TO_N needs an array job, and {:?} is none", other.spec.job_name.as_str()))
        }
        (own, Some(theirs)) => Some(format!(
            "N_TO_N needs arrays of one size: this one has {}, {:?} has {theirs}",
            own.unwrap_or(0),
            other.spec.job_name.as_str()
        )),
    }
}

fn circular(jobs: &[Checked], circle: &[usize]) -> Problem {
    let mut names: Vec<&str> = circle.iter().map(|&at| jobs[at].spec.job_name.as_str()).collect();
    let first = &jobs[circle[0]];
    let left_out = format!("({} more)", names.len().saturating_sub(CIRCLE_NAMES_MAX));
    if names.len() > CIRCLE_NAMES_MAX {
        names.splice(CIRCLE_NAMES_MAX - 1..names.len() - 1, [left_out.as_str()]);
    }
    let message = format!("the jobs wait for each other in a circle: {} → {}", names.join(" → "), names[0]);
    let mut problem = first.wrong(0, format!("{message}; remove one of these dependencies"));
    problem.field = problem.field.and_then(|field| Some(field.rsplit_once('[')?.0.to_owned()));
    problem
}

/// Kahn's algorithm, the earliest of the jobs that are free first; or a circle.
fn order(waits_for: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut missing: Vec<usize> = waits_for.iter().map(Vec::len).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); waits_for.len()];
    for (at, others) in waits_for.iter().enumerate() {
        for &other in others {
            followers[other].push(at);
        }
    }
    let mut free: BinaryHeap<Reverse<usize>> =
        (0..waits_for.len()).filter(|&at| missing[at] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(waits_for.len());
    while let Some(Reverse(at)) = free.pop() {
        order.push(at);
        for &follower in &followers[at] {
            missing[follower] -= 1;
            if missing[follower] == 0 {
                free.push(Reverse(follower));
            }
        }
    }
    match (0..waits_for.len()).find(|&at| missing[at] > 0) {
        None => Ok(order),
        Some(start) => Err(circle(start, waits_for, &missing)),
    }
}

/// Walks from one that waits to one it waits for, until one comes again.
fn circle(start: usize, waits_for: &[Vec<usize>], missing: &[usize]) -> Vec<usize> {
    let mut path = vec![start];
    let mut place = HashMap::from([(start, 0)]);
    let mut at = start;
    while let Some(&next) = waits_for[at].iter().find(|&&other| missing[other] > 0) {
        if let Some(&from) = place.get(&next) {
            return path.split_off(from);
        }
        place.insert(next, path.len());
        path.push(next);
        at = next;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JobName;

    #[test]
    fn dependencies_come_first_and_the_rest_stays() {
        for (waits_for, expected) in [
            (vec![vec![], vec![], vec![]], vec![0, 1, 2]),
            (vec![vec![2], vec![], vec![]], vec![1, 2, 0]),
            (vec![vec![1, 2], vec![2], vec![], vec![]], vec![2, 1, 0, 3]),
            (vec![vec![1, 1], vec![]], vec![1, 0]),
        ] {
            assert_eq!(order(&waits_for), Ok(expected), "{waits_for:?}");
        }
    }

    #[test]
    fn jobs_in_memory_are_put_in_order_and_keep_their_places() {
        let job = |name: &str| JobSpec::new(JobName::parse(name).unwrap(), "q", "d");
        let (a, b) = (job("a"), job("b"));
        let of_names = |jobs: Vec<JobSpec>| {
            let sorted = in_order(jobs)?;
            Ok::<_, Vec<Problem>>(
                sorted.iter().map(|(at, job)| format!("{at} {}", job.job_name)).collect::<Vec<_>>(),
            )
        };
        for (jobs, expected) in [
            (vec![], vec![]),
            (vec![b.clone().after(&a), job("c"), a.clone()], vec!["1 c", "2 a", "0 b"]),
            // On a job elsewhere, and on a name that stands twice.
            (vec![job("c").after(&job("elsewhere"))], vec!["0 c"]),
            (vec![b.clone().after(&a), a.clone(), a.clone()], vec!["1 a", "2 a", "0 b"]),
        ] {
            assert_eq!(of_names(jobs).unwrap(), expected);
        }
        let problems = of_names(vec![job("c"), a.clone().after(&b), b.after(&a)]).unwrap_err();
        let told = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(
            told.starts_with("line 2: dependsOn: the jobs wait for each other in a circle: a → b"),
            "{told}"
        );
    }

    #[test]
    fn a_long_chain_is_put_in_order_whichever_way_it_stands() {
        const JOBS: usize = 100_000;
        let backwards: Vec<Vec<usize>> =
            (0..JOBS).map(|at| if at + 1 < JOBS { vec![at + 1] } else { vec![] }).collect();
        assert_eq!(order(&backwards), Ok((0..JOBS).rev().collect()));
        let closed: Vec<Vec<usize>> = (0..JOBS).map(|at| vec![(at + 1) % JOBS]).collect();
        assert_eq!(order(&closed), Err((0..JOBS).collect()));
    }

    #[test]
    fn a_long_circle_is_named_by_its_beginning_and_its_end() {
        let job = |at: usize| Checked {
            line: at as u64 + 1,
            path: String::new(),
            spec: Box::new(JobSpec::new(JobName::parse(&format!("job-{at}")).unwrap(), "q", "d")),
        };
        let jobs: Vec<Checked> = (0..1_000).map(job).collect();
        let message = |length: usize| circular(&jobs, &(0..length).collect::<Vec<_>>()).message;
        let twenty: Vec<String> = (0..20).map(|at| format!("job-{at}")).collect();
        assert!(message(20).contains(&format!("circle: {} → job-0; remove", twenty.join(" → "))));
        let long = format!("circle: {} → (980 more) → job-999 → job-0; remove", twenty[..19].join(" → "));
        assert!(message(1_000).contains(&long), "{}", message(1_000));
    }

    #[test]
    fn a_circle_is_named_without_what_leads_to_it() {
        assert_eq!(order(&[vec![1], vec![2], vec![3], vec![1]]), Err(vec![1, 2, 3]));
        assert_eq!(order(&[vec![], vec![1]]), Err(vec![1]));
    }
}
