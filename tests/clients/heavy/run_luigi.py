"""Luigi: a BatchTask, which registers nothing and waits for its job."""

import luigi
from luigi.contrib.batch import BatchTask


class Hello(BatchTask):
    job_definition = luigi.Parameter(default="hello")
    job_queue = luigi.OptionalParameter(default="q")
    poll_time = luigi.IntParameter(default=1)
    # Luigi's own parameter freezes the dict, and boto3 takes no frozen one.
    parameters = {"word": "from luigi"}


if __name__ == "__main__":
    import boto3

    properties = {"image": "none", "vcpus": 1, "memory": 64, "command": ["echo", "Ref::word"]}
    boto3.client("batch").register_job_definition(
        jobDefinitionName="hello", type="container", containerProperties=properties
    )
    assert luigi.build([Hello()], local_scheduler=True)
    print("luigi: a BatchTask")
