//! A job that this machine can't hold stays RUNNABLE, as on Batch, and the program says so and ends.

use crate::support::Folder;

const JOBS: &str = r#"[
    {"jobName": "large", "jobQueue": "q", "jobDefinition": "d", "command": ["true"],
     "containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "64"}]}},
    {"jobName": "after", "jobQueue": "q", "jobDefinition": "d", "command": ["true"], "dependsOn": [{"jobName": "large"}]},
    {"jobName": "small", "jobQueue": "q", "jobDefinition": "d", "command": ["touch", "made"]}
]"#;

#[test]
fn a_run_ends_when_nothing_else_moves_and_a_larger_machine_takes_it_up() {
    let folder = Folder::new();
    folder.write("jobs.json", JOBS);
    for _ in 0..2 {
        let ended = folder.run(&["run", "jobs.json", "--local", "--vcpus", "2"]);
        assert_eq!(ended.code, Some(5), "{ended:?}");
        assert!(ended.stderr.contains("blocked: 2 jobs not ended"), "{ended:?}");
        assert!(ended.stdout.contains("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"), "{ended:?}");
        assert!(ended.stdout.contains("it needs 64 vCPUs, and 2 may be used"), "{ended:?}");
    }
    assert_eq!(folder.job("small")["status"], "SUCCEEDED");
    assert_eq!(
        (&folder.job("large")["status"], &folder.job("after")["status"]),
        (&"RUNNABLE".into(), &"PENDING".into())
    );
    let ended = folder.run(&["run", "jobs.json", "--local", "--vcpus", "64"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(folder.job("large")["jobTries"].as_array().unwrap().len(), 1, "the same submission went on");
}

#[test]
fn a_plan_warns() {
    let folder = Folder::new();
    folder.write("jobs.json", JOBS.replace("64", "100000"));
    let ended = folder.run(&["plan", "jobs.json", "--local"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let warned: Vec<&str> = ended
        .stdout
        .lines()
        .filter(|line| line.contains("it will stay RUNNABLE: it needs 100000 vCPUs"))
        .collect();
    assert!(warned.len() == 1 && warned[0].starts_with("large"), "{ended:?}");
}

#[test]
fn what_batch_would_fail_at_the_dispatch_is_refused_by_line() {
    let folder = Folder::new();
    let granules = "g".repeat(9_000);
    folder.write(
        "jobs.yaml",
        format!(
            "local:\n  jobDefinitions:\n  - jobDefinitionName: dist\n    command: [printf, \"%s\", \"Ref::granules\"]\njobs:\n- jobName: hy\n  jobQueue: q\n  jobDefinition: dist\n  parameters:\n    granules: {granules}\n"
        ),
    );
    let ended = folder.run(&["plan", "jobs.yaml", "--local"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("line 10: jobs[0].parameters: makes overrides of 9"), "{ended:?}");
}

#[test]
fn tags_of_yaml_that_would_be_lost_are_refused_by_line() {
    let folder = Folder::new();
    folder.write("jobs.yaml", "jobs:\n  - jobName: cfn\n    jobQueue: !Ref JobQueue\n    jobDefinition: d\n");
    let ended = folder.run(&["plan", "jobs.yaml", "--local"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("jobs.yaml: line 3: the tag !Ref is not read"), "{ended:?}");
    let ended = folder.run(&["s3", "convert", "jobs.yaml", "jobs.json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("the tag !Ref is not read") || ended.stderr.contains("!Ref"), "{ended:?}");
}
