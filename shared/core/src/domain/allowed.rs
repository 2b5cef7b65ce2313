//! Where jobs may be submitted, and what they may run.

use super::spec::JobSpec;
use super::wildcard::matches;

/// The job queues and job definitions that jobs may name: ARNs in which `*` stands for any text. An empty list allows all.
///
/// IAM decides when a job is submitted. This says it before, with the line of the job file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    job_queues: Vec<String>,
    job_definitions: Vec<String>,
}

/// A field of a job that names what is not allowed, and what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed {
    /// As it is written in a job file.
    pub field: &'static str,
    /// The whole sentence.
    pub message: String,
}

impl Allowed {
    /// Two lists, whose patterns commas part.
    pub fn matching(job_queues: &str, job_definitions: &str) -> Self {
        Self { job_queues: list(job_queues), job_definitions: list(job_definitions) }
    }

    /// What a job names that is not allowed.
    pub fn refused(&self, spec: &JobSpec) -> Option<NotAllowed> {
        let (queues, definitions) = (&self.job_queues, &self.job_definitions);
        let fallback = spec.fallback_queue.as_ref().map(|fallback| fallback.job_queue.as_str());
        let refused = |field, kind, parameter, name: &str, patterns: &[String]| {
            let is_allowed =
                patterns.is_empty() || patterns.iter().any(|pattern| allows(pattern, kind, name));
            (!is_allowed).then(|| NotAllowed {
                field,
                message: format!(
                    "{name} is not allowed here; choose one of {}, or add it to the stack's {parameter}",
                    patterns.join(", ")
                ),
            })
        };
        refused("jobQueue", QUEUE, "JobQueues", &spec.job_queue, queues)
            .or_else(|| refused("fallbackQueue.jobQueue", QUEUE, "JobQueues", fallback?, queues))
            .or_else(|| {
                refused("jobDefinition", DEFINITION, "JobDefinitions", &spec.job_definition, definitions)
            })
    }
}

const QUEUE: &str = ":job-queue/";
const DEFINITION: &str = ":job-definition/";

fn list(patterns: &str) -> Vec<String> {
    patterns.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()).map(str::to_owned).collect()
}

/// Whether a pattern of ARNs matches an ARN, or what a name may stand for.
fn allows(pattern: &str, kind: &str, name: &str) -> bool {
    if name.starts_with("arn:") {
        return matches(pattern, name) || (kind == DEFINITION && matches(pattern, &with_revision(name)));
    }
    match pattern.split_once(kind) {
        Some((_, names)) => matches(names, name) || (kind == DEFINITION && any_revision(names, name)),
        // Account and Region of a name are not known here: a pattern that leaves its kind open may mean it.
        None => pattern.ends_with('*'),
    }
}

/// Batch takes the newest revision of a definition that is named without one, whichever that is.
fn any_revision(pattern: &str, name: &str) -> bool {
    let Some((family, revision)) = pattern.rsplit_once(':') else { return false };
    !name.contains(':') && !revision.contains('/') && matches(family, name)
}

fn with_revision(arn: &str) -> String {
    let has_one = arn.rsplit_once('/').is_some_and(|(_, name)| name.contains(':'));
    if has_one { arn.to_owned() } else { format!("{arn}:1") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JobName;
    use crate::domain::spec::FallbackQueue;

    const A: &str = "arn:aws:batch:eu-west-1:123456789012";

    fn spec(queue: &str, definition: &str) -> JobSpec {
        JobSpec::new(JobName::parse("job").unwrap(), queue, definition)
    }

    #[test]
    fn an_empty_list_allows_all() {
        assert_eq!(Allowed::matching("", " , ").refused(&spec("q", "d")), None);
    }

    #[test]
    fn names_and_arns_are_held_against_patterns_of_arns() {
        let patterns = [format!("{A}:job-queue/high*"), format!("{A}:job-definition/fit:*")];
        let allowed = Allowed::matching(&patterns[0], &patterns[1]);
        let table = [
            ("high", "fit", None),
            ("high-spot", "fit:7", None),
            (&format!("{A}:job-queue/high"), &format!("{A}:job-definition/fit:7"), None),
            ("high", &format!("{A}:job-definition/fit"), None),
            ("low", "fit", Some("jobQueue")),
            (&format!("{A}:job-queue/low"), "fit", Some("jobQueue")),
            ("arn:aws:batch:eu-west-1:999999999999:job-queue/high", "fit", Some("jobQueue")),
            ("high", "fitter", Some("jobDefinition")),
            ("high", &format!("{A}:job-definition/other:7"), Some("jobDefinition")),
        ];
        for (queue, definition, field) in table {
            let refused = allowed.refused(&spec(queue, definition));
            assert_eq!(refused.map(|refused| refused.field), field, "{queue} {definition}");
        }
    }

    #[test]
    fn one_revision_is_not_another() {
        let allowed = Allowed::matching("", &format!("{A}:job-definition/fit:3"));
        assert_eq!(allowed.refused(&spec("q", "fit:3")), None);
        assert_eq!(allowed.refused(&spec("q", "fit")), None, "the newest may be it");
        assert!(allowed.refused(&spec("q", "fit:4")).is_some());
    }

    #[test]
    fn the_queue_of_jobs_that_lose_their_hosts_is_looked_at_too() {
        let mut job = spec("high", "fit");
        job.fallback_queue = Some(FallbackQueue { job_queue: "low".to_owned(), after_losses: 1 });
        let refused = Allowed::matching(&format!("{A}:job-queue/high"), "").refused(&job).unwrap();
        assert_eq!(refused.field, "fallbackQueue.jobQueue");
        assert!(
            refused.message.starts_with("low is not allowed here; choose one of arn:aws:batch:"),
            "{refused:?}"
        );
        assert!(refused.message.ends_with("or add it to the stack's JobQueues"), "{refused:?}");
    }

    #[test]
    fn a_pattern_of_whole_accounts_allows_names() {
        assert_eq!(Allowed::matching(&format!("{A}:*"), "*").refused(&spec("q", "d:1")), None);
    }
}
