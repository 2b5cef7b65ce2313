"""What the measurements share: programs to run, and what a run of one took."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target" / "release"


class Taken(typing.NamedTuple):
    """What a process took, by the kernel's own accounting."""

    wall_s: float
    cpu_s: float
    peak_mib: float

    def over(self, other):
        """How often the other goes into this one, figure by figure."""
        return Taken(*(mine / its for mine, its in zip(self, other, strict=True)))


# Programs that are built already: benches/all.py builds each once for all scripts.
PROGRAM, FUNCTIONS = "BATCHWRIGHT_BENCH_PROGRAM", "BATCHWRIGHT_BENCH_FUNCTIONS"


def release_program(*build, given=None):
    """The program that was given; else the release program, built with more arguments for cargo than the usual ones."""
    if "batchwright-cli" in build:
        given = given or os.environ.get(PROGRAM)
    if given:
        return pathlib.Path(given)
    command = ["cargo", "build", "--release", "--locked", "--quiet", *build]
    subprocess.run(command, cwd=ROOT, check=True)
    return RELEASE / "batchwright"


def functions_program(given=None):
    """The program of all functions that was given; else the release program of this machine's own kind."""
    given = given or os.environ.get(FUNCTIONS)
    return pathlib.Path(given) if given else release_program("-p", "batchwright-bootstrap").with_name("bootstrap")


def floor_program(name):
    """A release program of benches/floors."""
    return release_program("-p", "batchwright-floors").with_name(name)


def python_of(name, requirements):
    """The Python of an environment that has what a file names, which is installed where it is missing."""
    venv = ROOT / ".venv" / name
    installed = venv / "installed.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", requirements]
        constraints = requirements.with_suffix(".constraints")
        env = {**os.environ, "PIP_CONSTRAINT": str(constraints)} if constraints.exists() else None
        subprocess.run(pip, check=True, env=env)
        installed.write_text(requirements.read_text())
    return venv / "bin" / "python"


def aio_aws_python():
    """The Python of the environment that has aio-aws."""
    return python_of("aio-aws", ROOT / "tests" / "requirements" / "aio-aws.txt")


def peers_python():
    """The Python of the environment that has obstore, and beside it the program s5cmd."""
    return python_of("peers", ROOT / "benches" / "peers.txt")


def aws_environment(**more):
    """An environment in which an AWS client finds credentials, a Region, and nothing of this machine's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "NO_PROXY": "127.0.0.1", "LOG_LEVEL": "ERROR",
    } | more


def so_far(process):
    """What a process that runs has taken: CPU seconds, and the peak of its memory in MiB."""
    proc = pathlib.Path("/proc") / str(process.pid)
    cpu_s = int((proc / "schedstat").read_text().split()[0]) / 1e9
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return cpu_s, int(status["VmHWM"].split()[0]) / 1024


def run(command, codes=(0,), env=None, stdin=None, stdout=None):
    """Runs a command to its end; ends this process where the exit code is none of `codes`."""
    with open(stdin or os.devnull, "rb") as read, open(stdout or os.devnull, "wb") as written, \
            tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(list(map(str, command)), env=env, stdin=read, stdout=written, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            said.seek(0)
            sys.exit(f"{command[0]} ended with {process.returncode}:\n{said.read().decode()[-2000:]}")
    return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
