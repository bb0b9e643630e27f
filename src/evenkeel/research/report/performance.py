"""Equity, drawdowns, months and rolling risk: how the account went, by day."""

from __future__ import annotations

import numpy as np

from evenkeel.quant import analytics
from evenkeel.research.report.charts import Panel
from evenkeel.research.report.markup import figure, key, paragraph, section, side_by_side, table
from evenkeel.research.report.scales import Floats, Ints, extremes, from_zero, spanning
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import MONTHS, NOTHING, counted, date, day_of, money, number, per_cent, percent

_DRAWN = 1200
_DEEPEST = 5
# Above this ratio of highest to lowest equity, the logarithmic scale is shown first.
_WIDE = 5.0
# The return of a month at which its colour is full.
_FULL = 0.10


def equity(sheet: Sheet) -> str:
    """Equity against the benchmark, with the bands of redrawn histories, on either scale."""
    keys = [key("s1", sheet.title)]
    if sheet.with_benchmark:
        keys.append(key("s2", f"Holding {sheet.held}"))
    if sheet.bands is not None:
        keys += [key("b1", "Half of redrawn histories"), key("b2", "Nine of ten")]
    note = _equity_note(sheet)
    body = _scales(sheet)
    return section("equity", "Equity", figure("Equity at the close", body, keys=keys, note=note))


def _equity_note(sheet: Sheet) -> str:
    bands = sheet.bands
    if bands is None:
        reasons = {True: "none were asked for", False: "the record is too short, too still or ended at nothing"}
        return f"No bands are drawn: {reasons[sheet.runs < 1]}."
    return (
        f"Bands: {len(bands.final):,} histories of this length, drawn from the record's own returns "
        f"({bands.method} {sheet.periods}s, seed {bands.seed}; Politis & Romano 1994)."
    )


def _scales(sheet: Sheet) -> str:
    values = sheet.equity[1]
    drawable = [values] + ([sheet.benchmark] if sheet.with_benchmark else [])
    low, high = min(float(one.min()) for one in drawable), max(float(one.max()) for one in drawable)
    if low <= 0.0:
        return _equity_panel(sheet, log=False)
    first = high / low > _WIDE
    straight, curved = ("", " checked") if first else (" checked", "")
    return (
        f'<div class="either"><input type="radio" name="scale" id="linear"{straight}><label for="linear">Linear</label>'
        f'<input type="radio" name="scale" id="log"{curved}><label for="log">Logarithmic</label>'
        f'<div class="linear">{_equity_panel(sheet, log=False)}</div>'
        f'<div class="log">{_equity_panel(sheet, log=True)}</div></div>'
    )


def _equity_panel(sheet: Sheet, *, log: bool) -> str:
    bands, (moments, values) = sheet.bands, sheet.equity
    shown = [values] + ([sheet.benchmark] if sheet.with_benchmark else [])
    scale = spanning(*shown, *([] if bands is None else [bands.curves[1:4] * sheet.cash]), log=log)
    panel = Panel(sheet.timeline, scale, _equity_alt(sheet), f"Equity, {sheet.currency}", height=340, y_ticks=6)
    drawn = [] if bands is None else _bands(sheet, panel, bands=bands)
    if sheet.with_benchmark:
        some = extremes(sheet.benchmark, _DRAWN)
        drawn.append(panel.line(sheet.points[some], sheet.benchmark[some], css="s2"))
    kept = extremes(values, _DRAWN)
    drawn.append(panel.line(moments[kept], values[kept], css="s1"))
    return panel.svg(drawn, [panel.level(sheet.cash)])


def _bands(sheet: Sheet, panel: Panel, *, bands: analytics.Bands) -> list[str]:
    at = sheet.points[bands.steps]
    low, some, _, more, high = np.clip(bands.curves * sheet.cash, panel.y.low, panel.y.high)
    return [panel.band(at, low=low, high=high, css="b2"), panel.band(at, low=some, high=more, css="b1")]


def _equity_alt(sheet: Sheet) -> str:
    moments, values = sheet.equity
    top, bottom = int(values.argmax()), int(values.argmin())
    said = (
        f"Line chart. Equity goes from {money(float(values[0]))} to {money(float(values[-1]), sheet.currency)}; "
        f"highest {money(float(values[top]))} on {day_of(int(moments[top]))}, lowest {money(float(values[bottom]))} on "
        f"{day_of(int(moments[bottom]))}."
    )
    if sheet.with_benchmark:
        said += f" Holding {sheet.held} ends at {money(float(sheet.benchmark[-1]))}."
    return said


def drawdowns(sheet: Sheet) -> str:
    """Under water, and the deepest falls by date."""
    depth = analytics.underwater(sheet.daily)
    kept = extremes(depth, _DRAWN)
    worst = float(depth.min())
    if worst == 0.0:
        return section("drawdowns", "Drawdowns", paragraph("Equity never closed below an earlier top.", "none"))
    alt = f"Area chart of the fall below the highest equity so far. Deepest {percent(worst)}, now {percent(depth[-1])}."
    panel = Panel(
        sheet.timeline, from_zero(depth, air=0.05), alt, "Below the highest equity so far, %", height=170,
        label=per_cent, y_ticks=4,
    )  # fmt: skip
    at = sheet.points[kept]
    body = panel.svg([panel.area(at, depth[kept], css="down"), panel.line(at, depth[kept], css="s3")])
    rows = [_fall(sheet, one) for one in analytics.drawdown_table(sheet.daily, largest=_DEEPEST)]
    heads = ("Top", "Trough", "Back at the top", "Depth", "Days down", "Days back", "Days in all")
    falls = table(heads, rows, caption="The five deepest drawdowns", words=3)
    return section("drawdowns", "Drawdowns", figure("Under water", body), falls)


