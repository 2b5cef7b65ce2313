//! What holds of every file.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::{entries, gzip, now};
use crate::domain::spec::{
    ArrayProperties, ContainerOverrides, EvaluateOnExit, FallbackQueue, JobTimeout, KeyValuePair,
    ResourceRequirement, ResourceType, RetryAction, RetryOn, RetryStrategy,
};
use crate::domain::{Cause, JobName, JobSpec};
use crate::job_file::{check_job, read_definitions};

/// Any text, and what YAML too allows outside of escapes.
const ANY: &str = ".{0,20}";
const PRINTABLE: &str = "[ -~\t\n\u{a0}-\u{d7ff}\u{10000}-\u{1ffff}]{0,20}";

fn overrides(text: &'static str) -> impl Strategy<Value = ContainerOverrides> {
    let variables = btree_map("[a-z]{1,8}", text, 0..4);
    // What says nothing is left out: see the test of it.
    let words = text.prop_filter("Batch takes no empty words", |word| !word.is_empty());
    (1..64_i32, option::of(vec(words, 1..5)), variables, option::of(4..9_999_u32)).prop_map(
        |(vcpus, command, variables, mib)| {
            ContainerOverrides::default().with(|it| {
                it.vcpus = Some(vcpus);
                it.command = command;
                it.environment =
                    variables.into_iter().map(|(name, value)| KeyValuePair::new(name, value)).collect();
                it.resource_requirements = mib
                    .map(|mib| ResourceRequirement::new(ResourceType::Memory, mib.to_string()))
                    .into_iter()
                    .collect();
            })
        },
    )
}

fn retries() -> impl Strategy<Value = RetryStrategy> {
    (1..=10_u32, vec("[0-9]{1,3}\\*?", 0..=5)).prop_map(|(attempts, codes)| {
        RetryStrategy::default().with(|it| {
            it.attempts = Some(attempts);
            it.evaluate_on_exit = codes
                .into_iter()
                .map(|code| {
                    EvaluateOnExit::new(RetryAction::Retry).with(|it| {
                        it.on_status_reason = None;
                        it.on_reason = None;
                        it.on_exit_code = Some(code);
                    })
                })
                .collect();
        })
    })
}

fn retry_on() -> impl Strategy<Value = Vec<RetryOn>> {
    vec(option::of(1..=100_u32), 0..3).prop_map(|budgets| {
        let causes = [Cause::Timeout, Cause::ExitCode, Cause::OutOfMemory];
        let entries = causes.into_iter().zip(budgets);
        entries.map(|(cause, max_tries)| RetryOn { cause, max_tries }).collect()
    })
}

fn spec(text: &'static str) -> impl Strategy<Value = JobSpec> {
    (
        "[A-Za-z0-9][A-Za-z0-9_-]{0,20}",
        option::of(2..=10_000_u32),
        btree_map("[a-z ]{1,8}", text, 0..4),
        option::of(overrides(text)),
        option::of(retries()),
        option::of(60..100_000_u32),
        (btree_map("[b-z]{1,8}", text, 0..4), option::of(any::<bool>()), 1..=100_u32, retry_on()),
    )
        .prop_map(
            |(name, size, parameters, overrides, retries, seconds, (tags, propagate, tries, retry_on))| {
                JobSpec::new(JobName::parse(&name).unwrap(), "queue", "definition").with(|spec| {
                    spec.array_properties = size.map(ArrayProperties::new);
                    spec.parameters = parameters;
                    spec.container_overrides = overrides;
                    spec.retry_strategy = retries;
                    spec.timeout = seconds.map(|seconds| {
                        JobTimeout::default().with(|it| it.attempt_duration_seconds = Some(seconds))
                    });
                    spec.tags = tags;
                    spec.propagate_tags = propagate;
                    spec.max_tries = tries;
                    spec.fallback_queue = retry_on
                        .first()
                        .map(|_| FallbackQueue { job_queue: "od".into(), after_losses: tries });
                    spec.retry_on = retry_on;
                })
            },
        )
}

fn read(content: &[u8], name: &str) -> Result<Vec<JobSpec>, TestCaseError> {
    let entries = now(entries(content, name)).map_err(|error| TestCaseError::fail(error.to_string()))?;
    entries
        .into_iter()
        .map(|entry| entry.job.map_err(|problems| TestCaseError::fail(format!("{problems:?}"))))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_spec_reads_back_from_every_format(spec in spec(ANY)) {
        let pretty = serde_json::to_vec_pretty(&spec).unwrap();
        let line = serde_json::to_vec(&spec).unwrap();
        let value = serde_json::to_value(&spec).unwrap();
        prop_assert_eq!(check_job(value), Ok(spec.clone()));
        for (content, name) in [(&pretty, "x.json"), (&line, "x.jsonl"), (&line, "x")] {
            prop_assert_eq!(&read(content, name)?, std::slice::from_ref(&spec));
            prop_assert_eq!(&read(&gzip(content), name)?, std::slice::from_ref(&spec));
        }
    }

    #[test]
    fn a_spec_in_json_reads_back_as_yaml(spec in spec(PRINTABLE)) {
        let line = serde_json::to_vec(&spec).unwrap();
        prop_assert_eq!(&read(&line, "x.yaml")?, std::slice::from_ref(&spec));
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read(content in vec(any::<u8>(), 0..200), name in "x(\\.(json|jsonl|yaml|gz))?") {
        let _ = now(entries(&content, &name));
        let _ = read_definitions(&content, &name);
    }

    #[test]
    fn arbitrary_text_is_refused_or_read(content in "[\\[\\]{}:,\"a-z0-9&*!|>\n -]{0,80}", name in "x\\.(json|jsonl|yaml)") {
        let _ = now(entries(content.as_bytes(), &name));
        let _ = read_definitions(content.as_bytes(), &name);
    }
}
