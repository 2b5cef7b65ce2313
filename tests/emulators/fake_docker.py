"""A Docker engine whose containers are child processes of this machine: what moto's Batch asks of one.

Usage: fake_docker.py PORT

Images are not looked at. A container's command runs as it stands, with the container's environment.
"""

import datetime
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

CONTAINERS = {}
STREAMS = {"stdout": 1, "stderr": 2}


class Container:
    def __init__(self, name, config):
        self.id = uuid.uuid4().hex
        self.name = name
        self.config = config
        self.process = None
        self.lines = []
        self.readers = []

    def start(self):
        command = (self.config.get("Entrypoint") or []) + (self.config.get("Cmd") or [])
        given = dict(pair.split("=", 1) for pair in self.config.get("Env") or [])
        self.process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        for name in STREAMS:
            reader = threading.Thread(target=self.read, args=(name,), daemon=True)
            reader.start()
            self.readers.append(reader)

    def read(self, name):
        for line in getattr(self.process, name):
            self.lines.append((name, datetime.datetime.now(datetime.timezone.utc), line))

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def exit_code(self):
        code = self.process.wait() if self.process else 0
        return code if code >= 0 else 128 - code

    def kill(self):
        if self.is_running():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def log(self, wanted):
        """Each line behind a header of eight bytes, as Docker multiplexes the two streams."""
        if not self.is_running():
            for reader in self.readers:
                reader.join()
        body = b""
        for name, moment, line in list(self.lines):
            if name in wanted:
                # moto passes a fraction of a millisecond on, which no client of CloudWatch Logs takes.
                stamped = moment.strftime("%Y-%m-%dT%H:%M:%S.000000000Z ").encode() + line
                body += struct.pack(">BxxxI", STREAMS[name], len(stamped)) + stamped
        return body

    def describe(self):
        running = self.is_running()
        status = "created" if self.process is None else "running" if running else "exited"
        state = {"Status": status, "Running": running, "ExitCode": 0 if running else self.exit_code()}
        return {
            "Id": self.id,
            "Name": "/" + self.name,
            "State": state,
            "Config": self.config,
            "Image": "sha256:0",
            "NetworkSettings": {"IPAddress": "127.0.0.1", "Networks": {}},
        }


class Engine(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value=None, raw=None):
        body = raw if raw is not None else b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if raw is None else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def route(self):
        url = urlsplit(self.path)
        path, query = re.sub(r"^/v\d+\.\d+", "", url.path), parse_qs(url.query)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/version":
            return self.answer(200, {"Version": "27.0.0", "ApiVersion": "1.44", "MinAPIVersion": "1.24"})
        if path.startswith("/images/"):
            return self.answer(200, {"Id": "sha256:0", "RepoTags": [], "Config": {}})
        if path == "/containers/create":
            container = Container(query.get("name", ["unnamed"])[0], json.loads(body))
            CONTAINERS[container.id] = container
            return self.answer(201, {"Id": container.id, "Warnings": []})
        found = re.fullmatch(r"/containers/(\w+)(?:/(\w+))?", path)
        container = found and CONTAINERS.get(found[1])
        if not container:
            return self.answer(404, {"message": f"no route for {self.command} {path}"})
        return self.act(container, found[2], query)

    def act(self, container, action, query):
        if action == "start":
            try:
                container.start()
            except OSError as error:
                return self.answer(400, {"message": f"OCI runtime create failed: {error}"})
            return self.answer(204)
        if action == "json":
            return self.answer(200, container.describe())
        if action == "wait":
            return self.answer(200, {"StatusCode": container.exit_code()})
        if action in ("kill", "stop"):
            container.kill()
            return self.answer(204)
        if action == "logs":
            wanted = [name for name in STREAMS if query.get(name, ["0"])[0] in ("1", "True", "true")]
            return self.answer(200, raw=container.log(wanted))
        if action is None and self.command == "DELETE":
            CONTAINERS.pop(container.id, None)
            return self.answer(204)
        return self.answer(404, {"message": f"no action {action}"})

    do_GET = do_POST = do_DELETE = route


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Engine).serve_forever()
