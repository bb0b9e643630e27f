"""Exposure and turnover, and what trading cost."""

from __future__ import annotations

import numpy as np

from evenkeel.research.backtest.outcome import Why
from evenkeel.research.backtest.terms import FillAt
from evenkeel.research.report.charts import Panel
from evenkeel.research.report.markup import facts, figure, key, paragraph, safe, section, side_by_side, table
from evenkeel.research.report.scales import Floats, extremes, from_zero
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import NOTHING, counted, day_of, money, number, per_cent, percent

_DRAWN = 700
_BARS = 60
_LISTED = 12
_WHY = {
    Why.SIGNAL: "Signals",
    Why.STOP_LOSS: "Stop-loss",
    Why.TAKE_PROFIT: "Take-profit",
    Why.TRAILING_STOP: "Trailing stop",
    Why.LIQUIDATION: "Liquidation",
    Why.ORDER: "The strategy's own orders",
    Why.MTM: "Mark-to-market control",
}


def exposure(sheet: Sheet) -> str:
    """What was held as a share of equity, and how much was traded."""
    values = sheet.metrics
    said = facts(
        {
            "Time in the market": percent(values["time_in_market"]),
            "Average leverage": _times(values["average_leverage"], 2, of="×"),
            "Highest leverage": _times(values["max_leverage"], 2, of="×"),
            "Turnover a year": _times(values["turnover"], 1, of="× equity"),
        },
        "facts small",
    )
    drawn = side_by_side(_held(sheet), _traded(sheet))
    return section("exposure", "Exposure and turnover", said, drawn, _by_instrument(sheet))


def _by_instrument(sheet: Sheet) -> str:
    """What was held of each of several instruments, as shares of equity; the largest first."""
    if len(sheet.symbols) == 1:
        return ""
    equity, fills, notional = sheet.daily[1:], sheet.result.fills, _notional(sheet)
    solvent = equity > 0.0
    rows = []
    for place, name in enumerate(sheet.symbols):
        share = sheet.result.held_value(place)[solvent] / equity[solvent]
        traded = float(notional[fills.instrument == place].sum())
        rows.append((float(np.abs(share).mean()) if len(share) else 0.0, name, share, traded))
    rows.sort(key=lambda row: (-row[0], row[1]))
    lines = [
        [name, percent(float(np.mean(share != 0.0)) if len(share) else 0.0, 0), *_shares(share), money(traded)]
        for _, name, share, traded in rows[:_LISTED]
    ]
    heads = ("Symbol", "Time held", "Average", "Most long", "Most short", f"Traded, {sheet.currency}")
    more = len(rows) - len(lines)
    note = paragraph(f"The {len(lines)} held most; {more} more are not listed.", "note") if more else ""
    return f"{table(heads, lines, caption='Held of each instrument, % of equity')}{note}"


def _shares(share: Floats) -> list[str]:
    """Average size, most long and most short of a share of equity."""
    size = float(np.abs(share).mean()) if len(share) else 0.0
    return [percent(value) for value in (size, _peak(share), -_peak(-share))]


def _times(value: float | None, places: int, *, of: str) -> str:
    """A multiple of equity; a dash where equity was, on average, nothing."""
    return NOTHING if value is None or value < 0 else f"{number(value, places)} {of}"


def _held(sheet: Sheet) -> str:
    held, equity = sheet.result.holdings, sheet.daily[1:]
    solvent = equity > 0.0
    long, short = (np.where(solvent, one / np.where(solvent, equity, 1.0), np.nan) for one in (held.long, -held.short))
    alt = (
        f"Area chart of what was held long and short at the end of each {sheet.periods}: long at most "
        f"{percent(_peak(long), 0)} of equity, short at most {percent(_peak(-short), 0)}."
    )
    scale = from_zero(long, short)
    panel = Panel(sheet.timeline, scale, alt, "Held at the close, % of equity", height=190, label=per_cent, y_ticks=4)
    drawn, keys = [], []
    for values, css, name in ((long, "long", "long"), (short, "short", "short")):
        if np.nanmax(np.abs(values), initial=0.0) > 0.0:
            kept = extremes(values, _DRAWN)
            drawn.append(panel.area(sheet.points[1:][kept], values[kept], css=css))
            keys.append(key(css, name))
    return figure("Exposure", panel.svg(drawn, [panel.level(0.0)]), keys=keys)


def _peak(values: Floats) -> float:
    return float(np.max(values[np.isfinite(values)], initial=0.0))


