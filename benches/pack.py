#!/usr/bin/env python3
"""Lines of GeoJSON packed by gzip and zstd: by batchwright, and by the packers' own programs beside it.

Builds the release program, writes a GeoJSON text sequence of the given size into target/bench (ignored by git), packs it by
each, has each unpack what the other has packed, and prints sizes, CPU time and wall time. The program also reads and checks
every record; that alone is the first line, and its packing is what it takes beyond. In brackets: how often the other's
CPU time goes into that of the program's packing. Programs that this machine does not have are left out.

    python3 benches/pack.py [--mb MEGABYTES] [--program PATH]       default: 100
"""

import argparse
import pathlib
import shutil
import sys

from convert import FOLDER, write_collection
from processes import release_program, run

PACKERS = [("gz", ["gzip", "-6", "-c"]), ("gz", ["pigz", "-6", "-p", "1", "-c"]), ("zst", ["zstd", "-3", "-q", "-c"])]


def row(name, path, taken, ratio=""):
    print(f"| {name} | {path.stat().st_size:,} | {taken.cpu_s:.2f}{ratio} | {taken.wall_s:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=100, help="megabytes of the sequence")
    parser.add_argument("--program", type=pathlib.Path, help="this one, and none is built")
    arguments = parser.parse_args()
    program = release_program("-p", "batchwright-cli", given=arguments.program)
    FOLDER.mkdir(parents=True, exist_ok=True)
    collection, source = FOLDER / "pack.geojson", FOLDER / "pack.geojsonl"
    write_collection(collection, arguments.mb)
    run([program, "s3", "convert", collection, source])
    print("| packed by | bytes | CPU s | wall s |")
    print("| --- | ---: | ---: | ---: |")
    plain = FOLDER / "plain.jsonl"
    read = run([program, "s3", "convert", source, plain, "--from", "jsonl"])
    row("batchwright, not packed", plain, read)
    ours_taken, files = {}, [collection, source, plain]
    for suffix in ("gz", "zst"):
        ours = FOLDER / f"ours.jsonl.{suffix}"
        files.append(ours)
        ours_taken[suffix] = run([program, "s3", "convert", source, ours, "--from", "jsonl"])
        row(f"batchwright to .{suffix}", ours, ours_taken[suffix])
    for suffix, command in PACKERS:
        if not shutil.which(command[0]):
            print(f"skipped: there is no {command[0]} on this machine", file=sys.stderr)
            continue
        theirs, back = FOLDER / f"theirs.jsonl.{suffix}", FOLDER / "back.jsonl"
        files += [theirs, back]
        taken = run([*command, source], stdout=theirs)
        ratio = f" ({(ours_taken[suffix].cpu_s - read.cpu_s) / max(taken.cpu_s, 0.001):.2f})"
        row(" ".join(command[:2]), theirs, taken, ratio)
        run([program, "s3", "convert", theirs, back])
        if back.read_bytes() != source.read_bytes():
            sys.exit(f"what {command[0]} has packed came back as something else")
        run([command[0], "-d", "-c", FOLDER / f"ours.jsonl.{suffix}"], stdout=back)
        if back.read_bytes() != source.read_bytes():
            sys.exit(f"{command[0]} reads something else than was packed")
    for path in set(files):
        path.unlink()


if __name__ == "__main__":
    main()
