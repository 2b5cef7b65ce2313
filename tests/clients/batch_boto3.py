"""Runs jobs through boto3 on the endpoint that is given, and checks what comes back."""

import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]
END_LIMIT_SECONDS = 60
RUN = {"jobQueue": "q", "jobDefinition": "echo"}


def client(service):
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


batch, logs = client("batch"), client("logs")


def submit(name, command, **more):
    return batch.submit_job(jobName=name, containerOverrides={"command": command}, **RUN, **more)["jobId"]


def described(job_id):
    return batch.describe_jobs(jobs=[job_id])["jobs"][0]


def ended(job_id):
    limit = time.monotonic() + END_LIMIT_SECONDS
    while time.monotonic() < limit:
        job = described(job_id)
        if job["status"] in ("SUCCEEDED", "FAILED"):
            return job
        time.sleep(0.05)
    raise AssertionError(f"{job_id} does not end")


def refused(call, **members):
    try:
        call(**members)
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError(f"{call.__name__} {members} was not refused")


# Job definitions and queues.
registered = batch.register_job_definition(
    jobDefinitionName="echo",
    type="container",
    containerProperties={"image": "busybox", "command": ["echo", "Ref::word"], "vcpus": 1, "memory": 64},
    parameters={"word": "hello"},
)
assert registered["revision"] == 1, registered
definitions = batch.describe_job_definitions(jobDefinitionName="echo")["jobDefinitions"]
assert [(d["revision"], d["status"]) for d in definitions] == [(1, "ACTIVE")], definitions
environments = batch.describe_compute_environments()["computeEnvironments"]
assert environments[0]["computeResources"]["maxvCpus"] == 4, environments
batch.create_job_queue(
    jobQueueName="q",
    priority=1,
    computeEnvironmentOrder=[
        {"order": 1, "computeEnvironment": environments[0]["computeEnvironmentArn"]},
    ],
    tags={"team": "maps"},
)
queue = batch.describe_job_queues(jobQueues=["q"])["jobQueues"][0]
assert (queue["state"], queue["status"]) == ("ENABLED", "VALID"), queue
batch.tag_resource(resourceArn=queue["jobQueueArn"], tags={"stage": "test"})
tags = batch.list_tags_for_resource(resourceArn=queue["jobQueueArn"])["tags"]
assert tags == {"team": "maps", "stage": "test"}, tags

# One job, by its definition alone, and its log.
answer = batch.submit_job(jobName="one", parameters={"word": "hi there"}, tags={"a": "b"}, **RUN)
assert answer["jobName"] == "one" and answer["jobArn"].endswith(answer["jobId"]), answer
one = ended(answer["jobId"])
assert one["status"] == "SUCCEEDED" and one["container"]["exitCode"] == 0, one
assert one["attempts"][0]["container"]["logStreamName"] == one["container"]["logStreamName"], one
assert batch.list_tags_for_resource(resourceArn=one["jobArn"])["tags"] == {"a": "b"}
stream = {"logGroupName": "/aws/batch/job", "logStreamName": one["container"]["logStreamName"]}
page = logs.get_log_events(startFromHead=True, **stream)
assert [event["message"] for event in page["events"]] == ["hi there"], page
again = logs.get_log_events(startFromHead=True, nextToken=page["nextForwardToken"], **stream)
assert (again["events"], again["nextForwardToken"]) == ([], page["nextForwardToken"]), again

# Retries, as the job asks for them.
tried = ended(submit("tried", ["false"], retryStrategy={"attempts": 2}))
assert (tried["status"], len(tried["attempts"])) == ("FAILED", 2), tried

