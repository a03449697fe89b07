# SPDX-License-Identifier: MIT
"""Curves, drawn by gnuplot and embedded.

gnuplot knows nothing of the page's colours, which depend on the reader's light. It gets numbers for
colours, which become names of the page's own afterwards; its fonts and definitions go.
"""
import re
import subprocess

from .comparison import is_limit

# Colours by number: (1, 0, n) for what is around, (2, 0, n) for the n-th competitor.
AROUND = {1: "--line", 2: "--soft", 3: "--faint"}

POINT = (r"<use xlink:href='#gpPt6' transform='translate\(([\d.]+),([\d.]+)\) scale\([\d.]+\)' "
         r"color='([^']*)'/>")

HEAD = """set terminal svg size 520,300 dynamic font ",12" name "curve"
set border 3 lc rgb "#010001"
set tics nomirror scale 0.4 textcolor rgb "#010002"
set grid lt 1 lc rgb "#010003" lw 0.6
set lmargin 9
set rmargin 2
set tmargin 1
set bmargin 3.4
unset key
set format "%g"
"""


class NoGnuplot(OSError):
    pass


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def across(curve, x):
    """Of a share p, 1/(1-p): every nine takes the same room."""
    return 1 / (1 - x) if curve.of_quantiles else x


def tick_name(x):
    for least, word in ((1e6, "M"), (1e3, "k")):
        if x >= least and x % (least / 10) == 0:
            return f"{x / least:g}{word}"
    return f"{x:g}"


def x_tics(curve):
    if curve.of_quantiles:
        wanted = (0.5, 0.9, 0.99, 0.999, 0.9999)
        most = max(x for line in curve.lines for x, *_ in line.points)
        return [(f"p{100 * x:g}", across(curve, x)) for x in wanted if x <= most]
    values = sorted({x for line in curve.lines for x, *_ in line.points})
    every = -(-len(values) // 8)
    return [(tick_name(x), x) for x in values[::every]]


def spans_decades(values):
    return min(values) > 0 and max(values) / min(values) > 8


def scales(curve):
    """Logarithmic where numbers differ much. The curve begins and ends inside the frame."""
    xs = [across(curve, x) for line in curve.lines for x, *_ in line.points]
    ys = [y for line in curve.lines for _, y, *_ in line.points]
    if curve.of_quantiles or spans_decades(xs):
        yield f"set logscale x\nset xrange [{min(xs) / 1.15!r}:{max(xs) * 1.15!r}]\n"
    else:
        room = 0.05 * (max(xs) - min(xs)) or 1
        yield f"set xrange [{min(xs) - room!r}:{max(xs) + room!r}]\n"
    yield "set logscale y\n" if spans_decades(ys) else "set yrange [0:*]\n"
    if max(ys) >= 1000:
        yield 'set format y "%.0s%c"\n'


def script(curve, colours):
    """What gnuplot is told. The data comes first, as blocks of its own."""
    parts = [HEAD, *scales(curve)]
    tics = ", ".join(f"{quoted(text)} {x!r}" for text, x in x_tics(curve))
    parts.append(f"set xtics ({tics})\nset mxtics default\n")
    parts.append(f"set xlabel {quoted(curve.x_title)} noenhanced textcolor rgb '#010002'\n")
    plots = []
    for i, line in enumerate(curve.lines):
        rows = [(across(curve, x), y, y if low is None else low, y if high is None else high)
                for x, y, low, high in line.points]
        parts.append(f"$line{i} << E\n" + "".join("%r %r %r %r\n" % row for row in rows) + "E\n")
        colour = f"#0200{colours[line.peer]:02x}"
        dashes = " dt 2" if is_limit(line.peer) else ""
        if any(low is not None for _, _, low, _ in line.points):
            plots.append(f"$line{i} using 1:3:4 with filledcurves fc rgb '{colour}' "
                         f"fs transparent solid 0.12 notitle")
        plots.append(f"$line{i} using 1:2 with linespoints lc rgb '{colour}' lw 1.6 pt 7 ps 0.35"
                     f"{dashes} notitle")
    return "".join(parts) + "plot " + ", ".join(plots) + "\n"


def colour_name(match):
    kind, _, number = (int(part) for part in match.groups())
    return f"var({AROUND[number]})" if kind == 1 else f"var(--peer{number})"


def adapted(svg):
    """gnuplot's drawing as a part of the page: no prologue, no definitions, no fonts, our colours."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<(title|desc|defs)>.*?</\1>|<title>.*?</title>", "", svg, flags=re.S)
    svg = re.sub(r"\s+xmlns(:xlink)?=\"[^\"]*\"", "", svg)
    svg = re.sub(r"\s+(id|font-family)=\"[^\"]*\"", "", svg)
    svg = re.sub(POINT, r"<circle cx='\1' cy='\2' r='2.2' stroke='none' fill='\3'/>", svg)
    svg = re.sub(r"rgb\(\s*(\d+),\s*(\d+),\s*(\d+)\)", colour_name, svg)
    for _ in range(2):
        svg = re.sub(r"<g[^>]*>\s*</g>\n?", "", svg)
    return svg.replace("<svg", '<svg class="curve" aria-hidden="true"', 1)


def draw(curve, colours):
    try:
        done = subprocess.run(["gnuplot"], input=script(curve, colours), capture_output=True, text=True,
                              encoding="utf-8", check=False)
    except FileNotFoundError:
        raise NoGnuplot("gnuplot is not there; Debian has it in gnuplot-nox") from None
    if done.returncode != 0 or "<svg" not in done.stdout:
        raise NoGnuplot(done.stderr.strip() or "gnuplot drew nothing")
    return adapted(done.stdout)
