#!/usr/bin/env python3
"""Time and peak memory of `batchwright run` by the number of jobs in the file.

Builds the release program, writes JSON Lines files of one-line jobs, runs each on the simulated
engine (nothing is executed, time is virtual, state lies in SQLite), and prints a table in which every
size stands beside the smallest: flat memory is a ratio near 1, linear time a ratio near the sizes'.

    python3 benches/scale.py [JOBS ...]        default: 1000 10000 100000
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target" / "release" / "batchwright"


def write_jobs(path, count):
    with open(path, "w", encoding="utf-8") as file:
        for number in range(count):
            job = {"jobName": f"job-{number:07}", "jobQueue": "queue", "jobDefinition": "definition:1",
                   "command": ["true"]}
            file.write(json.dumps(job) + "\n")


def run(args):
    """Wall seconds, CPU seconds and peak MiB of one process, by the kernel's own accounting."""
    started = time.monotonic()
    process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):  # 1: some simulated jobs failed
        sys.exit(f"{' '.join(map(str, args))} ended with {code}:\n{errors.decode()[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    sizes = sorted(int(text) for text in sys.argv[1:]) or [1_000, 10_000, 100_000]
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    print("| jobs | wall s | CPU s | peak MiB | jobs ratio | wall ratio | memory ratio | again: wall s | again: peak MiB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    first = None
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "jobs.jsonl"
            write_jobs(path, size)
            command = [PROGRAM, "run", path, "--local", "--simulate", "--state-dir", f"{folder}/state"]
            wall, cpu, peak = run(command)
            again_wall, _, again_peak = run(command)
        first = first or (size, wall, peak)
        ratios = f"{size / first[0]:.0f} | {wall / first[1]:.1f} | {peak / first[2]:.2f}"
        print(f"| {size:,} | {wall:.1f} | {cpu:.1f} | {peak:.0f} | {ratios} | {again_wall:.1f} | {again_peak:.0f} |",
              flush=True)


if __name__ == "__main__":
    main()
