#!/usr/bin/env python3
"""How often a job is submitted when its submitter is killed, or the answer of SubmitJob is lost.

The same jobs go through aio-aws (with its jobs-db) and through batchwright (its adapter for AWS Batch, its
use cases and a SQLite state, in `tests/src/bin/batch-submitter.rs`) to an endpoint of this machine,
`batchwright serve --local`, which runs them. A proxy between them does the damage:

killed   the submitter gets SIGKILL after a SubmitJob took effect and before it has the answer
lost     the connection is closed after a SubmitJob took effect, for every third job, once a job
refused  for comparison: every third job's first SubmitJob is answered 429, without effect

In each scenario the tool is started again until a start ends by itself. Then the endpoint's own books are
read: every submission of every name.

    python3 benches/once.py [--jobs 30] [--kills 3] [--json]
"""

import argparse
import collections
import http.client
import http.server
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse

from processes import ROOT, aio_aws_python

BIN = ROOT / "target" / "debug"
STARTS_MAX = 20
START_LIMIT_SECONDS = 300
# A claim of batchwright's, shortened from five minutes: the reconciler's turn comes after twice as long.
CLAIM_MS = 4_000


class Endpoint:
    """`batchwright serve --local` in a folder of its own, and its books."""

    def __init__(self, folder):
        command = [BIN / "batchwright", "serve", "--local", "--port", "0", "--output", "json"]
        command += ["--state-dir", folder / "state"]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        self.address = urllib.parse.urlsplit(json.loads(self.process.stdout.readline())["endpointUrl"]).netloc

    def ask(self, path, body, headers=None):
        """Status, headers and body of an answer."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request("POST", path, body, headers or {"Content-Type": "application/json"})
        answer = connection.getresponse()
        result = answer.status, answer.getheaders(), answer.read()
        connection.close()
        return result

    def submissions(self, name):
        filters = [{"name": "JOB_NAME", "values": [name]}]
        body = json.dumps({"jobQueue": "q", "filters": filters})
        return len(json.loads(self.ask("/v1/listjobs", body)[2])["jobSummaryList"])

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Proxy:
    """Passes requests on. `damage(name, number)` says what becomes of a name's n-th SubmitJob."""

    def __init__(self, endpoint, damage):
        self.seen, self.client, self.lock = collections.Counter(), None, threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                what = None
                if self.path == "/v1/submitjob":
                    with proxy.lock:
                        name = json.loads(body)["jobName"]
                        proxy.seen[name] += 1
                        what = damage(name, proxy.seen[name])
                if what == "refuse":
                    return self.answer(429, [("x-amzn-errortype", "TooManyRequestsException")], b"{}")
                status, headers, content = endpoint.ask(self.path, body, dict(self.headers))
                if what == "kill":
                    proxy.client.send_signal(signal.SIGKILL)
                    proxy.client.wait()
                if what in ("kill", "close"):
                    self.close_connection = True
                    return None
                return self.answer(status, headers, content)

            def answer(self, status, headers, content):
                self.send_response(status)
                for header, value in headers:
                    if header.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                        self.send_header(header, value)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = True

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client was killed

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def damage_of(scenario, jobs, kills):
    """What the proxy does in a scenario. A kill comes once at each of a few jobs, spread over the file."""
    marked = {f"once-{number}" for number in range(0, jobs, 3)}
    spread = {f"once-{jobs * (turn + 1) // (kills + 1)}" for turn in range(kills)}

    def damage(name, number):
        if number > 1:
            return None
        if scenario == "killed":
            return "kill" if name in spread else None
        return ("close" if scenario == "lost" else "refuse") if name in marked else None

    return damage


def measured(scenario, tool, jobs, kills, python):
    with tempfile.TemporaryDirectory() as text:
        folder = pathlib.Path(text)
        endpoint = Endpoint(folder)
        proxy = Proxy(endpoint, damage_of(scenario, jobs, kills))
        try:
            starts = run_until_it_ends(tool, proxy, folder, jobs, python)
            made = [endpoint.submissions(f"once-{number}") for number in range(jobs)]
        finally:
            proxy.stop()
            endpoint.stop()
    return {
        "scenario": scenario, "tool": tool, "jobs": jobs, "starts": starts,
        "requests": sum(proxy.seen.values()), "submissions": sum(made),
        "duplicates": sum(max(count - 1, 0) for count in made), "lost": made.count(0),
    }


def run_until_it_ends(tool, proxy, folder, jobs, python):
    """Starts the tool until it ends by itself, and once more. Returns how often it was started."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {"AWS_ENDPOINT_URL": proxy.url, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    if tool == "batchwright":
        file = folder / "jobs.jsonl"
        lines = [{"jobName": f"once-{number}", "jobQueue": "q", "jobDefinition": "d", "command": ["true"]}
                 for number in range(jobs)]
        file.write_text("\n".join(map(json.dumps, lines)))
        command = [BIN / "batch-submitter", folder / "state.db", proxy.url, file, str(CLAIM_MS)]
    else:
        command = [python, ROOT / "tests" / "clients" / "once_aio_aws.py", folder / "aio", str(jobs)]
    by_itself = 0
    for start in range(1, STARTS_MAX + 1):
        with open(folder / f"{tool}.log", "ab") as log:
            proxy.client = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
            code = proxy.client.wait(START_LIMIT_SECONDS)
        if code not in (0, -signal.SIGKILL):
            sys.exit(f"{tool} ended with {code}:\n{(folder / f'{tool}.log').read_text()[-2000:]}")
        by_itself += code == 0
        if by_itself == 2:
            return start
    sys.exit(f"{tool} never ended by itself in {STARTS_MAX} starts")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=30)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="an array of objects instead of a table")
    args = parser.parse_args()
    subprocess.run(["cargo", "build", "--workspace", "--bins", "--locked", "--quiet"], cwd=ROOT, check=True)
    python = aio_aws_python()
    columns = ["scenario", "tool", "jobs", "starts", "requests", "submissions", "duplicates", "lost"]
    if not args.json:
        print("| " + " | ".join(columns) + " |")
        print("| --- | --- |" + " ---: |" * (len(columns) - 2), flush=True)
    rows = []
    for scenario in ["killed", "lost", "refused"]:
        for tool in ["aio-aws 0.22.1", "batchwright"]:
            rows.append(measured(scenario, tool, args.jobs, args.kills, python))
            if not args.json:
                print("| " + " | ".join(str(rows[-1][column]) for column in columns) + " |", flush=True)
    if args.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
