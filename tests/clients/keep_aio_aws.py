"""Runs jobs through aio-aws with a jobs-db, and leaves one in flight: `keep_aio_aws.py DATABASE`. Prints the
records last. AWS_ENDPOINT_URL names the endpoint."""

import asyncio
import json
import sys

from aio_aws.aio_aws_batch import AWSBatchConfig, aio_batch_run_jobs, aio_batch_submit_jobs
from aio_aws.aio_aws_batch_db import AioAWSBatchTinyDB
from aio_aws.aws_batch_models import AWSBatchJob

database = sys.argv[1]
batch_db = AioAWSBatchTinyDB(jobs_db_file=f"{database}-jobs.json", logs_db_file=f"{database}-logs.json")
config = AWSBatchConfig(
    start_pause=0.1, min_pause=0.1, max_pause=0.2, min_jitter=0.1, max_jitter=0.2, aio_batch_db=batch_db
)


def job(name, command):
    return AWSBatchJob(job_name=name, job_queue="q", job_definition="d", command=command)


async def main():
    ended = [job("well", ["true"]), job("failing", ["sh", "-c", "exit 3"])]
    await aio_batch_run_jobs(ended, config=config)
    going = job("going", ["sleep", "600"])
    await aio_batch_submit_jobs([going], config=config)
    await batch_db.save_job(going)
    print(json.dumps([job.db_data for job in ended + [going]]))


asyncio.run(main())
