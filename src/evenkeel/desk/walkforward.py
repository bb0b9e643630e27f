"""Walk-forward sessions in numbers: each from the marks of its days, and several side by side or as one.

What a session is worth on a day is its capital times its growth, which is time-weighted: deposits and withdrawals move
neither. Several as one count each with its capital before its first day, and with its last value after its last. Only
closed days are in it, so that what has been said of a day never changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from evenkeel.domain.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from evenkeel.domain.fills import Fill
    from evenkeel.domain.instruments import Instrument
    from evenkeel.quant.analytics import RoundTrips, Track
    from evenkeel.quant.analytics.series import Floats

FIGURES = (
    "total_return",
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
    "current_drawdown",
    "longest_drawdown",
    "var_95_period",
    "cvar_95_period",
    "best_period",
    "worst_period",
    "positive_periods",
    "skewness",
    "excess_kurtosis",
    "trades",
    "win_rate",
    "profit_factor",
    "payoff_ratio",
    "expectancy",
    "average_holding",
    "net_profit",
    "fees",
)
"""The metrics of a session, by their names in docs/metrics.md; those of trades come last."""
LEAST_TOGETHER = 3


class Day(NamedTuple):
    """A closed day: what the account was worth, and its growth since it began (1: nothing gained)."""

    date: date
    equity: float
    growth: float


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What a session leaves: its capital, when it began, its days in order, and what it holds now.

    `positions` are signed market values at the last prices, in `currency`, by instrument.
    """

    id: str
    name: str
    currency: str
    capital: float
    began: date
    days: Sequence[Day]
    positions: Mapping[str, float]

    @property
    def returns(self) -> list[float]:
        """One a day: the growth of each over that of the one before."""
        before = [1.0, *(day.growth for day in self.days)]
        return [day.growth / was - 1.0 if was else 0.0 for was, day in zip(before, self.days, strict=False)]


class Exposure(NamedTuple):
    """What sessions hold at the last prices. `gross` is of each by itself; of an instrument that one holds long and
    another short, only the difference is in `net_long` and `net_short`. `largest` are the ten largest, by instrument.
    """

    gross: float
    net: float
    leverage: float
    net_long: float
    net_short: float
    largest: tuple[tuple[str, float], ...]


class Combined(NamedTuple):
    """Several sessions as one. Money is in their currency, losses and values at risk are positive.

    `value` is what they come to together, `drawdown` and `max_drawdown` positive fractions of its best; the tails are
    historical, of one day, None below two. `apart` is the sum of the sessions' own values at risk: what it is more than
    `var_95` is what spreading gains.
    """

    capital: float
    value: float
    total_return: float
    drawdown: float
    max_drawdown: float
    days: int
    var_95: float | None
    var_99: float | None
    cvar_95: float | None
    apart: float | None
    exposure: Exposure


def figures(record: SessionRecord, trips: RoundTrips, *, periods: float = 252.0) -> dict[str, float | None]:
    """`FIGURES` of a session; None where one is undefined, as most are before there are days. Raises InvalidInput."""
    from evenkeel.quant.analytics import summary, trade_summary

    if not record.days:
        of_trades = trade_summary(trips)
        return {name: of_trades.get(name) for name in FIGURES}
    return summary(_track(record), periods=periods, names=FIGURES, trips=trips)


def drawdowns(record: SessionRecord) -> list[float]:
    """How far below its best the session lay at the end of each day, as positive fractions."""
    from evenkeel.quant.analytics import underwater

    return [] if not record.days else [abs(float(fall)) for fall in underwater(_track(record).equity)[1:]]


def _track(record: SessionRecord) -> Track:
    from evenkeel.quant.analytics import Track

    values = [record.capital * day.growth for day in record.days]
    start = min(record.began, record.days[0].date)
    return Track.of_equity([day.date for day in record.days], values, start=start, capital=record.capital)


