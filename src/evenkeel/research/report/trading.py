"""Closed trades: what a typical one was like, how far prices went against and for it, and who earned what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, floor, fsum

import numpy as np

from evenkeel.quant import analytics
from evenkeel.quant.analytics.metrics import TRADES
from evenkeel.research.report.charts import Panel
from evenkeel.research.report.markup import facts, figure, paragraph, safe, section, side_by_side, table
from evenkeel.research.report.scales import Floats, Scale, evenly, from_zero, round_step
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import by_unit, counted, money, number, per_cent, percent, short, unit_of_time

_DOTS = 1000
_BARS = 24
_LISTED = 12
_SHOWN = (
    "trades", "win_rate", "profit_factor", "payoff_ratio", "expectancy", "average_win", "average_loss", "largest_win",
    "largest_loss", "win_streak", "loss_streak", "sqn",
)  # fmt: skip
_UNITS = {"fraction": "%", "ratio": "", "days": "days", "count": ""}


def trade_statistics(sheet: Sheet) -> str:
    """Key figures, excursions, distributions and attribution."""
    trades = sheet.result.trades
    parts = [facts(_figures(sheet), "facts small")]
    if len(trades):
        parts += [
            side_by_side(_excursions(trades, worst=True), _excursions(trades, worst=False)),
            side_by_side(_profits(sheet), _holding(trades)),
        ]
    else:
        parts.append(paragraph("No trade was closed: there is nothing to draw.", "none"))
    return section("statistics", "Trade statistics", *parts, _attribution(sheet))


def _figures(sheet: Sheet) -> dict[str, str]:
    by_name = {metric.name: metric for metric in TRADES}
    shown = {}
    for name in _SHOWN:
        metric, value = by_name[name], sheet.metrics[name]
        unit = sheet.currency if metric.unit == "currency" else _UNITS[metric.unit]
        after = f" <small>{safe(unit)}</small>" if unit and value is not None else ""
        shown[metric.title] = f'<span title="{safe(metric.definition)}">{by_unit(value, metric.unit)}{after}</span>'
    return shown


def _excursions(trades: analytics.RoundTrips, *, worst: bool) -> str:
    """How far the price went against (or for) a trade, and what it returned in the end."""
    far, name = (trades.mae, "against") if worst else (trades.mfe, "for")
    known = np.flatnonzero(np.isfinite(far) & np.isfinite(trades.returns))
    kept = known[evenly(len(known), _DOTS)]
    title = f"Excursion {name} the trade"
    if not len(known):
        return figure(title, paragraph("Without bars inside a trade nothing is known of it.", "none"))
    xs, ys = far[kept], trades.returns[kept]
    within = f"Scatter chart of {counted(len(known), 'trade')}: the {'worst' if worst else 'best'} price while open"
    alt = f"{within}, {percent(float(np.mean(far[known])))} from entry on average, against the return it ended with."
    across = f"{'Worst' if worst else 'Best'} price while open, % from entry"
    panel = Panel(
        from_zero(xs), from_zero(ys), alt, "Return after fees, %", across, 230, label=per_cent, x_label=per_cent
    )
    won = ys > 0
    dots = [panel.dots(xs[~won], ys[~won], css="lost"), panel.dots(xs[won], ys[won], css="won")]
    thinned = f"{len(kept):,} of {len(known):,} trades, evenly picked." if len(kept) < len(known) else ""
    return figure(title, panel.svg(dots, [panel.level(0.0), panel.upright(0.0)]), note=thinned)


def _profits(sheet: Sheet) -> str:
    net = sheet.result.trades.net
    edges = _edges(net)
    sides = ["lost" if right <= 0 else "won" for right in edges[1:].tolist()]
    alt = (
        f"Histogram of profit and loss a trade: {counted(int((net > 0).sum()), 'winner')}, "
        f"{counted(int((net < 0).sum()), 'loser')}, median {money(float(np.median(net)), sheet.currency)}."
    )
    return _histogram(
        "Profit and loss", net, edges=edges, css=sides, alt=alt, name=f"Net P&L of a trade, {sheet.currency}"
    )


def _holding(trades: analytics.RoundTrips) -> str:
    unit, name = unit_of_time(float(np.median(trades.holding)))
    lengths = trades.holding / unit
    edges = _edges(lengths)
    alt = f"Histogram of holding time: median {number(float(np.median(lengths)), 1)} {name}."
    css = ["plain"] * (len(edges) - 1)
    return _histogram("Holding time", lengths, edges=edges, css=css, alt=alt, name=f"From entry to exit, {name}")


def _edges(values: Floats) -> Floats:
    """Round edges that hold all but the outermost two per cent; zero is one of them where it lies within."""
    low, high = (float(edge) for edge in np.quantile(values, (0.01, 0.99)))
    if len(values) < 100:
        low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        wide = abs(high) * 0.1 or 1.0
        low, high = low - wide, high + wide
    step = round_step((high - low) / min(_BARS, max(5, round(2 * len(values) ** 0.5))))
    return np.arange(floor(low / step + 1e-9), ceil(high / step - 1e-9) + 1, dtype=np.float64) * step


def _histogram(title: str, values: Floats, *, edges: Floats, css: Sequence[str], alt: str, name: str) -> str:
    inside = np.clip(values, edges[0], edges[-1])
    counts = np.histogram(inside, edges)[0].astype(np.float64)
    step = float(edges[1] - edges[0])
    titles = [
        f"{short(a, step)} to {short(b, step)}: {counted(int(n), 'trade')}"
        for a, b, n in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    ]
    heights = replace(from_zero(counts), whole=True)
    panel = Panel(Scale(float(edges[0]), float(edges[-1])), heights, alt, "Trades", name, 200, y_ticks=4)
    beyond = int(((values < edges[0]) | (values > edges[-1])).sum())
    note = f"The outermost bars hold {counted(beyond, 'trade')} from beyond." if beyond else ""
    bars = panel.bars(edges, counts, css=css, titles=titles)
    return figure(title, panel.svg([], [bars, panel.upright(0.0)]), note=note)


_NOT_TRADED = ("Interest on cash", "Not in trades")


def _attribution(sheet: Sheet) -> str:
    """A row a symbol, whose columns and rows add up to what the account gained."""
    trades, still, carried = sheet.result.trades, sheet.rest.open, sheet.rest.carried
    sides = np.array(analytics.sides(trades), dtype=object)
    rows: dict[str, list[float]] = {}
    for symbol in dict.fromkeys(sheet.symbols):
        mine = trades.symbol == symbol
        rows[symbol] = [
            float(mine.sum()),
            *(fsum(trades.net[mine & (sides == side)].tolist()) for side in ("long", "short")),
            still.get(symbol, 0.0),
            *([carried.get(symbol, 0.0)] if carried else []),
        ]
    heads = ["Symbol", "Trades", "Closed long", "Closed short", "Still open"]
    heads += [*(["Dividends, borrow"] if carried else []), f"In all, {sheet.currency}"]
    body = table(heads, _lines(sheet, rows), caption="Where the gain comes from", total=True)
    return f"{body}{_attribution_note(sheet)}"


def _lines(sheet: Sheet, rows: dict[str, list[float]]) -> list[list[str]]:
    """The largest rows by what they come to, then what belongs to no symbol."""
    rest = dict(zip(_NOT_TRADED, (sheet.rest.interest, sheet.rest.other), strict=True))
    sums = {name: fsum(row[1:]) for name, row in rows.items()}
    order = sorted(rows, key=lambda name: -abs(sums[name]))
    named, beyond = order[:_LISTED], order[_LISTED:]
    whole = [fsum(column) for column in zip(*rows.values(), strict=True)]
    lines = [_line(name, rows[name], total=sums[name]) for name in named]
    if beyond:
        added = [fsum(column) for column in zip(*(rows[name] for name in beyond), strict=True)]
        lines.append(_line(f"{len(beyond)} more", added, total=fsum(sums[name] for name in beyond)))
    lines += [_line(name, [0.0] * len(whole), total=amount) for name, amount in rest.items() if amount]
    return [*lines, _line("In all", whole, total=sheet.gain)]


def _line(name: str, row: Sequence[float], *, total: float) -> list[str]:
    return [name, f"{row[0]:,.0f}", *(money(value, signed=True) for value in (*row[1:], total))]


def _attribution_note(sheet: Sheet) -> str:
    said = ["After fees. The total is final equity less the initial cash."]
    if sheet.rest.other:
        said.append("Not in trades: what a split paid out or made of a position, and rounding.")
    return paragraph(" ".join(said), "note")
