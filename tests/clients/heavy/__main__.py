"""Clients of AWS Batch that weigh too much for CI, each in a venv of its own, against `batchwright serve --local`.

    python3 tests/clients/heavy [CLIENT …]

S3, which redun's script tasks, Snakemake and Metaflow need beside Batch, is moto's. Exits with 1 if a client fails.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLIENTS = ("redun", "airflow", "luigi", "snakemake", "metaflow")


def venv(name):
    """The binaries of a venv with the requirements of that name, made anew when they have changed."""
    folder = ROOT / ".venv" / name
    wanted = (ROOT / "tests/requirements" / f"{name}.txt").read_text()
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        requirements = ROOT / "tests/requirements" / f"{name}.txt"
        subprocess.run([folder / "bin/pip", "install", "--quiet", "--requirement", requirements], check=True)
        installed.write_text(wanted)
    return folder / "bin"


def moto():
    """moto's S3 on a port of the system's, and its address."""
    command = [venv("heavy-moto") / "moto_server", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            # It logs each request, and stops where nobody reads that.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, found.group()
    raise SystemExit("moto does not start")


def serve(state, s3, client):
    """The endpoint on a state folder, whose jobs find S3, the client's programs and the AWS CLI, and its address."""
    path = f"{venv(client)}:{venv('aws-cli')}:{os.environ['PATH']}"
    command = [ROOT / "target/debug/batchwright", "serve", "--local", "--vcpus", "8", "--queue", "q"]
    command += ["--state-dir", state, "--env", f"AWS_ENDPOINT_URL_S3={s3}"]
    environment = {**os.environ, "PATH": path}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    return process, process.stdout.readline().strip()


def run(client, scratch, s3):
    """Runs a client's script on an endpoint of its own."""
    endpoint, url = serve(pathlib.Path(scratch) / "state", s3, client)
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        # Whatever a client asks for besides, it never reaches AWS.
        "AWS_ENDPOINT_URL": s3,
        "AWS_ENDPOINT_URL_S3": s3,
        "AWS_ENDPOINT_URL_BATCH": url,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": url,
        "AIRFLOW_HOME": scratch,
    }
    command = [venv(client) / "python", pathlib.Path(__file__).with_name(f"run_{client}.py")]
    try:
        return subprocess.run(command, env=environment, cwd=scratch, capture_output=True, text=True)
    finally:
        endpoint.terminate()
        endpoint.wait()


def main(wanted):
    subprocess.run(["cargo", "build", "--workspace", "--bins", "--locked", "--quiet"], cwd=ROOT, check=True)
    storage, s3 = moto()
    failed = []
    try:
        for client in wanted or CLIENTS:
            with tempfile.TemporaryDirectory() as scratch:
                ended = run(client, scratch, s3)
            if ended.returncode == 0:
                print(ended.stdout.strip().splitlines()[-1])
            else:
                failed.append(client)
                print(f"{client} FAILED\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}")
    finally:
        storage.terminate()
        storage.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
