#!/usr/bin/env python3
"""What the exhaustive tests went through: crash points, histories of events, states of the claim protocol.

Runs the tests that explore or enumerate, and prints as one table the lines in which they say how much that
was: those that begin with `crash:`, `histories:` or `model:`. The last lines add them up. Ends with the tests'
own exit code.

    python3 benches/prove.py
"""

import collections
import re
import subprocess
import sys

from processes import ROOT

TESTS = ["claim_model", "crash_late", "crash_points", "crash_stores", "histories"]
SAID = re.compile(r"^(?:test \S+ \.\.\. )?(crash|histories|model): (.*?)\s*$")
# The lines of the crash tests that add up those before them.
SUMS = re.compile(r"^(?:every death|every pair of deaths|on \w+): ")
COUNTED = {
    "runs with a death in them": r"runs (\d+)",
    "crash points": r"crash points (\d+)",
    "pairs of crash points": r"pairs (\d+)",
    "histories of events": r"(\d+) played",
    "states of the claim protocol": r"(\d+) states",
    "mistakes that the model finds": r"(mistake)",
    "late submissions: surplus ones found and ended": r"found and ended (\d+)",
    "duplicates": r"duplicates (\d+)",
    "losses": r"losses (\d+)",
}


def main():
    command = ["cargo", "test", "--workspace", "--locked"]
    command += [part for name in TESTS for part in ("--test", name)] + ["--", "--nocapture"]
    tests = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print("| proof | what it went through |\n| --- | --- |", flush=True)
    total, rest = collections.Counter(), []
    for line in tests.stdout:
        rest.append(line)
        said = SAID.match(line)
        if not said:
            continue
        proof, what = said[1], said[2]
        print(f"| {proof} | {what} |", flush=True)
        if "runs " not in what or SUMS.match(what):
            for name, pattern in COUNTED.items():
                for found in re.findall(pattern, what):
                    total[name] += int(found) if found.isdigit() else 1
    code = tests.wait()
    print("\n| all together | |\n| --- | ---: |")
    for name in COUNTED:
        print(f"| {name} | {total[name]:,} |")
    if code:
        sys.stderr.writelines(rest[-100:])
    return code


if __name__ == "__main__":
    sys.exit(main())
