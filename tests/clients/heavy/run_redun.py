"""redun: five script tasks at once, each with files of the same names in its working directory."""

import os
import tempfile

import boto3
from redun import Scheduler, task
from redun.config import Config

redun_namespace = "batchwright"


@task(script=True, executor="batch")
def script(number: int):
    # The second command fails where another task has overwritten the file.
    return f"echo {number} > own.txt\nsleep 1\ntest \"$(cat own.txt)\" = {number}\ncat own.txt"


@task()
def main():
    return [script(number) for number in range(5)]


def run():
    boto3.client("s3").create_bucket(Bucket="redun")
    scratch = tempfile.mkdtemp()
    executor = {
        "type": "aws_batch",
        "image": "none",
        "queue": "q",
        "role": "arn:aws:iam::000000000000:role/any",
        "s3_scratch": "s3://redun/scratch",
        "job_monitor_interval": "0.2",
        "code_package": "False",
        "vcpus": "1",
        "memory": "1",
    }
    config = Config({"backend": {"db_uri": f"sqlite:///{scratch}/redun.db"}, "executors.batch": executor})
    scheduler = Scheduler(config=config)
    scheduler.load()
    found = scheduler.run(main())
    assert found == [[0, f"{number}\n".encode()] for number in range(5)], found
    print("redun: five script tasks at once, each with its own result")


if __name__ == "__main__":
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    run()
