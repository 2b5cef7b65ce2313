#!/usr/bin/env python3
"""Time and peak memory of `batchwright run` by the number of jobs in the file.

Builds the release program, writes JSON Lines files of one-line jobs, runs each on the simulated
engine (nothing is executed, time is virtual, state lies in SQLite), and prints a table in which every
size stands beside the smallest: flat memory is a ratio near 1, linear time a ratio near the sizes'.

    python3 benches/scale.py [JOBS ...]        default: 1000 10000 100000
"""

import json
import pathlib
import sys
import tempfile

from processes import release_program, run

SOME_FAILED = 1


def write_jobs(path, count):
    with open(path, "w", encoding="utf-8") as file:
        for number in range(count):
            job = {"jobName": f"job-{number:07}", "jobQueue": "queue", "jobDefinition": "definition:1",
                   "command": ["true"]}
            file.write(json.dumps(job) + "\n")


def main():
    sizes = sorted(int(text) for text in sys.argv[1:]) or [1_000, 10_000, 100_000]
    program = release_program("-p", "batchwright-cli")
    print("| jobs | wall s | CPU s | peak MiB | jobs ratio | wall ratio | memory ratio | again: wall s | again: peak MiB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    first = None
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "jobs.jsonl"
            write_jobs(path, size)
            command = [program, "run", path, "--local", "--simulate", "--state-dir", f"{folder}/state"]
            wall, cpu, peak = run(command, (0, SOME_FAILED))
            again_wall, _, again_peak = run(command, (0, SOME_FAILED))
        first = first or (size, wall, peak)
        ratios = f"{size / first[0]:.0f} | {wall / first[1]:.1f} | {peak / first[2]:.2f}"
        print(f"| {size:,} | {wall:.1f} | {cpu:.1f} | {peak:.0f} | {ratios} | {again_wall:.1f} | {again_peak:.0f} |",
              flush=True)


if __name__ == "__main__":
    main()
