"""Runs jobs through aio-aws as its documentation has it, with a jobs-db, and takes up what an earlier
process left: `once_aio_aws.py DATABASE JOBS`. AWS_ENDPOINT_URL names the endpoint."""

import asyncio
import sys

from aio_aws.aio_aws_batch import AWSBatchConfig, aio_batch_run_jobs
from aio_aws.aio_aws_batch_db import AioAWSBatchTinyDB
from aio_aws.aws_batch_models import AWSBatchJob

database, count = sys.argv[1], int(sys.argv[2])
batch_db = AioAWSBatchTinyDB(jobs_db_file=f"{database}-jobs.json", logs_db_file=f"{database}-logs.json")
# Retries are the library's own; the pauses are shortened, because the jobs end at once.
config = AWSBatchConfig(
    start_pause=0.1, min_pause=0.1, max_pause=0.2, min_jitter=0.1, max_jitter=0.2, aio_batch_db=batch_db
)
jobs = [
    AWSBatchJob(job_name=f"once-{number}", job_queue="q", job_definition="d", command=["true"])
    for number in range(count)
]


async def main():
    recovered = await batch_db.jobs_recovery(jobs)
    await aio_batch_run_jobs(await batch_db.jobs_to_run(recovered), config=config)


asyncio.run(main())
