#!/usr/bin/env python3
"""How many events the state handler takes a second: one process, batches of ten, a DynamoDB of fixed latency.

This process is both of the function's servers: the runtime API, which hands it a batch as soon as it has answered the one
before, and a DynamoDB that answers every call after 5 ms. The events are STARTING and RUNNING of jobs that are known, which
is one write each. The ceiling is that of the same servers with a client that does nothing but ask.

    python3 benches/state_handler.py [--events 20000] [--latency-ms 5] [--program BOOTSTRAP]
"""

import argparse
import asyncio
import collections
import json
import pathlib
import subprocess
import tempfile
import time

import processes
from endpoint import listen, operation
from start import environment

BATCH = 10
SAMPLE = processes.ROOT / "shared/core/src/events/fixtures/container_succeeded.json"
NEXT = b"/2018-06-01/runtime/invocation/next"


class Database:
    """Answers after a while that every write was made."""

    def __init__(self, latency_s):
        self.latency_s, self.calls = latency_s, collections.Counter()

    def __call__(self, http, head, body):
        self.calls[operation(head)] += 1
        later = asyncio.get_running_loop().call_later
        later(self.latency_s, http.reply, b"{}", b"content-type: application/x-amz-json-1.0")


class Runtime:
    """Hands out batches, and notes when the last was answered."""

    time_left_s = 60

    def __init__(self, batches):
        self.batches, self.failed, self.waiting = collections.deque(batches), 0, 0
        self.begun = self.ended = None
        self.done = asyncio.Event()

    def __call__(self, http, head, body):
        if NEXT in head:
            if not self.batches:
                self.ended = time.perf_counter()
                self.done.set()
                return
            self.begun = self.begun or time.perf_counter()
            deadline = b"lambda-runtime-deadline-ms: %d" % ((time.time() + self.time_left_s) * 1000)
            http.reply(self.batches.popleft(), deadline, b"lambda-runtime-aws-request-id: request",
                       b"lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:1:function:f")
            return
        self.failed += b"/error" in head or b"itemIdentifier" in body
        http.reply(b"{}")


def batches(events):
    """Batches as Lambda hands them over: each of ten jobs, whose states are told one after the other."""
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    sample |= {"account": "000000000000", "region": "eu-west-1"}
    detail = sample["detail"]
    detail["attempts"] = []
    for absent in ("statusReason", "stoppedAt"):
        detail.pop(absent, None)
    detail["parameters"] = {"batchwright.nonce": "1-0123456789abcdef"}
    for number in range(events // BATCH):
        records = []
        for place in range(BATCH):
            job = number // 2 * BATCH + place
            detail |= {"jobName": f"job-{job:07}", "jobId": f"4c7599ae-0a82-49aa-ba5a-{job:012}",
                       "status": ("STARTING", "RUNNING")[number % 2]}
            records.append({"eventSource": "aws:sqs", "messageId": str(place), "body": json.dumps(sample), "attributes": {}})
        yield json.dumps({"Records": records}).encode()


async def ceiling(latency_s, calls=20_000):
    """Calls a second that the database answers to ten connections that ask again at once."""
    port = await listen(Database(latency_s))
    request = b"POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: T.UpdateItem\r\ncontent-length: 2\r\n\r\n{}"

    async def ask():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(calls // BATCH):
            writer.write(request)
            await reader.readuntil(b"{}")
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*[ask() for _ in range(BATCH)])
    return calls / (time.perf_counter() - begun)


async def measure(program, events, latency_s):
    database, runtime = Database(latency_s), Runtime(batches(events))
    endpoint = f"http://127.0.0.1:{await listen(database)}"
    env = environment(await listen(runtime), "state-handler") | {"AWS_ENDPOINT_URL": endpoint}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([program], env=env, stdout=said, stderr=said)
        try:
            await asyncio.wait_for(runtime.done.wait(), 600)
            cpu_s, peak_mib = processes.so_far(process)
        finally:
            process.kill()
            process.wait()
        if runtime.failed or database.calls != {"UpdateItem": events}:
            said.seek(0)
            raise SystemExit(f"{runtime.failed} batches failed; {dict(database.calls)}: {said.read()[-2000:]}")
    return {"events": events, "wall_s": runtime.ended - runtime.begun, "cpu_s": cpu_s,
            "peak_mib": peak_mib, "writes": database.calls["UpdateItem"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--latency-ms", type=float, default=5)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--program", type=pathlib.Path, help="the functions' program, built already")
    options = parser.parse_args()
    program = options.program or processes.functions_program()
    latency_s = options.latency_ms / 1000
    runs = [asyncio.run(measure(program, options.events, latency_s)) for _ in range(options.times)]
    at_most = asyncio.run(ceiling(latency_s))
    print("| events | in batches of | writes | events a CPU second: median | least | most | events a second of one process "
          "| the floor | peak MiB |")
    print("| ---: " * 9 + "|")
    speeds = sorted(run["events"] / run["cpu_s"] for run in runs)
    walls = sorted(run["events"] / run["wall_s"] for run in runs)
    middle = len(runs) // 2
    cells = [f"{options.events:,}", BATCH, f"{runs[0]['writes']:,}", f"{speeds[middle]:,.0f}", f"{speeds[0]:,.0f}",
             f"{speeds[-1]:,.0f}", f"{walls[middle]:,.0f}", f"{BATCH / latency_s:,.0f}", f"{runs[0]['peak_mib']:.0f}"]
    print("| " + " | ".join(map(str, cells)) + " |")
    print(f"\nThe database alone answers {at_most:,.0f} calls a second to ten connections.")


if __name__ == "__main__":
    main()
