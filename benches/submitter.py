#!/usr/bin/env python3
"""What a submitter takes for a long job file: memory, calls and processor time a job, with no quota to wait for.

One process of the functions' program submits a file of so many jobs in one invocation, against a runtime API, an S3, a DynamoDB
and a Batch on this machine that say yes to everything. `SubmitRate` is 10,000 instead of 50, so that the machine binds: a file
of 100,000 jobs would take 33 minutes at AWS's quota.

    python3 benches/submitter.py [10000 100000] [--program BOOTSTRAP]
"""

import argparse
import asyncio
import collections
import json
import pathlib
import re
import subprocess
import tempfile
import time

import processes
from endpoint import listen, operation
from start import environment
from state_handler import Runtime

KEY = "jobs/jobs.jsonl"
# What each call is answered that is not answered with `{}`.
DATABASE = {"Query": b'{"Items": [], "Count": 0, "ScannedCount": 0}', "BatchGetItem": b'{"Responses": {}, "UnprocessedKeys": {}}'}


def job_file(jobs):
    lines = (json.dumps({"jobName": f"job-{number:07}", "jobQueue": "queue", "jobDefinition": "definition:1",
                         "containerOverrides": {"command": ["render", "--tile", str(number)]}}) for number in range(jobs))
    return "\n".join(lines).encode()


class Services:
    """S3 with one object, and a DynamoDB and a Batch that take everything and know nothing but the run."""

    def __init__(self, content):
        self.content, self.calls, self.run = content, collections.Counter(), {}

    def database(self, called, body):
        if b'"TableName":"runs"' in body and called in ("PutItem", "GetItem"):
            asked = json.loads(body)
            if called == "GetItem":
                return json.dumps(self.run).encode()
            self.run = {"Item": asked["Item"]}
        return DATABASE.get(called, b"{}")

    def __call__(self, http, head, body):
        line = head.split(b"\r\n", 1)[0].decode()
        if called := operation(head):
            self.calls[called] += 1
            http.reply(self.database(called, body), b"content-type: application/x-amz-json-1.0")
        elif "/v1/submitjob" in line:
            self.calls["SubmitJob"] += 1
            name = json.loads(body)["jobName"]
            told = {"jobName": name, "jobId": f"4c7599ae-0a82-49aa-ba5a-{self.calls['SubmitJob']:012}"}
            http.reply(json.dumps(told).encode(), b"content-type: application/json")
        elif line.startswith("GET ") and KEY in line:
            self.calls["GetObject"] += 1
            http.reply(self.content, b'etag: "e"', b"x-amz-version-id: 1")
        elif line.startswith("PUT "):
            self.calls["PutObject"] += 1
            http.reply(b"", b'etag: "e"')
        else:
            self.calls[line] += 1
            http.reply(b"", status=b"404 Not Found")


def upload():
    bucket, found = {"name": "bucket"}, {"key": KEY, "versionId": "1", "sequencer": "01", "size": 1, "eTag": "e"}
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventName": "ObjectCreated:Put",
              "eventTime": "2026-01-01T00:00:00Z", "s3": {"s3SchemaVersion": "1.0", "bucket": bucket, "object": found}}
    return json.dumps({"Records": [record]}).encode()


class Answers(Runtime):
    """Keeps what the function answered."""

    time_left_s = 1_800

    def __call__(self, http, head, body):
        if b"/response" in head.split(b"\r\n", 1)[0]:
            self.answer = json.loads(body)
        super().__call__(http, head, body)


async def measure(program, jobs):
    services, runtime = Services(job_file(jobs)), Answers([upload()])
    env = environment(await listen(runtime), "submitter") | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{await listen(services)}", "BATCHWRIGHT_SUBMIT_RATE": "10000"}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([program], env=env, stdout=said, stderr=said)
        begun = time.perf_counter()
        try:
            await asyncio.wait_for(runtime.done.wait(), 1_800)
            wall_s = time.perf_counter() - begun
            cpu_s, peak_mib = processes.so_far(process)
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        submitted = re.search(r'"submitted": ?(\d+)', json.dumps(getattr(runtime, "answer", None)))
        if runtime.failed or not submitted or int(submitted[1]) != jobs or services.calls["SubmitJob"] != jobs:
            raise SystemExit(f"{getattr(runtime, 'answer', None)} {dict(services.calls)}: {said.read()[-2000:]}")
    calls = services.calls
    return {"wall": wall_s, "cpu_ms": cpu_s * 1e3 / jobs, "peak": peak_mib,
            "calls": sum(calls.values()) / jobs, "puts": calls["PutObject"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jobs", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--program", type=pathlib.Path, help="the functions' program, built already")
    options = parser.parse_args()
    program = options.program or processes.functions_program()
    print("| jobs of the file | wall s | CPU ms a job | calls a job | objects written | peak MiB |")
    print("| ---: " * 6 + "|")
    for jobs in options.jobs:
        taken = asyncio.run(measure(program, jobs))
        print(f"| {jobs:,} | {taken['wall']:.1f} | {taken['cpu_ms']:.2f} | {taken['calls']:.2f} | {taken['puts']} "
              f"| {taken['peak']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
