#!/usr/bin/env python3
"""What `batchwright invoke` and others do when Lambda has no room, an answer is lost, an item is slow, or they are killed.

Each client invokes the same items at the tests' Lambda endpoint (`tests/src/fake_lambda.rs`), with its defaults:

room    the function has room for a quarter of what is asked of it at once
none    it has no room at all for the first 30 seconds
lost    every connection is closed after the function ran
slow    one item takes 10 seconds, the others 50 ms each
kill    the client gets SIGKILL when a quarter of the items has run, and is started again

boto3 invokes from a pool of threads by `map`, aiobotocore from tasks, lithops by its backend's own `invoke` from a pool of threads
(its functions and its storage are left out), xargs by a process of the AWS CLI an item. The items of xargs are fewer,
because each costs a start of Python.

    python3 benches/fates.py [CLIENT ...]        default: batchwright boto3 aiobotocore lithops xargs

The others are installed into .venv where they are missing.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

from processes import ROOT, aio_aws_python, aws_environment, python_of

BIN = ROOT / "target" / "debug"
LIMIT_SECONDS = 240

# Each prints a line `index status` when a result is handed out.
BOTO3 = """
import concurrent.futures, json, sys, boto3
from botocore.config import Config
items, places = [line for line in open(sys.argv[1])], int(sys.argv[2])
client = boto3.client("lambda", config=Config(max_pool_connections=places))
def invoke(item):
    try:
        answer = client.invoke(FunctionName="task", Payload=item.strip())
        answer["Payload"].read()
        return "ok"
    except Exception as error:
        return type(error).__name__
with concurrent.futures.ThreadPoolExecutor(places) as pool:
    for index, status in enumerate(pool.map(invoke, items)):
        print(index, status, flush=True)
"""

AIOBOTOCORE = """
import asyncio, sys
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
items, places = [line for line in open(sys.argv[1])], int(sys.argv[2])
async def main():
    room = asyncio.Semaphore(places)
    async with get_session().create_client("lambda", config=AioConfig(max_pool_connections=places)) as client:
        async def invoke(index, item):
            async with room:
                try:
                    answer = await client.invoke(FunctionName="task", Payload=item.strip())
                    await answer["Payload"].read()
                    print(index, "ok", flush=True)
                except Exception as error:
                    print(index, type(error).__name__, flush=True)
        await asyncio.gather(*(invoke(*item) for item in enumerate(items)))
asyncio.run(main())
"""

LITHOPS = """
import concurrent.futures, json, os, sys
import botocore.session
from botocore.httpsession import URLLib3Session
from lithops.serverless.backends.aws_lambda.aws_lambda import AWSLambdaBackend
items, places = [json.loads(line) for line in open(sys.argv[1])], int(sys.argv[2])
class Session(URLLib3Session):
    # It knows AWS's own host alone.
    def send(self, request):
        request.url = request.url.replace("https://lambda.example", os.environ["AWS_ENDPOINT_URL"])
        return super().send(request)
backend = object.__new__(AWSLambdaBackend)
backend.host, backend.region, backend.user_agent = "lambda.example", "eu-west-1", "lithops"
backend.credentials, backend.session = botocore.session.get_session().get_credentials(), Session()
backend._format_function_name = lambda *_: "task"
def invoke(index):
    try:
        backend.invoke("runtime", 256, items[index])
        print(index, "ok", flush=True)
    except Exception as error:
        print(index, type(error).__name__, flush=True)
with concurrent.futures.ThreadPoolExecutor(places) as pool:
    list(pool.map(invoke, range(len(items))))
"""

XARGS = """
number=0
while read -r line; do printf '%s\\0' "$number" "$line"; number=$((number + 1)); done < "$1" |
    xargs -0 -n 2 -P "$2" sh -c 'if "$AWS" lambda invoke --function-name task \
        --payload "$1" /dev/null > /dev/null 2>&1; then echo "$0 ok"; else echo "$0 failed"; fi'
