//! Children of an array that lost their hosts, each run again as a job of its own: Batch can't run a
//! single index of an array again.

use serde::{Deserialize, Serialize};

use super::ids::{JobId, JobName, hex_digest};
use super::limits::JOB_NAME_MAX_CHARS;
use super::spec::{FallbackQueue, JobSpec, KeyValuePair};
use super::status::JobStatus;

/// What stands between an array's name and the index in the name of a child's own job. Job files may
/// not give such names.
pub const CHILD_MARK: &str = "--bw-child-";

/// The same in the name of a job that runs a child again because a person asks for it.
const ASKED_MARK: &str = "-child-";

/// Tells a child's own job the index that it had in the array: Batch's own variable can't be set.
pub(crate) const INDEX_VARIABLE: &str = "BATCHWRIGHT_ARRAY_INDEX";

/// Tells a child's own job how many children the array has.
pub(crate) const SIZE_VARIABLE: &str = "BATCHWRIGHT_ARRAY_SIZE";

/// Digits of the largest index.
const INDEX_DIGITS: usize = 4;

/// Of the array's name, where it is too long to be kept whole.
const HASH_CHARS: usize = 12;

/// Of whom a job runs a child again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildOf {
    /// The array.
    pub job_name: JobName,
    /// The array's submission: the child of a later one is another.
    pub job_id: JobId,
    /// The child's index.
    pub index: u32,
}

/// What is known of the children of an array's submission that are run again where they lost their hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Children {
    /// The indexes of those that did, ascending, once all were looked at; empty again after the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Vec<u32>>,
    /// Whether one failed otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub others_failed: bool,
    /// SUCCEEDED or FAILED, once every child and every child's own job has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<JobStatus>,
}

impl Children {
    /// The end: SUCCEEDED where no child is left that has not.
    pub fn ended(&self, all_succeeded: bool) -> Children {
        let well = all_succeeded && !self.others_failed;
        let outcome = Some(if well { JobStatus::Succeeded } else { JobStatus::Failed });
        Children { lost: Some(Vec::new()), outcome, ..self.clone() }
    }
}

/// The name of a child's own job: the same for the same array and index, and another for any other. An
/// array's name that leaves no room is cut and marked with its digest.
pub fn child_name(array: &JobName, index: u32) -> JobName {
    marked(array, CHILD_MARK, index)
}

/// The name of the job that runs a child again because a person asks for it, as in `tiles-child-7`.
pub fn asked_child_name(array: &JobName, index: u32) -> JobName {
    marked(array, ASKED_MARK, index)
}

/// Characters that are left for the array's name.
const fn room(mark: &str) -> usize {
    JOB_NAME_MAX_CHARS - mark.len() - INDEX_DIGITS
}

/// Whether an array's name, as [`child_of_name`] tells it, may be what is left of a longer one.
pub fn may_be_cut(array: &JobName) -> bool {
    array.as_str().len() == room(CHILD_MARK)
}

fn marked(array: &JobName, mark: &str, index: u32) -> JobName {
    let room = room(mark);
    let name = array.as_str();
    let base = if name.len() <= room {
        name.to_owned()
    } else {
        format!("{}-{}", &name[..room - HASH_CHARS - 1], &hex_digest(&[name])[..HASH_CHARS])
    };
    let child = JobName::parse(&format!("{base}{mark}{index}"));
    child.expect("an array's name is ASCII, and with at most 5 digits it stays short enough")
}

