#!/usr/bin/env python3
"""`batchwright invoke` beside aio-aws's `run_lambda_functions`, against a Lambda of fixed latency.

Builds the release program and a loopback endpoint that answers every `Invoke` after 100 ms, lets both
clients make the same calls at the same concurrency, one after the other, and prints wall time beside the
floor (latency x calls / concurrency), CPU seconds and peak memory of each, as ratios.

    python3 benches/invoke.py [CALLS ...]        default: 1000 10000; --concurrency 10,40,200

aio-aws is taken from .venv/aio-aws, which the tests install.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target" / "release"
PYTHON = ROOT / ".venv" / "aio-aws" / "bin" / "python"
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


def environment(endpoint_url):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": endpoint_url, "AWS_EC2_METADATA_DISABLED": "true",
        "LOG_LEVEL": "ERROR",
    }


def measured(args, env):
    """Wall seconds, CPU seconds and peak MiB of one process, by the kernel's own accounting."""
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(args, env=env, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{args[0]} ended with {process.returncode}:\n{said.read().decode()[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_payloads(path, calls):
    with open(path, "w", encoding="utf-8") as file:
        for number in range(calls):
            file.write(json.dumps({"item": number}) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calls", nargs="*", type=int, default=[1_000, 10_000])
    parser.add_argument("--concurrency", default="10,40,200")
    options = parser.parse_args()
    build = ["cargo", "build", "--release", "--locked", "--quiet"]
    subprocess.run([*build, "-p", "batchwright-cli", "--features", "aws"], cwd=ROOT, check=True)
    subprocess.run([*build, "-p", "batchwright-tests", "--bin", "fixed-latency-lambda"], cwd=ROOT, check=True)
    server = subprocess.Popen([RELEASE / "fixed-latency-lambda", str(LATENCY_MS)], stdout=subprocess.PIPE,
                              stdin=subprocess.PIPE, text=True)
    env = environment(server.stdout.readline().strip())
    print("| calls | at once | floor s | wall s | of the floor | aio-aws: wall s | of the floor "
          "| CPU s | aio-aws: CPU s | ratio | peak MiB | aio-aws: peak MiB | ratio |")
    print("| ---: " * 13 + "|")
    with tempfile.TemporaryDirectory() as folder:
        payloads = pathlib.Path(folder) / "payloads.jsonl"
        script = pathlib.Path(folder) / "aio_aws_client.py"
        script.write_text(AIO_AWS, encoding="utf-8")
        for calls in options.calls:
            write_payloads(payloads, calls)
            for concurrency in map(int, options.concurrency.split(",")):
                floor = LATENCY_MS / 1_000 * calls / concurrency
                ours = measured([RELEASE / "batchwright", "invoke", FUNCTION, "--payloads", payloads,
                                 "--concurrency", str(concurrency)], env)
                theirs = measured([PYTHON, script, str(calls), str(concurrency)], env)
                cells = [f"{calls:,}", concurrency, f"{floor:.1f}", f"{ours[0]:.2f}", f"{ours[0] / floor:.2f}",
                         f"{theirs[0]:.2f}", f"{theirs[0] / floor:.2f}", f"{ours[1]:.2f}", f"{theirs[1]:.2f}",
                         f"{ours[1] / theirs[1]:.2f}", f"{ours[2]:.0f}", f"{theirs[2]:.0f}",
                         f"{ours[2] / theirs[2]:.2f}"]
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    server.stdin.close()
    server.wait()


if __name__ == "__main__":
    main()
