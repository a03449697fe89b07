# SPDX-License-Identifier: MIT
"""Pictures that are a column of a table: dots, intervals and bars, one small drawing a row.

Places are percentages of the width, so a picture stretches with its column and text keeps its size.
"""
import math

# The ones that say most come first; later ones stand only where there is room.
NICE_RATIOS = (1, 2, 0.5, 10, 0.1, 5, 0.2, 1.5, 3, 100, 0.01, 20, 50, 0.05, 0.02, 0.7, 1.2, 0.8, 1.1,
               0.9, 1.05, 0.95, 200, 500, 1000)
MOST_TICKS = 6
CLOSEST_TICKS = 100 / 8  # percent of the width
SPREAD = (0, 2, -2, 1, -1, 3, -3)  # dots of equal ratios shall not hide each other
DOTS_BELOW = 8  # nor shall the interval, which is drawn above them


class Domain:
    """What part of the axis is shown, with a little room on both sides."""

    def __init__(self, axis, values):
        self.axis = axis
        places = [self.place(value) for value in values + [axis.origin]]
        self.low, self.high = min(places), max(places)
        room = 0.04 * (self.high - self.low) or 0.1
        self.low -= room if self.low < self.place(axis.origin) else room / 4
        self.high += room

    def place(self, value):
        return math.log(value) if self.axis.logarithmic else value

    def share(self, value):
        return self.share_of_place(self.place(value))

    def share_of_place(self, place):
        return min(100.0, max(0.0, 100 * (place - self.low) / (self.high - self.low)))

    def holds(self, value):
        return self.low <= self.place(value) <= self.high

    def ticks(self):
        if self.axis.logarithmic:
            return self.ratio_ticks()
        step = nice_step((self.high - self.low) / MOST_TICKS)
        first = math.ceil(self.low / step)
        return [step * i for i in range(first, math.floor(self.high / step) + 1)]

    def ratio_ticks(self):
        found = []
        for tick in NICE_RATIOS:
            if self.low <= math.log(tick) <= self.high and all(
                    abs(self.share(tick) - self.share(other)) >= CLOSEST_TICKS for other in found):
                found.append(tick)
        return sorted(found)


def nice_step(least):
    """1, 2 or 5 with zeros, the smallest that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= least * 0.999)


def values_of(rows):
    """What the axis has to reach. Other backends of pollux need not fit: one that looks at all
    descriptors each time would press everybody else together."""
    found = []
    for row in rows:
        if row.mark and row.kind != "kin":
            found += [value for value in (row.mark.middle, row.mark.low, row.mark.high)
                      if value is not None]
            found += [value for value, _ in row.mark.dots]
    return found


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


def vertical(domain, value, kind):
    x = number(domain.share(value))
    return f'<line x1="{x}%" x2="{x}%" y1="0" y2="100%" class="{kind}"/>'


def band(domain, reach):
    if reach is None or not domain.axis.logarithmic:
        return ""
    left, right = (domain.share_of_place(sign * reach) for sign in (-1, 1))
    return f'<rect x="{number(left)}%" width="{number(right - left)}%" height="100%" class="band"/>'


def interval(domain, mark, y):
    if mark.bar:
        left, right = sorted((domain.share(domain.axis.origin), domain.share(mark.middle)))
        drawn = (f'<rect x="{number(left)}%" width="{number(right - left)}%" y="{y - 5}" height="10" '
                 f'class="bar"/>')
    else:
        drawn = f'<circle cx="{number(domain.share(mark.middle))}%" cy="{y}" r="4" class="middle"/>'
    if mark.low is not None and mark.low != mark.high:
        low, high = (number(domain.share(value)) for value in (mark.low, mark.high))
        drawn += f'<line x1="{low}%" x2="{high}%" y1="{y}" y2="{y}" class="interval"/>'
    return drawn


def beyond(domain, mark, y):
    """An arrow at the edge that a row lies behind."""
    right = domain.place(mark.middle) > domain.high
    return (f'<text x="{100 if right else 0}%" y="{y + 4}" text-anchor="{"end" if right else "start"}">'
            f'{"▸" if right else "◂"}</text>')


def dots(domain, mark, y):
    return "".join(
        f'<circle cx="{number(domain.share(value))}%" cy="{number(y + SPREAD[i % len(SPREAD)])}" '
        f'r="2" class="{"hollow" if disturbed else "dot"}"/>'
        for i, (value, disturbed) in enumerate(mark.dots))


def drawing(domain, row, reach, height=20):
    """The small picture of one row; hidden from readers of text, who have the numbers beside it."""
    parts = [band(domain, reach)]
    parts += [vertical(domain, tick, "grid") for tick in domain.ticks()]
    parts.append(vertical(domain, domain.axis.origin, "origin"))
    if row.mark and not domain.holds(row.mark.middle):
        parts.append(beyond(domain, row.mark, height / 2))
    elif row.mark:
        y = (height - DOTS_BELOW) / 2 if row.mark.dots else height / 2
        parts.append(interval(domain, row.mark, y))
        parts.append(f'<g class="dots">{dots(domain, row.mark, y + DOTS_BELOW)}</g>')
    return f'<svg width="100%" height="{height}" aria-hidden="true">{"".join(parts)}</svg>'


def tick_text(value):
    return f"{value:g}" if abs(value) < 10000 else f"{value:,.0f}".replace(",", "\u202f")


def scale(domain):
    texts = "".join(
        f'<text x="{number(domain.share(tick))}%" y="12" text-anchor="middle">{tick_text(tick)}</text>'
        for tick in domain.ticks())
    return f'<svg width="100%" height="16" class="scale" aria-hidden="true">{texts}</svg>'
