# SPDX-License-Identifier: MIT
"""What the README quotes: the answer in short, the numbers behind it, and each loss once."""
from . import comparison, content, statistics, words
from .document import Group, Row, Section, Table

BEGIN, END = "<!-- numbers -->", "<!-- end of numbers -->"
LIBRARIES = ("libev", "libevent", "libuv")


class NoPlace(Exception):
    """The text has no place for a summary."""


def chosen_cell(analysis, workload, metric):
    """The one of the headline; else the largest, which comes last."""
    cells = [cell for cell in analysis.cells[workload.name]
             if cell.values(comparison.REFERENCE, metric)]
    return next((cell for cell in cells if cell.name == workload.headline),
                cells[-1] if cells else None)


def best_of(cell, metric, library):
    """The better configuration of a library that takes part with several."""
    middles = [statistics.median(values) for peer in cell.peers if peer.split("_")[0] == library
               for values in [cell.values(peer, metric)] if values]
    if not middles:
        return None
    return min(middles) if metric.better == "less" else max(middles)


def glance_row(workload, cell, metric):
    own = cell.values(comparison.REFERENCE, metric)
    found = [statistics.median(own)] + [best_of(cell, metric, name) for name in LIBRARIES]
    limits = cell.values(workload.limit, metric) if workload.limit else []
    found.append(statistics.median(limits) if limits else None)
    scale = words.Scale(metric.unit, [value for value in found if value is not None])
    more = " (more is better)" if metric.better == "more" else ""
    return Row([f"{workload.name}: {metric.title}{more}, {words.cell_words(cell.name)}"]
               + ["–" if value is None else scale.full(value) for value in found])


def glance(analysis):
    """A row for each workload: of the metric that its pictures show, too."""
    rows = []
    for workload in analysis.results.workloads.values():
        for metric in workload.compared()[:1]:
            cell = chosen_cell(analysis, workload, metric)
            rows += [glance_row(workload, cell, metric)] if cell else []
    return Table(["median", comparison.REFERENCE, *LIBRARIES, "bare calls"], [Group("", rows)])


def losses(analysis):
    """A row for each metric and library, with the worst of the cells that pollux is behind in."""
    cells, behind = {}, {}
    for workload, metric, cell, row in analysis.judged():
        key = f"{workload.name}: {metric.title}", row.peer
        cells[key] = cells.get(key, 0) + 1
        if row.verdict() == "behind":
            behind.setdefault(key, []).append((row.ratio, workload, cell, row))
    rows = []
    for key, found in sorted(behind.items(), key=lambda item: min(one[0] for one in item[1])):
        ratio, workload, cell, row = min(found, key=lambda one: one[0])
        rows.append(Row([*key, f"{len(found)} of {cells[key]}", words.ratio(ratio),
                         content.interval_text(workload, row.low, row.high),
                         words.cell_words(cell.name)]))
    if not rows:
        return Section("losses", "Where pollux loses", ["Nowhere that this run can tell."])
    section = Section("losses", "Where pollux loses", [
        "The ratio is what the other library needs for each unit that pollux needs, where that is least; "
        "the largest loss comes first."])
    section.parts.append(Table(["what", "against", "behind in", "ratio", "95 % interval", "where"],
                               [Group("", rows)]))
    return section


def sections(results):
    analysis = content.Analysis(results)
    numbers = Section("numbers", "The numbers", [
        "Of each workload the first metric, where its headline is or in its largest cell. Of a "
        "library with several configurations the best one stands here."],
        [glance(analysis)])
    return [content.in_short(analysis), numbers, losses(analysis)]


def replace(text, summary):
    """The text with the summary in its place."""
    before, found, rest = text.partition(BEGIN + "\n")
    _, ended, after = rest.partition(END + "\n")
    if not found or not ended:
        raise NoPlace(f"no {BEGIN} and {END}")
    return f"{before}{found}{summary}{ended}{after}"
