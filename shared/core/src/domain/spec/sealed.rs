//! Jobs whose environment and parameters nobody keeps but Batch.
//!
//! A store keeps a digest in their place. Another submission takes them from Batch's own description of an earlier one, which
//! holds them as long as Batch knows that.

use std::collections::BTreeMap;

use super::{JobSpec, KeyValuePair};
use crate::domain::Nonce;
use crate::domain::ids::hex_digest;

/// What the names of variables begin with that Batch itself sets.
const OF_BATCH: &str = "AWS_BATCH_";

impl JobSpec {
    /// The job as a store keeps it: of a sealed one, a digest in place of the environment and the parameters. The
    /// digest is of the job's name, too, so that equal secrets of two jobs do not look equal.
    #[must_use]
    pub fn as_kept(&self) -> Self {
        if !self.sealed || self.seal.is_some() {
            return self.clone();
        }
        let environment = self.container_overrides.as_ref().map(|overrides| &overrides.environment);
        let text = serde_json::to_string(&(environment, &self.parameters)).expect("texts have a JSON form");
        let seal = hex_digest(&["seal", self.job_name.as_str(), &text])[..32].to_owned();
        let mut kept = Self { seal: Some(seal), ..self.clone() };
        kept.parameters.clear();
        if let Some(overrides) = &mut kept.container_overrides {
            overrides.environment.clear();
        }
        kept
    }

    /// The job as one that is sealed, whether or not it asks for that. Errs with its field that can't be sealed.
    pub fn into_sealed(self) -> Result<Self, &'static str> {
        let fields = [
            ("nodeOverrides", self.node_overrides.is_some()),
            ("eksPropertiesOverride", self.eks_properties_override.is_some()),
            ("ecsPropertiesOverride", self.ecs_properties_override.is_some()),
        ];
        match fields.iter().find(|(_, is_given)| *is_given) {
            Some((field, _)) => Err(field),
            None => Ok(Self { sealed: true, ..self }),
        }
    }

    /// The job as it can be submitted again: a kept one with the environment and the parameters of an earlier
    /// submission, as Batch describes it. Those of the definition are among them, and change nothing.
    #[must_use]
    pub fn opened(&self, parameters: &BTreeMap<String, String>, environment: &[KeyValuePair]) -> Self {
        let mut opened = Self { seal: None, ..self.clone() };
        opened.parameters.clone_from(parameters);
        opened.parameters.remove(Nonce::PARAMETER);
        let overrides = opened.container_overrides.get_or_insert_default();
        // The index of an array's child was added to what is kept.
        let added = std::mem::take(&mut overrides.environment);
        let is_added = |variable: &KeyValuePair| added.iter().any(|added| added.name == variable.name);
        let is_of_batch =
            |name: &Option<String>| name.as_ref().is_some_and(|name| name.starts_with(OF_BATCH));
        let theirs = environment.iter();
        overrides.environment =
            theirs.filter(|variable| !is_of_batch(&variable.name) && !is_added(variable)).cloned().collect();
        overrides.environment.extend(added);
        opened
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn job(secret: &str) -> JobSpec {
        from_value(json!({
            "jobName": "tile-7", "jobQueue": "q", "jobDefinition": "d", "sealed": true,
            "parameters": {"token": secret},
            "containerOverrides": {"command": ["run"], "environment": [{"name": "PASSWORD", "value": secret}]},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_kept_holds_no_secret_and_tells_the_same_job_from_another() {
        let kept = job("s3cr3t").as_kept();
        let text = serde_json::to_string(&kept).unwrap();
        assert!(!text.contains("s3cr3t") && !text.contains("PASSWORD") && !text.contains("token"), "{text}");
        assert_eq!(kept.container_overrides.as_ref().unwrap().command, Some(vec!["run".to_owned()]));
        assert_eq!(kept.as_kept(), kept);
        assert_eq!(kept.digest(), job("s3cr3t").digest());
        assert_ne!(kept.digest(), job("another").digest());
        let elsewhere =
            job("s3cr3t").with(|job| job.job_name = crate::domain::JobName::parse("tile-8").unwrap());
        assert_ne!(elsewhere.as_kept().seal, kept.seal);
        let open = job("s3cr3t").with(|job| job.sealed = false);
        assert_eq!(open.as_kept(), open);
    }

    #[test]
    fn every_job_can_be_sealed_but_those_whose_overrides_are_of_another_kind() {
        let open = || job("s3cr3t").with(|job| job.sealed = false);
        assert_eq!(open().into_sealed(), Ok(job("s3cr3t")));
        assert_eq!(job("s3cr3t").into_sealed(), Ok(job("s3cr3t")));
        for (field, value) in [
            ("nodeOverrides", json!({"numNodes": 2})),
            ("eksPropertiesOverride", json!({"podProperties": {}})),
            ("ecsPropertiesOverride", json!({"taskProperties": [{"containers": []}]})),
        ] {
            let mut job = json!({"jobName": "a", "jobQueue": "q", "jobDefinition": "d"});
            job[field] = value;
            assert_eq!(from_value::<JobSpec>(job).unwrap().into_sealed(), Err(field));
        }
    }

    #[test]
    fn another_submission_has_what_batch_describes_of_an_earlier_one() {
        let mut kept = job("s3cr3t").as_kept();
        let index = KeyValuePair::new("BATCHWRIGHT_ARRAY_INDEX", "3");
        kept.container_overrides.as_mut().unwrap().environment.push(index.clone());
        let parameters = [("token", "s3cr3t"), (Nonce::PARAMETER, "1-0123456789abcdef")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let environment =
            [("PASSWORD", "s3cr3t"), ("AWS_BATCH_JOB_ID", "a"), ("BATCHWRIGHT_ARRAY_INDEX", "2")]
                .map(|(name, value)| KeyValuePair::new(name, value));
        let opened = kept.opened(&parameters, &environment);
        let mut expected = job("s3cr3t");
        expected.container_overrides.as_mut().unwrap().environment.push(index);
        assert_eq!(opened, expected);
    }
}
