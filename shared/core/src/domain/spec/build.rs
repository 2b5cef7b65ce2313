//! A job's spec, built in a program.

use super::{
    ArrayProperties, ContainerOverrides, Dependency, JobSpec, JobTimeout, KeyValuePair, ResourceRequirement,
    ResourceType, RetryStrategy,
};
use crate::domain::ids::{InvalidId, JobName};

impl JobSpec {
    /// A job by its name, as text.
    ///
    /// ```
    /// # use batchwright_core as batchwright;
    /// use batchwright::domain::JobSpec;
    ///
    /// let tiles = JobSpec::named("tiles", "my-queue", "my-definition:3")?
    ///     .command(["process", "--zoom", "Ref::zoom"])
    ///     .parameter("zoom", "12")
    ///     .environment("STAGE", "test")
    ///     .array(1_000);
    /// let mosaic = JobSpec::named("mosaic", "my-queue", "my-definition:3")?.after(&tiles);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where AWS Batch takes no such name. The other values are checked when the job is submitted.
    pub fn named(
        job_name: impl AsRef<str>,
        job_queue: impl AsRef<str>,
        job_definition: impl AsRef<str>,
    ) -> Result<Self, InvalidId> {
        Ok(Self::new(JobName::parse(job_name.as_ref())?, job_queue.as_ref(), job_definition.as_ref()))
    }

    /// Runs this command instead of the definition's.
    #[must_use]
    pub fn command<T: Into<String>>(mut self, command: impl IntoIterator<Item = T>) -> Self {
        self.overrides().command = Some(command.into_iter().map(Into::into).collect());
        self
    }

    /// Sets an environment variable, instead of the definition's of that name.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        let variable = KeyValuePair { name: Some(name.to_owned()), value: Some(value.to_owned()) };
        let variables = &mut self.overrides().environment;
        variables.retain(|known| known.name != variable.name);
        variables.push(variable);
        self
    }

    /// Requires so many vCPUs: a whole number, 0.25 or 0.5, as text.
    #[must_use]
    pub fn vcpus(self, vcpus: &str) -> Self {
        self.requirement(ResourceType::Vcpu, vcpus.to_owned())
    }

    /// Requires so much memory, in MiB.
    #[must_use]
    pub fn memory_mib(self, mib: u32) -> Self {
        self.requirement(ResourceType::Memory, mib.to_string())
    }

    /// Fills `Ref::name` in commands.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Tags the job.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Makes it an array of so many children, 2 to 10,000.
    #[must_use]
    pub fn array(self, size: u32) -> Self {
        Self { array_properties: Some(ArrayProperties { size }), ..self }
    }

    /// Starts after another job that is submitted with it, or was submitted before.
    #[must_use]
    pub fn after(mut self, other: &JobSpec) -> Self {
        self.depends_on.push(Dependency { job_name: Some(other.job_name.clone()), ..Dependency::default() });
        self
    }

    /// Ends an attempt after so many seconds, at least 60.
    #[must_use]
    pub fn timeout_seconds(self, seconds: u32) -> Self {
        Self { timeout: Some(JobTimeout { attempt_duration_seconds: Some(seconds) }), ..self }
    }

    /// Lets AWS Batch itself make so many attempts within a submission, 1 to 10.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.retry_strategy.get_or_insert_with(RetryStrategy::default).attempts = Some(attempts);
        self
    }

    /// Allows so many submissions in all when hosts are lost, 1 to 100.
    #[must_use]
    pub fn max_tries(self, max_tries: u32) -> Self {
        Self { max_tries, ..self }
    }

    fn requirement(mut self, kind: ResourceType, value: String) -> Self {
        let requirements = &mut self.overrides().resource_requirements;
        requirements.retain(|known| known.kind != kind);
        requirements.push(ResourceRequirement { value, kind });
        self
    }

    fn overrides(&mut self) -> &mut ContainerOverrides {
        self.container_overrides.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_what_a_job_file_would_say() {
        let first = JobSpec::named("first", "q", "d").unwrap();
        let spec = JobSpec::named("second", "q", "d:1")
            .unwrap()
            .command(["echo", "Ref::word"])
            .parameter("word", "hello")
            .environment("A", "1")
            .environment("A", "2")
            .vcpus("0.5")
            .memory_mib(512)
            .memory_mib(1024)
            .array(3)
            .after(&first)
            .timeout_seconds(60)
            .attempts(2)
            .max_tries(5)
            .tag("project", "x");
        let expected = serde_json::json!({
            "jobName": "second", "jobQueue": "q", "jobDefinition": "d:1",
            "arrayProperties": {"size": 3}, "dependsOn": [{"jobName": "first"}], "parameters": {"word": "hello"},
            "containerOverrides": {
                "command": ["echo", "Ref::word"], "environment": [{"name": "A", "value": "2"}],
                "resourceRequirements": [{"value": "0.5", "type": "VCPU"}, {"value": "1024", "type": "MEMORY"}],
            },
            "retryStrategy": {"attempts": 2}, "timeout": {"attemptDurationSeconds": 60},
            "tags": {"project": "x"}, "maxTries": 5,
        });
        assert_eq!(serde_json::to_value(&spec).unwrap(), expected);
        assert!(JobSpec::named("no name", "q", "d").is_err());
    }
}
