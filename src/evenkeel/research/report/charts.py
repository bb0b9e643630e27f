"""Charts as SVG that fits any width: lines are stretched with the page, strokes, marks and letters are not.

A panel's outer SVG has no viewBox, so places are per cent of the plot and sizes are pixels. Lines live in an inner one
that is stretched; their coordinates are whole numbers on a grid of `_WIDE` × `_HIGH`, each relative to the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from evenkeel.research.report.markup import safe
from evenkeel.research.report.scales import Floats, Scale, Timeline
from evenkeel.research.report.words import short

_WIDE, _HIGH = 2000, 1000

Label = Callable[[float, float], str]


@dataclass(frozen=True, eq=False)
class Panel:
    """The axes of one chart: x of time or numbers, y of numbers. `alt` tells in words what is to be seen.

    `label` turns (tick, distance of ticks) into text; `x_name` and `y_name` name what the axes measure, with units.
    """

    x: Timeline | Scale
    y: Scale
    alt: str
    y_name: str
    x_name: str = ""
    height: int = 240
    label: Label = short
    x_label: Label = short
    y_ticks: int = 5

    def line(self, xs: npt.ArrayLike, ys: npt.ArrayLike, *, css: str) -> str:
        """A line through points; it breaks where a value is not finite."""
        return f'<path class="line {css}" d="{_path(*self._grid(xs, ys))}"/>'

    def band(self, xs: npt.ArrayLike, *, low: npt.ArrayLike, high: npt.ArrayLike, css: str) -> str:
        """The area between two lines; points without a value are left out."""
        x, under = self._grid(xs, low)
        _, over = self._grid(xs, high)
        good = np.isfinite(under) & np.isfinite(over)
        if not good.any():
            return ""
        around = np.concatenate((x[good], x[good][::-1])), np.concatenate((over[good], under[good][::-1]))
        return f'<path class="area {css}" d="{_path(*around)}z"/>'

    def area(self, xs: npt.ArrayLike, ys: npt.ArrayLike, *, css: str) -> str:
        """The area between a line and zero."""
        values = np.asarray(ys, dtype=np.float64)
        return self.band(xs, low=np.zeros(len(values)), high=values, css=css)

    def sticks(self, xs: npt.ArrayLike, *, low: npt.ArrayLike, high: npt.ArrayLike, css: str) -> str:
        """An upright stroke from low to high at each point."""
        x, under = self._grid(xs, low)
        _, over = self._grid(xs, high)
        rows = zip(_whole(x), _whole(under), _whole(over), strict=True)
        return f'<path class="line {css}" d="{"".join(f"M{a} {b}V{c}" for a, b, c in rows)}"/>'

    def dots(self, xs: npt.ArrayLike, ys: npt.ArrayLike, *, css: str) -> str:
        """A round dot at each point."""
        x, y = self._grid(xs, ys)
        good = np.isfinite(x) & np.isfinite(y)
        points = zip(_whole(x[good]), _whole(y[good]), strict=True)
        return f'<path class="dots {css}" d="{"".join(f"M{a} {b}h0" for a, b in points)}"/>'

    def marks(self, xs: npt.ArrayLike, ys: npt.ArrayLike, *, shape: str, titles: Sequence[str] = ()) -> str:
        """Copies of a shape of the page, in pixels, at each point, with a title each where they are given."""
        across, down = self.x.place(xs) * 100.0, (1.0 - self.y.place(ys)) * 100.0
        places = zip(across.tolist(), down.tolist(), strict=True)
        if not titles:
            return "".join(f'<use href="#{shape}" x="{a:.2f}%" y="{b:.2f}%"/>' for a, b in places)
        return "".join(
            f'<use href="#{shape}" x="{a:.2f}%" y="{b:.2f}%"><title>{safe(said)}</title></use>'
            for (a, b), said in zip(places, titles, strict=True)
        )

    def bars(self, edges: Floats, heights: Floats, *, css: Sequence[str], titles: Sequence[str]) -> str:
        """A bar from zero to each height, between neighbouring edges, with a hairline of air between two."""
        left, right = self.x.place(edges[:-1]) * 100.0, self.x.place(edges[1:]) * 100.0
        zero, top = (1.0 - self.y.place(0.0)) * 100.0, (1.0 - self.y.place(heights)) * 100.0
        rows = zip(left.tolist(), (right - left).tolist(), top.tolist(), css, titles, strict=True)
        base = float(zero)
        return "".join(
            f'<rect class="{name}" x="{x + 0.06 * w:.2f}%" y="{min(y, base):.2f}%" width="{0.88 * w:.2f}%" '
            f'height="{abs(base - y):.2f}%"><title>{safe(said)}</title></rect>'
            for x, w, y, name, said in rows
            if abs(base - y) > 0
        )

    def level(self, value: float, css: str = "zero") -> str:
        """A line across at a value, where that is within."""
        place = 1.0 - float(self.y.place(value))
        at = f"{place * 100.0:.2f}%"
        return f'<line class="{css}" x1="0" x2="100%" y1="{at}" y2="{at}"/>' if 0.0 <= place <= 1.0 else ""

    def upright(self, value: float, css: str = "zero") -> str:
        """A line from top to bottom at a value of x, where that is within."""
        place = float(self.x.place(value))
        at = f"{place * 100.0:.2f}%"
        return f'<line class="{css}" x1="{at}" x2="{at}" y1="0" y2="100%"/>' if 0.0 <= place <= 1.0 else ""

    def svg(self, drawn: Iterable[str], marked: Iterable[str] = ()) -> str:
        """The chart: `drawn` are lines and areas, `marked` what keeps its size."""
        stretched = (
            f'<svg viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none" width="100%" height="100%">'
            f"{''.join(drawn)}</svg>"
        )
        across = f'<p class="axis across">{safe(self.x_name)}</p>' if self.x_name else ""
        return (
            f'<p class="axis">{safe(self.y_name)}</p><div class="plot" style="height:{self.height}px">'
            f'<svg role="img" aria-label="{safe(self.alt)}" width="100%" height="100%">'
            f"{self._axes()}{stretched}{''.join(marked)}</svg></div>{across}"
        )

    def _axes(self) -> str:
        lines, names = [], []
        ticks = self.y.ticks(self.y_ticks)
        near = float(min(np.diff(ticks))) if len(ticks) > 1 else abs(ticks[0]) if ticks else 1.0
        for tick in ticks:
            step = tick if self.y.log else near
            at = f"{(1.0 - float(self.y.place(tick))) * 100.0:.2f}%"
            lines.append(f'<line x1="0" x2="100%" y1="{at}" y2="{at}"/>')
            names.append(f'<text x="-8" y="{at}" dy=".33em">{safe(self.label(tick, step))}</text>')
        return f'<g class="grid">{"".join(lines)}</g><g class="y">{"".join(names)}</g>{self._x_axis()}'

    def _x_axis(self) -> str:
        names = []
        for order, (place, label) in enumerate(self._x_ticks()):
            css = " ".join(filter(None, (_seldom(order, len(label)), "end" if place > 0.97 else "")))
            kind = f' class="{css}"' if css else ""
            names.append(f'<text{kind} x="{place * 100.0:.2f}%" y="100%" dy="18">{safe(label)}</text>')
        return f'<g class="x">{"".join(names)}</g>'

    def _x_ticks(self) -> list[tuple[float, str]]:
        if isinstance(self.x, Timeline):
            return self.x.ticks
        ticks = self.x.ticks(6)
        step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
        return [(float(self.x.place(tick)), self.x_label(tick, step)) for tick in ticks]

    def _grid(self, xs: npt.ArrayLike, ys: npt.ArrayLike) -> tuple[Floats, Floats]:
        return self.x.place(xs) * _WIDE, (1.0 - self.y.place(ys)) * _HIGH


def _seldom(order: int, length: int) -> str:
    """Which narrow plots leave out a label, by its place among the others and its length; the style hides them."""
    if order % 2:
        return "wide" if length > 4 else "mid"
    return "mid" if order % 4 and length > 8 else ""


def _whole(values: Floats) -> list[int]:
    return [int(value) for value in np.rint(values).tolist()]


def _path(x: Floats, y: Floats) -> str:
    good = np.isfinite(x) & np.isfinite(y)
    begins = np.flatnonzero(good & ~np.concatenate(([False], good[:-1])))
    ends = np.flatnonzero(good & ~np.concatenate((good[1:], [False]))) + 1
    return "".join(_run(_whole(x[a:b]), _whole(y[a:b])) for a, b in zip(begins, ends, strict=True))


def _run(x: list[int], y: list[int]) -> str:
    """One unbroken run of points; those that fall on the one before are left out."""
    steps = [(b - a, d - c) for (a, b), (c, d) in zip(pairwise(x), pairwise(y), strict=True)]
    moves = "".join(f" {dx}{dy}" if dy < 0 else f" {dx} {dy}" for dx, dy in steps if dx or dy)
    return f"M{x[0]} {y[0]}" + (f"l{moves[1:].replace(' -', '-')}" if moves else "h0")
