"""The verdict: what the record shows and how far it can be trusted, in plain words and without praise."""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

import numpy as np

from evenkeel.quant import analytics
from evenkeel.research.report.markup import safe, section
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import NARROW, counted, money, number, percent

FEW_TRADES = 30
CONFIDENT = 0.95
HALF = 0.5
_TWO_SIDED = 1.959963984540054
_SIGNS = {True: ("yes", "holds"), False: ("no", "does not hold"), None: ("open", "not known")}


class Finding(NamedTuple):
    """One question with its figure and reading; `good` is None where it is neither or cannot be told."""

    name: str
    figure: str
    reading: str
    good: bool | None


def verdict(sheet: Sheet) -> str:
    """The box with a sentence on top and one row a question."""
    title, reading = _conclusion(sheet)
    rows = "".join(_row(finding) for finding in findings(sheet))
    return section(
        "verdict",
        "Verdict",
        f'<div class="verdict"><p class="said">{safe(title)}</p><p>{safe(reading)}</p><ul>{rows}</ul></div>',
    )


def _row(finding: Finding) -> str:
    css, words = _SIGNS[finding.good]
    return (
        f'<li class="{css}"><i role="img" aria-label="{words}"></i><b>{safe(finding.name)}</b>'
        f"<span>{safe(finding.figure)}</span><p>{safe(finding.reading)}</p></li>"
    )


def findings(sheet: Sheet) -> list[Finding]:
    """Every question that this record lets one ask."""
    asked = [_return(sheet), _sharpe(sheet), _luck(sheet), _search(sheet)]
    asked += [*_overfitting(sheet), _length(sheet), _trades(sheet)]
    if sheet.bands is not None:
        asked.append(_redrawn(sheet, sheet.bands))
    return asked


def thin(sheet: Sheet) -> list[str]:
    """Why the evidence is thin, one reason each; empty where it is not."""
    reasons, trades = [], len(sheet.result.trades)
    if trades < FEW_TRADES:
        reasons.append(f"{counted(trades, 'closed trade')}, where averages want {FEW_TRADES} or more")
    if sheet.metrics["cagr"] is None and sheet.result.final_equity > 0:
        reasons.append(f"a record of {_periods(sheet)}, under a year")
    return reasons


def _conclusion(sheet: Sheet) -> tuple[str, str]:
    """(the sentence on top, what it means): the first that fits."""
    luck, reasons = sheet.metrics["probabilistic_sharpe"], thin(sheet)
    if not len(sheet.result.fills):
        return "It did not trade.", "There is nothing to judge. The reasons, as far as the data tell, are below."
    if float(sheet.daily.min()) <= 0.0:
        return "It lost everything.", "Equity reached zero or less. What came after is arithmetic, not trading."
    if luck is not None and luck <= 1 - CONFIDENT and len(sheet.result.trades) >= FEW_TRADES:
        return "It loses, and not by chance.", (
            "By these tests, the chance that its true Sharpe ratio is above zero is "
            f"{percent(1 - CONFIDENT, 0)} or less."
        )
    if reasons:
        return "Too little to tell.", f"The evidence is thin: {'; '.join(reasons)}. Read every ratio below as a guess."
    if luck is None or luck < CONFIDENT:
        return "It cannot be told from luck.", (
            f"By its length and shape, this record leaves more than a {percent(1 - CONFIDENT, 0)} chance that the true "
            "Sharpe ratio is zero or less."
        )
    return _above_zero(sheet)


def _above_zero(sheet: Sheet) -> tuple[str, str]:
    """The same, of a Sharpe ratio that is above zero by the probabilistic one."""
    values, deflated = sheet.metrics, sheet.metrics["deflated_sharpe"]
    if deflated is not None and deflated < CONFIDENT and sheet.search is not None and sheet.search.walked:
        return "No better than a lucky choice.", (
            "Its parameters were chosen before these days; yet on them, the luckiest of that many combinations is "
            "expected to show a Sharpe ratio about as good without any skill."
        )
    if deflated is not None and deflated < CONFIDENT:
        return "The search explains it.", (
            "Trying that many combinations is expected to turn up a Sharpe ratio about as good without any skill."
        )
    overfit = _probability(sheet)
    if overfit is not None and overfit >= HALF:
        return "The choice does not carry over.", (
            "In most splits of these days, the best combination of one half is below the middle in the other."
        )
    if sheet.with_benchmark and sheet.result.total_return < (values["benchmark_total_return"] or 0.0):
        return "Above zero, but behind holding.", (
            f"The Sharpe ratio is positive by these tests, yet holding {sheet.held} ended with more."
        )
    if deflated is None:
        return "Above zero, if this was the only try.", (
            "How many combinations were tried before this one is not known here; each of them weakens these figures."
        )
    return "It stands up to these tests.", (
        "They know one history, the costs stated above and the trials counted. A future that differs, they do not know."
    )


def _return(sheet: Sheet) -> Finding:
    values, total = sheet.metrics, sheet.result.total_return
    yearly = f" ({percent(values['cagr'], signed=True)} a year)" if values["cagr"] is not None else ""
    made = f"It made {percent(total, signed=True)}{yearly}"
    market = values["benchmark_total_return"]
    if not sheet.with_benchmark or market is None:
        return Finding("Return", percent(total, signed=True), f"{made}, after costs.", None)
    held = f" ({percent(values['benchmark_cagr'], signed=True)} a year)" if values["benchmark_cagr"] is not None else ""
    reading = f"{made}, after costs; holding {sheet.held} made {percent(market, signed=True)}{held}, before costs."
    ahead = total - market
    figure = f"{number(abs(ahead) * 100, 1)} points {'ahead' if ahead >= 0 else 'behind'}"
    return Finding("Against holding", figure, reading, ahead >= 0)