def _fall(sheet: Sheet, fall: analytics.Drawdown) -> list[str]:
    points = sheet.result.daily.points
    end = len(points) - 1 if fall.end is None else fall.end

    def between(first: int, last: int) -> str:
        return f"{int((points[last] - points[first]).astype(np.int64)):,}"

    return [
        date(points[fall.start]),
        date(points[fall.trough]),
        "not yet" if fall.end is None else date(points[end]),
        percent(fall.depth),
        between(fall.start, fall.trough),
        NOTHING if fall.end is None else between(fall.trough, end),
        between(fall.start, end),
    ]


def months(sheet: Sheet) -> str:
    """Returns by month, coloured by size, with yearly totals."""
    years, table_of, totals = analytics.year_table(sheet.result.daily)
    heads = "".join(f'<th scope="col">{name}</th>' for name in (*MONTHS, "Year"))
    rows = "".join(
        f'<tr><th scope="row">{year}</th>{_month_cells(row)}{_cell(total, "Year", css=" total")}</tr>'
        for year, row, total in zip(years.tolist(), table_of.tolist(), totals.tolist(), strict=True)
    )
    body = (
        f'<table class="months"><caption>Returns by month and year, %</caption><thead><tr><th scope="col">Year</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )
    keys = [key("up", "gain"), key("down", "loss")]
    note = "The first and last month may be parts of one. Colours are full at 10 % a month; figures tell the rest."
    return section("months", "Months", figure("Monthly returns", body, keys=keys, note=note))


def _month_cells(row: list[float]) -> str:
    return "".join(_cell(value, name) for value, name in zip(row, MONTHS, strict=True))


def _cell(value: float, name: str, *, css: str = "") -> str:
    if not np.isfinite(value):
        return f'<td class="off{css}" data-m="{name}"></td>'
    side = "up" if value > 0 else "down" if value < 0 else "flat"
    shade = 0.0 if css else min(1.0, abs(value) / _FULL) * 0.62
    style = f' style="--a:{shade:.2f}"' if shade >= 0.005 else ""
    text = number(value * 100, 1 if abs(value) < 10 else 0)
    return f'<td class="{side}{css}" data-m="{name}"{style}>{text}</td>'


def rolling(sheet: Sheet) -> str:
    """Volatility and Sharpe ratio over a window that moves."""
    window = sheet.window
    if window is None:
        length = counted(len(sheet.result.daily), sheet.periods)
        said = paragraph(f"The record is too short for a window that moves: {length}.", "none")
        return section("rolling", "Rolling risk", said)
    returns, periods = sheet.result.daily.returns, sheet.result.days.per_year
    volatility = analytics.rolling_volatility(returns, window, periods=periods)
    sharpe = analytics.rolling_sharpe(returns, window, periods=periods, risk_free=sheet.result.risk_free)
    market = None
    if sheet.with_benchmark:
        market = analytics.rolling_volatility(sheet.result.benchmark, window, periods=periods)
    lead = f"Each point looks back over {window:,} {sheet.periods}s."
    return section(
        "rolling",
        "Rolling risk",
        side_by_side(_volatility(sheet, volatility, market=market), _ratio(sheet, sharpe)),
        lead=lead,
    )


def _volatility(sheet: Sheet, ours: Floats, *, market: Floats | None) -> str:
    known = ours[np.isfinite(ours)]
    alt = f"Line chart of rolling volatility, {percent(_last(known))} at the end, at most {percent(_most(known))}."
    shown = [ours] if market is None else [ours, market]
    panel = Panel(sheet.timeline, from_zero(*shown), alt, "Volatility a year, %", height=190, label=per_cent, y_ticks=4)
    lines, keys = [_thin_line(sheet, panel, values=ours, css="s1")], [key("s1", "Strategy")]
    if market is not None:
        lines.insert(0, _thin_line(sheet, panel, values=market, css="s2"))
        keys.append(key("s2", "Holding"))
    return figure("Volatility", panel.svg(lines), keys=keys)


def _ratio(sheet: Sheet, sharpe: Floats) -> str:
    known = sharpe[np.isfinite(sharpe)]
    if not len(known):
        return figure("Sharpe ratio", paragraph("Returns that do not vary have none.", "none"))
    share = float(np.mean(known > 0))
    at_last, often = number(_last(known)), percent(share, 0)
    alt = f"Line chart of the rolling Sharpe ratio, {at_last} at the end, above zero {often} of the time."
    panel = Panel(sheet.timeline, spanning(sharpe, include=[0.0]), alt, "Sharpe ratio, annual", height=190, y_ticks=4)
    return figure("Sharpe ratio", panel.svg([_thin_line(sheet, panel, values=sharpe, css="s1")], [panel.level(0.0)]))


def _thin_line(sheet: Sheet, panel: Panel, *, values: Floats, css: str) -> str:
    kept: Ints = extremes(values, _DRAWN // 2)
    return panel.line(sheet.points[1:][kept], values[kept], css=css)


def _last(values: Floats) -> float:
    return float(values[-1]) if len(values) else float("nan")


def _most(values: Floats) -> float:
    return float(values.max()) if len(values) else float("nan")
