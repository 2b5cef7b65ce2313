//! What is really sent to Batch.

use super::{Dependency, JobSpec};
use crate::domain::ids::{JobId, JobName, Nonce};

/// A spec that is ready for `SubmitJob`: every dependency by `jobId`, the claim's nonce among the
/// parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitJobRequest {
    spec: JobSpec,
}

impl SubmitJobRequest {
    /// Puts the nonce in, and for each dependency by name the id that `resolve` gives; one for which
    /// it gives `None` is satisfied already and left out.
    pub fn new(spec: &JobSpec, nonce: &Nonce, resolve: impl Fn(&JobName) -> Option<JobId>) -> Self {
        let mut spec = spec.for_batch();
        spec.parameters.insert(Nonce::PARAMETER.to_owned(), nonce.to_string());
        spec.depends_on =
            spec.depends_on.into_iter().filter_map(|dependency| by_id(dependency, &resolve)).collect();
        Self { spec }
    }

    /// A request as another client made it: nothing is added or resolved.
    pub fn verbatim(spec: JobSpec) -> Self {
        Self { spec }
    }

    /// All that `SubmitJob` is told.
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// The nonce, where the request carries one.
    pub fn nonce(&self) -> Option<Nonce> {
        self.spec.parameters.get(Nonce::PARAMETER).and_then(|text| Nonce::parse(text).ok())
    }
}

fn by_id(dependency: Dependency, resolve: &impl Fn(&JobName) -> Option<JobId>) -> Option<Dependency> {
    match &dependency.job_name {
        None => Some(dependency),
        Some(name) => {
            let job_id = resolve(name)?;
            Some(Dependency { job_id: Some(job_id), job_name: None, kind: dependency.kind })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::DependencyType;

    #[test]
    fn dependencies_by_name_become_ids_or_vanish_where_satisfied() {
        let name = |text: &str| JobName::parse(text).unwrap();
        let id = JobId::parse("4c7599ae-0a82-49aa-ba5a-4727fcce14a8").unwrap();
        let mut spec = JobSpec::new(name("c"), "q", "d");
        let sequential = Dependency { kind: Some(DependencyType::Sequential), ..Dependency::default() };
        spec.depends_on = vec![
            Dependency { job_name: Some(name("a")), kind: Some(DependencyType::NToN), job_id: None },
            Dependency { job_name: Some(name("b")), ..Dependency::default() },
            sequential.clone(),
        ];
        let nonce = Nonce::derive(&spec.job_name, "", 1);
        let request =
            SubmitJobRequest::new(&spec, &nonce, |wanted| (wanted == &name("a")).then(|| id.clone()));
        let waiting =
            Dependency { job_id: Some(id.clone()), job_name: None, kind: Some(DependencyType::NToN) };
        assert_eq!(request.spec().depends_on, [waiting, sequential]);
        assert_eq!(request.nonce(), Some(nonce));
    }
}
