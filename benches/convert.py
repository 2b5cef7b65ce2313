#!/usr/bin/env python3
"""A FeatureCollection to a GeoJSON text sequence: by batchwright, and by Python's json, jq and ogr2ogr beside it.

Builds the release program, writes a FeatureCollection of the given size into target/bench (ignored by
git), converts it, by Python also gzipped, checks that the program, Python and jq say the same of every feature, and prints
wall time, CPU time and peak memory. In brackets: how often the program's goes into the other's. ogr2ogr rounds
coordinates, and so is not compared. Programs that this machine does not have are left out.

    python3 benches/convert.py [--mb MEGABYTES] [--keep] [--program PATH]       default: 1000
"""

import argparse
import json
import pathlib
import random
import shutil
import sys

from processes import ROOT, release_program, run

FOLDER = ROOT / "target" / "bench"

PYTHON = """
import gzip, json, sys
opened = lambda path, mode: (gzip.open if path.endswith(".gz") else open)(path, mode + "t", encoding="utf-8")
with opened(sys.argv[1], "r") as file:
    collection = json.load(file)
with opened(sys.argv[2], "w") as file:
    for feature in collection["features"]:
        file.write(json.dumps(feature) + "\\n")
"""


def write_collection(path, megabytes):
    """Polygons of 4 to 200 positions with some properties, from a seed."""
    rng = random.Random(20)
    size = 0
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "name": "bench", "features": [')
        number = 0
        while size < megabytes * 1_000_000:
            west, south = rng.uniform(-170, 170), rng.uniform(-80, 80)
            ring = [[round(west + rng.random(), 7), round(south + rng.random(), 7)] for _ in range(rng.randint(3, 199))]
            feature = {"type": "Feature", "id": number,
                       "properties": {"name": f"é {number}", "area": rng.random(), "tags": ["a", None, True]},
                       "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}}
            text = (",\n" if number else "\n") + json.dumps(feature)
            size += len(text)
            file.write(text)
            number += 1
        file.write('\n], "numberReturned": %d}\n' % number)


PEERS = {
    "jq": lambda source, target: (["jq", "-c", ".features[]", source], target),
    "ogr2ogr": lambda source, target: (["ogr2ogr", "-f", "GeoJSONSeq", target, source], None),
}


def same(ours, theirs):
    with open(ours, encoding="utf-8") as left, open(theirs, encoding="utf-8") as right:
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            if json.loads(one) != json.loads(other):
                sys.exit(f"feature {number} differs")


def row(suffix, name, theirs, ours):
    """What another took, and how often the program's goes into it."""
    figures = zip(theirs, theirs.over(ours), strict=True)
    print(f"| {suffix} | {name} | {' | '.join(f'{value:,.1f} ({ratio:.1f})' for value, ratio in figures)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=float, default=1000, help="megabytes of the collection")
    parser.add_argument("--keep", action="store_true", help="leave the files where they are")
    parser.add_argument("--program", type=pathlib.Path, help="this one, and none is built")
    arguments = parser.parse_args()
    program = release_program("-p", "batchwright-cli", given=arguments.program)
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = FOLDER / "collection.geojson"
    write_collection(source, arguments.mb)
    print(f"{source.stat().st_size / 1e6:,.0f} MB\n")
    print("| to | by | wall s | CPU s | peak MiB |")
    print("| --- | --- | ---: | ---: | ---: |")
    files = [source]
    for suffix in ("geojsonl", "geojsonl.gz"):
        ours, theirs = FOLDER / f"ours.{suffix}", FOLDER / f"theirs.{suffix}"
        files += [ours, theirs]
        taken = run([program, "s3", "convert", source, ours])
        print(f"| {suffix} | batchwright | {' | '.join(f'{value:,.1f}' for value in taken)} |", flush=True)
        row(suffix, "Python", run([sys.executable, "-c", PYTHON, source, theirs]), taken)
        if suffix != "geojsonl":
            continue
        same(ours, theirs)
        for name, peer in PEERS.items():
            if not shutil.which(name):
                print(f"skipped: there is no {name} on this machine", file=sys.stderr)
                continue
            theirs.unlink()
            command, stdout = peer(source, theirs)
            row(suffix, name, run(command, stdout=stdout), taken)
            if name == "jq":
                same(ours, theirs)
    if not arguments.keep:
        for path in files:
            path.unlink()


if __name__ == "__main__":
    main()