def _traded(sheet: Sheet) -> str:
    """Notional traded in stretches of equal length."""
    traded, moments = sheet.result.holdings.traded, sheet.points
    starts = np.unique(np.linspace(0, len(traded), min(_BARS, len(traded)) + 1).astype(np.int64))
    sums = np.add.reduceat(traded, starts[:-1])
    length = int(np.median(np.diff(starts)))
    alt = f"Bar chart of notional traded, {money(float(traded.sum()), sheet.currency)} in all."
    panel = Panel(sheet.timeline, from_zero(sums), alt, f"Bought and sold, {sheet.currency}", height=190, y_ticks=4)
    titles = [
        f"{day_of(int(moments[a]))} – {day_of(int(moments[b]))}: {money(value, sheet.currency)}"
        for a, b, value in zip(starts[:-1].tolist(), starts[1:].tolist(), sums.tolist(), strict=True)
    ]
    bars = panel.bars(moments[starts].astype(np.float64), sums, css=["plain"] * len(sums), titles=titles)
    about = f"One bar holds about {counted(length, sheet.periods)}."
    return figure("Traded", panel.svg([], [bars]), note=about)


def costs(sheet: Sheet) -> str:
    """Fees by reason, slippage where it can be told, their weight, and what holding cost."""
    fills, carried = sheet.result.fills, _carried(sheet)
    if not len(fills):
        none = paragraph("Nothing was traded, so nothing was charged.", "none")
        held = facts({name: safe(value) for name, value in carried.items()}, "facts small")
        return section("costs", "Costs", held if carried else none)
    fees, slipped = float(fills.fee.sum()), _slipped(sheet)
    before = sheet.gain + fees
    shown = {
        "Fees": money(fees, sheet.currency),
        "Of what was traded": f"{number(_bps(fees, float(_notional(sheet).sum())))} bp",
        "Of profit before fees": percent(fees / before) if before > 0 else "there is none",
        "Slippage": "cannot be told" if slipped is None else money(slipped, sheet.currency),
        **carried,
    }
    body = facts({name: safe(value) for name, value in shown.items()}, "facts small")
    note = paragraph(_slippage_note(sheet), "note")
    return section("costs", "Costs", body, _by_reason(sheet), note)


def _carried(sheet: Sheet) -> dict[str, str]:
    """What holding earned and cost, where the terms have it."""
    carried, terms = sheet.result.outcome.carried, sheet.result.terms
    amounts = (
        ("Interest", carried.interest, terms.financing or terms.credit),
        ("Borrow fees", sum(carried.borrow), terms.borrow),
        ("Dividends", sum(carried.dividends), terms.dividends),
    )
    return {name: money(amount, sheet.currency, signed=True) for name, amount, asked in amounts if asked}


def _bps(fees: float, notional: float) -> float:
    return fees / notional * 10_000 if notional > 0 else float("nan")


def _notional(sheet: Sheet) -> Floats:
    fills = sheet.result.fills
    sizes = np.array([float(one.multiplier) for one in sheet.result.instruments])
    return np.asarray(np.abs(fills.quantity * fills.price * sizes[fills.instrument]))


def _by_reason(sheet: Sheet) -> str:
    fills, notional = sheet.result.fills, _notional(sheet)
    rows = []
    for why, name in _WHY.items():
        those = fills.why == why
        if those.any():
            of = {"notional": float(notional[those].sum()), "fees": float(fills.fee[those].sum())}
            rows.append(_reason(name, int(those.sum()), **of))
    rows.append(_reason("In all", len(fills), notional=float(notional.sum()), fees=float(fills.fee.sum())))
    heads = ("What made it trade", "Fills", f"Traded, {sheet.currency}", f"Fees, {sheet.currency}", "Basis points")
    return table(heads, rows, caption="Fees by reason", total=True)


def _reason(name: str, count: int, *, notional: float, fees: float) -> list[str]:
    return [name, f"{count:,}", money(notional), money(fees), number(_bps(fees, notional))]


def _slipped(sheet: Sheet) -> float | None:
    """How much worse orders filled than the open or close they were to fill at; None where none was to.

    A limit has no such price, and neither have stops and a strategy's own orders.
    """
    fills, total = sheet.result.fills, 0.0
    if sheet.result.terms.fill is FillAt.LIMIT or not (fills.why == Why.SIGNAL).any():
        return None
    for place, bars in enumerate(sheet.result.bars):
        mine, row = sheet.fills_of(place)
        wanted = bars.open if sheet.result.terms.fill is FillAt.NEXT_OPEN else bars.close
        worse = fills.side[mine] * (fills.price[mine] - wanted[row]) * fills.quantity[mine]
        ours = fills.why[mine] == Why.SIGNAL
        total += float(worse[ours].sum()) * float(sheet.instrument(place).multiplier)
    return total


def _slippage_note(sheet: Sheet) -> str:
    fill = sheet.result.terms.fill
    if _slipped(sheet) is None:
        return "Slippage is not measured: limits, stops and a strategy's own orders have no one price to fill at."
    price = "open" if fill is FillAt.NEXT_OPEN else "close"
    return (
        f"Slippage: how much worse signals filled than the {price} of their bar, spread and rounding to the tick "
        "included. It is in the prices, not in the fees; stops are not counted."
    )