# Dependencies, an array, its children.
array = submit("array", ["sh", "-c", "echo $AWS_BATCH_JOB_ARRAY_INDEX"], arrayProperties={"size": 5})
after = submit("after", ["true"], dependsOn=[{"jobId": array}])
failed = submit("failed", ["false"])
never = submit("never", ["true"], dependsOn=[{"jobId": failed}])
assert ended(after)["startedAt"] >= described(array)["stoppedAt"]
assert described(array)["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 5
assert ended(never)["statusReason"] == "Dependent Job failed"
children = batch.get_paginator("list_jobs").paginate(
    arrayJobId=array, jobStatus="SUCCEEDED", PaginationConfig={"PageSize": 2}
)
children = [job for page in children for job in page["jobSummaryList"]]
assert [child["arrayProperties"]["index"] for child in children] == [0, 1, 2, 3, 4], children
names = [described(child["jobId"])["container"]["logStreamName"] for child in children]
found = logs.get_paginator("filter_log_events").paginate(
    logGroupName="/aws/batch/job", logStreamNames=names, PaginationConfig={"PageSize": 2}
)
assert sorted(event["message"] for page in found for event in page["events"]) == ["0", "1", "2", "3", "4"]
streams = logs.get_paginator("describe_log_streams").paginate(logGroupName="/aws/batch/job")
assert set(names) <= {stream["logStreamName"] for page in streams for stream in page["logStreams"]}
groups = logs.describe_log_groups(logGroupNamePrefix="/aws/batch")["logGroups"]
assert [group["logGroupName"] for group in groups] == ["/aws/batch/job"], groups

# Describing 100 jobs, and 101; none at all; one that is not known.
ids = [one["jobId"]] + [f"00000000-0000-4000-8000-{number:012}" for number in range(99)]
assert [job["jobId"] for job in batch.describe_jobs(jobs=ids)["jobs"]] == [one["jobId"]]
assert refused(batch.describe_jobs, jobs=ids + ["x"]) == "ClientException"
assert batch.describe_jobs(jobs=[])["jobs"] == []

# Lists by filter.
by_name = batch.list_jobs(jobQueue="q", filters=[{"name": "JOB_NAME", "values": ["A*"]}])
assert [job["jobName"] for job in by_name["jobSummaryList"]] == ["after", "array"], by_name
by_definition = batch.list_jobs(jobQueue="q", filters=[{"name": "JOB_DEFINITION", "values": ["echo"]}])
assert len(by_definition["jobSummaryList"]) == 6, by_definition
later = [{"name": "AFTER_CREATED_AT", "values": [str(one["createdAt"] - 1)]}]
assert len(batch.list_jobs(jobQueue="q", filters=later)["jobSummaryList"]) == 6

# Cancelled before it starts, terminated while it runs.
running = submit("running", ["sh", "-c", "sleep 600"], retryStrategy={"attempts": 3})
waiting = submit("waiting", ["true"], dependsOn=[{"jobId": running}])
batch.cancel_job(jobId=waiting, reason="not wanted")
assert ended(waiting)["statusReason"] == "not wanted"
batch.terminate_job(jobId=running, reason="enough")
assert (ended(running)["statusReason"], described(running)["isTerminated"]) == ("enough", True)
both = batch.cancel_jobs(jobs=[one["jobId"], "x"], reason="late")
assert (both["successful"], both["errors"][0]["job"]) == ([one["jobId"]], "x"), both

batch.terminate_job(jobId="00000000-0000-4000-8000-000000000000", reason="long gone")
batch.cancel_job(jobId="00000000-0000-4000-8000-000000000000", reason="long gone")

# Compute environments, scheduling policies, queues of both; tags of each.
spot = batch.create_compute_environment(
    computeEnvironmentName="spot",
    type="MANAGED",
    computeResources={"type": "SPOT", "maxvCpus": 16, "subnets": ["subnet-1"], "instanceTypes": ["optimal"]},
    tags={"team": "maps"},
)["computeEnvironmentArn"]
described_spot = batch.describe_compute_environments(computeEnvironments=["spot"])["computeEnvironments"]
assert [(c["state"], c["computeResources"]["type"]) for c in described_spot] == [("ENABLED", "SPOT")]
assert batch.describe_compute_environments(computeEnvironments=["nosuch"])["computeEnvironments"] == []
pages = batch.get_paginator("describe_compute_environments").paginate(PaginationConfig={"PageSize": 1})
assert [c["computeEnvironmentName"] for p in pages for c in p["computeEnvironments"]] == ["local", "spot"]
batch.update_compute_environment(computeEnvironment=spot, computeResources={"maxvCpus": 32})
described_spot = batch.describe_compute_environments(computeEnvironments=[spot])["computeEnvironments"][0]
resources = described_spot["computeResources"]
assert (resources["maxvCpus"], resources["type"]) == (32, "SPOT"), resources
policy = batch.create_scheduling_policy(name="fair", fairsharePolicy={"shareDecaySeconds": 60})["arn"]
assert [p["arn"] for p in batch.list_scheduling_policies()["schedulingPolicies"]] == [policy]
batch.update_scheduling_policy(arn=policy, fairsharePolicy={"shareDecaySeconds": 90})
policies = batch.describe_scheduling_policies(arns=[policy])["schedulingPolicies"]
assert policies[0]["fairsharePolicy"] == {"shareDecaySeconds": 90}, policies
fair = batch.create_job_queue(
    jobQueueName="fair",
    priority=1,
    schedulingPolicyArn=policy,
    computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "spot"}],
)["jobQueueArn"]
order = batch.describe_job_queues(jobQueues=[fair])["jobQueues"][0]["computeEnvironmentOrder"]
assert order == [{"order": 1, "computeEnvironment": spot}], order
assert refused(batch.submit_job, jobName="a", jobQueue="fair", jobDefinition="echo") == "ClientException"
shared = batch.submit_job(jobName="a", jobQueue="fair", jobDefinition="echo", shareIdentifier="x")["jobId"]
assert ended(shared)["shareIdentifier"] == "x"
shares = [{"name": "SHARE_IDENTIFIER", "values": ["x"]}]
assert len(batch.list_jobs(jobQueue="fair", filters=shares)["jobSummaryList"]) == 1
definition_arn = registered["jobDefinitionArn"]
for arn in [spot, policy, fair, definition_arn, one["jobArn"]]:
    batch.tag_resource(resourceArn=arn, tags={"stage": "test", "gone": "soon"})
    batch.untag_resource(resourceArn=arn, tagKeys=["gone", "team"])
    tags = batch.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags.get("stage") == "test" and not {"gone", "team"} & set(tags), (arn, tags)
