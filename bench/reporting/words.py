# SPDX-License-Identifier: MIT
"""Numbers and names as people read them."""
import math

SCALES = {
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")),
    "bytes": ((1 << 30, "GiB"), (1 << 20, "MiB"), (10 << 10, "KiB"), (1, "B")),
    "1/s": ((1, "/s"),),
    "share": ((0.01, "%"),),
    "calls": ((1, ""),),
    "instructions": ((1, ""),),
}
DIVISORS = {"KiB": 1 << 10}


def signed(text):
    """With a minus that is one."""
    return text.replace("-", "\u2212")


def thin(number):
    """Thousands apart, by a space that does not break."""
    return signed(f"{number:,}".replace(",", "\u202f"))


def digits(value):
    """Three of them, or all before the point."""
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return thin(round(value))
    decimals = 1 if abs(value) >= 9.995 else 2
    return signed(f"{value:.{decimals}f}")


def scale_of(unit, value):
    """The divisor and the word with which `value` has a short form."""
    for least, word in SCALES.get(unit, ((1, unit),)):
        if abs(value) >= least * 0.9995:
            return DIVISORS.get(word, least), word
    least, word = SCALES.get(unit, ((1, unit),))[-1]
    return DIVISORS.get(word, least), word


class Scale:
    """One unit for numbers that stand below each other; that of the smallest, so none is 0.00."""

    def __init__(self, unit, values):
        sizes = [abs(value) for value in values if value]
        self.unit = unit
        self.divisor, self.word = scale_of(unit, min(sizes) if sizes else 1)

    def bare(self, value):
        value = value / self.divisor
        if self.unit == "calls":
            return f"{value:.3f}"
        return digits(value)

    def full(self, value):
        space = "" if self.word == "/s" else " "
        return f"{self.bare(value)}{space}{self.word}".rstrip()


def ratio(value):
    """Two decimals; two digits where that would leave less."""
    if value == 0 or math.isinf(value):
        return "∞" if value else "0"
    if value < 0:
        return signed(f"{value:.2f}")
    if value >= 99.5:
        return thin(round(value))
    decimals = 2 if value >= 0.0995 else 1 - math.floor(math.log10(value))
    return f"{value:.{decimals}f}"


def interval(low, high):
    """One block has none."""
    if low == high:
        return "–"
    return f"{ratio(low)} – {ratio(high)}"


def percent(logarithm):
    """How far from 1 a ratio with this logarithm is."""
    value = 100 * math.expm1(logarithm)
    return f"{value:.1f} %" if value < 10 else f"{value:.0f} %"


def number_text(text):
    return thin(int(text)) if text.lstrip("-").isdigit() else text


def cell_words(name):
    """`watchers=10000,active=100` as `watchers 10 000, active 100`."""
    words = []
    for pair in name.split(","):
        key, _, value = pair.partition("=")
        words.append(f"{key} {number_text(value)}".strip())
    return ", ".join(words)


def plural(count, word):
    return f"{thin(count)} {word}" + ("" if count == 1 else "s")
