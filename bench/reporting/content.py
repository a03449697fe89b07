# SPDX-License-Identifier: MIT
"""What the report says: sections with tables and pictures, from results and nothing else."""
from collections import Counter

from . import comparison, statistics, words
from .document import Axis, Curve, Group, Line, Mark, Row, Section, Table

VERDICTS = ("ahead", "maybe ahead", "level", "undecided", "maybe behind", "behind")
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999)
LEAST_POINTS = 3


class Analysis:
    """All comparisons, made once: many sections ask for them."""

    def __init__(self, results):
        self.results = results
        self.cells, self.compared = {}, {}
        for workload in results.workloads.values():
            self.cells[workload.name] = comparison.find_cells(results, workload)
            for metric in workload.compared():
                self.compared[workload.name, metric.member] = comparison.compare_all(
                    self.cells[workload.name], metric)

    def groups(self):
        """(workload, metric, cell, rows) of everything that is compared and was measured."""
        for workload in self.results.workloads.values():
            for metric in workload.compared():
                for cell, rows in self.compared[workload.name, metric.member]:
                    yield workload, metric, cell, rows

    def judged(self):
        """The same, a row at a time: the other libraries, where there is a verdict."""
        for workload, metric, cell, rows in self.groups():
            for row in rows:
                if row.verdict() and comparison.is_other_library(row.peer):
                    yield workload, metric, cell, row


def interval_text(workload, low, high):
    return words.interval(low, high) if workload.repeated else "exact"


def kind_of(peer):
    if peer == comparison.REFERENCE:
        return "own"
    if comparison.is_limit(peer):
        return "limit"
    return "other" if comparison.is_other_library(peer) else "kin"


# --- In short -----------------------------------------------------------------------------------

def count_verdicts(analysis):
    counts = {}
    for workload, _, _, row in analysis.judged():
        counts.setdefault(workload.name, Counter())[row.verdict()] += 1
    return counts


def score_table(counts):
    used = [verdict for verdict in VERDICTS if any(count[verdict] for count in counts.values())]
    rows = [Row([name] + [str(count[verdict] or "·") for verdict in used])
            for name, count in counts.items()]
    return Table(["pollux is"] + used, [Group("", rows)])


def in_short(analysis):
    section = Section("short", "In short")
    counts = count_verdicts(analysis)
    if not counts:
        section.words.append("No competitor was measured together with pollux and its control often "
                             "enough to say more than the tables below.")
        return section
    total = sum(counts.values(), Counter())
    section.words.append(
        f"Of {words.plural(total.total(), 'comparison')} with other libraries pollux is "
        + ", ".join(f"{verdict} in {total[verdict]}" for verdict in VERDICTS if total[verdict]) + ".")
    if total["maybe ahead"] or total["maybe behind"]:
        section.words.append("“Maybe” is what the intervals of this run say, and what its blocks are "
                             "too few to claim.")
    section.parts.append(score_table(counts))
    return section


def headline(analysis):
    """Cost above the bare system calls for each event, wherever a workload has such a cell."""
    section = Section("headline", "The cost over the bare system calls, for each event")
    for workload in analysis.results.workloads.values():
        cell = next((cell for cell in analysis.cells[workload.name]
                     if cell.name == workload.headline), None)
        if cell and workload.compared():
            table = headline_table(workload, cell, workload.compared()[0])
            section.parts.extend([table] if table else [])
    return section


def headline_table(workload, cell, metric):
    found = {}
    for peer in cell.peers:
        cost = comparison.above_limit(cell, metric, peer)
        if cost and (comparison.is_other_library(peer) or peer == comparison.REFERENCE):
            found[peer] = cost
    if not found:
        return None
    scale = words.Scale(metric.unit, [cost[0] for cost in found.values()])
    rows = [headline_row(scale, peer, *cost, workload.repeated)
            for peer, cost in sorted(found.items(), key=lambda item: item[1][0])]
    base = words.Scale(metric.unit, cell.values(workload.limit, metric))
    needed = base.full(statistics.median(cell.values(workload.limit, metric)))
    return Table(["", "above the limit"] + (["95 % interval"] if workload.repeated else []),
                 [Group("", rows)],
                 f"{workload.name}: {metric.title}, {words.cell_words(cell.name)}",
                 f"Above {workload.limit}, which itself needs {needed}. Less is better.",
                 Axis(f"{scale.word or metric.unit} above {workload.limit}", 0.0), large=True)


