#!/usr/bin/env python3
"""`batchwright invoke` beside aio-aws's `run_lambda_functions`, against a Lambda of fixed latency.

Builds the release program and a loopback endpoint that answers every `Invoke` after 100 ms, lets both
clients make the same calls at the same concurrency, one after the other, and prints wall time beside the
floor (latency x calls / concurrency), CPU seconds and peak memory of each, as ratios. The same calls by AWS's SDK for Rust
with no program around it (benches/floors) show which part of it is the SDK's.

    python3 benches/invoke.py [CALLS ...]        default: 1000 10000; --concurrency 10,40,200

aio-aws is installed into .venv/aio-aws where it is missing.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

from processes import RELEASE, aio_aws_python, aws_environment, floor_program, release_program, run

LATENCY_MS = 100
FUNCTION = "task"

# What run_lambda_functions does, which lets nobody choose its ten places.
AIO_AWS = """
import asyncio, sys
from aio_aws.aio_aws_config import AioAWSConfig
from aio_aws.aio_aws_lambda import AWSLambdaFunction

async def run(functions, config):
    async with config.create_client("lambda") as client:
        await asyncio.gather(*[asyncio.create_task(each.invoke(config, client)) for each in functions])

calls, concurrency = int(sys.argv[1]), int(sys.argv[2])
config = AioAWSConfig(retries=0, min_jitter=0.2, max_jitter=0.8, max_pool_connections=concurrency, sem=concurrency)
functions = [AWSLambdaFunction(name="task", payload=b'{"item": %d}' % n) for n in range(calls)]
asyncio.run(run(functions, config))
done = sum(function.status_code == 200 for function in functions)
if done != calls:
    sys.exit(f"{done} of {calls} were answered")
"""


def write_payloads(path, calls):
    with open(path, "w", encoding="utf-8") as file:
        for number in range(calls):
            file.write(json.dumps({"item": number}) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calls", nargs="*", type=int, default=[1_000, 10_000])
    parser.add_argument("--concurrency", default="10,40,200")
    options = parser.parse_args()
    release_program("-p", "batchwright-benches", "--bin", "fixed-latency-lambda")
    program = release_program("-p", "batchwright-cli", "--features", "aws")
    python = aio_aws_python()
    sdk = floor_program("invoke-floor")
    server = subprocess.Popen([RELEASE / "fixed-latency-lambda", str(LATENCY_MS)], stdout=subprocess.PIPE,
                              stdin=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()
    env = aws_environment(AWS_ENDPOINT_URL=url)
    print("| calls | at once | floor s | wall s | of the floor | SDK alone: wall s | of the SDK alone "
          "| aio-aws: wall s | of the floor | CPU s | SDK alone: CPU s | aio-aws: CPU s | ratio "
          "| peak MiB | SDK alone: peak MiB | aio-aws: peak MiB | ratio |")
    print("| ---: " * 17 + "|")
    with tempfile.TemporaryDirectory() as folder:
        payloads = pathlib.Path(folder) / "payloads.jsonl"
        script = pathlib.Path(folder) / "aio_aws_client.py"
        script.write_text(AIO_AWS, encoding="utf-8")
        for calls in options.calls:
            write_payloads(payloads, calls)
            for concurrency in map(int, options.concurrency.split(",")):
                floor = LATENCY_MS / 1_000 * calls / concurrency
                command = [program, "invoke", FUNCTION, "--payloads", payloads, "--concurrency", concurrency]
                ours = run(command, env=env)
                bare = run([sdk, payloads, url, pathlib.Path(folder) / "answers", concurrency], env=env)
                theirs = run([python, script, calls, concurrency], env=env)
                ratio = ours.over(theirs)
                cells = [f"{calls:,}", concurrency, f"{floor:.1f}"]
                cells += [f"{wall:.2f}" for wall in (ours.wall_s, ours.wall_s / floor)]
                cells += [f"{wall:.2f}" for wall in (bare.wall_s, ours.wall_s / bare.wall_s)]
                cells += [f"{wall:.2f}" for wall in (theirs.wall_s, theirs.wall_s / floor)]
                cells += [f"{cpu:.2f}" for cpu in (ours.cpu_s, bare.cpu_s, theirs.cpu_s, ratio.cpu_s)]
                cells += [f"{mib:.0f}" for mib in (ours.peak_mib, bare.peak_mib, theirs.peak_mib)]
                cells.append(f"{ratio.peak_mib:.2f}")
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    server.stdin.close()
    server.wait()


if __name__ == "__main__":
    main()
