"""How long a function takes from its start to its first question for an event, beside a function in Python.

Each program is started with the environment that Lambda gives it, against a runtime API on this machine that never
answers. The peer is Python with boto3 (of aio-aws's environment), which makes the four clients that the submitter makes."""

import argparse
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile
import time

import processes

FUNCTIONS = ["submitter", "state-handler", "log-collector", "reconciler", "fan-out", "s3-serializer"]

PEER = """
import os, urllib.request, boto3
for service in ("batch", "dynamodb", "lambda", "s3"):
    boto3.client(service)
urllib.request.urlopen(f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/next")
"""


def environment(port, function):
    return {
        "_HANDLER": function,
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_LOG_GROUP_NAME": "group",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_SESSION_TOKEN": "none",
        "BATCHWRIGHT_ACCOUNT": "000000000000",
        "BATCHWRIGHT_BUCKET": "bucket",
        "BATCHWRIGHT_JOBS_TABLE": "jobs",
        "BATCHWRIGHT_RUNS_TABLE": "runs",
        "BATCHWRIGHT_SUBMITTER": "submitter",
        "BATCHWRIGHT_ALLOWED_BUCKETS": "bucket",
        "BATCHWRIGHT_FAN_OUT_TARGETS": "*",
    }


def started(function, command, listener):
    """Wall ms, CPU ms and the peak of the memory in MiB at the first question."""
    port = listener.getsockname()[1]
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment(port, function), stdout=said, stderr=said)
        try:
            asked, _ = listener.accept()
            request = asked.recv(4096)
            wall = time.perf_counter() - begun
            cpu_s, peak_mib = processes.so_far(process)
            asked.close()
        except TimeoutError:
            request = b""
        finally:
            process.kill()
            process.wait()
        if not request.startswith(b"GET /2018-06-01/runtime/invocation/next"):
            said.seek(0)
            raise SystemExit(f"{command} did not ask for an event: {request[:200]} {said.read()[-500:]}")
    return wall * 1e3, cpu_s * 1e3, peak_mib


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=21, help="starts of each program")
    parser.add_argument("--program", type=pathlib.Path, help="the functions' program, built already")
    parser.add_argument("--floor", action="store_true", help="build and start floors/start.rs too, which takes minutes")
    options = parser.parse_args()
    program = processes.functions_program(options.program)
    rows = {name: [program] for name in FUNCTIONS}
    if options.floor:
        rows["the SDK's clients and the runtime alone"] = [processes.floor_program("start-floor")]
    rows["Python with boto3"] = [processes.aio_aws_python(), "-c", PEER]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        taken = {name: [] for name in rows}
        for _ in range(options.times):
            for name, command in rows.items():
                taken[name].append(started(name, command, listener))
    print(f"| function | wall ms: median of {options.times} | least | most | CPU ms | peak MiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, starts in taken.items():
        wall, cpu, memory = zip(*starts, strict=True)
        figures = [statistics.median(wall), min(wall), max(wall), statistics.median(cpu), statistics.median(memory)]
        print(f"| {name} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |")


if __name__ == "__main__":
    main()
