"""Runs a job on the Batch endpoint ($1) and receives its events by a rule of EventBridge ($2) from a queue."""

import json
import sys
import time

import boto3

BATCH, AWS = sys.argv[1:]
LIMIT_SECONDS = 30


def client(service, endpoint):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


events, sqs, batch = client("events", AWS), client("sqs", AWS), client("batch", BATCH)

queue = sqs.create_queue(QueueName="states")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
pattern = {"source": ["aws.batch"], "detail-type": ["Batch Job State Change"]}
events.put_rule(Name="states", EventPattern=json.dumps(pattern))
events.put_targets(Rule="states", Targets=[{"Id": "queue", "Arn": arn}])

job_id = batch.submit_job(
    jobName="told", jobQueue="q", jobDefinition="d", containerOverrides={"command": ["true"]}
)["jobId"]
told = []
limit = time.monotonic() + LIMIT_SECONDS
while "SUCCEEDED" not in told:
    assert time.monotonic() < limit, told
    answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10)
    for message in answer.get("Messages", []):
        event = json.loads(message["Body"])
        assert event["source"] == "aws.batch" and event["detail"]["jobId"] == job_id, event
        assert event["resources"] == [event["detail"]["jobArn"]], event
        told.append(event["detail"]["status"])
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
assert sorted(told) == ["RUNNABLE", "RUNNING", "STARTING", "SUCCEEDED"], told
