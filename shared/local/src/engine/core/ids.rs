//! Ids made from a seed: the n-th submission's is always the same.

use crate::domain::JobId;
use crate::domain::ids::hex_digest;

/// Makes job ids in the shape of version 4 UUIDs.
#[derive(Debug, Clone)]
pub struct JobIds {
    seed: String,
    first: Vec<JobId>,
}

impl JobIds {
    /// Every engine with this seed gives the same ids: for simulations.
    pub fn seeded(seed: u64) -> Self {
        Self { seed: seed.to_string(), first: Vec::new() }
    }

    /// No two engines give the same ids: seeded once by the operating system.
    #[expect(clippy::disallowed_methods, reason = "the one place where the engine takes in randomness")]
    pub fn random() -> Self {
        Self { seed: uuid::Uuid::new_v4().to_string(), first: Vec::new() }
    }

    /// The same, behind these: for jobs that another engine has numbered.
    #[must_use]
    pub fn behind(self, first: Vec<JobId>) -> Self {
        Self { first, ..self }
    }

    /// The id of the n-th submission. It begins with the number, so that ids of one time are neighbours in every index:
    /// else each submission changes a page of its own in each of them.
    pub(crate) fn nth(&self, sequence: u64) -> JobId {
        let given = usize::try_from(sequence).ok().and_then(|number| self.first.get(number.checked_sub(1)?));
        if let Some(given) = given {
            return given.clone();
        }
        let id = uuid_like(&["job", &self.seed, &sequence.to_string()]);
        let id = format!("{:08x}{}", sequence & u64::from(u32::MAX), &id[8..]);
        JobId::parse(&id).expect("a UUID has neither white space nor more than 36 characters")
    }
}

/// A text in the shape of a version 4 UUID, the same for the same parts.
pub(crate) fn uuid_like(parts: &[&str]) -> String {
    let digest = hex_digest(parts);
    let number = u128::from_str_radix(&digest[..32], 16).expect("a digest has hexadecimal digits");
    uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid().to_string()
}

/// The id of an attempt's task: the last part of its log stream's name.
pub(crate) fn task_id(job_id: &JobId, attempt: u32) -> String {
    hex_digest(&["task", job_id.as_str(), &attempt.to_string()])[..32].to_owned()
}

/// The id of the instance that an attempt runs on.
pub(crate) fn instance_id(job_id: &JobId, attempt: u32) -> String {
    format!("i-{}", &hex_digest(&["instance", job_id.as_str(), &attempt.to_string()])[..17])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_seed_and_number_and_is_a_version_4_uuid() {
        let id = JobIds::seeded(7).nth(1);
        assert_eq!(id, JobIds::seeded(7).nth(1));
        assert_ne!(id, JobIds::seeded(7).nth(2));
        assert_ne!(id, JobIds::seeded(8).nth(1));
        assert_ne!(JobIds::random().nth(1), JobIds::random().nth(1));
        let parsed = uuid::Uuid::parse_str(id.as_str()).unwrap();
        assert_eq!(parsed.get_version_num(), 4);
        let behind = JobIds::seeded(9).behind(vec![id.clone()]);
        assert_eq!((behind.nth(1), behind.nth(2)), (id, JobIds::seeded(9).nth(2)));
        assert!(JobIds::seeded(9).nth(255) < JobIds::seeded(9).nth(256), "in the order of submissions");
    }
}
