//! Where the objects of a fan-out lie.

use crate::domain::{RunId, S3Uri};

/// What begins every key that a fan-out reads or writes.
pub const PREFIX: &str = "fan-out/";

/// What begins the keys of its own objects.
const RUNS: &str = "fan-out/runs/";

/// The objects of one fan-out, or of one branch of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPlace {
    /// The bucket of all of them.
    pub bucket: String,
    /// The fan-out.
    pub run_id: RunId,
    /// The branch, where it is one.
    pub branch: Option<u64>,
}

impl RunPlace {
    /// The key of an object of the fan-out or branch.
    pub fn key(&self, name: &str) -> String {
        match self.branch {
            None => format!("{RUNS}{}/{name}", self.run_id),
            Some(branch) => format!("{RUNS}{}/branches/{branch:03}/{name}", self.run_id),
        }
    }

    /// The URI of a key.
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// One branch of the fan-out.
    #[must_use]
    pub fn branch(&self, branch: u64) -> RunPlace {
        RunPlace { branch: Some(branch), ..self.clone() }
    }

    /// How far it has come.
    pub fn checkpoint(&self) -> String {
        self.key("checkpoint.json")
    }

    /// Some of the results, as one generation wrote them.
    pub(super) fn part(&self, number: u64, generation: u64) -> String {
        self.key(&format!("results/{number:06}-{generation}.jsonl"))
    }

    /// Results that were in no part yet when a checkpoint of a generation was saved.
    pub(super) fn early(&self, generation: u64, save: u64) -> String {
        self.key(&format!("early/{generation}-{save:06}.jsonl"))
    }

    /// The call.
    pub(super) fn order(&self) -> String {
        self.key("order.json")
    }

    /// The items that came with the call.
    pub(super) fn input(&self) -> String {
        self.key("input.jsonl")
    }

    /// All results, where the call names no other place.
    pub fn results(&self) -> String {
        self.key("results.jsonl")
    }

    /// The answer, for whoever could not wait for it.
    pub fn summary(&self) -> String {
        self.key("summary.json")
    }
}

/// Errs where a fan-out may not read an object.
pub fn readable(field: &str, uri: &S3Uri, bucket: &str) -> Result<(), String> {
    if uri.bucket == bucket && uri.key.starts_with(PREFIX) {
        return Ok(());
    }
    Err(format!("{field}: {uri} is not under s3://{bucket}/{PREFIX}; copy it there"))
}

/// Errs where a fan-out may not write an object.
pub fn writable(field: &str, uri: &S3Uri, bucket: &str) -> Result<(), String> {
    if uri.bucket == bucket && uri.key.starts_with(PREFIX) && !uri.key.starts_with(RUNS) {
        return Ok(());
    }
    Err(format!("{field}: {uri} is not under s3://{bucket}/{PREFIX}, or is under {RUNS}; choose another key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_a_branch_lie_beside_those_of_its_fan_out() {
        let root = RunPlace { bucket: "b".to_owned(), run_id: RunId::parse("r").unwrap(), branch: None };
        assert_eq!(root.part(7, 2), "fan-out/runs/r/results/000007-2.jsonl");
        assert_eq!(root.branch(3).checkpoint(), "fan-out/runs/r/branches/003/checkpoint.json");
        assert_eq!(root.uri(&root.results()), "s3://b/fan-out/runs/r/results.jsonl");
    }

    #[test]
    fn it_keeps_to_its_own_part_of_its_own_bucket() {
        for (uri, reads, writes) in [
            ("s3://b/fan-out/in.jsonl", true, true),
            ("s3://b/fan-out/runs/r/results.jsonl", true, false),
            ("s3://b/jobs/a.json", false, false),
            ("s3://other/fan-out/in.jsonl", false, false),
        ] {
            let uri = S3Uri::parse(uri).unwrap();
            assert_eq!(readable("payloadsUri", &uri, "b").is_ok(), reads, "{uri}");
            assert_eq!(writable("resultsUri", &uri, "b").is_ok(), writes, "{uri}");
        }
    }
}
