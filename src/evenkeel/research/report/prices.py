"""The trades on the price chart: where it bought and sold, and what it held meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.research.backtest.outcome import Why
from evenkeel.research.report.charts import Panel
from evenkeel.research.report.markup import figure, key, section
from evenkeel.research.report.scales import Floats, Ints, evenly, extremes, spanning
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import counted, plain

CHARTS = 6
POINTS = 2000
MARKERS = 2000
_TITLED = 240
_SPANS = 600
_STICKS = POINTS // 4
# Above this ratio of highest to lowest price, the scale is logarithmic.
_WIDE = 8.0


class Marks(NamedTuple):
    """Fills of one instrument, as columns: places in its prices, prices, sides, whether each opens or adds."""

    at: Ints
    price: Floats
    side: Ints
    opens: Ints
    quantity: Floats
    why: Ints


def trades_on_prices(sheet: Sheet) -> str:
    """A chart for each instrument, at most `CHARTS` of them: those that were traded most."""
    counts = np.bincount(sheet.result.fills.instrument, minlength=len(sheet.symbols))
    order = np.argsort(-counts, kind="stable")[:CHARTS].tolist()
    budget = MARKERS // len(order)
    charts = "".join(_chart(sheet, place, budget=budget) for place in sorted(order))
    left = len(sheet.symbols) - len(order)
    lead = "Prices are adjusted for splits." if sheet.result.terms.splits else ""
    if left:
        lead = f"The {len(order)} instruments traded most; {left} more are not drawn. {lead}".strip()
    return section("trades", "Trades on the price", charts, lead=lead)


def _chart(sheet: Sheet, place: int, *, budget: int) -> str:
    bars, ratios = sheet.result.bars[place], sheet.ratios(place)
    marks = _marks(sheet, place, ratios=ratios)
    kept = evenly(len(marks.at), budget)
    name = sheet.symbols[place]
    close = bars.close * ratios
    lowest, highest = float((bars.low * ratios).min()), float((bars.high * ratios).max())
    log = lowest > 0 and highest / lowest > _WIDE
    scale = spanning([lowest, highest], log=log, air=0.06)
    alt = (
        f"Line chart of the price of {name} from {plain(float(close[0]))} to {plain(float(close[-1]))}, "
        f"with {counted(len(marks.at), 'fill')} marked."
    )
    unit = f"Price of {name}, {sheet.instrument(place).currency}{', logarithmic' if log else ''}"
    panel = Panel(sheet.timeline, scale, alt, unit, height=300 if len(sheet.symbols) == 1 else 220)
    some = extremes(close, POINTS)
    drawn = [_ranges(panel, bars, ratios=ratios), panel.line(bars.close_ts[some], close[some], css="price")]
    marked = [_ribbon(sheet, panel, place=place), *_drawn_marks(sheet, panel, marks=marks, kept=kept)]
    note = _note(bars=len(close), points=len(some), fills=len(marks.at), shown=len(kept))
    return figure(f"{name}: price and fills", panel.svg(drawn, marked), keys=_keys(marks), note=note)


def _note(*, bars: int, points: int, fills: int, shown: int) -> str:
    said = []
    if points < bars:
        said.append(f"The line keeps the highs and lows of {bars:,} closes in {points:,} points.")
    if shown < fills:
        said.append(f"Markers are thinned: {shown:,} of {fills:,} fills, evenly picked.")
    return " ".join(said)


def _keys(marks: Marks) -> Iterator[str]:
    if len(marks.at):
        yield key("buy", "buys")
        yield key("sell", "sells")
        yield key("hollow", "hollow: closes")
        yield key("long", "held long")
        if (marks.side[marks.opens > 0] < 0).any():
            yield key("short", "held short")


def _marks(sheet: Sheet, place: int, *, ratios: Floats) -> Marks:
    fills, (mine, row) = sheet.result.fills, sheet.fills_of(place)
    at, side = fills.at[mine], fills.side[mine]
    change = side * fills.quantity[mine] / ratios[row]
    after = np.cumsum(change)
    before = after - change
    opens = np.abs(after) > np.abs(before) * (1 + 1e-9)
    price = fills.price[mine] * ratios[row]
    return Marks(at, price, side, opens.astype(np.int64), fills.quantity[mine], fills.why[mine])


def _drawn_marks(sheet: Sheet, panel: Panel, *, marks: Marks, kept: Ints) -> Iterator[str]:
    size = "" if len(kept) <= _TITLED else "-s"
    for side, name in ((1, "buy"), (-1, "sell")):
        for opens, kind in ((0, "-out"), (1, "")):
            those = kept[(marks.side[kept] == side) & (marks.opens[kept] == opens)]
            titles = [] if size else [_title(sheet, marks, at=at) for at in those.tolist()]
            yield panel.marks(marks.at[those], marks.price[those], shape=f"{name}{kind}{size}", titles=titles)


def _title(sheet: Sheet, marks: Marks, *, at: int) -> str:
    verb = "Bought" if marks.side[at] > 0 else "Sold"
    why = Why(int(marks.why[at])).name.lower().replace("_", "-")
    when = sheet.when(int(marks.at[at]))
    return f"{verb} {plain(float(marks.quantity[at]))} at {plain(float(marks.price[at]))}, {when} ({why})"


def _ranges(panel: Panel, bars: Bars, *, ratios: Floats) -> str:
    """From low to high of each bar, or of each stretch where there are many bars."""
    low, high = bars.low * ratios, bars.high * ratios
    if len(bars) <= _STICKS:
        return panel.sticks(bars.close_ts, low=low, high=high, css="bar")
    starts = np.linspace(0, len(bars), POINTS // 4 + 1).astype(np.int64)
    middle = bars.close_ts[(starts[:-1] + starts[1:]) // 2]
    lowest, highest = np.minimum.reduceat(low, starts[:-1]), np.maximum.reduceat(high, starts[:-1])
    return panel.band(middle, low=lowest, high=highest, css="range")


def _ribbon(sheet: Sheet, panel: Panel, *, place: int) -> str:
    """A strip at the bottom: what was held, long or short."""
    signs = np.sign(sheet.positions[place])
    some = evenly(len(signs), _SPANS)
    changes = np.flatnonzero(np.diff(signs[some], prepend=np.nan) != 0)
    places = panel.x.place(sheet.result.at[some]) * 100.0
    ends = np.append(changes[1:], len(some) - 1)
    spans = []
    for start, end in zip(changes.tolist(), ends.tolist(), strict=True):
        if signs[some[start]] and end > start:
            css = "long" if signs[some[start]] > 0 else "short"
            wide = places[end] - places[start]
            spans.append(f'<rect class="{css}" x="{places[start]:.2f}%" y="100%" width="{wide:.2f}%" height="5"/>')
    return f'<g class="ribbon">{"".join(spans)}</g>'
