#!/usr/bin/env python3
"""What a month of jobs costs on AWS, beside Step Functions, from the units that docs/cost.md lists.

    python3 benches/cost.py --jobs 1000000 --children 0 --retried 20000

Prices: us-east-1, on demand, without free tiers, as listed in November 2025. `--check` fails where the table of the page or
its example holds other prices than these; `--write` puts them right.
"""

import argparse
import pathlib
import re
import sys
import textwrap
from collections import Counter

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "cost.md"
BEGIN, END = "<!-- benches/cost.py: begin -->", "<!-- end -->"

# Dollars a million.
WRITE_UNITS, READ_UNITS = 0.625, 0.125
SQS_REQUESTS, BUS_EVENTS, INVOCATIONS = 0.40, 1.00, 0.20
S3_PUTS, S3_GETS = 5.00, 0.40
GB_SECONDS = 13.3334  # arm64
TRANSITIONS, EXPRESS_REQUESTS, EXPRESS_GB_SECONDS = 25.0, 1.00, 16.67

EVENTS = 4  # RUNNABLE, STARTING, RUNNING and the end
NAMED = 100  # jobs on a sheet
SMALL_LOG_MB = 64 / 1024  # packed; what is larger has objects of its own
BATCH = 10  # messages of an invocation under load
# Estimates, not counts: memory by seconds of a batch in each function.
HANDLER_GB_SECONDS, COLLECTOR_GB_SECONDS, SUBMITTER_GB_SECONDS = 0.25 * 0.3, 0.5 * 1.0, 0.5 * 0.02


def units() -> dict[str, tuple[float, float]]:
    """The page's table of units, which a test holds against what is counted."""
    table = PAGE.read_text().split("| what | write units | read units |")[1]
    found = {}
    for line in table.splitlines()[2:]:
        if not line.startswith("|"):
            break
        what, writes, reads = (cell.strip() for cell in line.strip("|").split("|"))
        found[what] = (float(writes), float(reads))
    return found


def parts(writes: float, reads: float, puts: float, gets: float, told: float) -> dict[str, float]:
    """Dollars for a million submissions, by service."""
    messages = EVENTS + 1
    seconds = EVENTS / BATCH * HANDLER_GB_SECONDS + COLLECTOR_GB_SECONDS / BATCH + SUBMITTER_GB_SECONDS
    return {
        "DynamoDB, writes": writes * WRITE_UNITS,
        "DynamoDB, reads": reads * READ_UNITS,
        "S3: the log and its manifest": puts * S3_PUTS + gets * S3_GETS,
        "SQS: a message an event, batches of ten": messages * (1 + 2 / BATCH) * SQS_REQUESTS,
        "EventBridge: the job's end on the bus": told * BUS_EVENTS,
        "Lambda (an estimate)": messages / BATCH * INVOCATIONS + seconds * GB_SECONDS,
    }


def prices(are_logs_small: bool = True) -> dict[str, dict[str, float]]:
    known = {what: Counter(writes=writes, reads=reads) for what, (writes, reads) in units().items()}
    life, later = known["from claim to logs"], known["a later look at the logs"]
    child = known["a child of an array, logs included"]
    # The jobs of a file are named by the hundred before they are claimed; another try is claimed by itself.
    named = Counter({what: units / NAMED for what, units in known["a hundred claims named on a sheet"].items()})
    alone = Counter(known["a job alone: claim, submit, record"])
    alone.subtract(known["claim, submit, record"])
    once = Counter(known["logs, looked at once"])
    once.subtract(known["logs"])
    # A later look reads the manifest.
    own, puts = {"puts": 2, "gets": 1}, 1 / BATCH if are_logs_small else 2
    logs, looked_at_once = {"puts": puts, "gets": 1}, {"puts": puts, "gets": 0}
    return {
        "a job": parts(**life + named + later, **logs, told=1),
        "each other try": parts(**life + alone + later, **logs, told=1),
        # Its submission is its array's, and nobody is told of its end.
        "a child of an array": parts(**child + later, **logs, told=0),
        "a job, sparingly": parts(**life + named + once, **looked_at_once, told=0),
        "a child, sparingly": parts(**child + once, **looked_at_once, told=0),
        "a job, log of its own": parts(**life + named + later, **own, told=1),
    }


def page() -> str:
    found = prices()
    lines = ["| dollars a million | " + " | ".join(found) + " |", "| --- |" + " ---: |" * len(found)]
    for service in next(iter(found.values())):
        lines.append(f"| {service} | " + " | ".join(f"{part[service]:.2f}" for part in found.values()) + " |")
    totals = " | ".join(f"**{sum(part.values()):.2f}**" for part in found.values())
    lines.append(f"| **together** | {totals} |")
    return "\n".join([BEGIN, *lines, END])


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--jobs", type=float, default=1e6, help="jobs a month")
    arguments.add_argument("--children", type=float, default=0, help="children of arrays a month")
    arguments.add_argument("--retried", type=float, default=0, help="submissions beyond the first, a month")
    arguments.add_argument("--log-mb", type=float, default=0.01, help="MB of a log, packed")
    arguments.add_argument("--transitions", type=float, default=5, help="of a Step Functions execution for one job")
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--write", action="store_true")
    return arguments


def month(given: argparse.Namespace) -> str:
    """What a month costs, a line each."""
    job, again, child, *_ = (sum(part.values()) / 1e6 for part in prices(given.log_mb <= SMALL_LOG_MB).values())
    submissions = given.jobs * job + given.retried * again + given.children * child
    storage = (given.jobs + given.retried + given.children) * given.log_mb / 1024 * 0.023
    executions = given.jobs + given.children
    return "\n".join([
        f"batchwright               ${submissions:>12,.2f}",
        f"  and to keep a month's logs ${storage:>9,.2f} a month",
        f"Step Functions Standard   ${executions * given.transitions * TRANSITIONS / 1e6:>12,.2f}",
        "Step Functions Express    can't wait for a job: an execution ends after five minutes",
        f"Distributed Map, Standard ${executions * (given.transitions + 1) * TRANSITIONS / 1e6:>12,.2f}",
    ])


def put_right(text: str) -> str:
    """The page with the prices and the example as they are computed."""
    table = re.search(re.escape(BEGIN) + ".*?" + re.escape(END), text, re.DOTALL)
    example = re.search(r"    python3 benches/cost\.py (.+)\n\n((?:    .+\n)+)", text)
    if table is None or example is None:
        sys.exit(f"{PAGE} has no table of prices between {BEGIN} and {END}, or no example before it")
    shown = textwrap.indent(month(parser().parse_args(example.group(1).split())), "    ") + "\n"
    return text.replace(table.group(0), page()).replace(example.group(2), shown)


def main() -> int:
    given = parser().parse_args()
    text = PAGE.read_text()
    if given.write:
        PAGE.write_text(put_right(text))
    elif given.check:
        if put_right(text) != text:
            sys.exit(f"the prices in {PAGE} are stale: python3 benches/cost.py --write\n{page()}")
    else:
        print(month(given))
    return 0


if __name__ == "__main__":
    sys.exit(main())