def headline_row(scale, peer, middle, low, high, repeated):
    mark = Mark(*(value / scale.divisor for value in (middle, low, high)), bar=True)
    texts = [peer, scale.full(middle)]
    if repeated:
        texts.append("–" if low == high else f"{scale.bare(low)} – {scale.bare(high)}")
    return Row(texts, kind_of(peer), mark=mark)


def losses(analysis):
    section = Section("losses", "Where pollux loses")
    rows = [(row.verdict(), row.ratio, workload, metric, cell, row)
            for workload, metric, cell, row in analysis.judged() if "behind" in row.verdict()]
    if not rows:
        if any(True for _ in analysis.judged()):
            section.words.append("Against no library in this run, as far as it can tell.")
        return section
    rows.sort(key=lambda item: (item[0] != "behind", item[1]))
    table = [Row([f"{workload.name}: {metric.title}", words.cell_words(cell.name), row.peer,
                  words.ratio(ratio), interval_text(workload, row.low, row.high), verdict],
                 "other", verdict)
             for verdict, ratio, workload, metric, cell, row in rows]
    section.words.append("The ratio is what the other library needs for each unit that pollux needs; "
                         "the largest loss comes first.")
    section.parts.append(Table(["what", "where", "against", "ratio", "95 % interval", "pollux is"],
                               [Group("", table)]))
    return section


# --- Distance to the limit ----------------------------------------------------------------------

def limits(analysis):
    section = Section("limits", "The distance to the limit")
    groups = []
    for workload in analysis.results.workloads.values():
        for metric in workload.compared() if workload.limit else []:
            rows = [distance_row(workload, cell, rows)
                    for cell, rows in analysis.compared[workload.name, metric.member]]
            rows = [row for row in rows if row]
            if rows:
                groups.append(Group(f"{workload.name}: {metric.title}, over {workload.limit}", rows))
    if groups:
        section.words.append("What pollux needs for each unit that the bare system calls need, or a "
                             "bare data structure where there is no call. At 1 nothing is left to gain.")
        section.parts.append(Table(["", "pollux / limit", "95 % interval"], groups, axis=Axis(
            "pollux over its limit", 1.0, logarithmic=True)))
    return section


def distance_row(workload, cell, rows):
    found = comparison.distance(rows, workload.limit)
    if not found:
        return None
    middle, low, high = found
    return Row([words.cell_words(cell.name), words.ratio(middle),
                interval_text(workload, low, high)], "other",
               mark=Mark(middle, low, high))


# --- One workload -------------------------------------------------------------------------------

def workload_section(analysis, workload):
    section = Section(workload.name, workload.name, [workload.question])
    for metric in workload.compared():
        groups = analysis.compared[workload.name, metric.member]
        if groups:
            section.parts.extend(growth_curves(workload, metric, groups))
            section.parts.append(compared_table(workload, metric, groups))
    section.parts.extend(shown_tables(analysis, workload))
    section.parts.extend(percentile_curves(analysis, workload))
    return section


def compared_table(workload, metric, groups):
    make = repeated_group if workload.repeated else counted_group
    better = "" if metric.better == "less" else " (more is better)"
    head = ["", "median", "ratio to pollux", "95 % interval", "blocks", "pollux is"]
    axis = Axis("every block; right of 1: pollux ahead", 1.0,
                logarithmic=True)
    if not workload.repeated:
        head = ["", "count", "ratio to pollux", "pollux is"]
        axis = Axis(metric.unit, 0.0)
    return Table(head, [make(cell, metric, rows) for cell, rows in groups], metric.title + better,
                 axis=axis)


def repeated_group(cell, metric, rows):
    """Every ratio that was measured is drawn, so that no average hides one."""
    scale = words.Scale(metric.unit, [statistics.median(row.values) for row in rows])
    lines = [repeated_row(scale, row) for row in rows]
    control = comparison.control_ratios(cell, metric)
    if control:
        lines.append(ratio_row("pollux again (control)", "", control, "", "control"))
    return Group(words.cell_words(cell.name), lines, comparison.control_error(cell, metric))