assert described(one["jobId"])["tags"] == {"a": "b", "stage": "test"}
snapshot = batch.get_job_queue_snapshot(jobQueue="q")["frontOfQueue"]
assert snapshot["jobs"] == [] and snapshot["lastUpdatedAt"] > 0, snapshot
for call, members in [
    (batch.delete_compute_environment, {"computeEnvironment": "spot"}),
    (batch.delete_scheduling_policy, {"arn": policy}),
    (batch.update_compute_environment, {"computeEnvironment": "local", "state": "DISABLED"}),
    (batch.create_job_queue, {"jobQueueName": "a b", "priority": 1}),
]:
    assert refused(call, **members) == "ClientException", (call, members)
batch.update_job_queue(jobQueue="fair", state="DISABLED")
batch.delete_job_queue(jobQueue="fair")
batch.delete_scheduling_policy(arn=policy)
batch.update_compute_environment(computeEnvironment="spot", state="DISABLED")
batch.delete_compute_environment(computeEnvironment="spot")
assert len(batch.describe_compute_environments()["computeEnvironments"]) == 1

# A log group of its own, whose streams are there and not in the other.
batch.register_job_definition(
    jobDefinitionName="grouped",
    type="container",
    containerProperties={
        "image": "busybox",
        "command": ["sh", "-c", "echo one; echo two three"],
        "vcpus": 1,
        "memory": 64,
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/my/group"}},
    },
)
grouped = batch.submit_job(jobName="grouped", jobQueue="q", jobDefinition="grouped")["jobId"]
stream_name = ended(grouped)["container"]["logStreamName"]
groups = logs.describe_log_groups()["logGroups"]
assert [group["logGroupName"] for group in groups] == ["/aws/batch/job", "/my/group"], groups
streams = logs.describe_log_streams(logGroupName="/my/group")["logStreams"]
assert [found["logStreamName"] for found in streams] == [stream_name], streams
events = logs.filter_log_events(logGroupName="/my/group", filterPattern="?one ?three")["events"]
assert [event["message"] for event in events] == ["one", "two three"], events
events = logs.filter_log_events(logGroupName="/my/group", filterPattern="-one")["events"]
assert [event["message"] for event in events] == ["two three"], events

# Refusals, by their type.
for call, members in [
    (batch.submit_job, {"jobName": "a b", **RUN}),
    (batch.submit_job, {"jobName": "a", "jobQueue": "q", "jobDefinition": "echo:7"}),
    (batch.submit_job, {"jobName": "a", "arrayProperties": {"size": 1}, **RUN}),
    (batch.list_jobs, {}),
    (batch.delete_job_queue, {"jobQueue": "q"}),
]:
    assert refused(call, **members) == "ClientException", (call, members)
assert refused(logs.get_log_events, **{**stream, "logStreamName": "no"}) == "ResourceNotFoundException"
assert refused(logs.get_log_events, nextToken="x", **stream) == "InvalidParameterException"
batch.update_job_queue(jobQueue="q", state="DISABLED")
assert refused(batch.submit_job, jobName="a", **RUN) == "ClientException"
batch.delete_job_queue(jobQueue="q")
batch.deregister_job_definition(jobDefinition="echo:1")
assert refused(batch.submit_job, jobName="a", **RUN) == "ClientException"
