#!/usr/bin/env python3
"""All measurements by one command: what `just bench` runs.

Builds the release programs once, runs each script of this folder several times, and keeps of every figure the median, the
least and the most: printed, and in docs/benchmarks/<name>.json. Draws docs/benchmarks/growth.svg of the figures of
scale.py. At the end stands the table of what is to be reached. A peer that is missing is installed where a script can, and
named where it can't; its script is left out then.

    python3 benches/all.py [--times 5] [--quick] [--only NAME,...]
"""

import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

import growth
from processes import FUNCTIONS, PROGRAM, ROOT, functions_program, release_program

HERE = pathlib.Path(__file__).resolve().parent
KEPT = ROOT / "docs" / "benchmarks"
NUMBER = re.compile(r"^-?[\d,]*\.?\d+(?= |$)")

# A name, its script and arguments, those of a quick look, and runs of it: what takes minutes, or takes medians itself, runs once.
PARTS = [
    ("start", ["start.py", "--times", "11", "--floor"], ["--times", "5"], 1),
    ("parallel", ["parallel.py"], ["--times", "1", "--jobs", "200"], 1),
    ("parallel_in_memory", ["parallel.py", "--within", "/dev/shm"], None, 1),
    ("state_handler", ["state_handler.py"], ["--times", "1", "--events", "2000"], 1),
    ("submitter", ["submitter.py"], ["1000"], 1),
    ("lists", ["lists.py"], ["--times", "1", "--jobs", "500"], 1),
    ("scale", ["scale.py", "1000", "10000", "100000"], ["100", "1000"], None),
    ("million", ["scale.py", "1000000"], None, 1),
    ("invoke", ["invoke.py", "--concurrency", "200"], ["--concurrency", "200", "1000"], None),
    ("beside", ["beside.py"], None, 1),
]

# What is to be reached: a script, its table, the text in the first columns, the column, and the most (or the least).
GOALS = [
    ("exec → first question, six functions", "start", "submitter", "wall ms", 6, "most"),
    ("its memory, MiB", "start", "submitter", "peak MiB", 9, "most"),
    ("1,000 × true, 64 at once, beside GNU parallel", "parallel", "batchwright", "beside GNU parallel", 1 / 3, "most"),
    ("the same, all files in memory", "parallel_in_memory", "batchwright", "beside GNU parallel", 1 / 3, "most"),
    ("state handler, events a CPU second", "state_handler", "20,000", "events a CPU second: median", 2_000, "least"),
    ("10,000 jobs simulated, CPU s", "scale", "10,000", "CPU s", 2, "most"),
    ("1,000,000 jobs simulated, wall s", "million", "1,000,000", "wall s", 240, "most"),
    ("submitter of 100,000 jobs, peak MiB", "submitter", "100,000", "peak MiB", 64, "most"),
    ("status --stack of 5,000 jobs, s", "lists", "status", "wall s", 0.3, "most"),
    ("jobs --stack of 5,000 jobs, s", "lists", "jobs", "wall s", 1, "most"),
    ("HEAD of 9,015, 40 at once, CPU s", "beside", "9,015 objects batchwright, 40 at once", "CPU s", 0.5, "most"),
    ("1,000 invocations at 200, of the floor", "invoke", "1,000 200", "of the floor", 1.1, "most"),
    ("1,000 invocations at 200, of the SDK alone", "invoke", "1,000 200", "of the SDK alone", 1.1, "most"),
    ("10,000 invocations at 200, of the floor", "invoke", "10,000 200", "of the floor", 1.1, "most"),
]


def tables(text):
    """The tables of what a script printed: each a header and rows."""
    found, table = [], None
    for line in text.splitlines() + [""]:
        if not line.startswith("|"):
            table = None
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if table is None:
            table = (cells, [])
            found.append(table)
        elif not all(set(cell) <= set("-: ") for cell in cells):
            table[1].append(cells)
    return found


def number(cell):
    match = NUMBER.match(cell)
    return float(match.group().replace(",", "")) if match else None


