//! Files that are refused, each with the whole message.

use super::{entries, gzip, long_lines, now};
use crate::job_file::open;

fn message(content: &[u8], name: &str) -> String {
    match now(entries(content, name)) {
        Ok(entries) => panic!("{name} is accepted: {entries:?}"),
        Err(error) => error.to_string(),
    }
}

/// Fields that a job must not have beside its name, queue and definition; the file is that one job.
const BAD_FIELDS: &[(&str, &str)] = &[
    (r#""vcpus": 2"#, "x.json: line 1: vcpus: unknown field, and no known one is near; remove it"),
    (r#""jobqueue": "x""#, r#"x.json: line 1: jobqueue: unknown field; the nearest known one is "jobQueue""#),
    (
        r#""containerOverrides": {"vcpu": 2}"#,
        r#"x.json: line 1: containerOverrides.vcpu: unknown field; the nearest known one is "vcpus""#,
    ),
    (
        r#""containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "1.0"}]}"#,
        r#"x.json: line 1: containerOverrides.resourceRequirements[0].value: must be "0.25", "0.5" or a whole number of vCPUs, as in "2", not "1.0""#,
    ),
    (
        r#""containerOverrides": {"memory": 3}"#,
        "x.json: line 1: containerOverrides.memory: must be a whole number from 4 to 2147483647, not 3",
    ),
    (
        r#""fallbackQueue": {"jobQueue": "my queue!"}"#,
        r#"x.json: line 1: fallbackQueue.jobQueue: "my queue!" is no job queue: give its name (1 to 128 letters, digits, '_' and '-') or its ARN"#,
    ),
    (r#""priority": 1"#, "x.json: line 1: priority: unknown field, and no known one is near; remove it"),
    (r#""maxTries": 0"#, "x.json: line 1: maxTries: must be a whole number from 1 to 100, not 0"),
    (r#""maxTries": 101"#, "x.json: line 1: maxTries: must be a whole number from 1 to 100, not 101"),
    (r#""maxTries": 1.5"#, "x.json: line 1: maxTries: must be a whole number from 1 to 100, not 1.5"),
    (
        r#""maxTries": "3""#,
        "x.json: line 1: maxTries: must be a whole number from 1 to 100, not a string; leave the quotes out",
    ),
    (r#""maxTries": true"#, "x.json: line 1: maxTries: must be a whole number from 1 to 100, not a boolean"),
    (
        r#""fallbackQueue": "on-demand""#,
        "x.json: line 1: fallbackQueue: must be an object, not a string; its fields are jobQueue, afterLosses",
    ),
    (r#""fallbackQueue": {}"#, "x.json: line 1: fallbackQueue.jobQueue: is missing; it is required"),
    (
        r#""fallbackQueue": {"jobQueue": "od", "afterLosses": 0}"#,
        "x.json: line 1: fallbackQueue.afterLosses: must be a whole number from 1 to 100, not 0",
    ),
    (
        r#""fallbackQueue": {"jobQueue": "od", "afterLoss": 1}"#,
        r#"x.json: line 1: fallbackQueue.afterLoss: unknown field; the nearest known one is "afterLosses""#,
    ),
    (r#""retryOn": "TIMEOUT""#, "x.json: line 1: retryOn: must be a list, not a string"),
    (
        r#""retryOn": ["TIMEOUT", 7]"#,
        "x.json: line 1: retryOn[1]: must be a string or an object, not a number",
    ),
    (
        r#""retryOn": ["TIME_OUT"]"#,
        r#"x.json: line 1: retryOn[0]: "TIME_OUT" is no cause; the nearest known one is "TIMEOUT""#,
    ),
    (
        r#""retryOn": [{"cause": "OutOfMemori", "maxTries": 2}]"#,
        r#"x.json: line 1: retryOn[0].cause: "OutOfMemori" is no cause; the nearest known one is "OUT_OF_MEMORY""#,
    ),
    (
        r#""retryOn": ["bad luck"]"#,
        r#"x.json: line 1: retryOn[0]: "bad luck" is no cause, and no known one is near; known are HOST_ERROR, TIMEOUT, OUT_OF_MEMORY, IMAGE, CONFIGURATION, CAPACITY, LOST, EXIT_CODE, UNKNOWN"#,
    ),
    (
        r#""retryOn": ["HOST_LOST"]"#,
        "x.json: line 1: retryOn[0]: can't be HOST_LOST: a lost host is followed by another try in any case, up to maxTries; remove it",
    ),
    (
        r#""retryOn": [{"cause": "DEPENDENCY"}]"#,
        "x.json: line 1: retryOn[0].cause: can't be DEPENDENCY: a job follows the jobs that it depends on in any case; remove it",
    ),
    (
        r#""retryOn": ["CHILD"]"#,
        "x.json: line 1: retryOn[0]: can't be CHILD: an array is never run again because of its children; remove it",
    ),
    (
        r#""retryOn": ["CANCELLED", "TERMINATED"]"#,
        "x.json: 2 problems\n  line 1: retryOn[0]: can't be CANCELLED: a job that somebody stopped stays stopped; remove it\n  line 1: retryOn[1]: can't be TERMINATED: a job that somebody stopped stays stopped; remove it",
    ),
    (
        r#""retryOn": ["SUCCEEDED"]"#,
        r#"x.json: line 1: retryOn[0]: "SUCCEEDED" is no cause, and no known one is near; known are HOST_ERROR, TIMEOUT, OUT_OF_MEMORY, IMAGE, CONFIGURATION, CAPACITY, LOST, EXIT_CODE, UNKNOWN"#,
    ),
    (
        r#""retryOn": ["TIMEOUT", {"cause": "TIMEOUT", "maxTries": 2}]"#,
        "x.json: line 1: retryOn[1]: TIMEOUT is given twice; remove one",
    ),
    (r#""retryOn": [{"maxTries": 2}]"#, "x.json: line 1: retryOn[0].cause: is missing; it is required"),
    (
        r#""retryOn": [{"cause": "TIMEOUT", "maxTries": 0}]"#,
        "x.json: line 1: retryOn[0].maxTries: must be a whole number from 1 to 100, not 0",
    ),
    (r#""resubmitChildren": "yes""#, "x.json: line 1: resubmitChildren: must be true or false, not a string"),
    (
        r#""resubmitChildren": true"#,
        "x.json: line 1: resubmitChildren: needs an array job; give arrayProperties.size or remove it",
    ),
    (
        r#""resubmitChildren": true, "arrayProperties": {"size": 2}, "eksPropertiesOverride": {"podProperties": {"metadata": {"namespace": "n"}}}"#,
        "x.json: line 1: resubmitChildren: can't be combined with eksPropertiesOverride: a child learns its index from containerOverrides.environment",
    ),
    (
        r#""resubmitChildren": true, "arrayProperties": {"size": 2}, "dependsOn": [{"type": "SEQUENTIAL"}]"#,
        "x.json: line 1: resubmitChildren: can't be combined with SEQUENTIAL: the children behind a lost one fail with it",
    ),
    (
        r#""resubmitChildren": true, "arrayProperties": {"size": 2}, "maxTries": 1"#,
        "x.json: line 1: resubmitChildren: has no effect with maxTries 1, which leaves no try for a lost child; give 2 or more",
    ),
    (
        r#""sealed": true, "eksPropertiesOverride": {"podProperties": {"metadata": {"namespace": "n"}}}"#,
        "x.json: line 1: sealed: can't be combined with eksPropertiesOverride: only containerOverrides.environment and parameters are sealed; keep secrets in the job definition's secrets instead",
    ),
    (
        r#""seal": "0123456789abcdef0123456789abcdef""#,
        "x.json: line 1: seal: unknown field, and no known one is near; remove it",
    ),
    (
        r#""childOf": {"jobName": "b", "jobId": "x", "index": 1}"#,
        "x.json: line 1: childOf: unknown field, and no known one is near; remove it",
    ),
    (r#""tags": {"k": null}"#, "x.json: line 1: tags.k: is null; give it a value"),
    (r#""command": ["echo", null]"#, "x.json: line 1: command[1]: is null; give it a value"),
    (r#""command": ["echo", ""]"#, "x.json: line 1: command[1]: is empty; give it a value"),
    (
        r#""containerOverrides": {"command": [""]}"#,
        "x.json: line 1: containerOverrides.command[0]: is empty; give it a value",
    ),
    (
        r#""command": "echo hi""#,
        r#"x.json: line 1: command: must be a list of strings, not a string; for a line of shell write ["sh", "-c", "…"]"#,
    ),
    (
        r#""command": ["echo", 1]"#,
        "x.json: line 1: command[1]: must be a string, not a number; put it in quotes",
    ),
    (
        r#""command": ["a"], "containerOverrides": {"command": ["b"]}"#,
        "x.json: line 1: command: is given twice: it is short for containerOverrides.command; remove one of the two",
    ),
    (
        r#""command": ["a"], "nodeOverrides": {"numNodes": 2}"#,
        "x.json: line 1: command: is short for containerOverrides.command and can't be combined with nodeOverrides",
    ),
    (r#""propagateTags": "yes""#, "x.json: line 1: propagateTags: must be true or false, not a string"),
    (
        r#""parameters": {"p": 1}"#,
        "x.json: line 1: parameters.p: must be a string, not a number; put it in quotes",
    ),
    (
        r#""parameters": {"p": true}"#,
        "x.json: line 1: parameters.p: must be a string, not a boolean; put it in quotes",
    ),
    (
        r#""parameters": {"batchwright.nonce": "x"}"#,
        "x.json: line 1: parameters.batchwright.nonce: is reserved: it marks the job's submissions; give it another name",
    ),
    (r#""parameters": [1]"#, "x.json: line 1: parameters: must be an object of strings, not a list"),
    (
        r#""arrayProperties": {"size": 1}"#,
        "x.json: line 1: arrayProperties.size: must be a whole number from 2 to 10000, not 1",
    ),
    (
        r#""arrayProperties": {"size": 10001}"#,
        "x.json: line 1: arrayProperties.size: must be a whole number from 2 to 10000, not 10001",
    ),
    (
        r#""arrayProperties": {"sizes": 2}"#,
        r#"x.json: line 1: arrayProperties.sizes: unknown field; the nearest known one is "size""#,
    ),
    (
        r#""arrayProperties": {"size": 2}, "nodeOverrides": {"numNodes": 2}"#,
        "x.json: line 1: arrayProperties: can't be combined with nodeOverrides: a multi-node job can't be an array",
    ),
    (
        r#""dependsOn": [{"jobId": "x", "jobName": "b"}]"#,
        "x.json: line 1: dependsOn[0]: has both jobId and jobName; keep one",
    ),
    (
        r#""dependsOn": [{}]"#,
        "x.json: line 1: dependsOn[0]: needs a jobId, or the jobName of a job of the same file",
    ),
    (
        r#""dependsOn": [{"type": "N_TO_N"}]"#,
        "x.json: 2 problems\n  line 1: dependsOn[0]: needs a jobId, or the jobName of a job of the same file\n  line 1: dependsOn[0]: N_TO_N needs an array job; give arrayProperties.size or remove the type",
    ),
    (
        r#""dependsOn": [{"type": "SEQUENTIAL"}]"#,
        "x.json: line 1: dependsOn[0]: SEQUENTIAL needs an array job; give arrayProperties.size or remove the type",
    ),
    (
        r#""dependsOn": [{"jobId": "x", "type": "N_TO_N"}]"#,
        "x.json: line 1: dependsOn[0]: N_TO_N needs an array job; give arrayProperties.size or remove the type",
    ),
    (
        r#""dependsOn": [{"jobId": "x", "type": "EACH"}]"#,
        r#"x.json: line 1: dependsOn[0].type: must be N_TO_N or SEQUENTIAL, not "EACH""#,
    ),
    (
        r#""dependsOn": [{"jobName": "a"}]"#,
        "x.json: line 1: dependsOn[0]: the job depends on itself; remove the entry",
    ),
    (
        r#""dependsOn": [{"jobName": "b"}]"#,
        r#"x.json: line 1: dependsOn[0]: no job of this file is named "b"; depend on a job elsewhere by its jobId"#,
    ),
    (
        r#""dependsOn": ["b"]"#,
        "x.json: line 1: dependsOn[0]: must be an object, not a string; its fields are jobId, jobName, type",
    ),
    (
        r#""dependsOn": [{"jobId": "x y"}]"#,
        r#"x.json: line 1: dependsOn[0].jobId: job id "x y" contains white space or what is not ASCII"#,
    ),
    (
        r#""retryStrategy": {"attempts": 0}"#,
        "x.json: line 1: retryStrategy.attempts: must be a whole number from 1 to 10, not 0",
    ),
    (
        r#""retryStrategy": {"attempts": 11}"#,
        "x.json: line 1: retryStrategy.attempts: must be a whole number from 1 to 10, not 11",
    ),
    (
        r#""retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT"}]}"#,
        "x.json: line 1: retryStrategy.evaluateOnExit[0]: has no condition; give onStatusReason, onReason or onExitCode",
    ),
    (
        r#""retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "*x", "action": "EXIT"}]}"#,
        r#"x.json: line 1: retryStrategy.evaluateOnExit[0].onReason: "*x" has a '*' that is not at its end; only the last character may be one"#,
    ),
    (
        r#""retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onExitCode": "one", "action": "EXIT"}]}"#,
        r#"x.json: line 1: retryStrategy.evaluateOnExit[0].onExitCode: must be digits, which '*' may follow, not "one""#,
    ),
    (
        r#""retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onExitCode": 1, "action": "EXIT"}]}"#,
        "x.json: line 1: retryStrategy.evaluateOnExit[0].onExitCode: must be a string, not a number; put it in quotes",
    ),
    (
        r#""retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "x", "action": "STOP"}]}"#,
        r#"x.json: line 1: retryStrategy.evaluateOnExit[0].action: must be RETRY or EXIT, not "STOP""#,
    ),
    (
        r#""retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "x"}]}"#,
        "x.json: line 1: retryStrategy.evaluateOnExit[0].action: is missing; it is required",
    ),
    (
        r#""retryStrategy": {"evaluateOnExit": [{"onReason": "x", "action": "EXIT"}]}"#,
        "x.json: line 1: retryStrategy: evaluateOnExit needs attempts beside it; say how many there may be",
    ),
    (
        r#""timeout": {"attemptDurationSeconds": 59}"#,
        "x.json: line 1: timeout.attemptDurationSeconds: must be a whole number from 60 to 2147483647, not 59",
    ),
    (
        r#""tags": {"aws:x": "y"}"#,
        r#"x.json: line 1: tags.aws:x: begins with "aws:", which AWS keeps for itself; give it another key"#,
    ),
    (r#""tags": {"": "y"}"#, "x.json: line 1: tags.: the key has 0 characters, 1 to 128 are allowed"),
    (
        r#""shareIdentifier": "a-b""#,
        "x.json: line 1: shareIdentifier: must have 1 to 255 letters and digits, which '*' may follow",
    ),
    (
        r#""schedulingPriorityOverride": 10000"#,
        "x.json: line 1: schedulingPriorityOverride: must be a whole number from 0 to 9999, not 10000",
    ),
    (
        r#""containerOverrides": {"vcpus": -1}"#,
        "x.json: line 1: containerOverrides.vcpus: must be a whole number from 1 to 2147483647, not -1",
    ),
    (
        r#""containerOverrides": {"memory": 2147483648}"#,
        "x.json: line 1: containerOverrides.memory: must be a whole number from 4 to 2147483647, not 2147483648",
    ),
    (
        r#""containerOverrides": {"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "x"}]}"#,
        r#"x.json: line 1: containerOverrides.environment[0].name: begins with AWS_BATCH, which AWS Batch keeps for its own variables; give it another name"#,
    ),
    (
        r#""containerOverrides": {"environment": [{"name": "A", "value": 1}]}"#,
        "x.json: line 1: containerOverrides.environment[0].value: must be a string, not a number; put it in quotes",
    ),
    (
        r#""containerOverrides": {"environment": [{"name": "A"}, {"name": "A"}]}"#,
        r#"x.json: line 1: containerOverrides.environment[1]: the variable "A" is given twice; remove one"#,
    ),
    (
        r#""containerOverrides": {"environment": {"A": "b"}}"#,
        "x.json: line 1: containerOverrides.environment: must be a list, not an object",
    ),
    (
        r#""containerOverrides": {"environment": [{"Name": "A"}]}"#,
        r#"x.json: line 1: containerOverrides.environment[0].Name: unknown field; the nearest known one is "name""#,
    ),
    (
        r#""containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "two"}]}"#,
        r#"x.json: line 1: containerOverrides.resourceRequirements[0].value: must be "0.25", "0.5" or a whole number of vCPUs, as in "2", not "two""#,
    ),
    (
        r#""containerOverrides": {"resourceRequirements": [{"type": "MEMORY", "value": "2.5"}]}"#,
        r#"x.json: line 1: containerOverrides.resourceRequirements[0].value: must be a whole number of MiB, at least 4, as in "2048", not "2.5""#,
    ),
    (
        r#""containerOverrides": {"resourceRequirements": [{"type": "GPU", "value": "0"}]}"#,
        r#"x.json: line 1: containerOverrides.resourceRequirements[0].value: must be a whole number of devices above 0, as in "1", not "0""#,
    ),
    (
        r#""containerOverrides": {"resourceRequirements": [{"type": "MEMORY", "value": 2048}]}"#,
        "x.json: line 1: containerOverrides.resourceRequirements[0].value: must be a string, not a number; put it in quotes",
    ),
    (
        r#""containerOverrides": {"resourceRequirements": [{"type": "DISK", "value": "1"}]}"#,
        r#"x.json: line 1: containerOverrides.resourceRequirements[0].type: must be VCPU, MEMORY or GPU, not "DISK""#,
    ),
    (
        r#""containerOverrides": {"resourceRequirements": [{"type": "GPU", "value": "1"}, {"type": "GPU", "value": "1"}]}"#,
        "x.json: line 1: containerOverrides.resourceRequirements[1]: GPU is given twice; remove one",
    ),
    (
        r#""containerOverrides": {"vcpus": 1, "resourceRequirements": [{"type": "VCPU", "value": "1"}]}"#,
        "x.json: line 1: containerOverrides.vcpus: is given again as VCPU in resourceRequirements; remove this one, which is deprecated",
    ),
    (
        r#""containerOverrides": {"vcpus": 1}, "eksPropertiesOverride": {"podProperties": {"metadata": {"namespace": "n"}}}"#,
        "x.json: line 1: eksPropertiesOverride: can't be combined with containerOverrides; keep the one that fits the job definition",
    ),
    (
        r#""nodeOverrides": {"numNodes": 0}"#,
        "x.json: line 1: nodeOverrides.numNodes: must be a whole number from 1 to 2147483647, not 0",
    ),
    (
        r#""nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0-3"}]}"#,
        r#"x.json: line 1: nodeOverrides.nodePropertyOverrides[0].targetNodes: must be a node or a range as in "0:3" or "4:", not "0-3""#,
    ),
    (
        r#""nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0:", "containerOverrides": {"vcpu": 1}}]}"#,
        r#"x.json: line 1: nodeOverrides.nodePropertyOverrides[0].containerOverrides.vcpu: unknown field; the nearest known one is "vcpus""#,
    ),
    (
        r#""ecsPropertiesOverride": {"taskProperties": {"containers": 1}}"#,
        "x.json: line 1: ecsPropertiesOverride.taskProperties: must be a list, not an object",
    ),
    (
        r#""ecsPropertiesOverride": {"taskProperties": [{}, {}]}"#,
        "x.json: line 1: ecsPropertiesOverride.taskProperties: has 2 entries, at most 1 are allowed",
    ),
    (
        r#""eksPropertiesOverride": {"podProperties": {"containers": [{"env": [{"value": "x"}]}]}}"#,
        "x.json: line 1: eksPropertiesOverride.podProperties.containers[0].env[0].name: is missing; it is required",
    ),
    (
        r#""consumableResourcePropertiesOverride": {"consumableResourceList": [{"quantity": 0}]}"#,
        "x.json: 2 problems\n  line 1: consumableResourcePropertiesOverride.consumableResourceList[0].quantity: must be a whole number, at least 1, not 0\n  line 1: consumableResourcePropertiesOverride.consumableResourceList[0].consumableResource: is missing; it is required",
    ),
];

#[test]
fn a_job_with_a_bad_field_is_refused() {
    for (fields, expected) in BAD_FIELDS {
        let content = format!(r#"{{"jobName": "a", "jobQueue": "q", "jobDefinition": "d", {fields}}}"#);
        assert_eq!(&message(content.as_bytes(), "x.json"), expected, "{content}");
    }
}

/// Whole files.
const BAD_FILES: &[(&str, &str, &str)] = &[
    ("x.json", "", "x.json: the file is empty; write at least one job into it"),
    ("x", " \n\n", "x: the file is empty; write at least one job into it"),
    ("x.json", "[]", "x.json: the file has no jobs; write at least one into it"),
    ("x.json", r#"{"jobs": []}"#, "x.json: the file has no jobs; write at least one into it"),
    ("x.jsonl", "\n\n", "x.jsonl: the file is empty; write at least one job into it"),
    (
        "x.json",
        r#"{"jobName": "a", "jobDefinition": "d"}"#,
        "x.json: line 1: jobQueue: is missing; it is required",
    ),
    (
        "x.json",
        r#"{"jobName": "a", "jobQueue": "q"}"#,
        "x.json: line 1: jobDefinition: is missing; it is required",
    ),
    (
        "x.json",
        r#"{"jobQueue": "q", "jobDefinition": "d"}"#,
        "x.json: line 1: jobName: is missing; it is required",
    ),
    (
        "x.json",
        r#"{"jobName": "a b", "jobQueue": "q", "jobDefinition": "d"}"#,
        r#"x.json: line 1: jobName: job name "a b" contains ' '; letters, digits, '_' and '-' are allowed"#,
    ),
    (
        "x.json",
        r#"{"jobName": "-a", "jobQueue": "q", "jobDefinition": "d"}"#,
        r#"x.json: line 1: jobName: job name "-a" does not start with a letter or digit"#,
    ),
    (
        "x.json",
        r#"{"jobName": "", "jobQueue": "q", "jobDefinition": "d"}"#,
        "x.json: line 1: jobName: is empty; give it a value",
    ),
    (
        "x.json",
        "[\n{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"},\n{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"}\n]",
        r#"x.json: line 3: [1].jobName: "a" is the name of the job on line 2 already; give it another"#,
    ),
    (
        "x.jsonl",
        "{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"}\n{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"}",
        r#"x.jsonl: line 2: jobName: "a" is the name of the job on line 1 already; give it another"#,
    ),
    (
        "x.json",
        "[\n{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"dependsOn\": [{\"jobName\": \"b\"}]},\n{\"jobName\": \"b\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"dependsOn\": [{\"jobName\": \"c\"}]},\n{\"jobName\": \"c\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"dependsOn\": [{\"jobName\": \"a\"}]}\n]",
        "x.json: line 2: [0].dependsOn: the jobs wait for each other in a circle: a → b → c → a; remove one of these dependencies",
    ),
    (
        "x.json",
        "[\n{\"jobName\": \"tile-1\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"dependsOn\": [{\"jobName\": \"tile-3\"}]},\n{\"jobName\": \"tile-2\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"}\n]",
        r#"x.json: line 2: [0].dependsOn[0]: no job of this file is named "tile-3"; the nearest name is "tile-1""#,
    ),
    (
        "x.json",
        "[\n{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"arrayProperties\": {\"size\": 2}},\n{\"jobName\": \"b\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"arrayProperties\": {\"size\": 3}, \"dependsOn\": [{\"jobName\": \"a\", \"type\": \"N_TO_N\"}]}\n]",
        r#"x.json: line 3: [1].dependsOn[0]: N_TO_N needs arrays of one size: this one has 3, "a" has 2"#,
    ),
    (
        "x.json",
        "[\n{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"},\n{\"jobName\": \"b\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"arrayProperties\": {\"size\": 3}, \"dependsOn\": [{\"jobName\": \"a\", \"type\": \"N_TO_N\"}]}\n]",
        r#"x.json: line 3: [1].dependsOn[0]: N_TO_N needs an array job, and "a" is none"#,
    ),
    (
        "x.json",
        "{\"jobs\": [\n{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"},\n{\"jobname\": \"b\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"containerOverrides\": {\"comand\": []}}\n], \"default\": {}}",
        "x.json: 3 problems\n  line 3: jobs[1].jobname: unknown field; the nearest known one is \"jobName\"\n  line 3: jobs[1].containerOverrides.comand: unknown field; the nearest known one is \"command\"\n  line 4: default: unknown field; the nearest known one is \"defaults\"",
    ),
    (
        "x.json",
        r#"{"defaults": {}}"#,
        "x.json: line 1: jobs is missing beside defaults and local; give a list of jobs",
    ),
    ("x.json", r#"{"jobs": {}}"#, "x.json: line 1: jobs: must be a list of jobs, not an object"),
    (
        "x.json",
        r#"{"defaults": {"jobName": "a", "tags": 1, "maxtries": 2}, "jobs": [{}]}"#,
        "x.json: 3 problems\n  line 1: defaults.tags: must be an object of strings, not a number\n  line 1: defaults.maxtries: unknown field; the nearest known one is \"maxTries\"\n  line 1: defaults.jobName: can't have a default: every job has a name of its own",
    ),
    (
        "x.yaml",
        "jobs:\n- {jobName: a, jobQueue: q, jobDefinition: d}\nlocal:\n  jobDefinitions:\n  - jobDefinitionName: hello\n    containerProperties:\n      imag: busybox\n  - command: [a]\n  - jobDefinitionName: hello\n",
        "x.yaml: 3 problems\n  line 7: local.jobDefinitions[0].containerProperties.imag: unknown field; the nearest known one is \"image\"\n  line 8: local.jobDefinitions[1].jobDefinitionName: is missing; it is required\n  line 9: local.jobDefinitions[2].jobDefinitionName: \"hello\" is defined on line 5 already; give it another name",
    ),
    (
        "x.yaml",
        "jobs:\n- {jobName: a, jobQueue: q, jobDefinition: d}\nlocal: {definitions: []}\n",
        r#"x.yaml: line 3: local.definitions: unknown field; the nearest known one is "jobDefinitions""#,
    ),
    (
        "x.json",
        r#"[1, "a"]"#,
        "x.json: 2 problems\n  line 1: [0]: must be an object, not a number\n  line 1: [1]: must be an object, not a string",
    ),
    ("x.json", r#""a""#, "x.json: line 1: a job file must be an object or a list of objects, not a string"),
    (
        "x.yaml",
        "just words",
        "x.yaml: line 1: a job file must be an object or a list of objects, not a string",
    ),
    ("x.json", "jobName: a", "x.json: line 1: invalid JSON at column 1: expected value"),
    (
        "x.json",
        "{\"jobName\": \"a\",\n \"jobName\": \"b\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"}",
        r#"x.json: line 2: the key "jobName" stands twice in one object; remove one"#,
    ),
    (
        "x.json",
        "{\"jobName\": \"a\",\n \"jobQueue\" \"q\"}",
        "x.json: line 2: invalid JSON at column 13: expected `:`",
    ),
    (
        "x.json",
        r#"{"jobName": "a""#,
        "x.json: line 1: invalid JSON at column 15: EOF while parsing an object",
    ),
    (
        "x.json",
        "{\n\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"\n}\n{\"jobName\": \"b\"}",
        "x.json: line 4: invalid JSON at column 1: there is more after the first value; put the jobs into one list, or each on a line of its own (JSON Lines)",
    ),
    (
        "x.json",
        "[] x",
        "x.json: line 1: invalid JSON at column 4: there is more after the first value; put the jobs into one list, or each on a line of its own (JSON Lines)",
    ),
    (
        "x.jsonl",
        r#"{"jobName": "a", "jobQueue": "q", "jobDefinition": "d"} {"jobName": "b", "jobQueue": "q", "jobDefinition": "d"}"#,
        "x.jsonl: line 1: has more than one value; put each job on a line of its own",
    ),
    (
        "x.jsonl",
        "{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"}\n{\"jobName\": \"b\", ",
        "x.jsonl: line 2: invalid JSON at column 17: EOF while parsing an object",
    ),
    (
        "x.jsonl",
        "{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"}\n[]",
        "x.jsonl: line 2: must be an object, not a list",
    ),
    (
        "x.jsonl",
        "{\"jobName\": \"a\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\"}\n{\"jobName\": \"b\", \"jobQueue\": \"q\", \"jobDefinition\": \"d\", \"maxTries\": 0}\n{\"jobName\": \"c\"}",
        "x.jsonl: 3 problems\n  line 2: maxTries: must be a whole number from 1 to 100, not 0\n  line 3: jobQueue: is missing; it is required\n  line 3: jobDefinition: is missing; it is required",
    ),
    (
        "x.yaml",
        "jobName: a\njobQueue: q\njobDefinition: d\njobName: b\n",
        r#"x.yaml: line 4: invalid YAML: the key "jobName" stands twice in one mapping; remove one"#,
    ),
    (
        "x.yaml",
        "jobName: a\nparameters:\n  1: a\n  \"1\": b\n",
        r#"x.yaml: line 4: invalid YAML: the key "1" stands twice in one mapping; remove one"#,
    ),
    (
        "x.yaml",
        "jobName: a\n  jobQueue: q\n",
        "x.yaml: line 2: invalid YAML: a colon makes a key of what can't be one; put a text with a colon in quotes, or correct the line's indentation",
    ),
    (
        "x.yaml",
        "jobName: \"a\n",
        "x.yaml: line 1: invalid YAML: the quote that begins here is not closed; close it",
    ),
    (
        "x.yaml",
        "base: &b {jobQueue: q}\njobs:\n- <<: *b\n  jobName: a\n",
        "x.yaml: line 3: invalid YAML: merge keys (<<) are not read; put what the jobs share under defaults",
    ),
    (
        "x.yaml",
        "jobName: a\njobQueue: q\njobDefinition: d\nparameters: {p: 1}\npropagateTags: yes\n",
        "x.yaml: 2 problems\n  line 4: parameters.p: must be a string, not a number; put it in quotes\n  line 5: propagateTags: must be true or false, not a string",
    ),
    (
        "x.yaml",
        "--- {jobName: a}\n--- {jobName: b}\n",
        "x.yaml: line 2: invalid YAML: more than one document; put all jobs into one list",
    ),
    (
        "x.yaml",
        "jobName: a\njobQueue: *nowhere\n",
        "x.yaml: line 2: invalid YAML: the alias (*) repeats nothing, because no anchor (&) of its name stands before it; write the value, or put a text in quotes",
    ),
    (
        "x.yaml",
        "{jobName: .nan}",
        "x.yaml: line 1: invalid YAML: a number must be finite; put it in quotes where it is meant as text",
    ),
    (
        "x.yaml",
        "jobName: a\njobQueue:\njobDefinition: d\n",
        "x.yaml: line 2: jobQueue: is null; give it a value",
    ),
    (
        "x.yaml",
        "jobs:\n- jobName: cfn\n  jobQueue: !Ref JobQueue\n  jobDefinition: d\n",
        "x.yaml: line 3: the tag !Ref is not read, and would be lost; write the value itself, or put the whole text in quotes",
    ),
    (
        "x.yaml",
        "jobName: a\njobQueue: q\njobDefinition: d\ncommand: [echo, !!binary aGk=]\n",
        "x.yaml: line 4: the tag !!binary is not read, and would be lost; write the value itself, or put the whole text in quotes",
    ),
];

#[test]
fn a_bad_file_is_refused() {
    for (name, content, expected) in BAD_FILES {
        assert_eq!(&message(content.as_bytes(), name), expected, "{content}");
    }
}

/// A job with one more member.
fn job(member: &str) -> String {
    format!(r#"{{"jobName": "a", "jobQueue": "q", "jobDefinition": "d", {member}}}"#)
}

fn repeat(entry: impl Fn(usize) -> String, count: usize) -> String {
    (0..count).map(entry).collect::<Vec<_>>().join(", ")
}

#[test]
fn too_much_of_something_is_refused() {
    let dependencies = repeat(|index| format!(r#"{{"jobId": "id-{index}"}}"#), 21);
    let rules = repeat(|index| format!(r#"{{"onExitCode": "{index}", "action": "RETRY"}}"#), 6);
    let tags = repeat(|index| format!(r#""tag-{index}": "x""#), 51);
    let containers = repeat(|index| format!(r#"{{"name": "c{index}"}}"#), 11);
    let long = |length: usize| "x".repeat(length);
    for (member, expected) in [
        (format!(r#""dependsOn": [{dependencies}]"#), "dependsOn: has 21 entries, at most 20 are allowed"),
        (
            format!(r#""retryStrategy": {{"attempts": 2, "evaluateOnExit": [{rules}]}}"#),
            "retryStrategy.evaluateOnExit: has 6 entries, at most 5 are allowed",
        ),
        (
            format!(
                r#""retryStrategy": {{"attempts": 2, "evaluateOnExit": [{{"onReason": "{}", "action": "EXIT"}}]}}"#,
                long(513)
            ),
            "retryStrategy.evaluateOnExit[0].onReason: has 513 characters, at most 512 are allowed",
        ),
        (format!(r#""tags": {{{tags}}}"#), "tags: has 51 tags, at most 50 are allowed"),
        (
            format!(r#""tags": {{"k": "{}"}}"#, long(257)),
            "tags.k: has 257 characters, at most 256 are allowed",
        ),
        (
            format!(r#""ecsPropertiesOverride": {{"taskProperties": [{{"containers": [{containers}]}}]}}"#),
            "ecsPropertiesOverride.taskProperties[0].containers: has 11 entries, at most 10 are allowed",
        ),
        (
            format!(r#""eksPropertiesOverride": {{"podProperties": {{"containers": [{containers}]}}}}"#),
            "eksPropertiesOverride.podProperties.containers: has 11 entries, at most 10 are allowed",
        ),
        (
            format!(r#""command": ["{}"]"#, long(8_192)),
            "containerOverrides: makes overrides of 8499 characters as ECS counts them, with Batch's own variables and Ref:: filled in, and at most 8192 are allowed: Batch would take the job and fail it when it starts; put what is long into a file that the job reads",
        ),
        (
            format!(
                r#""nodeOverrides": {{"nodePropertyOverrides": [{{"targetNodes": "0", "containerOverrides": {{"command": ["{}"]}}}}]}}"#,
                long(8_192)
            ),
            "nodeOverrides.nodePropertyOverrides[0].containerOverrides: makes overrides of 8731 characters as ECS counts them, with Batch's own variables and Ref:: filled in, and at most 8192 are allowed: Batch would take the job and fail it when it starts; put what is long into a file that the job reads",
        ),
        (
            format!(r#""parameters": {{"p": "{}"}}"#, long(30 * 1024)),
            "the job takes 30855 bytes as a SubmitJob request, at most 30720 are allowed; put what is long into a file that the job reads",
        ),
    ] {
        assert_eq!(message(job(&member).as_bytes(), "x.json"), format!("x.json: line 1: {expected}"));
    }
    let name = format!(r#"{{"jobName": "{}", "jobQueue": "q", "jobDefinition": "d"}}"#, long(129));
    let expected = format!(
        "x.json: line 1: jobName: job name \"{}\" has 129 characters, at most 128 are allowed",
        long(129)
    );
    assert_eq!(message(name.as_bytes(), "x.json"), expected);
}

#[test]
fn content_that_is_no_text_is_refused() {
    let good = job(r#""maxTries": 1"#);
    let packed = gzip(good.as_bytes());
    let half = &packed[..packed.len() / 2];
    let mut corrupt = packed.clone();
    let last = corrupt.len() - 6;
    corrupt[last] ^= 0xFF;
    for (content, name, expected) in [
        (
            b"{\"jobName\":\n \"\xFF\"}".to_vec(),
            "x.json",
            "x.json: line 2: invalid UTF-8: byte 0xff at byte 3 of the line",
        ),
        (
            b"\x28\xB5\x2F\xFD\x24\x02".to_vec(),
            "x.json",
            "x.json: the file is packed by zstd, which is not read here; pack it by gzip, or leave it as it is",
        ),
        (b"\xFF\xFE{\0".to_vec(), "x.json", "x.json: line 1: invalid UTF-8: byte 0xff at byte 1 of the line"),
        (
            half.to_vec(),
            "x.json.gz",
            "x.json.gz: the gzip data breaks off; the file is cut short, write it again",
        ),
        (packed[..2].to_vec(), "x", "x: the gzip data breaks off; the file is cut short, write it again"),
        (packed[..7].to_vec(), "x", "x: the gzip data breaks off; the file is cut short, write it again"),
        (gzip(b""), "x.json.gz", "x.json.gz: the file is empty; write at least one job into it"),
        (corrupt, "x.json.gz", "x.json.gz: the gzip data can't be unpacked: CRC computed does not match"),
        (
            [packed, b"more".to_vec()].concat(),
            "x.json.gz",
            "x.json.gz: the gzip data can't be unpacked: Invalid gzip header",
        ),
    ] {
        assert_eq!(message(&content, name), expected);
    }
}

#[test]
fn what_grows_without_bound_is_refused() {
    let too_large = "the file has more than 16 MiB once unpacked; write it as JSON Lines (.jsonl), one job a line, which may be of any length";
    let zeros = gzip(&vec![0; 17 * 1024 * 1024]);
    assert!(zeros.len() < 64 * 1024, "the bomb is small");
    assert_eq!(message(&zeros, "x.json.gz"), format!("x.json.gz: {too_large}"));
    let spaces = vec![b' '; 17 * 1024 * 1024];
    assert_eq!(message(&spaces, "x.yaml"), format!("x.yaml: {too_large}"));

    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let error = message(bomb.as_bytes(), "x.yaml");
    let expected =
        "invalid YAML: it grows too large or too deep, perhaps by its aliases; write it as JSON Lines";
    assert!(error.starts_with("x.yaml: line ") && error.ends_with(expected), "{error}");

    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    assert_eq!(message(deep.as_bytes(), "x.json"), "x.json: line 1: nested more than 24 deep");
    let error = message(deep.as_bytes(), "x.yaml");
    assert_eq!(error, "x.yaml: line 1: invalid YAML: it is nested too deep; write it as JSON Lines");
}

#[test]
fn defaults_that_no_job_could_carry_are_refused() {
    let content =
        format!(r#"{{"defaults": {{"parameters": {{"p": "{}"}}}}, "jobs": [{{}}]}}"#, "x".repeat(30_720));
    assert_eq!(
        message(content.as_bytes(), "x.json"),
        "x.json: line 1: defaults: take 30743 bytes as JSON, and a job may have 30720 in all; shorten them"
    );
}

#[test]
fn a_file_with_thousands_of_problems_is_given_up() {
    let content = format!("[{}]", repeat(|_| "1".to_owned(), 3_000));
    let error = now(entries(content.as_bytes(), "x.json")).unwrap_err();
    assert_eq!(error.problems.len(), 1_000);
    assert!(error.to_string().ends_with("\n  and 980 more"), "{error}");
}

#[test]
fn bad_lines_of_a_streamed_file_are_told_one_by_one() {
    let good = job(r#""maxTries": 1"#);
    let long = job(&format!(r#""tags": {{"k": "{}"}}"#, "x".repeat(256 * 1024)));
    let mut content =
        format!("{good}\n{long}\n{good} {good}\n{{\"jobName\": \"a\", \"jobName\": \"b\"}}\n[]\n{{\n")
            .into_bytes();
    content.extend(b"\"\xC3\"\n");
    content.extend(long_lines("").into_bytes());
    let entries = now(entries(&content, "x.jsonl")).unwrap();
    let problems: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry.job.as_ref().err())
        .flatten()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        problems,
        [
            "line 2: the line has more than 256 KiB; a job that long can't be submitted",
            "line 3: has more than one value; put each job on a line of its own",
            "line 4: the key \"jobName\" stands twice in one object; remove one",
            "line 5: must be an object, not a list",
            "line 6: invalid JSON at column 1: EOF while parsing an object",
            "line 7: invalid UTF-8: byte 0xc3 at byte 2 of the line",
        ]
    );
    assert_eq!(entries.len(), 12_007);
}

#[test]
fn a_streamed_file_that_breaks_off_or_has_no_jobs_ends_in_an_error() {
    let packed = gzip(long_lines("").as_bytes());
    let error = message(&packed[..packed.len() - 20], "x.jsonl.gz");
    assert_eq!(error, "x.jsonl.gz: the gzip data breaks off; the file is cut short, write it again");
    let blank = "\n".repeat(2 * 1024 * 1024);
    assert!(!now(open(blank.as_bytes(), "x.jsonl")).unwrap().is_checked());
    let error = message(blank.as_bytes(), "x.jsonl");
    assert_eq!(error, "x.jsonl: the file has no jobs; write at least one into it");
}
