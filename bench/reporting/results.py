# SPDX-License-Identifier: MIT
"""Reads a result file. Its lines, and who writes them, are described in bench/README.md."""
import json
from collections import namedtuple

Metric = namedtuple("Metric", "member unit better title")

TEXT, WHOLE = (str,), (int,)
LARGEST = 1e300  # a number beyond it was never measured, and its ratios would be none

NEEDED = {
    "trial": {"workload": TEXT, "cell": TEXT, "peer": TEXT, "run": TEXT, "block": WHOLE, "copy": WHOLE},
    "repeated": {"workload": TEXT, "peer": TEXT, "run": TEXT},
    "machine": {"run": TEXT},
    "workload": {"workload": TEXT, "question": TEXT, "metrics": TEXT},
    "left_out": {"workload": TEXT, "peer": TEXT, "reason": TEXT},
    "failed": {"workload": TEXT, "peer": TEXT, "reason": TEXT},
}

# Of the right kind where they are there.
OPTIONAL = {"version": TEXT, "order": WHOLE, "attempt": WHOLE, "limit": TEXT, "headline": TEXT,
            "repeated": TEXT}


class Damaged(ValueError):
    """A line that is none of ours, or not whole."""


class Workload:
    def __init__(self, line):
        self.name = line["workload"]
        self.question = line["question"]
        self.limit = line.get("limit", "")
        self.headline = line.get("headline", "")
        self.repeated = line.get("repeated", "yes") != "no"
        self.metrics = [read_metric(row) for row in line["metrics"].splitlines() if row.strip()]

    def compared(self):
        return [metric for metric in self.metrics if metric.better in ("less", "more")]

    def shown(self):
        return [metric for metric in self.metrics if metric.better not in ("less", "more")]


def read_metric(row):
    words = row.split(None, 3)
    if len(words) < 4 or words[2] not in ("less", "more", "-", "text"):
        raise Damaged(f"'{row.strip()}' is no row MEMBER UNIT BETTER TITLE")
    return Metric(*words)


def refuse_constant(name):
    raise ValueError(f"{name} is no number")


def read_line(text):
    """The object of a line, complete for its type."""
    try:
        line = json.loads(text, parse_constant=refuse_constant)
    except ValueError as error:
        raise Damaged(f"not JSON ({error})") from None
    if not isinstance(line, dict) or str(line.get("type")) not in NEEDED:
        raise Damaged("not an object of a known type")
    check_members(line)
    return line


def is_kind(value, kinds):
    return isinstance(value, kinds) and not isinstance(value, bool)


def check_members(line):
    needed = NEEDED[line["type"]]
    for member in needed:
        if member not in line:
            raise Damaged(f"a {line['type']} without '{member}'")
    for member, value in line.items():
        kinds = needed.get(member) or OPTIONAL.get(member)
        if kinds and not is_kind(value, kinds):
            raise Damaged(f"'{member}' is no {'text' if kinds == TEXT else 'whole number'}")
        if is_kind(value, (int, float)) and not abs(value) < LARGEST:
            raise Damaged(f"'{member}' is no number that could be measured")
        if line["type"] == "machine" and not is_kind(value, TEXT):
            raise Damaged(f"the machine's '{member}' is no text")
    check_histogram(line.get("histogram_ns", []))


def check_histogram(pairs):
    good = isinstance(pairs, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair)
        for pair in pairs)
    if not good:
        raise Damaged("'histogram_ns' is no list of pairs")


class Results:
    """Everything that a file says, sorted by who will ask for it."""

    def __init__(self):
        self.machines, self.left_out, self.failed, self.damaged = [], [], [], []
        self.workloads, self.trials, self.repeated = {}, [], set()
        self.lines = 0

    def add(self, line):
        kind = line["type"]
        if kind == "trial":
            self.trials.append(line)
        elif kind == "repeated":
            self.repeated.add((line["run"], line.get("order"), line.get("attempt")))
        elif kind == "machine":
            self.machines.append(line)
        elif kind == "workload":
            self.workloads[line["workload"]] = Workload(line)
        elif kind == "left_out":
            if not any(same_gap(line, other) for other in self.left_out):
                self.left_out.append(line)
        else:
            self.failed.append(line)

    def of(self, workload):
        return [trial for trial in self.trials if trial["workload"] == workload.name]


def same_gap(left, right):
    return all(left[member] == right[member] for member in ("workload", "peer", "reason"))


def read_results(file):
    """Good lines are read whatever stands between them; damaged ones are named by their number."""
    results = Results()
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        results.lines = number
        try:
            results.add(read_line(text))
        except Damaged as damage:
            results.damaged.append((number, str(damage)))
    described = results.workloads
    for number, trial in enumerate(results.trials):
        if trial["workload"] not in described:
            results.damaged.append((0, f"nothing says what '{trial['workload']}' is"))
            break
    return results