def repeated_row(scale, row):
    value = scale.full(statistics.median(row.values))
    if row.ratios:
        return ratio_row(row.peer, value, row.marked, row.verdict(), kind_of(row.peer))
    own = row.peer == comparison.REFERENCE
    return Row([row.peer, value, "1" if own else "–", "", str(len(row.values)), ""], kind_of(row.peer))


def ratio_row(name, value, marked, verdict, kind):
    ratios = [ratio for ratio, _ in marked]
    middle = statistics.ratio_median(ratios)
    low, high = statistics.ratio_interval(ratios)
    sides = f"{sum(ratio > 1 for ratio in ratios)} : {sum(ratio < 1 for ratio in ratios)}"
    return Row([name, value, words.ratio(middle), words.interval(low, high), sides, verdict], kind,
               verdict, Mark(middle, low, high, marked))


def counted_group(cell, metric, rows):
    """Counts without noise: one trial each, drawn as bars."""
    scale = words.Scale(metric.unit, [statistics.median(row.values) for row in rows])
    lines = []
    for row in rows:
        value = statistics.median(row.values)
        ratio = "–" if row.ratio is None else words.ratio(row.ratio)
        texts = [row.peer, scale.full(value), "1" if row.peer == comparison.REFERENCE else ratio,
                 row.verdict()]
        lines.append(Row(texts, kind_of(row.peer), row.verdict(),
                         Mark(value / scale.divisor, bar=True)))
    return Group(words.cell_words(cell.name), lines)


def shown_tables(analysis, workload):
    """Metrics that stand beside, without a comparison."""
    metrics = workload.shown()
    groups = [Group(words.cell_words(cell.name), [row for row in shown_rows(cell, metrics) if row])
              for cell in analysis.cells[workload.name]]
    groups = [group for group in groups if group.rows]
    if metrics and groups:
        yield Table([""] + [metric.title for metric in metrics], groups, "beside that")


def shown_rows(cell, metrics):
    for peer, trials in sorted(cell.peers.items()):
        texts = [shown_text(list(trials.values()), metric) for metric in metrics]
        if any(text != "–" for text in texts):
            yield Row([peer] + texts, kind_of(peer))


def shown_text(trials, metric):
    if metric.better == "text":
        return next((str(trial[metric.member]) for trial in trials if metric.member in trial), "–")
    values = [trial[metric.member] for trial in trials
              if comparison.is_number(trial.get(metric.member))]
    if not values:
        return "–"
    middle = statistics.median(values)
    return words.Scale(metric.unit, [middle]).full(middle)


# --- Curves -------------------------------------------------------------------------------------

def axes(cells):
    """(axis, the rest of the parameters, {x: cell}) wherever a number takes several values."""
    found = {}
    for cell in cells:
        parameters = cell.parameters()
        for name, value in parameters.items():
            if value.isdigit() and int(value) > 0:
                rest = tuple(item for item in parameters.items() if item[0] != name)
                found.setdefault((name, rest), {})[int(value)] = cell
    return [(name, rest, by_x) for (name, rest), by_x in found.items() if len(by_x) >= LEAST_POINTS]


def growth_curves(workload, metric, groups):
    by_cell = {cell.name: rows for cell, rows in groups}
    for name, rest, cells in axes([cell for cell, _ in groups]):
        lines = {}
        for x in sorted(cells):
            for row in by_cell[cells[x].name]:
                low, high = statistics.median_interval(row.values)
                lines.setdefault(row.peer, []).append(
                    (x, statistics.median(row.values), low, high))
        lines = [Line(peer, points) for peer, points in lines.items() if len(points) > 1]
        where = words.cell_words(",".join(f"{key}={value}" for key, value in rest))
        if lines:
            yield growth_curve(workload, metric, name, where, lines)


def growth_curve(workload, metric, name, where, lines):
    scale = words.Scale(metric.unit, [point[1] for line in lines for point in line.points])
    for line in lines:
        line.points = [(x, *(value / scale.divisor for value in rest)) for x, *rest in line.points]
    title = f"{workload.name}: {metric.title}, over {name}" + (f" ({where})" if where else "")
    rows = [Row([line.peer, words.thin(x), f"{words.digits(y)} {scale.word}".strip(), growth],
                kind_of(line.peer))
            for line in sorted(lines, key=lambda line: line.points[-1][1])
            for (x, y, _, _), growth in zip(line.points, growth_words(line))]
    table = Table(["", name, metric.title, "times the first"], [Group("", rows)])
    return Curve(title, name, scale.word or metric.unit, lines, table)


