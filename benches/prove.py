#!/usr/bin/env python3
"""What the exhaustive tests went through: crash points, histories of events, states of the claim protocol.

Runs the tests that explore or enumerate, and prints as one table the lines in which they say how much that
was: those that begin with `crash:`, `histories:` or `model:`. Ends with the tests' own exit code.

    python3 benches/prove.py
"""

import re
import subprocess
import sys

from processes import ROOT

TESTS = ["crash_*.rs", "histories.rs", "claim_model.rs"]
SAID = re.compile(r"^(?:test \S+ \.\.\. )?(crash|histories|model): (.*?)\s*$")


def main():
    folder = ROOT / "tests" / "tests"
    names = sorted({path.stem for pattern in TESTS for path in folder.glob(pattern)})
    command = ["cargo", "test", "--workspace", "--locked"]
    command += [part for name in names for part in ("--test", name)] + ["--", "--nocapture"]
    tests = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print("| proof | what it went through |\n| --- | --- |", flush=True)
    rest = []
    for line in tests.stdout:
        said = SAID.match(line)
        if said:
            print(f"| {said[1]} | {said[2].replace('|', '/')} |", flush=True)
        rest.append(line)
    code = tests.wait()
    if code:
        sys.stderr.writelines(rest[-100:])
    return code


if __name__ == "__main__":
    sys.exit(main())
