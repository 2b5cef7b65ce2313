#!/usr/bin/env python3
"""Lines of GeoJSON packed by gzip and zstd: by batchwright, and by the packers' own programs beside it.

Builds the release program, writes a GeoJSON text sequence of the given size into target/bench (ignored by git), packs it by
each, has each unpack what the other has packed, and prints sizes, CPU time and wall time. The program also reads and checks
every record; that alone is the first line, and its packing is what it takes beyond. In brackets: the program's CPU time
for packing as a share of the other's. Programs that this machine does not have are left out.

    python3 benches/pack.py [--mb MEGABYTES] [--times N] [--program PATH]       default: 100, 5
"""

import argparse
import pathlib
import shutil
import sys

from convert import FOLDER, write_collection
from processes import release_program, run

PACKERS = [("gz", ("gzip", "-6", "-c")), ("gz", ("pigz", "-6", "-p", "1", "-c")), ("zst", ("zstd", "-3", "-q", "-c"))]


def packers():
    for suffix, command in PACKERS:
        if shutil.which(command[0]):
            yield suffix, command
        else:
            print(f"skipped: there is no {command[0]} on this machine", file=sys.stderr)


def row(name, path, taken, ratio=""):
    print(f"| {name} | {path.stat().st_size:,} | {taken.cpu_s:.2f}{ratio} | {taken.wall_s:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=100, help="megabytes of the sequence")
    parser.add_argument("--times", type=int, default=5, help="how often each packs; the median CPU time is shown")
    parser.add_argument("--program", type=pathlib.Path, help="this one, and none is built")
    arguments = parser.parse_args()
    program = release_program("-p", "batchwright-cli", given=arguments.program)
    FOLDER.mkdir(parents=True, exist_ok=True)
    collection, source, back = (FOLDER / name for name in ("pack.geojson", "pack.geojsonl", "back.jsonl"))
    write_collection(collection, arguments.mb)
    run([program, "s3", "convert", collection, source])
    ours = {suffix: FOLDER / f"ours.jsonl{suffix}" for suffix in ("", ".gz", ".zst")}
    theirs = {command: FOLDER / f"theirs-{command[0]}.jsonl.{suffix}" for suffix, command in packers()}
    taken = {path: [] for path in (*ours.values(), *theirs.values())}
    for _ in range(arguments.times):
        for path in ours.values():
            taken[path].append(run([program, "s3", "convert", source, path, "--from", "jsonl"]))
        for command, path in theirs.items():
            taken[path].append(run([*command, source], stdout=path))
    taken = {path: sorted(runs, key=lambda one: one.cpu_s)[len(runs) // 2] for path, runs in taken.items()}
    print("| packed by | bytes | CPU s | wall s |")
    print("| --- | ---: | ---: | ---: |")
    for suffix, path in ours.items():
        row(f"batchwright to {suffix}" if suffix else "batchwright, not packed", path, taken[path])
    for command, path in theirs.items():
        packed = ours[path.suffix]
        ratio = (taken[packed].cpu_s - taken[ours[""]].cpu_s) / max(taken[path].cpu_s, 0.001)
        row(" ".join(command[:2]), path, taken[path], f" ({ratio:.2f})")
        run([program, "s3", "convert", path, back])
        if back.read_bytes() != source.read_bytes():
            sys.exit(f"what {command[0]} has packed came back as something else")
        run([command[0], "-d", "-c", packed], stdout=back)
        if back.read_bytes() != source.read_bytes():
            sys.exit(f"{command[0]} reads something else than was packed")
    for path in (collection, source, back, *taken):
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