def trips_of(fills: Iterable[Fill], instruments: Mapping[str, Instrument]) -> RoundTrips:
    """The round trips of an account, first in first out, each labelled by instrument id; books are apart."""
    import numpy as np

    from evenkeel.quant.analytics import Fills, RoundTrips, round_trips

    groups: dict[tuple[str, str], list[Fill]] = defaultdict(list)
    for fill in fills:
        groups[fill.book, fill.instrument_id].append(fill)
    parts = []
    for (_, instrument_id), own in groups.items():
        own.sort(key=lambda fill: fill.executed_at)
        columns = Fills.of(
            np.array([fill.executed_at for fill in own], dtype=np.int64),
            [float(fill.signed) for fill in own],
            price=[float(fill.price) for fill in own],
            fee=[float(sum(charge.amount for charge in fill.charges)) for fill in own],
        )
        instrument = instruments[instrument_id]
        multiplier, lot = float(instrument.multiplier), float(instrument.lot_size)
        parts.append(round_trips(columns, multiplier=multiplier, lot=lot, symbol=instrument_id))
    if not parts:
        parts.append(round_trips(Fills.of([], [], price=[])))
    return RoundTrips.concat(parts)


def correlations(records: Sequence[SessionRecord]) -> tuple[list[list[float | None]], int]:
    """The correlations of daily returns, by the days that all sessions have, and how many those are.

    None for a session whose returns do not vary, and for all below `LEAST_TOGETHER` days.
    """
    import numpy as np

    from evenkeel.quant.risk.together import correlations as correlated

    by_day = [dict(zip([day.date for day in one.days], one.returns, strict=True)) for one in records]
    shared = sorted(set.intersection(*map(set, by_day))) if by_day else []
    if len(shared) < LEAST_TOGETHER:
        return [[None] * len(records) for _ in records], len(shared)
    found = correlated(np.array([[one[day] for one in by_day] for day in shared], dtype=np.float64))
    return [[float(value) if np.isfinite(value) else None for value in row] for row in found], len(shared)


def combined(records: Sequence[SessionRecord]) -> Combined:
    """Several sessions as one. Raises InvalidInput for none, and for sessions of different currencies."""
    import numpy as np

    from evenkeel.quant.analytics import underwater
    from evenkeel.quant.analytics.returns import period_returns
    from evenkeel.quant.analytics.tails import cvar, var

    currencies = sorted({one.currency for one in records})
    if len(currencies) != 1:
        message = f"sessions in one currency, not in {', '.join(currencies)}" if currencies else "at least one session"
        raise InvalidInput(f"combined risk needs {message}", errors=(FieldError("ids", message),))
    worth = _worth(records)
    capital, value = float(worth[:, 0].sum()), float(worth[:, -1].sum())
    curve = worth.sum(axis=0)
    returns, falls = period_returns(curve), underwater(curve)
    apart = [_amount(var(period_returns(own)), float(own[-1])) for own in worth]
    return Combined(
        capital=capital,
        value=value,
        total_return=value / capital - 1.0,
        drawdown=abs(float(falls[-1])),
        max_drawdown=abs(float(np.min(falls))),
        days=len(returns),
        var_95=_amount(var(returns), value),
        var_99=_amount(var(returns, confidence=0.99), value),
        cvar_95=_amount(cvar(returns), value),
        apart=None if None in apart else sum(amount or 0.0 for amount in apart),
        exposure=_exposure(records, value),
    )


def _amount(share: float, value: float) -> float | None:
    """A share at risk in money: no less than zero, None where it is undefined."""
    return max(0.0, share) * value if isfinite(share) else None


def _worth(records: Sequence[SessionRecord]) -> Floats:
    """(k, n + 1): what each session was worth at the end of each day that any of them has, its capital first."""
    import numpy as np

    days = sorted({day.date for one in records for day in one.days})
    rows = []
    for one in records:
        at, last, row = {day.date: day.growth for day in one.days}, 1.0, [one.capital]
        for day in days:
            last = at.get(day, last)
            row.append(one.capital * last)
        rows.append(row)
    return np.array(rows, dtype=np.float64)


def _exposure(records: Sequence[SessionRecord], value: float) -> Exposure:
    held: dict[str, float] = defaultdict(float)
    for one in records:
        for name, worth in one.positions.items():
            held[name] += worth
    gross = sum((abs(worth) for one in records for worth in one.positions.values()), 0.0)
    largest = sorted(((name, worth) for name, worth in held.items() if worth), key=lambda each: -abs(each[1]))
    return Exposure(
        gross=gross,
        net=sum(held.values(), 0.0),
        leverage=gross / value if value > 0.0 else 0.0,
        net_long=sum((worth for worth in held.values() if worth > 0.0), 0.0),
        net_short=sum((-worth for worth in held.values() if worth < 0.0), 0.0),
        largest=tuple(largest[:10]),
    )