def together(runs):
    """Of the same tables of several runs: each cell's text, or the median, least and most of its numbers."""
    merged = []
    for same in zip(*runs, strict=True):
        header = same[0][0]
        rows = []
        for cells in zip(*[rows for _, rows in same], strict=True):
            row = []
            for texts in zip(*cells, strict=True):
                numbers = [number(text) for text in texts]
                if len(set(texts)) == 1 or None in numbers:
                    row.append(texts[0])
                else:
                    row.append({"median": statistics.median(numbers), "least": min(numbers), "most": max(numbers)})
            rows.append(row)
        merged.append({"header": header, "rows": rows})
    return merged


def shown(cell):
    if isinstance(cell, str):
        return cell
    return f"{cell['median']:.4g} ({cell['least']:.4g}–{cell['most']:.4g})"


def value(cell):
    return cell["median"] if isinstance(cell, dict) else number(cell)


def goals(kept):
    print("## What is to be reached\n\n| work | median | least | most | to reach | |\n| --- | ---: | ---: | ---: | ---: | --- |")
    for work, part, row, column, bound, way in GOALS:
        for table in kept.get(part, []):
            at = [place for place, name in enumerate(table["header"]) if name.startswith(column)][:1]
            for cells in table["rows"]:
                if at and " ".join(map(shown, cells)).startswith(row):
                    cell = cells[at[0]]
                    figure = value(cell)
                    reached = figure <= bound if way == "most" else figure >= bound
                    ends = [f"{cell[end]:.4g}" for end in ("least", "most")] if isinstance(cell, dict) else ["", ""]
                    print(f"| {work} | {figure:,.4g} | {ends[0]} | {ends[1]} | {'≤' if way == 'most' else '≥'} {bound:,.4g} "
                          f"| {'yes' if reached else 'no'} |")
                    break


def show(command, merged, said):
    print(f"## {command}\n")
    for table in merged:
        print("| " + " | ".join(table["header"]) + " |\n" + "| --- " * len(table["header"]) + "|")
        print("\n".join("| " + " | ".join(map(shown, row)) + " |" for row in table["rows"]))
    print("\n".join(["", *said]), flush=True)


def keep(name, known):
    KEPT.mkdir(exist_ok=True)
    text = json.dumps(known, indent=1, ensure_ascii=False)
    (KEPT / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="runs of each script that does not take medians itself")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, once each, and nothing is kept")
    parser.add_argument("--only", default="", help="these parts alone, with commas between")
    options = parser.parse_args()
    os.environ[PROGRAM] = str(release_program("-p", "batchwright-cli", "--features", "aws"))
    os.environ[FUNCTIONS] = str(functions_program())
    kept, left_out = {}, []
    only = options.only.split(",") if options.only else [name for name, *_ in PARTS]
    for name, (script, *arguments), quick, times in PARTS:
        arguments = quick if options.quick else arguments
        if arguments is None or name not in only:
            continue
        command = [script, *arguments]
        runs = []
        for _ in range(1 if options.quick else times or options.times):
            run = subprocess.run([sys.executable, HERE / script, *arguments], stdout=subprocess.PIPE, text=True)
            if run.returncode:
                left_out.append(name)
                break
            runs.append(run.stdout)
        else:
            kept[name] = merged = together([tables(run) for run in runs])
            # What stands beside the tables: the ceilings of the endpoints.
            said = [line for line in runs[-1].splitlines() if line and not line.startswith(("|", "#"))]
            show(" ".join(command), merged, said)
            if not options.quick:
                keep(name, {"command": "python3 benches/" + " ".join(command), "runs": len(runs),
                            "machine": f"{platform.machine()}, {platform.system()}", "tables": merged, "said": said})
    if not options.quick and (KEPT / "scale.json").exists():
        growth.draw(KEPT)
    goals(kept)
    if left_out:
        sys.exit(f"left out, because they failed, see above: {', '.join(left_out)}")


if __name__ == "__main__":
    main()