def _sharpe(sheet: Sheet) -> Finding:
    ratio, error = sheet.metrics["sharpe"], sheet.metrics["sharpe_error"]
    if ratio is None or error is None:
        return Finding("Sharpe ratio", number(ratio), "Returns that do not vary, or too few of them, have none.", None)
    low, high = ratio - _TWO_SIDED * error, ratio + _TWO_SIDED * error
    reading = (
        f"Its standard error is {number(error)} (Lo 2002): the true ratio may well lie anywhere between {number(low)} "
        f"and {number(high)}, the 95{NARROW}% interval."
    )
    return Finding("Sharpe ratio", f"{number(ratio)} ± {number(error)}", reading, low > 0)


def _luck(sheet: Sheet) -> Finding:
    chance = sheet.metrics["probabilistic_sharpe"]
    if chance is None:
        return Finding("Probabilistic Sharpe", number(None), "Undefined for this record.", None)
    reading = f"The chance that the true Sharpe ratio is above zero, given {_periods(sheet)} and their skew and tails."
    return Finding("Probabilistic Sharpe", _chance(chance), reading, chance >= CONFIDENT)


def _search(sheet: Sheet) -> Finding:
    name, trials, chance = "Deflated Sharpe", sheet.result.trials, sheet.metrics["deflated_sharpe"]
    if trials is None:
        reading = "The number of trials is not known: run a sweep, and the chance is corrected for its size."
        return Finding(name, number(None), reading, None)
    best = analytics.expected_max_sharpe(trials) * sheet.result.days.per_year**0.5
    reading = (
        f"After {counted(round(trials.number), 'trial')}, luck alone is expected to show a Sharpe ratio of "
        f"{number(best)}; this is the chance that the true one is above it."
    )
    return Finding(name, _chance(chance), reading, None if chance is None else chance >= CONFIDENT)


def _overfitting(sheet: Sheet) -> list[Finding]:
    """Of a search: whether choosing on some days was worth anything on the others."""
    chance = _probability(sheet)
    if chance is None:
        return []
    reading = (
        f"The days were split in half in every way of 16 blocks: in {percent(chance)} of the splits, the best of one "
        "half ends at or below the middle of all in the other. At one half, choosing is worth nothing."
    )
    good = True if chance <= 1 - CONFIDENT else False if chance >= HALF else None
    return [Finding("Overfitting", _chance(chance), reading, good)]


def _probability(sheet: Sheet) -> float | None:
    search = sheet.search
    return search.verdict.probability if search is not None and search.verdict is not None else None


def _length(sheet: Sheet) -> Finding:
    needed, have = sheet.metrics["minimum_track_record"], len(sheet.result.daily)
    name = "Minimum track record"
    if needed is None:
        if sheet.metrics["sharpe"] is None:
            return Finding(name, number(None), "Undefined for this record.", None)
        reading = "The Sharpe ratio is not above zero, so no record is long enough to say that it is."
        return Finding(name, number(None), reading, False)
    years = needed / sheet.result.days.per_year
    long = f"{number(years, 0 if years >= 10 else 1)} years"
    reading = (
        f"It takes {_many(needed, sheet.periods)}, {long}, to call the Sharpe ratio positive with 95{NARROW}% "
        f"confidence; the record has {_periods(sheet)}."
    )
    return Finding(name, _many(needed, sheet.periods), reading, have >= needed)


def _trades(sheet: Sheet) -> Finding:
    count, values = len(sheet.result.trades), sheet.metrics
    if not count:
        return Finding("Trades", "0", "No trade was closed, so nothing is known of a typical one.", None)
    few = f" That is few: {FEW_TRADES} is the least an average should rest on." if count < FEW_TRADES else ""
    made = money(values["expectancy"], sheet.currency, signed=True)
    reading = f"{counted(count, 'closed trade')}, {percent(values['win_rate'], 0)} won, {made} each on average.{few}"
    return Finding("Trades", f"{count:,}", reading, False if few else None)


def _redrawn(sheet: Sheet, bands: analytics.Bands) -> Finding:
    low, high = (float(np.quantile(bands.final, level)) * sheet.cash for level in (0.05, 0.95))
    deep = float(np.quantile(bands.drawdown, 0.05))
    lost = float(np.mean(bands.final < 1.0))
    reading = (
        f"The same {sheet.periods}s drawn again {len(bands.final):,} times, in blocks: nine of ten ends lie between "
        f"{money(low)} and {money(high, sheet.currency)}, and one of twenty fell {percent(-deep, 0)} or more on the "
        "way."
    )
    return Finding("Redrawn histories", f"{percent(lost, 0)} lose", reading, lost <= 1 - CONFIDENT)


def _chance(value: float | None) -> str:
    """A probability; never said to be certain."""
    if value is None or not isfinite(value):
        return number(None)
    if value > 0.9995:
        return f"over {percent(0.999)}"
    return f"under {percent(0.001)}" if value < 0.0005 else percent(value)


def _many(count: float, name: str) -> str:
    return counted(int(-(-count // 1)), name)


def _periods(sheet: Sheet) -> str:
    return counted(len(sheet.result.daily), sheet.periods)