/// Whether a name is one that [`child_name`] gives.
pub fn is_child_name(name: &str) -> bool {
    let index = name.rsplit_once(CHILD_MARK).map(|(_, index)| index);
    index.is_some_and(|index| !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The array and the index of which [`child_name`] makes a name; `None` where it makes it of none. Of a name that was cut
/// only what is left is told: [`may_be_cut`].
pub fn child_of_name(name: &JobName) -> Option<(JobName, u32)> {
    let (array, index) = name.as_str().rsplit_once(CHILD_MARK)?;
    let (array, index) = (JobName::parse(array).ok()?, index.parse().ok()?);
    (child_name(&array, index) == *name).then_some((array, index))
}

/// The job that runs a child again: the array's, with the child's index in its environment and one try
/// less. `None` where no try is left, or the job is no array.
pub fn child_spec(array: &JobSpec, job_id: &JobId, index: u32) -> Option<JobSpec> {
    let size = array.array_properties.as_ref()?.size;
    let max_tries = array.max_tries.checked_sub(1).filter(|&tries| tries > 0)?;
    let mut spec = JobSpec {
        job_name: child_name(&array.job_name, index),
        max_tries,
        array_properties: None,
        depends_on: Vec::new(),
        resubmit_children: false,
        fallback_queue: None,
        child_of: Some(ChildOf { job_name: array.job_name.clone(), job_id: job_id.clone(), index }),
        ..array.clone()
    };
    // The loss in the array counts.
    match &array.fallback_queue {
        Some(FallbackQueue { job_queue, after_losses: 0 | 1 }) => spec.job_queue.clone_from(job_queue),
        Some(fallback) => {
            let after_losses = fallback.after_losses - 1;
            spec.fallback_queue = Some(FallbackQueue { after_losses, ..fallback.clone() });
        }
        None => {}
    }
    tell_index(&mut spec, index, size);
    Some(spec)
}

/// The job that runs a child again because a person asks for it: a job like any other, which leaves the array as it
/// ended. `None` where the job is no array, or its children can't run outside of it (`resubmitChildren`).
pub fn asked_child_spec(array: &JobSpec, index: u32) -> Option<JobSpec> {
    let size = array.array_properties.as_ref()?.size;
    let mut spec = JobSpec {
        job_name: asked_child_name(&array.job_name, index),
        array_properties: None,
        depends_on: Vec::new(),
        resubmit_children: false,
        ..array.clone()
    };
    tell_index(&mut spec, index, size);
    array.resubmit_children.then_some(spec)
}

fn tell_index(spec: &mut JobSpec, index: u32, size: u32) {
    let environment = &mut spec.container_overrides.get_or_insert_default().environment;
    for (name, value) in [(INDEX_VARIABLE, index), (SIZE_VARIABLE, size)] {
        environment.retain(|variable| variable.name.as_deref() != Some(name));
        environment.push(KeyValuePair { name: Some(name.to_owned()), value: Some(value.to_string()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::{ArrayProperties, ContainerOverrides, Dependency};

    fn name(text: &str) -> JobName {
        JobName::parse(text).unwrap()
    }

    fn array(max_tries: u32) -> JobSpec {
        JobSpec {
            array_properties: Some(ArrayProperties { size: 3 }),
            depends_on: vec![Dependency { job_name: Some(name("first")), ..Dependency::default() }],
            resubmit_children: true,
            max_tries,
            ..JobSpec::new(name("tiles"), "spot", "d")
        }
    }

    fn id() -> JobId {
        JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap()
    }

    #[test]
    fn a_childs_name_tells_its_array() {
        let array = JobName::parse("tiles").unwrap();
        assert_eq!(child_of_name(&child_name(&array, 7)), Some((array, 7)));
        for other in ["tiles", "tiles--bw-child-", "tiles--bw-child-x", "tiles--bw-child-07"] {
            assert_eq!(child_of_name(&JobName::parse(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn a_child_that_a_person_asks_for_is_a_job_like_any_other() {
        let asked = asked_child_spec(&array(4), 2).unwrap();
        assert_eq!((asked.job_name.as_str(), asked.max_tries, &asked.child_of), ("tiles-child-2", 4, &None));
        assert_eq!((&asked.array_properties, asked.depends_on.len()), (&None, 0));
        let environment = asked.container_overrides.unwrap().environment;
        let told: Vec<_> =
            environment.iter().filter_map(|it| it.name.as_deref().zip(it.value.as_deref())).collect();
        assert!(told.contains(&(INDEX_VARIABLE, "2")) && told.contains(&(SIZE_VARIABLE, "3")), "{told:?}");
        assert!(!is_child_name("tiles-child-2"));
        let refused = JobSpec { resubmit_children: false, ..array(4) };
        assert_eq!(asked_child_spec(&refused, 2), None, "its children read their index from Batch alone");
        assert_eq!(asked_child_spec(&JobSpec { array_properties: None, ..array(4) }, 2), None);
        let long = name(&"a".repeat(JOB_NAME_MAX_CHARS));
        assert_eq!(asked_child_name(&long, 9_999).as_str().len(), JOB_NAME_MAX_CHARS);
    }

    #[test]
    fn a_childs_name_is_valid_and_its_own_however_long_the_arrays_is() {
        assert_eq!(child_name(&name("tiles"), 7).as_str(), "tiles--bw-child-7");
        let mut names = std::collections::BTreeSet::new();
        for length in 100..=128 {
            for last in ["a", "b"] {
                for index in [0, 9_999] {
                    let array = name(&format!("{}{last}", "x".repeat(length - 1)));
                    let child = child_name(&array, index);
                    assert!(child.as_str().len() <= 128 && is_child_name(child.as_str()), "{child}");
                    names.insert(child);
                }
            }
        }
        assert_eq!(names.len(), 29 * 4);
        for other in ["tiles", "tiles--bw-child-", "tiles--bw-child-x", "tiles-bw-child-1", "--bw-child-1-x"]
        {
            assert!(!is_child_name(other), "{other}");
        }
    }

    #[test]
    fn a_childs_job_is_the_arrays_with_its_index_and_one_try_less() {
        let mut array = array(4);
        let variable =
            |name: &str, value: &str| KeyValuePair { name: Some(name.into()), value: Some(value.into()) };
        let environment = vec![variable(INDEX_VARIABLE, "stale"), variable("A", "b")];
        let command = Some(vec!["sh".to_owned()]);
        array.container_overrides =
            Some(ContainerOverrides { command, environment, ..ContainerOverrides::default() });
        let child = child_spec(&array, &id(), 2).unwrap();
        assert_eq!((child.job_name.as_str(), child.max_tries), ("tiles--bw-child-2", 3));
        assert_eq!(
            (child.array_properties, child.depends_on, child.resubmit_children),
            (None, vec![], false)
        );
        assert_eq!(child.child_of, Some(ChildOf { job_name: name("tiles"), job_id: id(), index: 2 }));
        let overrides = child.container_overrides.unwrap();
        assert_eq!(overrides.command, array.container_overrides.unwrap().command);
        let expected = [variable("A", "b"), variable(INDEX_VARIABLE, "2"), variable(SIZE_VARIABLE, "3")];
        assert_eq!(overrides.environment, expected);
    }

    #[test]
    fn the_loss_in_the_array_counts_against_the_tries_and_for_the_fallback_queue() {
        assert_eq!(child_spec(&array(1), &id(), 0), None, "no try is left");
        assert_eq!(child_spec(&JobSpec::new(name("single"), "q", "d"), &id(), 0), None);
        for (after_losses, queue, left) in [(1, "od", None), (2, "spot", Some(1)), (3, "spot", Some(2))] {
            let fallback_queue = Some(FallbackQueue { job_queue: "od".to_owned(), after_losses });
            let child = child_spec(&JobSpec { fallback_queue, ..array(4) }, &id(), 0).unwrap();
            assert_eq!(child.job_queue, queue, "{after_losses}");
            assert_eq!(child.fallback_queue.map(|fallback| fallback.after_losses), left);
        }
    }

    #[test]
    fn the_children_have_succeeded_where_none_is_left_that_has_not() {
        for (others_failed, all_succeeded, outcome) in [
            (false, true, JobStatus::Succeeded),
            (false, false, JobStatus::Failed),
            (true, true, JobStatus::Failed),
        ] {
            let children = Children { lost: Some(vec![1]), others_failed, outcome: None };
            assert_eq!(children.ended(all_succeeded).outcome, Some(outcome));
        }
    }
}
