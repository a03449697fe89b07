# SPDX-License-Identifier: MIT
"""What a report consists of, before anybody decides how it looks.

Pictures of ratios and costs are a column of their table: each mark stands beside its numbers.
"""
from dataclasses import dataclass, field


@dataclass
class Mark:
    """Where a row's dots, its interval and its middle stand on the axis of its table."""
    middle: float
    low: float = None
    high: float = None
    dots: list = field(default_factory=list)  # (value, disturbed)
    bar: bool = False  # drawn from the origin


@dataclass
class Row:
    texts: list
    kind: str = ""  # own, kin (another backend), other, limit or control
    verdict: str = ""
    mark: Mark = None


@dataclass
class Group:
    """Rows below a line of their own, where a table has several parts."""
    title: str
    rows: list
    band: float = None  # the control's reach to both sides of the origin, as a logarithm


@dataclass
class Axis:
    words: str
    origin: float
    logarithmic: bool = False


@dataclass
class Table:
    head: list
    groups: list
    title: str = ""
    note: str = ""
    axis: Axis = None
    large: bool = False


@dataclass
class Line:
    peer: str
    points: list  # (x, y, low, high)


@dataclass
class Curve:
    title: str
    x_title: str
    y_title: str
    lines: list
    table: Table
    of_quantiles: bool = False  # x is a share; the picture gives its tail room
    note: str = ""


@dataclass
class Section:
    name: str
    title: str
    words: list = field(default_factory=list)
    parts: list = field(default_factory=list)  # tables and curves, in order
