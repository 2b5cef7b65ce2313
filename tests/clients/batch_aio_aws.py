"""Runs jobs through aio-aws on the endpoint that AWS_ENDPOINT_URL names, and reads their logs."""

import asyncio

from aio_aws.aio_aws_batch import AWSBatchConfig, aio_batch_get_logs, aio_batch_run_jobs
from aio_aws.aws_batch_models import AWSBatchJob

JOBS = 12


def job(name, command):
    return AWSBatchJob(job_name=name, job_queue="q", job_definition="d", command=command)


def config():
    return AWSBatchConfig(
        start_pause=0.1, min_pause=0.1, max_pause=0.2, min_jitter=0.1, max_jitter=0.2, sem=JOBS
    )


jobs = [job(f"aio-{number}", ["echo", f"line {number}"]) for number in range(JOBS)]
failing = job("aio-failing", ["sh", "-c", "exit 3"])
asyncio.run(aio_batch_run_jobs(jobs + [failing], config=config()))
assert [job.status for job in jobs] == ["SUCCEEDED"] * JOBS, [job.status for job in jobs]
assert (failing.status, failing.num_tries) == ("FAILED", 1), failing
assert failing.job_description["container"]["exitCode"] == 3, failing.job_description
assert all(job.submitted and job.runtime is not None for job in jobs)

asyncio.run(aio_batch_get_logs(jobs, config=config()))
for number, job in enumerate(jobs):
    assert [event["message"] for event in job.logs] == [f"line {number}"], job.logs
