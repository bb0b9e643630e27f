"""One record under examination: what all metrics are computed from, and what several of them share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from evenkeel.quant.analytics import returns as compounding
from evenkeel.quant.analytics.drawdowns import Drawdown, drawdown_table, falls
from evenkeel.quant.analytics.exposure import Holdings
from evenkeel.quant.analytics.months import monthly_returns, yearly_returns
from evenkeel.quant.analytics.ratios import newey_west_lags
from evenkeel.quant.analytics.round_trips import RoundTrips
from evenkeel.quant.analytics.series import Floats, Ints, check_periods, refuse, same_length
from evenkeel.quant.analytics.significance import Evidence, Trials, evidence
from evenkeel.quant.analytics.track import Track

CALMAR_MONTHS = 36
NS_PER_DAY = 86_400e9


class Spells(NamedTuple):
    """Days under water of each drawdown, the open one up to the last date."""

    longest: float
    average: float


@dataclass(frozen=True, eq=False)
class Case:
    """A track record with `periods` a year, and what it is measured against and with; None where there is none.

    `risk_free` and `target` are annual, effective rates; `benchmark` has one return a period of the track, and
    `holdings` one value a period. Raises InvalidInput where they do not fit.
    """

    track: Track
    periods: float = field(kw_only=True)
    risk_free: float = field(kw_only=True, default=0.0)
    target: float = field(kw_only=True, default=0.0)
    benchmark: Floats | None = field(kw_only=True, default=None)
    trips: RoundTrips | None = field(kw_only=True, default=None)
    holdings: Holdings | None = field(kw_only=True, default=None)
    trials: Trials | None = field(kw_only=True, default=None)

    def __post_init__(self) -> None:
        check_periods(self.periods)
        check_rates(risk_free=self.risk_free, target=self.target)
        if self.benchmark is not None:
            same_length(returns=self.returns, benchmark=self.benchmark)
        if self.holdings is not None:
            same_length(returns=self.returns, **self.holdings._asdict())

    @property
    def returns(self) -> Floats:
        return self.track.returns

    @property
    def equity(self) -> Floats:
        return self.track.equity

    @property
    def years(self) -> float:
        return self.track.years

    @property
    def total(self) -> float:
        """The total return, which equity knows even after a loss beyond the capital."""
        return float(self.equity[-1] / self.equity[0]) - 1.0 if len(self.track) else float("nan")

    @cached_property
    def floor(self) -> float:
        """The target as a return per period."""
        return compounding.periodic_rate(self.target, self.periods)

    @cached_property
    def excess(self) -> Floats:
        return compounding.excess(self.returns, periods=self.periods, risk_free=self.risk_free)

    @cached_property
    def lags(self) -> int:
        """How many autocorrelations the length of the record supports."""
        return newey_west_lags(len(self.returns))

    @cached_property
    def evidence(self) -> Evidence:
        return evidence(self.excess)

    @cached_property
    def months(self) -> Floats:
        return monthly_returns(self.track)[1]

    @cached_property
    def calendar_years(self) -> Floats:
        return yearly_returns(self.track)[1]

    @cached_property
    def deepest(self) -> Drawdown | None:
        return next(iter(drawdown_table(self.equity, largest=1)), None)

    @cached_property
    def spells(self) -> Spells:
        every = falls(self.equity)
        lengths = self.days_between(every.start, every.end)
        return Spells(compounding.best(lengths), float(np.mean(lengths)) if len(lengths) else float("nan"))

    def days_between(self, start: Ints, end: Ints) -> Floats:
        """Calendar days between points of equity, by index."""
        ordinals = self.track.points.astype(np.int64).astype(np.float64)
        return ordinals[end] - ordinals[start]

    @property
    def recovery_days(self) -> float:
        """Days from the deepest trough back to its top."""
        worst = self.deepest
        if worst is None or worst.end is None:
            return float("nan")
        return float(self.days_between(np.array([worst.trough]), np.array([worst.end]))[0])

    @cached_property
    def recent(self) -> Track:
        """The last 36 months; no period where there are fewer."""
        last = self.track.points[-1]
        first = _months_before(last, CALMAR_MONTHS)
        return self.track.since(first if first >= self.track.start else last)

    def lacks(self, need: str) -> bool:
        """Whether a metric that needs this is undefined."""
        return need != "returns" and getattr(self, need) is None

    @property
    def market(self) -> Floats:
        assert self.benchmark is not None
        return self.benchmark

    @property
    def closed(self) -> RoundTrips:
        assert self.trips is not None
        return self.trips

    @property
    def net(self) -> Floats:
        """P&L of each round trip."""
        return self.closed.net

    @property
    def held(self) -> Holdings:
        assert self.holdings is not None
        return self.holdings

    @property
    def search(self) -> Trials:
        assert self.trials is not None
        return self.trials


def check_rates(**annual: Any) -> None:
    """Raises InvalidInput for what is no number, and for a rate a year that loses all there is, or more."""
    for name, rate in annual.items():
        if isinstance(rate, bool) or not isinstance(rate, float | int | np.number) or not rate > -1.0:
            raise refuse(name, f"expected an annual rate such as 0.03, not {rate!r}")


def _months_before(day: np.datetime64, months: int) -> np.datetime64:
    """The same day of an earlier month, or that month's last where it is shorter."""
    month = day.astype("datetime64[M]")
    into = day - month.astype("datetime64[D]")
    earlier = month - np.timedelta64(months, "M")
    last = (earlier + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
    return min(earlier.astype("datetime64[D]") + into, last)
