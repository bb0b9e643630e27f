"""What the sheets of portfolios share: their head, meters in tables, colours of many lines, and the log scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evenkeel.research.report.charts import Panel
from evenkeel.research.report.headline import MARK
from evenkeel.research.report.markup import safe
from evenkeel.research.report.scales import Floats, Ints, Scale, Timeline, extremes, spanning

COLOURS = 8
_DRAWN = 1000
_WIDE = 5.0
Figures = Iterable[tuple[str, str, str]]


def head(kind: str, title: str, about: str, *, figures: Figures) -> str:
    """The header: what it is, its title, a line about it, and the figures looked for first, with words below each."""
    cells = "".join(
        f"<div><dt>{safe(name)}</dt><dd>{safe(value)}<small>{safe(below)}</small></dd></div>"
        for name, value, below in figures
    )
    return (
        f'<header><p class="brand">{MARK}<span>Evenkeel · {safe(kind)}</span></p><h1>{safe(title)}</h1>'
        f'<p class="about">{safe(about)}</p><dl class="figures">{cells}</dl></header>'
    )


def links(names: Mapping[str, str]) -> str:
    """Links to the parts, by anchor."""
    shown = "".join(f'<a href="#{anchor}">{safe(name)}</a>' for anchor, name in names.items())
    return f'<nav aria-label="Parts of this sheet">{shown}</nav>'


def foot(*said: str) -> str:
    return f"<footer>{''.join(f'<p>{safe(one)}</p>' for one in said)}</footer>"


def meter(bars: Sequence[tuple[str, float, float]], *, low: float, high: float) -> str:
    """Bars (class, from, to) on one scale from `low` to `high`, with a mark at zero; figures beside it say the same."""
    wide = (high - low) or 1.0

    def at(value: float) -> float:
        return (value - low) / wide * 100.0

    drawn = "".join(
        f'<i class="{css}" style="left:{at(min(a, b)):.2f}%;width:{abs(at(b) - at(a)):.2f}%"></i>'
        if a != b
        else f'<i class="{css}" style="left:{at(a):.2f}%"></i>'
        for css, a, b in bars
    )
    return f'<span class="meter" aria-hidden="true"><b style="left:{at(0.0):.2f}%"></b>{drawn}</span>'


def metered(heads: Sequence[str], rows: Iterable[tuple[str, str, Sequence[str]]], *, caption: str) -> str:
    """A table of (name, meter as markup, figures); the meter stands behind the name."""
    first, *others = heads
    top = f'<th scope="col">{safe(first)}</th><th scope="col" aria-hidden="true"></th>' + "".join(
        f'<th scope="col" class="n">{safe(one)}</th>' for one in others
    )
    body = "".join(
        f'<tr><th scope="row">{safe(name)}</th><td class="wide" aria-hidden="true">{drawn}</td>'
        + "".join(f'<td class="n">{safe(cell)}</td>' for cell in cells)
        + "</tr>"
        for name, drawn, cells in rows
    )
    return (
        f'<div class="scroll"><table><caption>{safe(caption)}</caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def colour(place: int) -> str:
    """The class of the line or area at `place` among others; from the ninth on, lines are dashed."""
    return f"c{place % COLOURS}" + (" again" if place >= COLOURS else "")


def on_either_scale(
    x: Timeline | Scale, at: Ints, *, lines: Mapping[str, Floats], alt: str, css: Mapping[str, str]
) -> str:
    """Lines of worth by name, at points of the x axis, on a straight and a logarithmic scale to choose between."""
    lowest = min(float(one.min()) for one in lines.values())
    highest = max(float(one.max()) for one in lines.values())
    chart = _Chart(x, at, lines, alt, css)
    if lowest <= 0.0:
        return chart.drawn(log=False)
    straight, curved = ("", " checked") if highest / lowest > _WIDE else (" checked", "")
    return (
        f'<div class="either"><input type="radio" name="scale" id="linear"{straight}><label for="linear">Linear</label>'
        f'<input type="radio" name="scale" id="log"{curved}><label for="log">Logarithmic</label>'
        f'<div class="linear">{chart.drawn(log=False)}</div><div class="log">{chart.drawn(log=True)}</div></div>'
    )


@dataclass(frozen=True, eq=False)
class _Chart:
    x: Timeline | Scale
    at: Ints
    lines: Mapping[str, Floats]
    alt: str
    css: Mapping[str, str]

    def drawn(self, *, log: bool) -> str:
        name = "" if isinstance(self.x, Timeline) else "Periods"
        scale = spanning(*self.lines.values(), log=log)
        panel = Panel(self.x, scale, self.alt, "Worth of 1 at the start", x_name=name, height=360, y_ticks=6)
        return panel.svg(drawn(panel, self.at, self.lines, css=self.css), [panel.level(1.0)])


def drawn(panel: Panel, at: Ints, lines: Mapping[str, Floats], *, css: Mapping[str, str]) -> list[str]:
    """Lines by name at points of the x axis, each of its class, thinned to what can be seen."""
    found = []
    for name, values in lines.items():
        kept = extremes(values, _DRAWN)
        found.append(panel.line(at[kept], values[kept], css=css[name]))
    return found