def growth_words(line):
    first = line.points[0][1]
    return [words.ratio(point[1] / first) if first > 0 else "" for point in line.points]


def percentile_curves(analysis, workload):
    for cell in analysis.cells[workload.name]:
        lines = []
        for peer, trials in cell.peers.items():
            counts = Counter()
            for trial in trials.values():
                for end, count in trial.get("histogram_ns", []):
                    counts[end] += count
            if counts:
                lines.append(percentile_line(peer, counts))
        if lines:
            yield percentile_curve(workload, cell, lines)


def percentile_line(peer, counts):
    """As far into the tail as ten values lie beyond: what follows would be single events."""
    total = sum(counts.values())
    return Line(peer, [(share, statistics.histogram_quantile(counts, share) / 1e6, None, None)
                       for share in QUANTILES if total * (1 - share) >= 10 or share == 0.5])


def percentile_curve(workload, cell, lines):
    head = [""] + [f"p{100 * share:g}" for share in QUANTILES]
    rows = []
    for line in sorted(lines, key=lambda line: line.points[-1][1]):
        texts = [f"{words.digits(point[1])} ms" for point in line.points]
        rows.append(Row([line.peer] + texts + ["–"] * (len(QUANTILES) - len(texts)),
                        kind_of(line.peer)))
    return Curve(f"{workload.name}: how late answers were, {words.cell_words(cell.name)}", "percentile",
                 "ms", lines, Table(head, [Group("", rows)]), of_quantiles=True,
                 note="Histograms of all blocks added up; percentiles are never averaged.")


# --- What the numbers stand on ------------------------------------------------------------------

def resolution(analysis):
    """What this run cannot tell, so that nobody reads more into it."""
    section = Section("resolution", "What this run cannot tell")
    rows = []
    for workload in analysis.results.workloads.values():
        if not workload.repeated:
            continue
        for metric in workload.compared():
            row = resolution_row(workload, metric, analysis.compared[workload.name, metric.member])
            rows.extend([row] if row else [])
    not_run = sorted({name for line in analysis.results.machines
                      for name in line.get("not run", "").split()} - set(analysis.results.workloads))
    if not_run:
        section.words.append("Not run at all: " + ", ".join(not_run) + ".")
    if rows:
        section.words.append(
            "Two runs of the same program differ by the second column: a smaller difference is noise. "
            "With fewer blocks than the last column nothing is claimed, however clear it looks.")
        section.parts.append(Table(["", "noise (worst cell)", "blocks", "needed for a claim"],
                                   [Group("", rows)]))
    return section


def resolution_row(workload, metric, groups):
    errors = [rows[0].error for _, rows in groups if rows and rows[0].error is not None]
    counts = [len(row.ratios) for _, rows in groups for row in rows if row.ratios]
    if not counts:
        return None
    return Row([f"{workload.name}: {metric.title}", words.percent(max(errors)) if errors else "–",
                str(min(counts)), str(statistics.blocks_for_a_claim(len(counts)))])


def conditions(analysis):
    results = analysis.results
    section = Section("conditions", "What the numbers stand on")
    measured = {(trial["run"], trial.get("order")): trial for trial in results.trials
                if comparison.is_number(trial.get("foreign"))}
    disturbed = sum(bool(trial.get("disturbed")) for trial in measured.values())
    if measured:
        shares = sorted(trial["foreign"] for trial in measured.values())
        section.words.append(
            f"{words.plural(len(measured), 'trial')}. Disturbed by other work: "
            f"{words.plural(len(results.repeated), 'attempt')}, made again; "
            f"{words.plural(disturbed, 'trial')}, kept and drawn hollow. Others used "
            f"{100 * statistics.median(shares):.0f} % of one "
            f"processor in the middle of all trials, {100 * shares[-1]:.0f} % at worst.")
        if disturbed * 2 > len(measured):
            section.words.append("That is more than half: this machine was not quiet.")
    rows = gap_rows(results.left_out) + gap_rows(results.failed, "failed: ")
    if rows:
        section.parts.append(Table(["left out", "why", "of"], [Group("", rows)], "Left out"))
    section.parts.extend(damage_table(results))
    return section


