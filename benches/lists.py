#!/usr/bin/env python3
"""`status --stack` and `jobs --stack` of a stack of thousands of jobs.

The endpoint on this machine knows the stack and its table: a scan answers a megabyte, as DynamoDB's does, after 5 ms. Each
job has ended and has what a job has, a head and a submission. The bare scan is the same calls by a client that does nothing
with them.

    python3 benches/lists.py [--jobs 5000] [--latency-ms 5] [--times 5] [--program BATCHWRIGHT]
"""

import argparse
import asyncio
import collections
import json
import pathlib
import statistics
import time

import processes
from endpoint import listen, operation

ITEMS = processes.ROOT / "shared/aws/src/aws/dynamodb/fixtures/items.json"
PAGE_BYTES = 1_000_000
JSON = b"content-type: application/x-amz-json-1.0"


def pages(jobs):
    """What scans answer, in the order of the table."""
    items = json.loads(ITEMS.read_text(encoding="utf-8"))
    head, state = items["head, submitted"], items["state, host lost"]
    sample = "4c7599ae-0a82-49aa-ba5a-4727fcce14a8"
    state = state | {"jobName": {"S": "tile-7"}, "jobId": {"S": sample}, "place": {"S": "latest tile-7"}}
    text = json.dumps([head, state])
    page, size, made = [], 0, []
    for number in range(jobs):
        ours = text.replace("tile-7", f"tile-12-2114-{number:06}").replace(sample, f"4c7599ae-0a82-49aa-ba5a-{number:012}")
        page += json.loads(ours)
        size += len(ours)
        if size > PAGE_BYTES:
            made.append(page)
            page, size = [], 0
    made.append(page)
    answers = []
    for place, items in enumerate(made):
        answer = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        if place + 1 < len(made):
            answer["LastEvaluatedKey"] = {name: items[-1][name] for name in ("jobName", "jobId")}
        answers.append(json.dumps(answer).encode())
    # By the job after which a page begins.
    starts = [None, *[items[-1]["jobName"]["S"] for items in made[:-1]]]
    return dict(zip(starts, answers, strict=True))


class Stack:
    """The submitter's settings, and the table's pages."""

    def __init__(self, jobs, latency_s):
        self.pages, self.latency_s, self.calls = pages(jobs), latency_s, collections.Counter()

    def __call__(self, http, head, body):
        if head.startswith(b"GET /2015-03-31/functions/"):
            self.calls["GetFunctionConfiguration"] += 1
            known = {name: name.lower() for name in ("BATCHWRIGHT_BUCKET", "BATCHWRIGHT_JOBS_TABLE", "BATCHWRIGHT_RUNS_TABLE")}
            http.reply(json.dumps({"Environment": {"Variables": known}}).encode(), b"content-type: application/json")
            return
        self.calls[operation(head)] += 1
        start = json.loads(body).get("ExclusiveStartKey")
        answer = self.pages[start and start["jobName"]["S"]] if operation(head) == "Scan" else b'{"Items":[],"Count":0,"ScannedCount":0}'
        asyncio.get_running_loop().call_later(self.latency_s, http.reply, answer, JSON)


async def measure(options, program):
    stack = Stack(options.jobs, options.latency_ms / 1000)
    port = await listen(stack)
    env = processes.aws_environment(AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    rows = []
    for command in ("status", "jobs"):
        taken = []
        for _ in range(options.times):
            stack.calls.clear()
            arguments = [program, command, "--stack", "bench", "--output", "json"]
            taken.append(await asyncio.to_thread(processes.run, arguments, env=env, stdout=options.out))
        said = options.out.read_text(encoding="utf-8")
        found = json.loads(said)["total"] if command == "status" else said.count('"jobName"')
        if found != options.jobs:
            raise SystemExit(f"{command} tells of {found} jobs: {said[:500]}")
        walls = [one.wall_s for one in taken]
        rows.append([command, f"{options.jobs:,}", sum(stack.calls.values()), f"{statistics.median(walls):.3f}", f"{min(walls):.3f}",
                     f"{max(walls):.3f}", f"{statistics.median(one.cpu_s for one in taken):.3f}",
                     f"{max(one.peak_mib for one in taken):.0f}"])
    begun = time.perf_counter()
    for start in stack.pages:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = {"ExclusiveStartKey": {"jobName": {"S": start}}} if start else {}
        body = json.dumps(key).encode()
        writer.write(b"POST / HTTP/1.1\r\nx-amz-target: T.Scan\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await reader.readexactly(len(stack.pages[start]))
        writer.close()
    rows.append(["bare scan", f"{options.jobs:,}", len(stack.pages), f"{time.perf_counter() - begun:.3f}", "", "", "", ""])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--latency-ms", type=float, default=5)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--program", type=pathlib.Path, help="the program with AWS, built already")
    options = parser.parse_args()
    program = processes.release_program("-p", "batchwright-cli", "--features", "aws", given=options.program)
    with processes.tempfile.TemporaryDirectory() as folder:
        options.out = pathlib.Path(folder) / "said"
        rows = asyncio.run(measure(options, program))
    print(f"| command | jobs | calls | wall s: median of {options.times} | least | most | CPU s | peak MiB |")
    print("| --- " + "| ---: " * 7 + "|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
