# SPDX-License-Identifier: MIT
"""The report as one page that needs nothing else: no script, no font, no file from elsewhere."""
import os
from html import escape

from . import marks
from .comparison import REFERENCE, is_limit
from .curves import NoGnuplot, draw
from .document import Curve

__all__ = ["NoGnuplot", "render"]

COLOURS, GREYS = 8, 4  # of competitors, and of limits, which come behind them in the style
MOST_GROUPS = 8
PICTURE_PLACE = 2  # in front of this column: who and how much come first


def style():
    with open(os.path.join(os.path.dirname(__file__), "page.css"), encoding="utf-8") as file:
        return file.read()


def verdict_class(text):
    """A verdict and nothing else is coloured; a loss stands out as much as a win."""
    words = text.split()
    if not words or words[-1] not in ("ahead", "behind"):
        return ""
    return f' class="verdict {" ".join(words)}"'


def cells(head, row):
    found = [f'<th scope="row">{escape(row.texts[0])}</th>']
    for name, text in zip(head[1:], row.texts[1:]):
        of = f' data-of="{escape(name)}"' if name and text else ""
        mark = verdict_class(text) if text == row.verdict else ""
        found.append(f"<td{of}{mark}>{escape(text)}</td>")
    return found


def row_html(table, row, domain, band):
    found = cells(table.head, row)
    if table.axis:
        height = 26 if table.large else 20
        found.insert(PICTURE_PLACE,
                     f'<td class="picture">{marks.drawing(domain, row, band, height)}</td>')
    return f'<tr class="{row.kind}">' + "\n".join(found) + "</tr>"


def axis_html(table, domain):
    columns = len(table.head) - PICTURE_PLACE
    rest = f'<td class="around" colspan="{columns}"></td>' if columns > 0 else ""
    return (f'<tr class="axis"><td class="around" colspan="{PICTURE_PLACE}"></td>'
            f'<td class="picture">{marks.scale(domain)}</td>{rest}</tr>')


def group_html(table, group, domain):
    columns = len(table.head) + bool(table.axis)
    found = ["<tbody>"]
    if group.title:
        found.append(f'<tr class="group"><th colspan="{columns}" scope="rowgroup">'
                     f"{escape(group.title)}</th></tr>")
    found += [row_html(table, row, domain, group.band) for row in group.rows]
    if table.axis:
        found.append(axis_html(table, domain))
    return found + ["</tbody>"]


def table_html(table):
    head = [f'<th scope="col">{escape(name)}</th>' for name in table.head]
    if table.axis:
        head.insert(PICTURE_PLACE, f'<th scope="col" class="picture">{escape(table.axis.words)}</th>')
    kind = ("drawn large" if table.large else "drawn") if table.axis else "plain"
    found = [f'<table class="{kind}">']
    if table.title:
        found.append(f"<caption>{escape(table.title)}</caption>")
    found.append(f"<thead><tr>{''.join(head)}</tr></thead>")
    for group in table.groups:
        domain = marks.Domain(table.axis, marks.values_of(group.rows)) if table.axis else None
        found += group_html(table, group, domain)
    found += ["</table>"] + note_html(table)
    return folded(table, found) if table.title and len(table.groups) > MOST_GROUPS else found


def folded(table, found):
    """A long table waits until somebody wants it; what is to be seen first stands elsewhere."""
    summary = f"{escape(table.title)}: a table of {len(table.groups)} parts"
    return [f"<details><summary>{summary}</summary>"] + found + ["</details>"]


def note_html(part):
    return [f'<p class="note">{escape(part.note)}</p>'] if part.note else []


def legend_html(curve, colours):
    items = [f'<li><i class="{"dashed" if is_limit(line.peer) else "solid"}" '
             f'style="color:var(--peer{colours[line.peer]})"></i>{escape(line.peer)}</li>'
             for line in curve.lines]
    return f'<ul class="legend">{" ".join(items)}</ul>'


def curve_html(curve, colours):
    return ["<figure>", f"<figcaption>{escape(curve.title)}</figcaption>",
            f'<p class="note">{escape(curve.y_title)}</p>', draw(curve, colours),
            legend_html(curve, colours), "<details><summary>The numbers of this picture</summary>",
            *table_html(curve.table), "</details>", *note_html(curve), "</figure>"]


def colours_of(sections):
    """The same colour for the same competitor everywhere; pollux has the first."""
    peers = {line.peer for section in sections for part in section.parts if isinstance(part, Curve)
             for line in part.lines}
    limits = sorted(peer for peer in peers if is_limit(peer))
    others = sorted(peers - set(limits), key=lambda peer: (peer != REFERENCE, peer))
    colours = {peer: place % COLOURS for place, peer in enumerate(others)}
    colours.update({peer: COLOURS + place % GREYS for place, peer in enumerate(limits)})
    return colours


def section_html(section, colours):
    found = [f'<section id="{escape(section.name)}">', f"<h2>{escape(section.title)}</h2>"]
    found += [f"<p>{escape(words)}</p>" for words in section.words]
    for part in section.parts:
        found += curve_html(part, colours) if isinstance(part, Curve) else table_html(part)
    return found + ["</section>"]


def render(title, lead, sections):
    colours = colours_of(sections)
    links = " ".join(f'<a href="#{escape(section.name)}">{escape(section.title)}</a>'
                     for section in sections)
    found = ["<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width, initial-scale=1">',
             f"<title>{escape(title)}</title>", f"<style>\n{style()}</style>", "</head>", "<body>",
             f"<h1>{escape(title)}</h1>", f'<p class="lead">{escape(lead)}</p>', f"<nav>{links}</nav>"]
    for section in sections:
        found += section_html(section, colours)
    return "\n".join(found + ["</body>", "</html>"]) + "\n"
