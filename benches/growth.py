"""Draws how time and memory grow with the number of jobs, from docs/benchmarks/scale.json and million.json."""

import json
import math

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 720, 380, 70, 40, 50, 150
LINES = [("CPU s", "CPU, s", "#1b6ca8"), ("wall s", "on the clock, s", "#d1495b"), ("peak MiB", "memory, MiB", "#2e933c")]


def figure(cell):
    return cell["median"] if isinstance(cell, dict) else float(cell.replace(",", ""))


def points(folder):
    """Rows of the tables of scale.py: jobs, and the figures by their column."""
    rows = {}
    for name in ("scale.json", "million.json"):
        if (folder / name).exists():
            for table in json.loads((folder / name).read_text(encoding="utf-8"))["tables"]:
                for row in table["rows"]:
                    known = dict(zip(table["header"], row, strict=True))
                    rows[figure(known["jobs"])] = {column: max(figure(known[column]), 0.01) for column, _, _ in LINES}
    return dict(sorted(rows.items()))


def draw(folder):
    known = points(folder)
    jobs = [math.log10(count) for count in known]
    all_figures = [math.log10(value) for row in known.values() for value in row.values()]
    low, high = math.floor(min(all_figures)), math.ceil(max(all_figures))

    def x(count):
        return LEFT + (math.log10(count) - jobs[0]) / max(jobs[-1] - jobs[0], 1e-9) * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
             f'<text x="{LEFT}" y="22" font-size="14">Simulated jobs in one file: time and memory, both axes logarithmic</text>']
    for power in range(low, high + 1):
        at = y(10.0 ** power)
        parts.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10.0 ** power:g}</text>')
    for count in known:
        parts.append(f'<text x="{x(count):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{count:,.0f}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">jobs</text>')
    ends = []
    for column, label, colour in LINES:
        drawn = " ".join(f"{x(count):.1f},{y(row[column]):.1f}" for count, row in known.items())
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(count):.1f}" cy="{y(row[column]):.1f}" r="3" fill="{colour}"/>' for count, row in known.items()]
        ends.append((y(list(known.values())[-1][column]), label, colour))
    # Labels at the ends of the lines, and none over another.
    lowest = -math.inf
    for at, label, colour in sorted(ends):
        lowest = max(at, lowest + 14)
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{lowest + 4:.1f}" fill="{colour}">{label}</text>')
    (folder / "growth.svg").write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")
