#!/usr/bin/env python3
"""A thousand processes, 64 at once, beside GNU parallel with its job log.

Each job is `true`. batchwright keeps every state of every job in a file that survives a sudden end of the machine; GNU
parallel writes a line a job when it has ended. CPU is that of the program and of all that it started, `true` included,
which alone is the third row: a shell that starts as many. The fourth is the floor of what an attempt is by its nature: `true`,
its four folders, and the files of its order and its output, made and removed by one process that does nothing else.

    python3 benches/parallel.py [--jobs 1000] [--at-once 64] [--times 5] [--within FOLDER] [--program BATCHWRIGHT]

With `--within /dev/shm` all files lie in memory, so that what is compared is the programs and not the file system.

GNU parallel is Debian's package `parallel`.
"""

import argparse
import ctypes
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from processes import release_program

PR_SET_CHILD_SUBREAPER = 36


def floor(jobs, at_once, folder):
    """Runs `true` in folders of its own, which are removed after it, some at once."""
    names, running = [f"{folder}/{number}" for number in range(jobs)], {}

    def reap():
        pid, status = os.wait()
        name = running.pop(pid)
        for file in ("order", "output"):
            os.unlink(f"{name}/{file}")
        for inner in ("work", "home", "tmp", ""):
            os.rmdir(f"{name}/{inner}")
        if status:
            sys.exit(f"true ended with {status}")

    for name in names:
        while len(running) >= at_once:
            reap()
        for inner in ("", "work", "home", "tmp"):
            os.mkdir(f"{name}/{inner}")
        with open(f"{name}/order", "wb") as order:
            order.write(b"x" * 700)
        output = os.open(f"{name}/output", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        streams = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
        running[os.posix_spawn("/bin/true", ["true"], {}, file_actions=streams)] = name
        os.close(output)
    while running:
        reap()


def take(command, env=None):
    """Wall and CPU seconds until the command and everything that it left behind has ended, and its exit code."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=env)
        process.wait()
        wall = time.perf_counter() - begun
        if process.returncode:
            said.seek(0)
            sys.exit(f"{command[0]} ended with {process.returncode}:\n{said.read().decode()[-2000:]}")
    # What it left behind has become this process's children.
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(options, program, folder):
    jobs = folder / "jobs.jsonl"
    with open(jobs, "w", encoding="utf-8") as file:
        for number in range(options.jobs):
            job = {"jobName": f"job-{number:06}", "jobQueue": "queue", "jobDefinition": "definition:1", "command": ["true"]}
            file.write(json.dumps(job) + "\n")
    yield "batchwright", [program, "run", jobs, "--local", "--vcpus", options.at_once, "--state-dir", folder / "state"], \
        lambda: json.loads(subprocess.check_output(
            [program, "status", "--local", "--state-dir", folder / "state", "--output", "json"]))["counts"]["SUCCEEDED"]
    log = folder / "log"
    yield "GNU parallel", ["parallel", "--will-cite", "--jobs", options.at_once, "--joblog", log, "true", ":::",
                           *range(options.jobs)], lambda: len(log.read_text().splitlines()) - 1
    yield "a shell's `true &`", ["sh", "-c", f"i=0; while [ $i -lt {options.jobs} ]; do /bin/true & i=$((i+1)); done; wait"], \
        lambda: options.jobs
    (folder / "floor").mkdir()
    yield "`true` in folders of its own", [sys.executable, "-SE", __file__, "--jobs", options.jobs, "--at-once", options.at_once,
                                           "--floor", folder / "floor"], lambda: options.jobs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--within", type=pathlib.Path, help="where all files lie; without it where temporary files do")
    parser.add_argument("--program", type=pathlib.Path, help="the program, built already")
    parser.add_argument("--floor", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        return floor(options.jobs, options.at_once, options.floor)
    if not shutil.which("parallel"):
        sys.exit("there is no `parallel`; it is a package of Debian's: apt-get install parallel")
    program = release_program("-p", "batchwright-cli", given=options.program)
    if options.within:
        # GNU parallel's files lie there, too.
        os.environ["TMPDIR"] = str(options.within)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    taken = {}
    for _ in range(options.times):
        with tempfile.TemporaryDirectory() as folder:
            for name, command, check in commands(options, program, pathlib.Path(folder)):
                taken.setdefault(name, []).append(take(command))
                if (done := check()) != options.jobs:
                    sys.exit(f"{name}: {done} of {options.jobs} jobs")
    theirs = statistics.median(cpu for _, cpu in taken["GNU parallel"])
    print(f"| {options.jobs:,} × `true`, {options.at_once} at once | CPU s: median of {options.times} | least | most "
          "| beside GNU parallel | wall s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, runs in taken.items():
        wall, cpu = zip(*runs, strict=True)
        middle = statistics.median(cpu)
        print(f"| {name} | {middle:.2f} | {min(cpu):.2f} | {max(cpu):.2f} | {middle / theirs:.2f} "
              f"| {statistics.median(wall):.2f} |")


if __name__ == "__main__":
    main()
