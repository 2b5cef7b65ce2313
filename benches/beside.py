#!/usr/bin/env python3
"""The `s3` commands beside the programs that people use for the same, in one run.

Converts beside jq, ogr2ogr and Python, packs beside gzip, pigz and zstd, and asks for objects beside s5cmd, obstore and aio-aws:
benches/convert.py, benches/pack.py and benches/objects.py, which say what each figure is. Builds the release program once.
Of Debian's packages it uses gdal-bin, gzip, jq, pigz and zstd.

    python3 benches/beside.py [--mb MEGABYTES]       default: 100
"""

import argparse
import pathlib
import subprocess
import sys

from processes import release_program

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", default="100", help="megabytes that are converted and packed")
    arguments = parser.parse_args()
    program = release_program("-p", "batchwright-cli", "--features", "aws")
    for script, options in (("convert.py", ["--mb", arguments.mb]), ("pack.py", ["--mb", arguments.mb]), ("objects.py", [])):
        print(f"## {script}\n", flush=True)
        subprocess.run([sys.executable, HERE / script, *options, "--program", program], check=True)
        print(flush=True)


if __name__ == "__main__":
    main()
