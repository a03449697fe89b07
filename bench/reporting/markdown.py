# SPDX-License-Identifier: MIT
"""The report as Markdown, readable as it is: all numbers of all pictures, in tables."""
from .document import Curve


def escape(text):
    return text.replace("|", "\\|")


def width(rows, column):
    return max(len(row[column]) for row in rows)


def lines_of(rows):
    """Columns as wide as their widest text; the first row is the head."""
    rows = [[escape(text) for text in row] for row in rows]
    widths = [max(3, width(rows, column)) for column in range(len(rows[0]))]
    rows.insert(1, ["-" * size for size in widths])
    return ["| " + " | ".join(text.ljust(size) for text, size in zip(row, widths)) + " |"
            for row in rows]


def table_lines(table):
    """Parts of a table follow each other in one, each below a row with its name."""
    rows = [table.head]
    for group in table.groups:
        if group.title:
            rows.append([f"*{group.title}*"] + [""] * (len(table.head) - 1))
        rows += [row.texts for row in group.rows]
    return (["", f"**{escape(table.title)}**"] if table.title else []) + [""] + lines_of(rows)


def part_lines(part):
    if isinstance(part, Curve):
        found = ["", f"**{escape(part.title)}**"] + table_lines(part.table)
    else:
        found = table_lines(part)
    return found + (["", part.note] if part.note else [])


def render(title, lead, sections):
    return "\n".join([f"# {title}", "", lead] + section_lines(sections, "##")) + "\n"


def render_part(lead, sections):
    """As a part of another text."""
    return "\n".join([lead] + section_lines(sections, "###")) + "\n"


def section_lines(sections, mark):
    found = []
    for section in sections:
        found += ["", f"{mark} {section.title}"]
        for words in section.words:
            found += ["", words]
        for part in section.parts:
            found += part_lines(part)
    return found
