"""Reads lines {"json": …, "yaml": …}: prints each whose YAML PyYAML's safe loader reads otherwise than
Python reads the JSON. Then prints, a line each, what PyYAML's safe dumper makes of the JSON."""

import json
import sys

import yaml


def same(left, right):
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def main():
    for line in sys.stdin:
        case = json.loads(line)
        value = json.loads(case["json"])
        try:
            found = yaml.safe_load(case["yaml"])
            differs = None if same(value, found) else f"reads {found!r}"
        except yaml.YAMLError as error:
            differs = f"refuses: {error}"
        print(json.dumps({"differs": differs, "dumped": yaml.safe_dump(value)}))


main()
