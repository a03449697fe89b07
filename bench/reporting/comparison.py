# SPDX-License-Identifier: MIT
"""From trials to verdicts: every competitor against pollux, block by block.

A ratio is how many times pollux's cost a competitor has, also where more is better: above 1, pollux
is ahead. pollux is called ahead or behind only where the interval of the median ratio lies as a whole
further from 1 than that of the control, and the sign test, corrected for all questions asked of the
same metric, leaves less than one in twenty to chance.
"""
import math

from . import statistics

REFERENCE = "pollux"
CHANCE = 0.05
EQUAL_COUNTS = 0.005  # counts differ by a few at the edges of what was counted
LEVEL_REACH = math.log(1.10)  # a control that differs by more shows nothing, least of all equality


class Cell:
    """The trials of one workload with the same parameters, by competitor and block."""

    def __init__(self, workload, name):
        self.workload, self.name = workload, name
        self.peers, self.control = {}, {}

    def add(self, trial):
        place = self.control if trial["copy"] else self.peers.setdefault(trial["peer"], {})
        place[(trial["run"], trial["block"])] = trial

    def values(self, peer, metric):
        return [trial[metric.member] for trial in self.peers.get(peer, {}).values()
                if is_number(trial.get(metric.member))]

    def parameters(self):
        return dict(pair.split("=", 1) for pair in self.name.split(",") if "=" in pair)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_limit(peer):
    return peer.startswith("raw_")


def is_other_library(peer):
    """pollux on another backend is neither a limit nor somebody else."""
    return not is_limit(peer) and peer.split("_")[0] != REFERENCE


def find_cells(results, workload):
    cells = {}
    for trial in results.of(workload):
        cells.setdefault(trial["cell"], Cell(workload, trial["cell"])).add(trial)
    return list(cells.values())


def paired(left, right, member):
    """Of both sides, what was measured in the same block."""
    for block, trial in left.items():
        other = right.get(block)
        if other and is_number(trial.get(member)) and is_number(other.get(member)):
            yield trial, other


def find_ratios(cell, trials, metric):
    """Ratio, and whether other work disturbed either side, for each block."""
    found = []
    for trial, reference in paired(trials, cell.peers.get(REFERENCE, {}), metric.member):
        ours, theirs = reference[metric.member], trial[metric.member]
        if metric.better == "more":
            ours, theirs = theirs, ours
        if ours > 0 and theirs > 0:
            found.append((theirs / ours, bool(trial.get("disturbed") or reference.get("disturbed"))))
    return found


class Comparison:
    """One competitor, one cell, one metric, measured again in every block."""

    def __init__(self, cell, metric, peer, trials, error):
        self.cell, self.metric, self.peer, self.error = cell, metric, peer, error
        self.values = cell.values(peer, metric)
        self.marked = find_ratios(cell, trials, metric) if peer != REFERENCE else []
        self.ratios = [ratio for ratio, _ in self.marked]
        self.ratio = statistics.ratio_median(self.ratios) if self.ratios else None
        self.low, self.high = statistics.ratio_interval(self.ratios) if self.ratios else (None, None)
        self.wins = sum(ratio > 1 for ratio in self.ratios)
        self.losses = sum(ratio < 1 for ratio in self.ratios)
        self.chance = statistics.sign_test(self.wins, self.losses)

    def verdict(self):
        """What may be said; with `maybe` where the blocks are too few to claim it."""
        if not self.ratios or self.error is None:
            return ""
        low, high = math.log(self.low), math.log(self.high)
        if max(low, -high) > self.error:
            word = "ahead" if low > 0 else "behind"
            return word if self.chance < CHANCE else "maybe " + word
        within = self.error <= LEVEL_REACH and -self.error <= low and high <= self.error
        return "level" if within else "undecided"


class Count:
    """One competitor, one cell, one metric, where there is no noise: no block, no test, no doubt."""

    error, marked, ratios, chance = None, (), (), 1.0

    def __init__(self, cell, metric, peer):
        self.cell, self.metric, self.peer = cell, metric, peer
        self.values = cell.values(peer, metric)
        self.ratio = self.low = self.high = self.find_ratio()

    def find_ratio(self):
        reference = self.cell.values(REFERENCE, self.metric)
        if not self.values or not reference or self.peer == REFERENCE:
            return None
        theirs, ours = statistics.median(self.values), statistics.median(reference)
        if self.metric.better == "more":
            theirs, ours = ours, theirs
        if ours > 0:
            return max(0.0, theirs / ours)
        return math.inf if theirs > 0 else 1.0

    def verdict(self):
        if self.ratio is None:
            return ""
        if abs(self.ratio - 1) <= EQUAL_COUNTS:
            return "level"
        return "ahead" if self.ratio > 1 else "behind"


def control_ratios(cell, metric):
    return find_ratios(cell, cell.control, metric)


def control_error(cell, metric):
    """How far from 1, as a logarithm, the control's interval reaches; None without a control."""
    ratios = [ratio for ratio, _ in control_ratios(cell, metric)]
    if len(ratios) < 2:
        return None
    low, high = statistics.ratio_interval(ratios)
    return max(abs(math.log(low)), abs(math.log(high)))


def compare(cell, metric):
    """All competitors of a cell, the cheapest first; without the correction for many questions."""
    if cell.workload.repeated:
        error = control_error(cell, metric)
        rows = [Comparison(cell, metric, peer, trials, error) for peer, trials in cell.peers.items()]
    else:
        rows = [Count(cell, metric, peer) for peer in cell.peers]
    rows = [row for row in rows if row.values]
    sign = 1 if metric.better == "less" else -1
    return sorted(rows, key=lambda row: sign * statistics.median(row.values))


def compare_all(cells, metric):
    """[(cell, rows)], with the chances corrected for all that was asked of this metric."""
    groups = [(cell, compare(cell, metric)) for cell in cells]
    asked = [row for _, rows in groups for row in rows if row.ratios]
    for row, chance in zip(asked, statistics.holm([row.chance for row in asked])):
        row.chance = chance
    return [(cell, rows) for cell, rows in groups if rows]


def above_limit(cell, metric, peer):
    """What a competitor costs more than its limit: median, low, high; or None. Of the same block,
    where there are blocks."""
    trials, limit = cell.peers.get(peer, {}), cell.peers.get(cell.workload.limit, {})
    if not cell.workload.repeated:
        values, limits = cell.values(peer, metric), cell.values(cell.workload.limit, metric)
        if not values or not limits:
            return None
        cost = statistics.median(values) - statistics.median(limits)
        return cost, cost, cost
    costs = [trial[metric.member] - other[metric.member]
             for trial, other in paired(trials, limit, metric.member)]
    if not costs:
        return None
    return (statistics.median(costs), *statistics.median_interval(costs))


def distance(rows, limit):
    """pollux over its limit: ratio, low, high; or None."""
    row = next((row for row in rows if row.peer == limit and row.ratio), None)
    if not row or math.isinf(row.ratio):
        return None
    return 1 / row.ratio, 1 / row.high, 1 / row.low
