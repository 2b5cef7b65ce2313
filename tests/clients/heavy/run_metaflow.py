"""Metaflow: a `foreach` of three steps, of which one fails at first, and their join, each step a job."""

import os
import pathlib
import subprocess
import sys

import boto3

FLOW = """
from metaflow import FlowSpec, current, retry, step


class Squares(FlowSpec):
    @step
    def start(self):
        self.numbers = [1, 2, 3]
        self.next(self.square, foreach="numbers")

    @retry(times=1, minutes_between_retries=0)
    @step
    def square(self):
        if self.input == 2 and current.retry_count == 0:
            raise ValueError("at first")
        print("square of", self.input)
        self.squared = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.squares = [one.squared for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Squares()
"""

SETTINGS = {
    "METAFLOW_BATCH_JOB_QUEUE": "q",
    "METAFLOW_BATCH_CONTAINER_IMAGE": "none",
    "METAFLOW_DATASTORE_SYSROOT_S3": "s3://metaflow/data",
    "METAFLOW_DEFAULT_DATASTORE": "s3",
    "METAFLOW_ECS_S3_ACCESS_IAM_ROLE": "arn:aws:iam::000000000000:role/any",
    "METAFLOW_USER": "batchwright",
}


def run():
    boto3.client("s3").create_bucket(Bucket="metaflow")
    os.environ.update(SETTINGS, METAFLOW_HOME=os.getcwd())
    pathlib.Path("flow.py").write_text(FLOW)
    # What its jobs would install at their start is in this venv already.
    has_all = 'environment:vars={"METAFLOW_SKIP_INSTALL_DEPENDENCIES": "1"}'
    flow = [sys.executable, "flow.py", "--no-pylint", "run", "--with", "batch:cpu=1,memory=256", "--with", has_all]
    subprocess.run(flow, check=True)

    # It reads its settings when it is imported.
    from metaflow import Flow

    ended = Flow("Squares").latest_run
    assert ended.successful and ended.data.squares == [1, 4, 9], ended.data
    lines = sorted(line for task in ended["square"] for line in task.stdout.splitlines() if "square of" in line)
    assert lines == [f"square of {number}" for number in (1, 2, 3)], lines
    batch = boto3.client("batch")
    succeeded = batch.list_jobs(jobQueue="q", jobStatus="SUCCEEDED")["jobSummaryList"]
    failed = [job["jobName"] for job in batch.list_jobs(jobQueue="q", jobStatus="FAILED")["jobSummaryList"]]
    assert len(succeeded) == 6, succeeded
    assert len(failed) == 1 and "-square-" in failed[0], failed
    print("metaflow: three steps of a foreach at once, one of them tried again, and their join")


if __name__ == "__main__":
    run()