"""


class Endpoint:
    """The tests' Lambda."""

    def __init__(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([BIN / "fake-lambda"], stdin=pipe, stdout=pipe, text=True, bufsize=1)
        self.url = self.process.stdout.readline().strip()

    def set_room(self, room):
        self.process.stdin.write(f"room {room}\n")

    def seen(self):
        self.process.stdin.write("seen\n")
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def clients(folder):
    """Name, command of a list and so many places, how many items and places it gets."""
    def script(name, text):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path
    tools = python_of("fates", ROOT / "benches" / "fates.txt")
    aws = python_of("awscli", ROOT / "benches" / "awscli.txt").with_name("aws")
    boto3, aio = script("boto3_client.py", BOTO3), script("aio_client.py", AIOBOTOCORE)
    lithops, xargs = script("lithops_client.py", LITHOPS), script("xargs.sh", XARGS)
    program = [BIN / "batchwright", "invoke", "task"]
    return {
        "batchwright": (lambda items, places: [*program, "--payloads", items, "--concurrency", places,
                                               "--results", items.with_name("results.jsonl")], 400, 64),
        "boto3": (lambda items, places: [tools, boto3, items, places], 400, 64),
        "aiobotocore": (lambda items, places: [aio_aws_python(), aio, items, places], 400, 64),
        "lithops": (lambda items, places: [tools, lithops, items, places], 400, 64),
        "xargs": (lambda items, places: ["env", f"AWS={aws}", "sh", xargs, items, places], 40, 8),
    }


def write_items(path, count, acts):
    lines = (json.dumps({"id": number, "do": acts(number)}) for number in range(count))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Running:
    """A client that runs, and when its results came."""

    def __init__(self, command, url):
        self.began, self.results, self.times = time.monotonic(), {}, []
        env = aws_environment(AWS_ENDPOINT_URL=url)
        self.process = subprocess.Popen(list(map(str, command)), env=env, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            index, status = line.split()
            self.results[int(index)] = status
            self.times.append(time.monotonic() - self.began)

    def end(self):
        """How long it took; `None` where it does not end by itself."""
        try:
            self.process.wait(LIMIT_SECONDS)
            took = time.monotonic() - self.began
        except subprocess.TimeoutExpired:
            self.kill()
            took = None
        self.reader.join()
        return took

    def kill(self):
        # With all that it has started: a person who kills xargs means its processes too.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def lost_items(client, running, folder, count):
    """Items without a success."""
    if client != "batchwright":
        return count - sum(status == "ok" for status in running.results.values())
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return count - sum(json.loads(line)["outcome"] == "SUCCEEDED" for line in lines)


def scene(name, client, command, count, places, folder):
    endpoint = Endpoint()
    items = folder / "items.jsonl"
    (folder / "results.jsonl").unlink(missing_ok=True)
    (folder / "results.jsonl.journal").unlink(missing_ok=True)
    after = []
    if name == "room":
        write_items(items, count, lambda _: ["ok:50"])
        endpoint.set_room(places // 4)
    elif name == "none":
        count //= 4
        write_items(items, count, lambda _: ["ok:50"])
        endpoint.set_room(0)
        after = [threading.Timer(30, lambda: endpoint.set_room(places))]
    elif name == "lost":
        count //= 20
        write_items(items, count, lambda _: ["cut-after"])
    elif name == "slow":
        write_items(items, count, lambda number: ["ok:10000" if number == 0 else "ok:50"])
    else:
        write_items(items, count, lambda _: ["ok:100"])
    for timer in after:
        timer.start()
    running = Running(command(items, places), endpoint.url)
    if name == "kill":
        while len(endpoint.seen()["ran"]) < count // 4:
            time.sleep(0.02)
        running.kill()
        running.reader.join()
        running = Running(command(items, places), endpoint.url)
    took = running.end()
    for timer in after:
        timer.cancel()
    seen = endpoint.seen()
    endpoint.stop()
    runs = seen["ran"].values()
    took = "never" if took is None else f"{took:.1f}"
    cells = [name, client, count, places, took, seen["requests"], seen["refused"], sum(n > 1 for n in runs),
             max(runs, default=0), lost_items(client, running, folder, count)]
    early = sum(at < 9 for at in running.times) if name == "slow" and client != "batchwright" else ""
    print("| " + " | ".join(map(str, [*cells, early])) + " |", flush=True)


def main():
    subprocess.run(["cargo", "build", "--workspace", "--bins", "--locked", "--quiet"], cwd=ROOT, check=True)
    print("| scene | client | items | at once | wall s | calls | refused | ran twice or more | most runs of an item "
          "| without success | handed out in the first 9 s |")
    print("| --- | --- " + "| ---: " * 9 + "|")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        known = clients(folder)
        for name in ("room", "none", "lost", "slow", "kill"):
            for client in sys.argv[1:] or known:
                command, count, places = known[client]
                scene(name, client, command, count, places, folder)


if __name__ == "__main__":
    main()