def gap_rows(lines, prefix=""):
    """Each reason once, with all workloads that it holds for."""
    workloads = {}
    for line in lines:
        found = workloads.setdefault((line["peer"], prefix + (line["reason"] or "no word")), [])
        if line["workload"] not in found:
            found.append(line["workload"])
    return [Row([peer, reason, ", ".join(names)]) for (peer, reason), names in workloads.items()]


def damage_table(results):
    rows = [Row([f"line {number}" if number else "", reason]) for number, reason in results.damaged]
    return [Table(["", "damage"], [Group("", rows)], "Damaged lines")] if rows else []


def versions(analysis):
    found = {}
    for trial in analysis.results.trials:
        if trial.get("version"):
            found.setdefault(trial["peer"], set()).add(str(trial["version"]))
    return [Row([peer, ", ".join(sorted(names))], kind_of(peer))
            for peer, names in sorted(found.items())]


def machine(analysis):
    """One column for each time the run was started: facts that did not change are said once."""
    section = Section("machine", "The machine and the competitors")
    skipped = ("type", "run", "identity", "not run")
    facts = {}
    for line in analysis.results.machines:
        for name, value in line.items():
            if name not in skipped and str(value) not in facts.setdefault(name, []):
                facts[name].append(str(value))
    if facts:
        section.parts.append(Table(["fact", "of this machine"], [Group("", [
            Row([name, "; then ".join(values)]) for name, values in facts.items()])]))
    rows = versions(analysis)
    if rows:
        section.parts.append(Table(["competitor", "version"], [Group("", rows)]))
    return section


METHOD = (
    "A block runs every competitor once, in a new random order, each in a process of its own, and "
    "pollux a second time: what these two differ by is noise, the control. The ratio is taken within a "
    "block. Its median has a 95 % bootstrap interval over the blocks.",
    "pollux is called ahead or behind where that whole interval is further from 1 than the control's, "
    "and where a sign test, corrected for all comparisons of the same metric (Holm), leaves less than "
    "5 % to chance. It is called level where the interval lies within that of a control that itself "
    "differs by less than 10 %. “Maybe” means that the interval says so and the blocks are too few for "
    "the test. All else is undecided. Counts have no noise: half a percent decides.",
    "Ratios above 1 mean that pollux needs less. “Blocks” says in how many of them that was so, and in "
    "how many it was not. Time is processor time of the thread or server unless a title says otherwise.",
)


def command_words(results):
    """How this run was made; nothing if the results do not say."""
    commands = list(dict.fromkeys(line["command"] for line in results.machines
                                  if line.get("command")))
    seeds = dict.fromkeys(str(line["seed"]) for line in results.machines if "seed" in line)
    return f"This run: {'; '.join(commands)} (seed {', '.join(seeds)})." if commands else ""


def reproduce(analysis):
    section = Section("method", "How it was measured, and how to do it again", list(METHOD))
    command = command_words(analysis.results)
    if command:
        section.words.append(f"{command} The method in full, the rules of fair play and the lines of "
                             "a result file: bench/README.md.")
    return section


def lead(results):
    """One line that says what this is and where it was measured."""
    machine = results.machines[0] if results.machines else {}
    facts = [machine[name] for name in ("processor", "kernel", "revision", "date") if name in machine]
    return "The same work by each, side by side in one run. " + " · ".join(facts)


def sections(results):
    """All of the report, from the answer down to the evidence."""
    analysis = Analysis(results)
    found = [headline(analysis), in_short(analysis), losses(analysis), limits(analysis)]
    found += [workload_section(analysis, workload) for workload in results.workloads.values()]
    found += [resolution(analysis), conditions(analysis), machine(analysis), reproduce(analysis)]
    return [section for section in found if section.parts or section.words[1:]
            or section.name == "short" or section.name == "losses" and section.words]


def brief(results, found):
    """For a terminal: the answers without the evidence."""
    left_out = set(results.workloads) | {"machine", "method"}
    return [section for section in found if section.name not in left_out]
